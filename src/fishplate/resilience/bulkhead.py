"""The slots of one target: so many calls at a time, so many waiting, the longest waiting first."""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from fishplate.core.errors import JsonValue
from fishplate.resilience.events import EventSink, ThreadAbandoned
from fishplate.resilience.policy import Bulkhead


class Slots:
    """A bounded number of slots with a bounded queue; one event loop, no locks.

    Args:
        settings: Its numbers.
        target: Key of the target, for events.
        emit: Where events go.

    Attributes:
        settings: Its numbers.
        in_flight: Slots that are held, by calls and by threads that outlived theirs.
        abandoned: Threads that hold a slot after their attempt has ended.
        waiters: The queue: each gets True with a slot, or False when it has waited long enough.
        limit: Most slots; the fast path of a call compares `in_flight` with it and counts itself.
    """

    __slots__ = ("_emit", "_target", "abandoned", "in_flight", "limit", "settings", "waiters")

    def __init__(self, settings: Bulkhead, *, target: str, emit: EventSink) -> None:
        self.settings = settings
        self.limit = settings.concurrent
        self.in_flight = 0
        self.abandoned = 0
        self._target = target
        self._emit = emit
        self.waiters: deque[asyncio.Future[bool]] = deque()

    @property
    def queued(self) -> int:
        """How many calls wait for a slot."""
        return len(self.waiters)

    def try_acquire(self) -> bool:
        """Take a slot if one is free; whether it was taken. Nobody overtakes the queue."""
        # Whoever gives a slot back hands it to the queue, so a free slot means an empty queue.
        if self.in_flight >= self.limit:
            return False
        self.in_flight += 1
        return True

    async def acquire(self, *, at_most: float | None = None) -> bool:
        """Take a slot, waiting in the queue if there is room; a cancelled wait leaves the queue.

        Args:
            at_most: Seconds to wait for it at most, if that is less than the settings say.

        Returns:
            Whether it was taken; `False` if the queue is full or the wait was over.
        """
        if self.try_acquire():
            return True
        wait = self.settings.wait if at_most is None else min(self.settings.wait, at_most)
        if len(self.waiters) >= self.settings.queued or wait <= 0:
            return False
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[bool] = loop.create_future()
        self.waiters.append(waiter)
        timer = loop.call_later(wait, self._give_up, waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if not waiter.cancelled() and waiter.result():
                self.release()  # the slot came in the same moment as the cancellation
            elif waiter in self.waiters:
                self.waiters.remove(waiter)
            raise
        finally:
            timer.cancel()

    def release(self) -> None:
        """Give a slot back: to the one who waits longest, if anybody does."""
        self.in_flight -= 1
        if self.waiters:
            self._admit()

    def hold_until(self, thread: Future[Any]) -> None:
        """Hold one more slot until a thread ends, because a thread cannot be cancelled.

        An attempt that is cut off calls this before it ends and gives back its own slot, so the
        slot is never free while the thread still works.

        Args:
            thread: What runs in the thread; nothing happens if it is done.
        """
        if thread.done():
            return
        self.in_flight += 1
        self.abandoned += 1
        loop = asyncio.get_running_loop()
        thread.add_done_callback(lambda _: self._thread_ended(loop))
        self._emit(ThreadAbandoned(target=self._target, abandoned=self.abandoned))

    def configure(self, settings: Bulkhead) -> None:
        """Go on with other numbers; calls that hold a slot keep it."""
        self.settings = settings
        self.limit = settings.concurrent
        self._admit()

    def to_json(self) -> dict[str, JsonValue]:
        """Slots held, calls waiting, threads abandoned, and the limits."""
        return {
            "in_flight": self.in_flight,
            "concurrent": self.limit,
            "queued": self.queued,
            "queue": self.settings.queued,
            "abandoned": self.abandoned,
        }

    def _admit(self) -> None:
        while self.waiters and self.in_flight < self.limit:
            waiter = self.waiters.popleft()
            if not waiter.done():
                self.in_flight += 1
                waiter.set_result(True)

    def _give_up(self, waiter: asyncio.Future[bool]) -> None:
        if not waiter.done():
            self.waiters.remove(waiter)
            waiter.set_result(False)

    def _thread_ended(self, loop: asyncio.AbstractEventLoop) -> None:
        with suppress(RuntimeError):  # the loop is closed, and needs no slots any more
            loop.call_soon_threadsafe(self._end_of_thread)

    def _end_of_thread(self) -> None:
        self.abandoned -= 1
        self.release()
