"""Going on with a coroutine that ran to its first suspension, so that a timer is armed only then.

A time limit has to end a call that does not want to end. When its time is over the call is
cancelled, as by `asyncio.timeout`; an answer that it gives after that is dropped. If it still has
not ended a moment later it is closed where it stands, which no `except` of it can put off.
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import Callable, Coroutine, Generator
from math import inf
from typing import Any, Final, TypeVar

from fishplate.core.timers import Slot, TimerWheel

T = TypeVar("T")

CANCEL_GRACE: Final = 1.0
"""Seconds for which what was cancelled may clean up."""


class OutOfTimeError(Exception):
    """The time of a coroutine is over, and it has ended; its own failure, if any, is the cause."""


async def within(
    seconds: float,
    coroutine: Coroutine[Any, Any, T],
    now_ns: Callable[[], int],
    started_ns: int,
    *,
    grace: float = CANCEL_GRACE,
) -> T:
    """Await a coroutine for at most `seconds`; a coroutine that never suspends costs no timer.

    Args:
        seconds: How long it may take.
        coroutine: Not begun yet.
        now_ns: The clock, asked at the first suspension.
        started_ns: When the time began to run, on the same clock.
        grace: Seconds for which it may clean up after its time.

    Raises:
        OutOfTimeError: The time was over; the coroutine was cancelled and has ended.
        asyncio.CancelledError: The task was cancelled, even if the coroutine went on regardless.
    """
    try:
        yielded = coroutine.send(None)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]  # StopIteration is not generic
    left = seconds - (now_ns() - started_ns) / 1e9
    return await finish_within(left, coroutine, yielded, grace=grace)


@types.coroutine
def finish_within(  # noqa: C901 -- one generator, for the reason below
    seconds: float,
    coroutine: Coroutine[Any, Any, T],
    yielded: object,
    wheel: TimerWheel | None = None,
    *,
    grace: float = CANCEL_GRACE,
) -> Generator[object, object, T]:
    """Await the rest of a coroutine, whose first `send(None)` gave `yielded`; see `within`.

    It is one generator, which passes on what the coroutine waits for and what it is sent as
    `yield from` would: whatever stands between is held for as long as a call waits.

    Args:
        seconds: How long the rest may take; `inf` for no limit.
        coroutine: Begun, and not ended.
        yielded: What it waits for.
        wheel: Where the limit waits for its time, if it is one that is seldom reached.
        grace: Seconds for which it may clean up after its time.
    """
    limit = _Limit(seconds, wheel, grace)
    try:
        while True:
            try:
                sent = yield yielded
            except GeneratorExit:
                coroutine.close()
                raise
            except BaseException as error:  # cancellation has to reach the coroutine
                if limit.is_given_up:
                    coroutine.close()
                    raise
                yielded = coroutine.throw(error)
            else:
                yielded = coroutine.send(sent)
    except StopIteration as stop:
        value: T = stop.value
    except (Exception, asyncio.CancelledError) as error:
        if limit.has_passed and not limit.is_cancelled_by_others:
            raise OutOfTimeError from (None if isinstance(error, asyncio.CancelledError) else error)
        raise
    finally:
        limit.end()
    if limit.is_cancelled_by_others:
        raise asyncio.CancelledError
    if limit.has_passed:
        raise OutOfTimeError
    return value


class _Limit:
    """Cancels the running task when its time is over, and gives the call up if it goes on.

    Attributes:
        has_passed: The time is over.
        is_given_up: So is the grace, and the next exception from outside closes the coroutine
            instead of reaching it.
    """

    __slots__ = (
        "_before",
        "_cancels",
        "_end",
        "_grace",
        "_slot",
        "_task",
        "_timer",
        "has_passed",
        "is_given_up",
    )

    def __init__(self, seconds: float, wheel: TimerWheel | None, grace: float) -> None:
        task = asyncio.current_task()
        assert task is not None, "a call that waits runs in a task"
        self._task = task
        self._grace = grace
        self._before = task.cancelling()
        self._cancels = 0
        self.has_passed = False
        self.is_given_up = False
        self._timer: asyncio.TimerHandle | None = None
        self._slot: Slot | None = None
        if seconds < inf:
            loop = task.get_loop()
            self._end = loop.time() + max(seconds, 0.0)
            if wheel is not None:
                self._slot = wheel.slot(loop, self._end)
            if self._slot is not None:
                self._slot.add(self)
            else:
                self.set_timer()

    def set_timer(self) -> None:
        """End the time by a timer of the loop; see `Timed`."""
        self._slot = None
        self._timer = self._task.get_loop().call_at(self._end, self._expire)

    def _expire(self) -> None:
        self.has_passed = True
        self._cancels = 1
        self._task.cancel()
        self._timer = self._task.get_loop().call_later(self._grace, self._give_up)

    def _give_up(self) -> None:
        self.is_given_up = True
        self._cancels += 1
        self._task.cancel()

    @property
    def is_cancelled_by_others(self) -> bool:
        """Whether somebody else asked the task to end since the limit was set."""
        return self._task.cancelling() - self._cancels > self._before

    def end(self) -> None:
        """Stop the time and take back our own requests, so that the task can go on."""
        if self._slot is not None:
            self._slot.remove(self)
        if self._timer is not None:
            self._timer.cancel()
        while self._cancels:
            self._cancels -= 1
            self._task.uncancel()
