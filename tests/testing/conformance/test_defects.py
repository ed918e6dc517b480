"""Engines and journals with a defect do not conform, and it is said why."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from tempfile import mkdtemp
from typing import Any, TypeVar
from uuid import uuid4

import pytest
from typing_extensions import override

from fishplate import App, Call, Principal, Run
from fishplate.agents.agent import AnyAgent
from fishplate.app import ANYBODY
from fishplate.core.clock import FixedClock
from fishplate.core.run_context import RunContext
from fishplate.journal.batch import Owner, Table, Values
from fishplate.journal.waits import NotWaitingError
from fishplate.journal.writer import OpenWriter, Writer
from fishplate.orchestrator.effects import CallEffect
from fishplate.orchestrator.resume_rule import ResumeRule, Way
from fishplate.testing.conformance import (
    EngineConformance,
    JournalConformance,
    Life,
    NotConformingError,
)
from fishplate.testing.conformance.case import START
from fishplate.testing.conformance.cast import handling_edited

T = TypeVar("T")


class Suite(EngineConformance, JournalConformance):
    """All tests over SQLite.

    Args:
        kind: Makes the app.
        open_writer: Makes the writer.
    """

    def __init__(self, kind: Callable[..., App] = App, open_writer: OpenWriter = Writer) -> None:
        self._kind = kind
        self._open_writer = open_writer

    @override
    @asynccontextmanager
    async def opened(self, life: Life) -> AsyncGenerator[App]:
        app = life.app(self._kind)
        app.keep_in(
            f"sqlite:///{life.place / 'runs.db'}",
            durability="normal",
            open_writer=life.crash.around(self._open_writer),
        )
        async with app:
            yield app


class ForgetfulWriter(Writer):
    """Loses the record of a step."""

    @override
    def add(self, owner: Owner, table: Table, values: Values) -> None:
        if not (table.name == "step" and "look" in values):
            super().add(owner, table, values)


class DoublingApp(App):
    """Hands each signal on twice."""

    @override
    async def signal(
        self, run_id: str, name: str, value: object, *, principal: Principal = ANYBODY
    ) -> None:
        await super().signal(run_id, name, value, principal=principal)
        with suppress(NotWaitingError):
            await super().signal(run_id, name, value, principal=principal)


class LateApp(App):
    """Loses a signal that comes before its wait."""

    @override
    async def signal(
        self, run_id: str, name: str, value: object, *, principal: Principal = ANYBODY
    ) -> None:
        if await self.waits(run_id):
            await super().signal(run_id, name, value, principal=principal)


class DeafApp(App):
    """Goes on when it is told to end."""

    @override
    async def _bounded(self, context: RunContext, effect: CallEffect, *, is_marked: bool) -> object:
        working = asyncio.get_running_loop().create_task(
            super()._bounded(context, effect, is_marked=is_marked)
        )
        try:
            return await asyncio.shield(working)
        except asyncio.CancelledError:
            return await working


class RepeatingApp(App):
    """Starts a run whenever it is asked to."""

    @override
    async def start_once(
        self, call: Call[T], /, *, key: str, principal: Principal = ANYBODY, **caller: Any
    ) -> Run[T]:
        return await super().start_once(call, key=f"{key} {uuid4()}", principal=principal, **caller)


class SleepingApp(App):
    """Hears nothing of the time that goes by while no process lives."""

    def __init__(self, *agents: AnyAgent, **settings: Any) -> None:
        settings["clock"] = FixedClock(START)
        super().__init__(*agents, **settings)


class BoundlessApp(App):
    """Lets a run work for as long as it likes."""

    def __init__(self, *agents: AnyAgent, **settings: Any) -> None:
        settings["working_time"] = 300.0
        super().__init__(*agents, **settings)


def test_an_undamaged_suite_finds_nothing() -> None:
    """What the tests below find is in the defect, and not in how it was planted."""
    Suite().test_double_signal_answers_one_wait_each()
    Suite().test_cancel_ends_a_running_step()
    Suite().test_pinned_release_stops_at_an_edited_body()


def test_a_lost_record_is_found() -> None:
    """A journal that loses what one step gave is told by the step that runs again."""
    with pytest.raises(NotConformingError, match=r"built on is not run again.*'look'"):
        Suite(open_writer=ForgetfulWriter).test_crash_at_every_record()


@pytest.mark.parametrize(
    ("kind", "broken", "says"),
    [
        (DoublingApp, Suite.test_double_signal_answers_one_wait_each, "one wait, and not the next"),
        (LateApp, Suite.test_early_signal_is_kept, "did not end"),
        (DeafApp, Suite.test_cancel_ends_a_running_step, "did not end"),
        (RepeatingApp, Suite.test_duplicate_start_joins, "another input is refused"),
        (SleepingApp, Suite.test_timeouts_go_on_while_no_process_lives, "over at its time"),
        (BoundlessApp, Suite.test_timeout_of_a_run, "did not end"),
    ],
)
def test_an_engine_with_a_defect_is_found(
    kind: type[App], broken: Callable[[Suite], None], says: str
) -> None:
    """An engine that breaks a rule fails that rule's test, whose message names the rule."""
    suite = Suite(kind)
    suite.seconds = 1.0  # what does not end is waited for
    with pytest.raises(NotConformingError, match=says):
        broken(suite)


def test_an_edited_body_of_a_pinned_release_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that lets a run go on in whatever code is at hand is told by what that code did."""

    def whatever_is_there(rule: ResumeRule, agent: str, before: bytes, plan: bytes | None) -> Way:
        return Way(handling_edited, {}, {}, {}, ())

    monkeypatch.setattr(ResumeRule, "way", whatever_is_there)
    with pytest.raises(NotConformingError, match=r"edited body with records.*'edited'"):
        Suite().test_pinned_release_stops_at_an_edited_body()


def test_a_journal_that_keeps_nothing_is_found() -> None:
    """An engine in memory that is said to keep its runs is told by the first crash."""

    class Forgetting(JournalConformance):
        """Opens a store of its own for every life."""

        @override
        @asynccontextmanager
        async def opened(self, life: Life) -> AsyncGenerator[App]:
            folder = await asyncio.to_thread(mkdtemp, dir=life.place)
            app = life.app(App)
            app.keep_in(f"sqlite:///{folder}/runs.db", open_writer=life.crash.around(Writer))
            async with app:
                yield app

    with pytest.raises(NotConformingError, match="starts under one key are one run"):
        Forgetting().test_duplicate_start_joins()


def test_a_journal_that_does_not_crash_proves_nothing() -> None:
    """Where nobody hands the crash on, no run is cut, and that is said instead of a success."""

    class Immortal(JournalConformance):
        """Forgets that a life may end by a crash."""

        @override
        @asynccontextmanager
        async def opened(self, life: Life) -> AsyncGenerator[App]:
            app = life.app(App)
            app.keep_in(f"sqlite:///{life.place / 'runs.db'}")
            async with app:
                yield app

    with pytest.raises(NotConformingError, match="did not crash"):
        Immortal().test_crash_at_every_record()
