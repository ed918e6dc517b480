"""What the span of a tool says about its effect."""

from pathlib import Path

import pytest

from fishplate import App, NeedsAttention, agent, current, tool
from fishplate.core.events import Span


@tool(effect="keyed", key_ttl=3600)
async def charge(order_id: str) -> str:
    """Charges once for each key; of W2 nobody knows."""
    if order_id == "W2":
        raise ConnectionError
    return current().idempotency_key


@agent(tools=[charge])
async def pay(order_id: str) -> str:
    """Charges."""
    return await charge(order_id)


async def span_of(folder: Path, order_id: str) -> tuple[Span, str]:
    """The span of the tool, and what the run gave."""
    async with App(pay, store=f"sqlite:///{folder}/runs.db") as app:
        run = app.start(pay, order_id)
        gave = ""
        if order_id == "W2":
            with pytest.raises(NeedsAttention):
                await run.result()
        else:
            gave = await run.result()
        [found] = [span for span in app.spans(run) if span.kind == "tool"]
        return found, gave


async def test_an_effect_is_told_with_its_key_and_what_became_of_it(tmp_path: Path) -> None:
    """The key is the one that went out, so that the other side can be asked about it."""
    span, key = await span_of(tmp_path, "W1")

    assert span.attributes == {"idempotency": key, "effect_state": "succeeded"}


async def test_an_effect_that_nobody_knows_about_says_so(tmp_path: Path) -> None:
    """What may have happened is unknown, and stands so on the span."""
    span, _ = await span_of(tmp_path, "W2")

    assert span.attributes is not None
    assert span.attributes["effect_state"] == "unknown"
