"""Branches side by side on one event loop, each in a task of its own from its first line.

Tasks are kept here rather than in a TaskGroup, which costs half as much again for every branch;
`Fork.join` gives the same guarantee: when it ends, no task of the fork is left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeAlias, TypeVar, cast

from fishplate.orchestrator.effects import Suspended

Task: TypeAlias = asyncio.Task[None]
B = TypeVar("B")


class Fork(Generic[B]):
    """Branches that run side by side.

    Args:
        size: How many branches there are, at least 1.
        concurrency: Most that run at a time, at least 1; `None` for all.
        open_branch: Makes the branch of an index; called in the branch's own task.
        drive: Runs a branch to its end in its task, which it is given.
    """

    __slots__ = (
        "_answers",
        "_drive",
        "_failures",
        "_is_filling",
        "_is_over",
        "_left",
        "_loop",
        "_may_be_eager",
        "_next",
        "_open_branch",
        "_size",
        "_suspended",
        "_tasks",
        "_wake",
        "_width",
    )

    def __init__(
        self,
        size: int,
        concurrency: int | None,
        open_branch: Callable[[int], B],
        drive: Callable[[B, Task], Coroutine[Any, Any, object]],
    ) -> None:
        self._size = size
        self._width = size if concurrency is None else min(concurrency, size)
        self._open_branch = open_branch
        self._drive = drive
        self._loop = asyncio.get_running_loop()
        self._answers: list[object] = [None] * size
        self._failures: dict[int, BaseException] = {}
        self._suspended: tuple[str, ...] = ()
        self._left = size
        self._next = 0
        self._is_filling = False
        self._is_over = False
        self._may_be_eager = self._loop.get_task_factory() is not None
        self._tasks: dict[int, Task] = {}
        self._wake = self._loop.create_future()

    async def join(self) -> list[object]:
        """Run the branches to their end.

        Returns:
            The answers in the order of the branches.

        Raises:
            BaseException: The failure of the branch that failed first; of those that failed before
                anybody could look, the one of the lowest index. The other branches were cancelled
                and have ended; what they raised meanwhile stands in their spans.
            Suspended: Branches wait, and all others have ended.
        """
        self._fill()
        try:
            await self._wake
        except GeneratorExit:
            # Closed where it stands: nothing can be awaited any more.
            self._cancel()
            raise
        except asyncio.CancelledError:
            await self._end()
            raise
        if self._failures:
            failure = self._failures[min(self._failures)]
            await self._end()
            raise failure
        if self._suspended:
            raise Suspended(self._suspended)
        return self._answers

    def _fill(self) -> None:
        """Start branches until enough of them run."""
        if self._is_filling or self._failures or self._is_over:
            return  # an eager task may end, or fail, while it is being started
        self._is_filling = True
        create, tasks, width = self._loop.create_task, self._tasks, self._width
        may_be_eager = self._may_be_eager
        for index in range(self._next, self._size):
            if len(tasks) >= width or (may_be_eager and self._failures):
                break
            self._next = index + 1
            task = create(self._run(index))
            if not (may_be_eager and task.done()):
                tasks[index] = task
        self._is_filling = False

    async def _run(self, index: int) -> None:
        try:
            # An eager task begins before it is known.
            task = self._tasks.get(index) or cast("Task", asyncio.current_task())
            self._answers[index] = await self._drive(self._open_branch(index), task)
            if task.cancelling():
                raise asyncio.CancelledError  # noqa: TRY301 -- what it answers regardless is dropped
        except Suspended as suspended:
            self._suspended += suspended.keys  # it holds no place while it waits
        except BaseException as error:
            self._tasks.pop(index, None)
            if not self._is_over:
                self._failures[index] = error
                self._finish()
                if not isinstance(error, asyncio.CancelledError):
                    return
            elif isinstance(error, Exception):
                return
            raise
        self._tasks.pop(index, None)
        self._left -= 1
        if self._left == 0:
            self._finish()
        elif self._next < self._size:
            self._fill()

    def _finish(self) -> None:
        if not self._wake.done():
            self._wake.set_result(None)

    def _cancel(self) -> None:
        self._is_over = True
        if not self._loop.is_closed():
            for task in self._tasks.values():
                task.cancel()

    async def _end(self) -> None:
        """Cancel what still runs and wait until it has ended.

        A cancellation of ours that comes meanwhile is passed on. It need not be raised here:
        whoever drives us looks at the task's own count of them.
        """
        self._cancel()
        # Not every task has taken itself out: one that is cancelled before it begins never runs.
        while left := [task for task in self._tasks.values() if not task.done()]:
            try:
                await asyncio.wait(left)
            except asyncio.CancelledError:
                self._cancel()
