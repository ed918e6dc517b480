"""A run goes on under the plan it began with, on the code at hand; what does not fit is said."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from typing_extensions import override

from fishplate import App, Workflow
from fishplate.agents.agent import AnyAgent
from fishplate.core.clock import FixedClock
from fishplate.core.errors import NeedsAttention
from tests import releases_cast as cast
from tests.releases_cast import WORLD

Reply = tuple[list[str], App]


@pytest.fixture(autouse=True)
def _fresh() -> None:
    WORLD.__init__()  # type: ignore[misc]  # a fresh world for the bodies, which know this one


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the runs are kept."""
    return tmp_path / "runs.db"


async def _leave_at(path: Path, name: str, unit: Workflow[..., Any]) -> None:
    """Start a run, and end the process in good order when a call of that name waits."""
    WORLD.held = {name}
    async with App(unit, store=f"sqlite:///{path}") as app:
        app.start(unit, "#W1")
        await asyncio.wait_for(WORLD.reached.wait(), 5)
    WORLD.held = set()
    WORLD.calls.clear()


async def _resume(
    path: Path, *agents: AnyAgent, resume: Literal["compatible", "exact"] = "compatible"
) -> Reply:
    """Live again with other agents: what the runs gave, and the app."""
    found: list[str] = []
    traces = f"sqlite:///{path}.traces"  # where spans are told with their contents
    async with App(*agents, store=f"sqlite:///{path}", traces=traces, resume=resume) as app:
        for run in app.resumed:
            try:
                found.append(await run.result())
            except NeedsAttention as error:
                found.append(error.code)
    return found, app


def _attention(path: Path) -> tuple[str | None, str]:
    store = sqlite3.connect(path)
    (found,) = store.execute("SELECT attention, explanation FROM run").fetchall()
    store.close()
    return found[0], found[1] or ""


def _changed(app: App) -> dict[str, Any]:
    """What the spans of the resumed run say about releases, by path."""
    (run,) = app.resumed
    return {
        span.path: span.attributes["release_changed"]
        for span in app.spans(run)
        if span.attributes and "release_changed" in span.attributes
    }


@pytest.mark.parametrize("held", ["look", "pay", "refund", "write"])
async def test_an_edited_workflow_ends_its_runs_as_it_began_them(path: Path, held: str) -> None:
    """Wherever it was left, a run follows its own plan to its own end, not the new one."""
    await _leave_at(path, held, cast.answer)
    found, _ = await _resume(
        path, cast.short_answer, cast.look, cast.refund, cast.review, cast.write
    )

    assert found == ["#W1: 5 for #W1"]
    assert "greet" not in WORLD.calls
    assert len(WORLD.calls) == len(set(WORLD.calls)), "a recorded step ran again"


async def test_a_workflow_within_a_workflow_ends_as_it_began(path: Path) -> None:
    """The plans of all workflows of a run are carried, not only the outermost one's."""
    await _leave_at(path, "write", cast.support)
    found, _ = await _resume(
        path, cast.short_support, cast.look, cast.refund, cast.review, cast.write
    )

    assert found == ["#W1: 5 for #W1"]
    assert WORLD.calls == ["write"]


async def test_new_runs_follow_the_new_plan(path: Path) -> None:
    """Beside a run of the old plan, new ones are started under the new one."""
    await _leave_at(path, "look", cast.answer)
    agents = (cast.short_answer, cast.look, cast.refund, cast.review, cast.write)
    async with App(*agents, store=f"sqlite:///{path}") as app:
        assert await app.start(cast.short_answer, "#W2").result() == "Dear #W2"
        (old,) = app.resumed
        assert await old.result() == "#W1: 5 for #W1"


async def test_an_agent_of_a_compatible_release_goes_on_and_says_so(path: Path) -> None:
    """What runs on other code than the run began with has both releases on its span."""
    await _leave_at(path, "write", cast.answer)
    found, app = await _resume(path, cast.better_answer)

    assert found == ["About #W1: 5 for #W1"]
    changed = _changed(app)
    assert set(changed) == {"answer", "write"}, "replayed and unchanged calls say nothing"
    assert changed["write"]["before"].startswith("0.0.0+fp.")
    assert changed["write"]["now"] == cast.write_better.label


async def test_what_has_not_changed_says_nothing(path: Path) -> None:
    """A run that goes on among equal agents tells of no change."""
    await _leave_at(path, "write", cast.answer)
    _, app = await _resume(path, cast.answer)

    assert _changed(app) == {}


@pytest.mark.parametrize(
    ("unit", "held", "says"),
    [
        (cast.signed_answer, "pay", ["'write'", "2.0.0+fp.", "signed"]),
        (cast.booked_answer, "look", ["'refund'", "'pay'", "books:write"]),
    ],
)
async def test_an_agent_that_does_less_or_may_do_more_stops_the_run(
    path: Path, unit: Workflow[..., Any], held: str, says: list[str]
) -> None:
    """The run waits for a person, who is told which agent it is and what the difference is."""
    await _leave_at(path, held, cast.answer)
    found, _ = await _resume(path, unit)

    assert found == []
    assert WORLD.calls == [], "nothing of it may run"
    reason, explanation = _attention(path)
    assert reason == "release_changed"
    for word in says:
        assert word in explanation


async def test_only_what_is_still_to_run_is_compared(path: Path) -> None:
    """A tool that may do more by now stops no run that will not call it any more."""
    await _leave_at(path, "write", cast.answer)
    found, _ = await _resume(path, cast.booked_answer)

    assert found == ["#W1: 5 for #W1"]


