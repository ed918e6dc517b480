"""What a decorator can see of a body or of its own words is refused when it is declared."""

import asyncio
import contextlib

import pytest

from fishplate import App, DeclarationError, UsageError, agent, tool
from fishplate.testing import run_in_virtual_time


@agent
async def pay(amount: int) -> int:
    """Stand for something that must not be forgotten."""
    return amount


def test_a_call_that_a_body_does_not_await_is_refused() -> None:
    """A call as a statement of its own would never happen, without a word."""
    with pytest.raises(DeclarationError) as refused:

        @agent(agents=[pay])
        async def shop(amount: int) -> int:
            pay(amount)
            return amount

    (problem,) = refused.value.problems
    assert problem.code == "lost_step"
    assert problem.where is not None
    assert problem.where.startswith("tests/agents/test_lost_calls.py:")
    assert "write 'await'" in problem.message


def test_one_text_is_no_list_of_scopes() -> None:
    """`scopes="pay"` would be three scopes of one letter."""
    with pytest.raises(DeclarationError) as refused:
        tool(effect="readonly", scopes="pay:write")

    (problem,) = refused.value.problems
    assert problem.code == "bad_effect"
    assert "scopes=['pay:write']" in problem.message


def test_a_body_cannot_hide_that_it_called_side_by_side() -> None:
    """A child call in a task of its own fails the call, even if the body drops the error."""

    @agent(agents=[pay])
    async def shop(amount: int) -> int:
        async def aside() -> None:
            await pay(amount)

        task = asyncio.get_running_loop().create_task(aside())
        with contextlib.suppress(UsageError):
            await task
        return amount

    async def scenario() -> str:
        async with App() as app:
            with pytest.raises(UsageError) as failure:
                await app.start(shop, 1).result()
            return failure.value.code

    assert run_in_virtual_time(scenario()) == "concurrent_child_call"
