"""Agents that give any JSON: a type that names itself."""

from pydantic import JsonValue

from fishplate import App, agent, workflow


@agent
async def parse(text: str) -> JsonValue:
    """Gives a document."""
    return {"text": text, "parts": [1, None, {"more": [True]}]}


@workflow
async def flow(text: str) -> JsonValue:
    """Hands it on."""
    return await parse(text)


async def test_a_workflow_may_give_any_json() -> None:
    """What it gives is judged by the type as a whole, which is not taken apart."""
    async with App(flow):
        assert await flow("x") == {"text": "x", "parts": [1, None, {"more": [True]}]}
