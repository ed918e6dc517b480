"""The model that an alias means is part of the release of every run, span and record."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest
from pydantic import BaseModel

from fishplate import App, Policy, Prompt, agent, model_agent, workflow
from fishplate.core.errors import JsonValue
from fishplate.models.model import Model, ModelAnswer, ModelRequest, ModelSettings
from fishplate.testing import ScriptedModel
from tests.agents.asked import Question, Refund, Status, intent

GOOD: JsonValue = {"kind": "refund", "amount": 5}
ASKED = Question(text="?")


class Total(BaseModel):
    """What is paid back."""

    amount: int


class Silent(ScriptedModel):
    """A model that has been asked, and never answers."""

    def __init__(self, name: str) -> None:
        super().__init__([], name=name)
        self.asked = asyncio.Event()

    async def request(self, request: ModelRequest) -> ModelAnswer:  # noqa: ARG002 -- as asked
        """Say nothing."""
        self.asked.set()
        return await asyncio.get_running_loop().create_future()


@agent
async def count(question: Question) -> Total:
    """Ask no model."""
    return Total(amount=len(question.text))


@agent(agents=[intent])
async def reader(question: Question) -> Status | Refund:
    """Ask a model from a body, protected anew at each call."""
    return await intent(question)


@workflow
async def reading(question: Question) -> Status | Refund:
    """Count, and read."""
    await count(question)
    return await reader(question)


@model_agent("other")
def unrelated(question: Question) -> Prompt[str]:
    """Ask another model."""
    return Prompt(user=question.text)


def configured(name: str, *, pinned: str | None = None) -> dict[str, Model]:
    """The one configuration line that names the model, and another one beside it."""
    return {
        "fast": ScriptedModel([GOOD] * 3, name=name, pinned=pinned),
        "other": ScriptedModel(["x"], name="other"),
    }


async def labels(name: str, *, pinned: str | None = None) -> dict[str, str]:
    """The release on the run and on each span, by agent."""
    models = configured(name, pinned=pinned)
    async with App(reading, unrelated, models=models) as app:
        run = app.start(reading, ASKED)
        await run.result()
        aside = app.start(unrelated, ASKED)
        await aside.result()
        spans = [*app.spans(run), *app.spans(aside)]
        found = {span.name: span.release for span in spans if span.kind != "decision"}
        assert run.release == found["reading"] == app.release(reading).label
    return found


async def test_another_model_is_another_release_of_whoever_asks_it_and_of_nobody_else() -> None:
    """A swap moves the labels of the model's own agent and of those that hold it, on every span."""
    before, after = await labels("a"), await labels("b")

    moved = {name for name in before if before[name] != after[name]}
    assert moved == {"intent-model", "intent", "reader", "reading"}
    assert set(before) - moved == {"count", "unrelated", "unrelated-model"}
    assert await labels("a") == before


async def test_another_pinned_snapshot_is_another_release() -> None:
    """A model under one name is as many behaviours as it has snapshots."""
    before, after = await labels("a", pinned="1"), await labels("a", pinned="2")

    assert before["intent"] != after["intent"]
    assert before["count"] == after["count"]


def test_a_swap_touches_the_behaviour_part_of_one_agent_alone() -> None:
    """Neither contract nor policy moves, and no part of any agent that does not ask it."""
    old = App(reading, unrelated, models=configured("a"))
    new = App(reading, unrelated, models=configured("b"))
    before, after = old.release(intent), new.release(intent)

    assert (before.contract, before.policy) == (after.contract, after.policy)
    assert before.behaviour != after.behaviour
    assert old.release(count) == new.release(count) == count.release
    assert old.release(unrelated) == new.release(unrelated)


def test_other_settings_are_another_behaviour() -> None:
    """How the model is to answer stands in the release of the agent."""

    @model_agent("fast", name="one", settings=ModelSettings(temperature=0))
    def cold(question: Question) -> Prompt[str]:
        """Answer."""
        return Prompt(user=question.text)

    @model_agent("fast", name="one", settings=ModelSettings(temperature=1))
    def warm(question: Question) -> Prompt[str]:
        """Answer."""
        return Prompt(user=question.text)

    app = App(models={"fast": ScriptedModel([])})
    assert app.release(cold).behaviour != app.release(warm).behaviour
    assert app.release(cold).contract == app.release(warm).contract


def test_one_use_of_an_agent_has_one_release() -> None:
    """Who protects an agent anew at every call gets the same release each time."""
    app = App(models=configured("a"))
    first, second = (intent.using(Policy(timeout=9)) for _ in range(2))

    assert app.release(first) is app.release(second)
    assert app.release(first).policy != app.release(intent).policy


async def test_a_kept_run_keeps_the_release_with_the_model(tmp_path: Path) -> None:
    """The journal says which configured release a run began with, and each agent's beside it."""
    path = tmp_path / "runs.db"
    kept = list[str]()
    for name in ("a", "b"):
        app = App(reading, models=configured(name), store=f"sqlite:///{path}")
        async with app:
            await app.start(reading, ASKED).result()
            kept.append(app.release(reading).label)
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT release FROM run ORDER BY started_ms, id").fetchall()
    connection.close()

    assert [release for (release,) in rows] == kept
    assert kept[0] != kept[1]


async def test_an_ended_run_keeps_its_release_when_the_model_is_another(tmp_path: Path) -> None:
    """Who finds an ended run again hears what it ran on, and not what is configured by now."""
    store = f"sqlite:///{tmp_path / 'runs.db'}"
    async with App(reading, models=configured("a"), store=store) as app:
        begun = app.start(reading, ASKED)
        await begun.result()
        before = begun.release
    async with App(reading, models=configured("b"), store=store) as app:
        found = await app.run(begun.id)

        assert await found.result() == Refund(amount=5)
        assert found.release == before != app.release(reading).label


async def interrupted(store: str) -> str:
    """Leave an app while its model `a` is asked; the label of the run."""
    model = Silent("a")
    async with App(reading, models={"fast": model}, store=store) as app:
        run = app.start(reading, ASKED)
        await model.asked.wait()
        return run.release


async def test_a_run_that_goes_on_after_a_swap_says_so(tmp_path: Path) -> None:
    """A compatible run goes on with the new model, and its spans name both releases."""
    store = f"sqlite:///{tmp_path / 'runs.db'}"
    before = await interrupted(store)
    async with App(reading, models=configured("b"), store=store) as app:
        (run,) = app.resumed
        assert await run.result() == Refund(amount=5)
        told = {one.name: (one.attributes or {}).get("release_changed") for one in app.spans(run)}

    assert told["reading"] == {"before": before, "now": run.release}
    assert told["intent"] is not None
    assert told["count"] is None


@pytest.mark.parametrize(("name", "resumed"), [("a", 1), ("b", 0)])
async def test_an_app_that_wants_equal_releases_takes_no_run_of_another_model(
    tmp_path: Path, name: str, resumed: int
) -> None:
    """With `resume='exact'` a swap of the model is a change like any other."""
    store = f"sqlite:///{tmp_path / 'runs.db'}"
    await interrupted(store)
    async with App(reading, models=configured(name), store=store, resume="exact") as app:
        assert len(app.resumed) == resumed
        for run in app.resumed:
            assert await run.result() == Refund(amount=5)
