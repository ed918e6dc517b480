"""Answers to what runs wait for: signals, decisions, time. A run that has its answer goes on."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

from pydantic_core import to_jsonable_python

from fishplate.agents.agent import AnyAgent
from fishplate.core.run_context import Principal
from fishplate.journal.batch import Owner
from fishplate.journal.signals import send_signal
from fishplate.journal.store import StoreUnavailableError
from fishplate.journal.waits import (
    Decision,
    Wait,
    cancel_waiting,
    decide,
    expire,
    open_waits,
    receive,
)
from fishplate.journal.writer import JournalWriter
from fishplate.orchestrator.waits import DueTimer, read_signal

T = TypeVar("T")

STORE_PAUSE: Final = 1_000
"""Milliseconds after which a store that was not available is asked again what is due."""


class Answers:
    """Takes answers for the runs of one store.

    Args:
        writer: Through which everything is read and written.
        now_ms: Wall clock, milliseconds since 1970.
        begin: Begins a task that ends with the app.
        go_on: Lets the run of an id go on, whose state is `queued` by now.
    """

    def __init__(
        self,
        writer: JournalWriter,
        now_ms: Callable[[], int],
        begin: Callable[[Coroutine[Any, Any, None]], object],
        go_on: Callable[[str], None],
    ) -> None:
        self._writer = writer
        self._now_ms = now_ms
        self._begin = begin
        self._go_on = go_on
        self.timer = DueTimer(now_ms, self._begin_to_expire)

    async def open(self) -> None:
        """Answer what was due before, and begin to expect what is due next."""
        now = self._now_ms()
        due: int | None = now
        while due is not None and due <= now:
            _, due = await self._change(lambda connection: expire(connection, now))
        self.timer.expect(due)

    async def signal(
        self, unit: AnyAgent, run_id: str, name: str, value: object, by: Principal
    ) -> None:
        """Answer the oldest wait for a signal, or keep it for the next; see `App.signal`."""
        found = read_signal(unit, name, value)
        now = self._now_ms()
        if found is None:  # one that a body waits for is judged by what it has announced
            document = to_jsonable_python(value, by_alias=True)
            ready = await self._change(
                lambda store: send_signal(store, run_id, name, document, by=by, now_ms=now),
                is_precious=True,
            )
        else:
            answer, contracts = found
            ready = await self._change(
                lambda store: receive(store, run_id, name, answer, contracts, by=by, now_ms=now),
                is_precious=True,
            )
        if ready:
            self._go_on(run_id)

    async def decide(
        self, run_id: str, step: str | None, decision: Decision, *, by: Principal, note: str
    ) -> None:
        """Approve or reject; see `App.approve`."""
        now = self._now_ms()
        ready = await self._change(
            lambda connection: decide(
                connection, run_id, step, decision, by=by, note=note, now_ms=now
            ),
            is_precious=True,
        )
        if ready:
            self._go_on(run_id)

    async def cancel(self, run_id: str) -> bool:
        """End a run that waits; false if it does not wait any more."""
        now = self._now_ms()
        return await self._change(lambda connection: cancel_waiting(connection, run_id, now))

    async def waits(self, run_id: str | None) -> list[Wait]:
        """What a run waits for, or all of them, oldest first."""
        return await self._change(lambda connection: open_waits(connection, run_id))

    def _begin_to_expire(self) -> None:
        self._begin(self._expire())

    async def _expire(self) -> None:
        now = self._now_ms()
        try:
            ready, due = await self._change(lambda connection: expire(connection, now))
        except StoreUnavailableError:
            self.timer.expect(now + STORE_PAUSE)
            return
        self.timer.expect(due)
        for run_id in ready:
            self._go_on(run_id)

    async def _change(
        self, apply: Callable[[sqlite3.Connection], T], *, is_precious: bool = False
    ) -> T:
        return await self._writer.change(Owner(), apply, is_precious=is_precious)
