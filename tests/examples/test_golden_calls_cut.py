"""The recorded tasks as kept runs: each is cut once, and ends with the same answers and rows."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, JsonValue

from examples.order_support.app import SHOP_TOOLS
from examples.order_support.shop import Shop
from examples.order_support.tools import Refused
from fishplate import App, agent
from tests.examples.cuts import Cuts
from tests.examples.recorded_calls import (
    TASK_NAMES,
    TASKS,
    Task,
    changed_rows,
    comparable,
    corrected,
    documents,
    recorded_answer,
)

TOOLS = {one.name: one for one in SHOP_TOOLS}
SEED = 4
CHOSEN = [
    pytest.param(task, id=name, marks=() if number % 4 == 0 else pytest.mark.long)
    for number, (task, name) in enumerate(zip(TASKS, TASK_NAMES, strict=True))
    if task["steps"]  # two tasks make no call, and have no step to be cut at
]


class Wanted(BaseModel):
    """One call of a task."""

    name: str
    arguments: dict[str, JsonValue]


@agent(tools=SHOP_TOOLS)
async def clerk(calls: list[Wanted]) -> list[str]:
    """Make a task's calls in their order; each answer as JSON, a refusal as what it says."""
    answers: list[str] = []
    for call in calls:
        arguments: dict[str, Any] = call.arguments
        try:
            found = await TOOLS[call.name](**arguments)
        except Refused as refusal:
            answers.append(json.dumps({"refused": refusal.message}))
        else:
            answers.append(
                found.model_dump_json() if isinstance(found, BaseModel) else json.dumps(found)
            )
    return answers


def _app(folder: Path) -> App:
    shop = str(folder / "shop.db")
    return App(
        clerk, store=f"sqlite:///{folder / 'runs.db'}", resources={Shop: lambda: Shop.open(shop)}
    )


async def _live(folder: Path, calls: list[Wanted]) -> list[str]:
    async with _app(folder) as app:
        return await app.start(clerk, calls).result()


async def _live_again(folder: Path) -> tuple[list[str], int]:
    """What the run gives that was left open, and how many of its calls were not made again."""
    async with _app(folder) as app:
        (run,) = app.resumed
        answers = await run.result()
        return answers, sum("replayed" in (span.attributes or {}) for span in app.spans(run))


@pytest.mark.parametrize("task", CHOSEN)
def test_a_task_that_is_cut_once_ends_as_recorded(
    task: Task, filled_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after a step of its own and resumed in a new app, it gives the recorded rows."""
    lives = [tmp_path / "first", tmp_path / "second"]
    for folder in lives:
        folder.mkdir()
    shutil.copy(filled_database, lives[0] / "shop.db")
    before, expected = documents(filled_database), corrected(task)
    calls = [Wanted(name=step["name"], arguments=step["arguments"]) for step in task["steps"]]
    with monkeypatch.context() as patch:
        cuts = Cuts(patch, lives[0] / "shop.db")
        whole = asyncio.run(_live(lives[0], calls))
    cut = random.Random(f"{SEED}/{task['task_id']}").choice(cuts.of_steps())
    cut.leave_in(lives[1])

    answers, replayed = asyncio.run(_live_again(lives[1]))

    assert (answers, replayed) == (whole, cut.steps)
    told = [comparable(json.loads(answer)) for answer in answers]
    assert told == [recorded_answer(step) for step in expected["steps"]]
    with Shop.open(str(lives[1] / "shop.db")) as shop:
        read = {"orders": shop.get_order_details, "users": shop.get_user_details}
        rows = changed_rows(before, documents(lives[1] / "shop.db"), read)
    assert rows == comparable(expected["db_changed"])
