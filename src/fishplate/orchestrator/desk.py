"""The desk: answers what other processes ask of the one that drives a store.

A run that a task drives is cancelled by way of that task, and what is asked about it is answered
when its end is written. Everything else is done in the transaction that answers.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Literal

from fishplate.journal.batch import Owner
from fishplate.journal.inbox import ANSWERS, answer, pending
from fishplate.journal.journal import Journal
from fishplate.journal.watch import InboxWatch


class Desk:
    """Answers the inbox of one store, and knows which of its runs are driven here.

    Args:
        path: Of the store's file.
        journal: Of the store.
        now_ms: Wall clock, milliseconds since 1970.
    """

    def __init__(self, path: Path, journal: Journal, now_ms: Callable[[], int]) -> None:
        self._path = path
        self._journal = journal
        self._now_ms = now_ms
        # What has no task is not to be cancelled: it has not begun yet, or its end is written.
        self._live: dict[str, asyncio.Task[object] | Literal["begins", "ends"]] = {}
        self._cancelled: set[str] = set()
        self._watch: InboxWatch | None = None
        self._answering: asyncio.Task[None] | None = None
        self._opened: Callable[[], Awaitable[None]] | None = None
        self._ready: Callable[[str], None] = _nobody
        self._given_up: Callable[[str], None] = _nobody

    def claim(self, run_id: str) -> None:
        """Hear that a run is driven here from now on."""
        self._live[run_id] = "begins"

    def drives(self, run_id: str) -> bool:
        """Whether a run is driven here."""
        return run_id in self._live

    def begins(self, run_id: str) -> None:
        """Hear that a run works in the current task."""
        self._live[run_id] = asyncio.current_task() or "begins"

    def ends(self, run_id: str) -> None:
        """Hear that a run is over, and that its end is about to be written."""
        self._live[run_id] = "ends"

    def is_ending(self, run_id: str) -> bool:
        """Whether a run is over, and its end is being written."""
        return self._live.get(run_id) == "ends"

    def ended(self, run_id: str) -> None:
        """Hear that a run is driven no more."""
        self._live.pop(run_id, None)  # one cancelled while it began to wait may say so twice
        if run_id in self._cancelled:
            self._heard()

    def has_cancelled(self, run_id: str) -> bool:
        """Whether somebody asked here to cancel a run, and is not answered yet."""
        return run_id in self._cancelled

    async def listen(
        self,
        opened: Callable[[], Awaitable[None]],
        ready: Callable[[str], None],
        given_up: Callable[[str], None],
    ) -> None:
        """Answer from now on whatever is asked.

        Args:
            opened: Lets runs go on that an answer may have opened again.
            ready: Lets the run of an id go on, which waited and has its answer now.
            given_up: Told the id of a run that was to be cancelled, when no task drives it.
        """
        self._opened, self._ready, self._given_up = opened, ready, given_up
        heard = functools.partial(asyncio.get_running_loop().call_soon_threadsafe, self._heard)
        self._watch = await asyncio.to_thread(InboxWatch, self._path, heard)

    async def close(self) -> None:
        """Answer no more."""
        self._opened = None
        if self._watch is not None:
            await asyncio.to_thread(self._watch.close)
        if self._answering is not None:
            await asyncio.wait([self._answering])

    async def answer(self) -> bool:
        """Answer what is asked and can be done by now.

        Whatever is about a run that is driven here waits for the end of that, but for what the run
        may come to wait for.

        Returns:
            Whether a run may be open again.

        Raises:
            StoreUnavailableError: It cannot be written down; what was asked stays asked.
        """
        may_open = False
        for message in await self._journal.writer.change(Owner(), pending):
            action = message.request.action
            if message.run in self._live and action not in ANSWERS:
                if action == "cancel":
                    self._cancel(message.run)
                continue
            if action == "prune":
                self._journal.forget_documents()
            is_ready = await self._journal.writer.change(
                Owner(),
                functools.partial(answer, message=message, now_ms=self._now_ms()),
                is_precious=True,
            )
            if is_ready:
                self._ready(message.run)
            elif action == "cancel":
                self._cancelled.discard(message.run)
                self._given_up(message.run)
            elif action not in ANSWERS and action != "prune":
                may_open = True
        return may_open

    def _cancel(self, run_id: str) -> None:
        task = self._live[run_id]
        if isinstance(task, asyncio.Task) and run_id not in self._cancelled:
            self._cancelled.add(run_id)
            task.cancel()

    def _heard(self) -> None:
        if self._answering is None and self._opened is not None:
            self._answering = asyncio.get_running_loop().create_task(
                self._answer_and_open(self._opened)
            )
            self._answering.add_done_callback(self._answered)

    def _answered(self, task: asyncio.Task[None]) -> None:
        self._answering = None
        if not task.cancelled():
            task.exception()  # the store tells the runs what is wrong with it; who asks looks again

    async def _answer_and_open(self, opened: Callable[[], Awaitable[None]]) -> None:
        if await self.answer():
            await opened()


def _nobody(run_id: str) -> None:
    """Nobody holds a run before the runs of the store are taken up."""
