"""`effects()`: tools with effects run in a test without an app, inside the block alone."""

import asyncio

import pytest

from fishplate import UsageError, agent, current, tool
from fishplate.testing import effects


@tool(effect="keyed", key_ttl=60, scopes=["payments:write"])
async def pay(amount: int) -> str:
    """Pay money."""
    return f"{amount} {current().idempotency_key[:4]}"


@agent(tools=[pay])
async def buyer(amount: int) -> str:
    """Buy something."""
    return await pay(amount)


@agent
async def hang(number: int) -> int:
    """Never answer."""
    await asyncio.get_running_loop().create_future()
    return number


async def test_an_effect_outside_of_every_app_is_refused() -> None:
    """Nobody could say afterwards what was done; the message says what to do."""
    with pytest.raises(UsageError) as refusal:
        await pay(5)

    assert refusal.value.code == "no_app"
    assert "fishplate.testing.effects()" in refusal.value.message


async def test_an_effect_below_an_agent_is_refused_too() -> None:
    """The tool is refused, wherever it is called from."""
    with pytest.raises(UsageError) as refusal:
        await buyer(5)

    assert refusal.value.code == "no_app"


async def test_an_effect_runs_inside_the_block_and_not_after_it() -> None:
    """The block is the app."""
    with effects() as app:
        assert await pay(5) == "5 ak1_"
        assert await buyer(6) == "6 ak1_"

    assert {span.name for span in app.traces.spans()} == {"pay", "buyer"}
    with pytest.raises(UsageError, match="there is no app"):
        await pay(7)
    with pytest.raises(UsageError) as refusal:
        app.start(pay, 7)
    assert refusal.value.code == "app_not_entered"


async def test_runs_that_are_left_are_asked_to_end() -> None:
    """The block does not leave work behind."""
    with effects() as app:
        run = app.start(hang, 1)
        await asyncio.sleep(0)

    assert await run.ended() == "cancelled"
