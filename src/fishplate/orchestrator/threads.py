"""Plain functions in threads, which cannot be cancelled and hold what they hold to their end."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any


class Threads:
    """The threads of an app, made when its first plain function runs.

    Args:
        most: How many there are at a time.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._executor: ThreadPoolExecutor | None = None

    def executor(self) -> ThreadPoolExecutor:
        """What runs functions in them."""
        if self._executor is None:
            self._executor = ThreadPoolExecutor(self._most, thread_name_prefix="fishplate")
        return self._executor

    def close(self) -> None:
        """Begin no function any more; those that run end by themselves."""
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._executor = None


async def in_thread(
    executor: Executor,
    function: Callable[..., Any],
    arguments: tuple[object, ...],
    on_end: Callable[[], None],
    on_left: Callable[[Future[None]], None],
) -> object:
    """Run a plain function in a thread; `current()` works there.

    Args:
        executor: Where it runs.
        function: What runs.
        arguments: Its arguments.
        on_end: Called once on the event loop: when the function has really ended, also if nobody
            waits for it any more, or when it is certain that it will never begin.
        on_left: Called before the wait is given up while the function runs on, with what is done
            when it has ended.
    """
    job = _Job(function, arguments, on_end)
    try:
        return await job.loop.run_in_executor(executor, job)
    except (asyncio.CancelledError, GeneratorExit):
        if not job.abandon():
            on_left(job.ended)
        raise
    finally:
        job.abandon()  # the pool did not take it; does nothing to a job that has begun


class _Job:
    """A function on its way through a thread pool.

    Attributes:
        loop: Where it was started.
        ended: Done when the function has ended.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        arguments: tuple[object, ...],
        on_end: Callable[[], None],
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.ended: Future[None] = Future()
        self._function = function
        self._arguments = arguments
        self._on_end = on_end
        self._context = contextvars.copy_context()
        self._claim = [True]  # taken once, by the thread that begins or by the caller that gives up

    def __call__(self) -> object:
        if not self._is_claimed():
            return None  # given up while it was queued; nobody waits for an answer
        try:
            return self._context.run(self._function, *self._arguments)
        except StopIteration as error:
            # A future cannot carry it; a coroutine would have turned it into the same.
            msg = "the function raised StopIteration"
            raise RuntimeError(msg) from error
        finally:
            self.ended.set_result(None)
            # The loop may be closed by now, and what is to be told has gone with it.
            with contextlib.suppress(RuntimeError):
                self.loop.call_soon_threadsafe(self._on_end)

    def abandon(self) -> bool:
        """Keep the function from beginning, if it has not begun; whether it is kept."""
        if not self._is_claimed():
            return False
        self._on_end()
        return True

    def _is_claimed(self) -> bool:
        try:
            return self._claim.pop()  # atomic, so that a thread and the loop cannot both have it
        except IndexError:
            return False
