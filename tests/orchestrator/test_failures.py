"""How calls end that do not succeed: broken contracts, exceptions, changed inputs."""

import asyncio
import contextvars
from typing import Any, cast

import pytest
from pydantic import BaseModel

from fishplate import (
    Agent,
    App,
    DeclaredError,
    ErrorClass,
    Failure,
    OutputError,
    StepError,
    agent,
    each,
    workflow,
)
from tests.engines.running import failure_of, in_app


class Order(BaseModel):
    """An order."""

    number: str
    state: str = "open"


class Gone(DeclaredError):  # noqa: N818 -- an outcome
    """It is not there any more."""

    number: str


def test_an_output_that_breaks_the_contract_is_refused() -> None:
    """The error names the place in the output; nobody gets to see the value."""

    @agent
    async def wrong(number: str) -> list[Order]:
        return [Order(number=number), cast("Any", {"number": 5, "state": "open"})]

    failure = failure_of(wrong, "x")

    assert isinstance(failure, OutputError)
    assert (failure.pointer, failure.error_class) == ("/1/number", ErrorClass.CONTRACT_OUT)
    assert "agent 'wrong' in step 'wrong'" in str(failure)


def raise_stop(number: int) -> int:
    """Raise what ends a generator."""
    raise StopIteration(number)


async def raise_stop_async(number: int) -> int:
    """Raise what ends an async generator."""
    if number:
        raise StopAsyncIteration(number)
    raise StopIteration(number)


@pytest.mark.parametrize(
    ("unit", "number"),
    [
        (agent(raise_stop_async, name="stop"), 0),
        (agent(raise_stop_async, name="stop"), 1),
        (agent(raise_stop, name="stop"), 0),
        (agent(inline=True, name="stop")(raise_stop), 0),
    ],
    ids=["async", "async generator", "thread", "inline"],
)
def test_ending_an_iteration_is_no_end_of_a_workflow(unit: Agent[[int], int], number: int) -> None:
    """What generators end with is a bug like any other when a body raises it."""

    @agent
    async def unreached(number: int) -> int:
        raise AssertionError

    @workflow
    async def flow(number: int) -> int:
        found = await unit(number)
        return await unreached(found)

    failure = failure_of(flow, number)

    assert (failure.code, failure.step) == ("bug", "stop")


def test_ending_an_iteration_in_a_real_thread_is_told_too() -> None:
    """A future cannot carry that exception, and nobody waits for ever."""
    plain = agent(raise_stop, name="stop")

    async def scenario() -> str:
        async with App():
            with pytest.raises(StepError) as failure:
                await plain(1)
            return failure.value.code

    assert asyncio.run(scenario()) == "bug"


def test_a_users_exception_is_a_typed_failure_with_its_place() -> None:
    """Code, class, cause, and a note for each step that it went through."""

    @agent
    async def broken(number: str) -> str:
        raise KeyError(number)

    @workflow
    async def flow(number: str) -> str:
        return await broken(number)

    failure = failure_of(flow, "x")

    assert (failure.code, failure.error_class, failure.step) == ("bug", ErrorClass.BUG, "broken")
    assert isinstance(failure.__cause__, KeyError)
    [inner, outer] = failure.__notes__
    assert inner.startswith("in step 'broken' (")
    assert f"{__file__.rpartition('/')[2]}:" in inner
    assert outer.startswith("in step 'flow' (")


@pytest.mark.parametrize(
    ("error", "code", "error_class"),
    [
        (ConnectionResetError(), "connection", ErrorClass.TRANSIENT),
        (TimeoutError(), "timeout", ErrorClass.TRANSIENT),
        (FileNotFoundError(), "bug", ErrorClass.BUG),
        (Gone(number="1"), "undeclared_error", ErrorClass.BUG),
        (ExceptionGroup("two", [ValueError(), TypeError()]), "bug", ErrorClass.BUG),
        (
            ExceptionGroup(
                "two",
                [
                    ValueError(),
                    ExceptionGroup("one", [Failure("x", error_class=ErrorClass.OVERLOAD)]),
                ],
            ),
            "failure",
            ErrorClass.OVERLOAD,
        ),
    ],
)
def test_exceptions_are_classified_by_their_type(
    error: Exception, code: str, error_class: ErrorClass
) -> None:
    """A group counts as the first typed failure in it; the exception itself is the cause."""

    @agent
    async def broken(number: str) -> str:
        raise error

    failure = failure_of(broken, "x")

    assert (failure.code, failure.error_class) == (code, error_class)
    assert failure.__cause__ is error


def test_typed_failures_and_declared_errors_stay_what_they_are() -> None:
    """A body that says how its failure is to be treated is taken at its word."""
    gone, full = Gone(number="1"), Failure("full", error_class=ErrorClass.OVERLOAD)

    @agent(errors=[Gone])
    async def broken(number: str) -> str:
        raise gone if number == "gone" else full

    assert failure_of(broken, "gone") is gone
    assert failure_of(broken, "full") is full
    assert gone == Gone(number="1")  # notes on the way make no other error of it


def test_a_failure_that_is_raised_again_is_noted_once_for_each_step() -> None:
    """An exception object that lives longer than a run does not grow."""
    failure = Failure("full", error_class=ErrorClass.OVERLOAD)

    @agent
    async def broken(number: str) -> str:
        raise failure

    for _ in range(3):
        failure_of(broken, "x")

    assert len(failure.__notes__) == 1


def test_debug_finds_an_agent_that_changes_its_input() -> None:
    """Without debug the change goes unseen, which is why agents do not do it."""

    @agent
    async def vandal(order: Order) -> str:
        order.state = "changed"
        return order.state

    async def scenario(app: App) -> str:
        return await vandal(Order(number="1"))

    failure = failure_of(vandal, Order(number="1"), debug=True)

    assert in_app(scenario) == "changed"
    assert (failure.code, failure.error_class) == ("input_changed", ErrorClass.BUG)
    assert "agent 'vandal' changed its input" in str(failure)


def test_debug_runs_everything_else_as_usual() -> None:
    """Workflows, plain functions and unchanged inputs pass."""

    @agent
    def plain(order: Order) -> Order:
        return Order(number=order.number, state="seen")

    @workflow
    async def flow(order: Order) -> str:
        seen = await plain(order)
        return seen.state

    async def scenario(app: App) -> str:
        return await flow(Order(number="1"))

    assert in_app(scenario, debug=True) == "seen"


def test_a_context_variable_of_one_branch_is_not_seen_in_another() -> None:
    """Each branch of a fork has a context of its own."""
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")

    @agent
    async def set_and_see(text: str) -> str:
        before = variable.get()
        variable.set(text)
        await asyncio.sleep(1)
        return f"{before} {variable.get()}"

    @workflow
    async def flow(texts: list[str]) -> list[str]:
        return await each(set_and_see, texts)

    async def scenario(app: App) -> list[str]:
        return await flow(["a", "b"])

    assert in_app(scenario) == ["unset a", "unset b"]


def test_a_group_of_failures_is_counted_and_kept() -> None:
    """A body that failed in several places says in how many, and the cause holds each."""
    inner = ExceptionGroup("two", [ValueError("a"), KeyError("b")])
    group = ExceptionGroup("all", [inner, OSError("c")])

    @agent
    async def broken(number: str) -> str:
        raise group

    failure = failure_of(broken, "x")

    assert "one of 3 errors that came together" in str(failure)
    assert failure.__cause__ is group
