"""Virtual time: an event loop in which waiting takes no time, and a clock that goes with it.

When nothing is ready to run, time jumps to the next timer, so that a test of an hour's backoff
takes a millisecond and ends the same way every time. When there is no timer either, everything
waits for ever, and the loop says who does. There are no sockets; what would run in a thread runs
at once, in no time, as if it were in one.
"""

from __future__ import annotations

import asyncio
import selectors
from asyncio.events import _set_running_loop  # made for event loops
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar, TypeVarTuple

from typing_extensions import override

from fishplate.core.errors import UsageError

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

START: Final = datetime(2026, 1, 1, tzinfo=UTC)


def run_in_virtual_time(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end on a loop of its own whose time is virtual.

    Raises:
        UsageError: Nothing is ready to run and no timer is set (code `deadlock`); names the tasks.
    """
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(coroutine)


class VirtualClock:
    """A clock that goes with the running virtual loop; for `App(clock=VirtualClock())`.

    Args:
        start: Aware wall clock time at which the loop's time is 0.
        loop: Whose time it is; by default the running one's. A clock that is read outside of the
            loop, e.g. where a thread would be, needs it.
    """

    def __init__(
        self, start: datetime = START, loop: asyncio.AbstractEventLoop | None = None
    ) -> None:
        if start.tzinfo is None:
            msg = f"the clock needs an aware datetime, got {start!r}: add a tzinfo"
            raise ValueError(msg)
        self._start = start
        self._loop = loop

    def now(self) -> datetime:
        """Wall clock time, aware, in the zone of the start."""
        return self._start + timedelta(seconds=self._time())

    def monotonic_ns(self) -> int:
        """Nanoseconds since the first loop was made."""
        return round(self._time() * 1e9)

    def _time(self) -> float:
        return (self._loop or asyncio.get_running_loop()).time()


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in which time jumps to the next timer.

    Args:
        start: The time that it begins with, in seconds: that at which another loop has ended.
    """

    def __init__(self, start: float = 0.0) -> None:
        self._seconds = start
        super().__init__(_NoSelector(self))
        self._clock_resolution = 1e-9

    @override
    def time(self) -> float:
        """Seconds since the first loop was made."""
        return self._seconds

    @override
    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Run a function at once, without a running loop, as a thread would."""
        future: asyncio.Future[T] = self.create_future()
        _set_running_loop(None)
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 -- goes to whoever awaits it
            future.set_exception(error)
        finally:
            _set_running_loop(self)
        return future

    def jump(self, seconds: float | None) -> None:
        """Let time pass until the next timer, `None` if there is none.

        Raises:
            UsageError: There is none (code `deadlock`).
        """
        if seconds is not None:
            self._seconds += max(seconds, 0.0)
            return
        waiting = sorted(map(_described, asyncio.all_tasks(self)))
        msg = f"nothing is ready to run and no timer is set at {self._seconds:g} s; " + (
            f"what waits for ever: {'; '.join(waiting)}" if waiting else "no task is left"
        )
        raise UsageError(msg, code="deadlock")

    def _write_to_self(self) -> None:
        """Nobody sleeps in a selector, so nobody has to be woken."""


class _NoSelector(selectors.SelectSelector):
    """Reports no input; asked to wait, it lets virtual time pass."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    @override
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._loop.jump(timeout)
        return []


def _described(task: asyncio.Task[Any]) -> str:
    """A task by its name and the place at which it waits."""
    stack = task.get_stack()
    if not stack:
        return task.get_name()
    frame = stack[-1]
    return f"{task.get_name()} at {frame.f_code.co_filename}:{frame.f_lineno}"
