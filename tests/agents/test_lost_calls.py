"""What a decorator can see of a body or of its own words is refused when it is declared."""

import asyncio
import contextlib
from typing import Any

import pytest

from fishplate import (
    Agent,
    App,
    DeclarationError,
    FishplateError,
    UsageError,
    agent,
    graded,
    tool,
    workflow,
)
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


def test_a_call_that_is_returned_or_read_without_await_is_refused() -> None:
    """Each such place is told with what to write there; a branch of `each` is none of them."""
    with pytest.raises(DeclarationError) as refused:

        @agent(agents=[pay])
        async def shop(amount: int) -> int:
            def branch(one: int) -> object:
                return pay(one)

            if amount and branch(amount):
                return pay(amount).real  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownVariableType] -- the mistake
            return pay(amount)  # type: ignore[return-value]  # pyright: ignore[reportReturnType] -- the mistake

    says = [problem.message for problem in refused.value.problems]
    assert {problem.code for problem in refused.value.problems} == {"lost_step"}
    assert len(says) == 2
    assert any("write (await ...).real" in one for one in says)
    assert any("write 'return await'" in one for one in says)


def failure_of(unit: Agent[[int], int]) -> FishplateError:
    """How a call of an agent fails."""

    async def scenario() -> FishplateError:
        async with App() as app:
            with pytest.raises(FishplateError) as failure:
                await app.start(unit, 1).result()
            return failure.value

    return run_in_virtual_time(scenario())


def test_a_call_that_a_body_gives_in_place_of_its_value_is_named() -> None:
    """Where the source does not show it, the failure names the call and what to write."""

    @agent(agents=[pay])
    async def returns(amount: int) -> Any:
        calls = [pay(amount)]
        return calls[0]

    @agent(agents=[pay])
    async def reads(amount: int) -> int:
        call: Any = graded(pay(amount))
        found: int = call.value
        return found

    assert failure_of(returns).code == "lost_step"
    assert "<call of 'pay'>, which nobody awaited" in str(failure_of(returns))
    assert "write (await ...).value" in str(failure_of(reads))


def test_a_fallback_that_does_not_answer_for_a_bug_says_so() -> None:
    """The failure of a step with a fallback tells why that one was not asked."""

    @agent
    async def broken(amount: int) -> int:
        raise ValueError(amount)

    @workflow
    async def shop(amount: int) -> int:
        return await broken.or_else(pay)(amount)

    says = str(failure_of(shop))

    assert "no fallback answers for a bug" in says
    assert "error_classes={ValueError: ErrorClass...} on 'broken'" in says


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
