"""The tasks of an app: each run has one, and none outlives the app."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from fishplate.core.suspension import CANCEL_GRACE

R = TypeVar("R")


class RunTasks:
    """Begins tasks, and holds them until they end."""

    def __init__(self) -> None:
        # In order of start: what is cancelled together is cancelled in the same order every time.
        self._tasks: dict[asyncio.Task[object], None] = {}
        # One bound method and one context for all tasks: else each would hold its own.
        self._forget_ended = self._forget
        self._forgets_in = contextvars.Context()

    def __len__(self) -> int:
        return len(self._tasks)

    def begin(self, coroutine: Coroutine[Any, Any, R]) -> asyncio.Task[R]:
        """Begin a task."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks[task] = None
        task.add_done_callback(self._forget_ended, context=self._forgets_in)
        return task

    async def settled(self, others: Callable[[], Awaitable[None]]) -> None:
        """Wait until all have ended, also those that begin meanwhile.

        Args:
            others: Waits for what may begin tasks; asked before each look at them.
        """
        while True:
            await others()
            left = self._left()
            if not left:
                return
            await asyncio.wait(left)

    async def cancel(self) -> None:
        """Cancel all, and wait until they have ended."""
        while left := self._left():
            self.ask_to_end()
            # One that swallows its cancellation is asked again, at the latest by its deadline.
            await asyncio.wait(left, timeout=CANCEL_GRACE)

    def ask_to_end(self) -> None:
        """Cancel all, and wait for none."""
        for task in self._left():
            task.cancel()

    def _left(self) -> list[asyncio.Task[object]]:
        return [task for task in self._tasks if not task.done()]

    def _forget(self, task: asyncio.Task[object]) -> None:
        self._tasks.pop(task, None)
        if not task.cancelled():
            task.exception()  # who wants it asks the run; nobody asking is no warning
