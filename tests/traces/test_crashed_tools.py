"""Whose fault it is that the body of a tool, or of an agent, raises what nobody expects."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from fishplate import App, agent, tool, workflow
from fishplate.traces.explain import Explanation, explain
from tests.traces.reading import only_trace


class Row(BaseModel):
    """What a shop answers."""

    total: int


@tool(effect="readonly")
async def rows(order_id: str) -> str:
    """Looks into a table that has no such row."""
    return {"W1": "shipped"}[order_id]


@tool(effect="readonly")
async def misshapen(order_id: str) -> int:
    """Breaks its own contract."""
    answer: Any = order_id
    return answer  # type: ignore[no-any-return]


@tool(effect="readonly")
async def misread(order_id: str) -> int:
    """Is given something of another shape by the shop."""
    return Row.model_validate({"total": order_id}).total


@agent(tools=[rows])
async def lookup(order_id: str) -> str:
    """Asks the tool."""
    return await rows(order_id)


@agent(tools=[misshapen])
async def count(order_id: str) -> int:
    """Asks the second tool."""
    return await misshapen(order_id)


@agent(tools=[misread])
async def total(order_id: str) -> int:
    """Asks the third tool."""
    return await misread(order_id)


@agent
async def careless(order_id: str) -> str:
    """Crashes by itself."""
    return {"W1": "shipped"}[order_id]


@workflow
async def status(order_id: str) -> str:
    """Fails with its only step."""
    return await lookup(order_id)


def explained(folder: Path, what: Any) -> Explanation:
    """Run something that fails, and say what is to blame."""
    url = f"sqlite:///{folder}/traces.db"

    async def main() -> None:
        async with App(what, traces=url) as app:
            assert await app.start(what, "W2").ended() == "failed"

    asyncio.run(main())
    trace = only_trace(url)
    return explain(trace)


@pytest.mark.parametrize(
    ("what", "verdict", "step", "named"),
    [
        (status, "tool", "lookup/0.rows", "tool 'rows'"),
        (count, "contract", "count/0.misshapen", "tool 'misshapen'"),
        (total, "contract", "total/0.misread", "tool 'misread'"),
        (careless, "contract", "careless", "agent 'careless'"),
    ],
)
def test_a_tool_is_to_blame_for_its_crash(
    tmp_path: Path, what: Any, verdict: str, step: str, named: str
) -> None:
    """A tool that crashes is at fault as a tool; data of another shape break a contract."""
    found = explained(tmp_path, what)

    assert (found.verdict, found.findings[0].path) == (verdict, step)
    assert named in found.findings[0].evidence