async def test_a_body_with_records_has_to_be_the_same(path: Path) -> None:
    """A body that has called others does not go on in other code, even with equal calls."""
    await _leave_at(path, "refund", cast.answer)
    found, _ = await _resume(path, cast.otherwise_answer)

    assert found == ["release_changed"]
    reason, explanation = _attention(path)
    assert reason == "release_changed"
    assert "'refund'" in explanation
    assert "body" in explanation


async def test_a_body_without_records_runs_in_its_new_code(path: Path) -> None:
    """What has called nobody yet begins anew, as any step that was cut."""
    await _leave_at(path, "look", cast.answer)
    found, _ = await _resume(path, cast.otherwise_answer)

    assert found == ["#W1: 5 for #W1."]


async def test_an_agent_that_is_gone_is_named(path: Path) -> None:
    """A plan that calls an agent that the app does not have waits for a person."""
    await _leave_at(path, "look", cast.answer)
    found, _ = await _resume(path, cast.short_answer)

    reason, explanation = _attention(path)
    assert (found, reason) == ([], "unknown_agent")
    assert "'look'" in explanation
    assert "App(...)" in explanation


@pytest.mark.parametrize("unit", [cast.better_answer, cast.short_answer])
async def test_an_exact_app_takes_up_equal_agents_only(
    path: Path, unit: Workflow[..., Any]
) -> None:
    """With `resume="exact"` any difference stops the run; without one it goes on."""
    await _leave_at(path, "write", cast.answer)
    agents = (cast.look, cast.refund, cast.review, cast.write)
    found, _ = await _resume(
        path, unit, *(agents if unit is cast.short_answer else ()), resume="exact"
    )

    reason, explanation = _attention(path)
    assert (found, reason) == ([], "release_changed")
    assert "resume='exact'" in explanation


async def test_an_exact_app_takes_up_what_is_equal(path: Path) -> None:
    """Nothing has changed, so the run goes on."""
    await _leave_at(path, "write", cast.answer)
    found, _ = await _resume(path, cast.answer, resume="exact")

    assert found == ["#W1: 5 for #W1"]


def test_an_unknown_word_for_resuming_is_refused(path: Path) -> None:
    """A misspelled `resume=` is no silent choice."""
    word: Any = "exactly"
    with pytest.raises(ValueError, match="'compatible' or 'exact'"):
        App(cast.answer, store=f"sqlite:///{path}", resume=word)


@pytest.mark.parametrize(
    ("change", "reason", "says"),
    [
        ("UPDATE document SET data = replace(data, '\"step\":\"route\"', '\"step\":\"guess\"')",
         "plan_changed", "'guess' is no kind of step"),
        ("UPDATE document SET data = replace(data, '\"format\":1', '\"format\":7')",
         "plan_changed", "format 7"),
        ("UPDATE document SET data = replace(data, '\"effect\":', '\"affect\":')",
         "plan_changed", "cannot be read"),
        ("UPDATE run SET protocol = 9", "plan_changed", "format 9"),
        ("UPDATE run SET input = '{}'", "input_refused", "order_id"),
        ("UPDATE run SET recoveries = 5", "recovery_limit", "5 times"),
    ],
)  # fmt: skip
async def test_what_cannot_be_read_is_never_guessed(
    path: Path, change: str, reason: str, says: str
) -> None:
    """A run that is damaged, or of another version, waits for a person and says what is wrong."""
    await _leave_at(path, "look", cast.answer)
    store = await asyncio.to_thread(sqlite3.connect, path, check_same_thread=False)
    await asyncio.to_thread(store.execute, change)
    await asyncio.to_thread(store.commit)
    await asyncio.to_thread(store.close)
    found, _ = await _resume(path, cast.answer)

    told, explanation = _attention(path)
    assert (found, told) == ([], reason)
    assert says in explanation


class TickingClock(FixedClock):
    """A clock that is a second later whenever it is read."""

    @override
    def now(self) -> datetime:
        self.advance(1)
        return super().now()


async def test_a_resumed_body_is_told_the_times_and_ids_of_before(path: Path) -> None:
    """What a body drew from `current()` before it was cut it draws again; what comes after is new.

    A body that runs on other facts than its records would call others with other arguments.
    """
    began = datetime(2026, 11, 1, tzinfo=UTC)
    WORLD.held = {"telling"}
    async with App(
        cast.telling, store=f"sqlite:///{path}", clock=TickingClock(began), working_time=1e6
    ) as app:
        app.start(cast.telling, "#W1")
        await asyncio.wait_for(WORLD.reached.wait(), 5)
    WORLD.held = set()
    told = _times(path)
    assert len(told) == 3, "two before the first call, one between the two"

    later = began + timedelta(days=1)
    seen: list[list[str]] = []
    for _ in range(2):
        async with App(
            cast.telling, store=f"sqlite:///{path}", clock=TickingClock(later), working_time=1e6
        ) as app:
            (run,) = app.resumed
            seen.append(await run.result())
        assert WORLD.calls.count("greet") == 2, "its calls are answered from the record"
        store = await asyncio.to_thread(sqlite3.connect, path, check_same_thread=False)
        await asyncio.to_thread(store.execute, "UPDATE run SET state = 'running', outcome = NULL")
        await asyncio.to_thread(store.execute, "DELETE FROM step WHERE key = 'telling'")
        await asyncio.to_thread(store.commit)
        await asyncio.to_thread(store.close)

    assert seen[0][:3] == told
    assert seen[0][3] > later.isoformat()
    assert seen[0] == seen[1], "the time that the second life was told is recorded as well"


def _times(path: Path) -> list[str]:
    store = sqlite3.connect(path)
    found = store.execute("SELECT data FROM step WHERE kind = 'now' ORDER BY n").fetchall()
    store.close()
    return [json.loads(data) for (data,) in found]
