"""What is kept of a run's answer is what its caller got."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from pydantic import BaseModel

from fishplate import Agent, App, DeclaredError, agent, workflow


class Order(BaseModel):
    """An order."""

    total: int


class SpoiltError(DeclaredError):
    """It was changed where nobody should."""


@agent
async def find() -> Order:
    """Find an order."""
    return Order(total=5)


@agent
async def raise_price(order: Order) -> Order:
    """Give a dearer one."""
    return Order(total=order.total + 1)


@agent(errors=[SpoiltError])
async def spoil(order: Order) -> Order:
    """Change what it was given, and fail."""
    order.total = 7
    raise SpoiltError


@workflow
async def last() -> Order:
    """Give what the last step gave."""
    return await raise_price(await find())


@workflow
async def spoilt() -> Order:
    """Give what a failed step has changed."""
    order = await find()
    await spoil.catching(SpoiltError)(order)
    return order


@agent(agents=[find])
async def body() -> Order:
    """Change what its call gave."""
    order = await find()
    order.total = 9
    return order


@pytest.mark.parametrize("unit", [last, spoilt, body])
async def test_the_kept_answer_is_the_one_that_was_given(
    unit: Agent[[], Order], tmp_path: Path
) -> None:
    """The store holds what the caller got, whoever has changed it since a step gave it."""
    async with App(last, spoilt, body, store=f"sqlite:///{tmp_path}/runs.db"):
        answer = await unit()
    store = sqlite3.connect(tmp_path / "runs.db")
    ((outcome,),) = store.execute("SELECT outcome FROM run").fetchall()
    store.close()
    assert json.loads(outcome)["output"] == {"total": answer.total}
