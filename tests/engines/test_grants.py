"""What a body may not call, give or compose."""

from collections.abc import Callable
from typing import Any

import pytest

from fishplate import (
    Agent,
    App,
    DeclarationError,
    ErrorClass,
    InputError,
    agent,
    approval,
    graded,
    parallel,
    repeat,
    route,
    sleep,
    switch,
    wait_for,
)
from tests.engines.cast import Item, echo, find, guess, path_of
from tests.engines.running import failure_of, in_app


def run(unit: Agent[..., Any], *arguments: object) -> Any:
    """Run an agent in an app of its own."""

    async def scenario(app: App) -> object:
        return await unit(*arguments)

    return in_app(scenario)


def test_a_call_without_a_grant_is_refused_when_it_is_made() -> None:
    """What the source does not show is checked at run time: the body has what it was granted."""
    table: dict[str, Agent[[str], str]] = {"echo": echo, "path_of": path_of}

    @agent(agents=[echo])
    async def body(text: str) -> str:
        return await table[text]("x")

    @agent
    async def bare(text: str) -> str:
        return await table[text]("x")

    @agent(agents=[echo])
    async def in_parallel(text: str) -> tuple[str, str]:
        return await parallel(echo("x"), table[text]("x"))

    assert run(body, "echo") == "x"
    for unit in (body, bare, in_parallel):
        failure = failure_of(unit, "path_of")
        assert (failure.code, failure.error_class) == ("not_granted", ErrorClass.POLICY_DENIED)
        assert f"agents=[...] of {unit.name!r}" in str(failure)


def test_an_agent_cannot_call_itself() -> None:
    """It is nobody's grant, so recursion ends at the first call, and the message says where to."""
    me: list[Agent[[int], int]] = []

    @agent(agents=[path_of])
    async def again(number: int) -> int:
        return await me[0](number - 1) if number else 0

    me.append(again)

    assert run(again, 0) == 0
    failure = failure_of(again, 3)
    assert failure.code == "self_call"
    assert "undecorated async function" in str(failure)


def test_agents_cannot_call_each_other() -> None:
    """No order of declarations could grant both, so the remedy is not a grant."""
    known: list[Agent[[int], int]] = []

    @agent
    async def first(number: int) -> int:
        return await known[0](number)

    @agent(agents=[first])
    async def second(number: int) -> int:
        return await first(number)

    known.append(second)

    failure = failure_of(first, 3)
    assert failure.code == "self_call"
    assert "calls 'second', which calls it back" in str(failure)


def test_a_body_may_recur_in_a_function_of_its_own() -> None:
    """The remedy of a self-call works: the calls of an undecorated function are the body's."""

    async def down(number: int) -> str:
        below = await down(number - 1) if number else ""
        return below + await echo(str(number))

    @agent(agents=[echo])
    async def again(number: int) -> str:
        return await down(number)

    assert run(again, 3) == "0123"


def test_a_fallback_needs_a_grant_too() -> None:
    """Nothing gets in by way of a failure."""
    table = {"find": find.or_else(guess)}

    @agent(agents=[find])
    async def body(name: str) -> Item:
        return await table["find"](name)

    assert failure_of(body, "down").code == "not_granted"


def test_arguments_are_checked_before_a_child_runs() -> None:
    """In a fork before any of the branches runs."""
    loose: Any = echo

    @agent(agents=[echo])
    async def body(text: str) -> str:
        return await loose(5)

    @agent(agents=[echo])
    async def side_by_side(text: str) -> tuple[str, ...]:
        return await parallel(echo("x"), loose(5))

    for unit in (body, side_by_side):
        failure = failure_of(unit, "x")
        assert isinstance(failure, InputError)
        assert failure.pointer == "/text"


_ANYTHING: Any = parallel(echo("x"), echo("y"))


@pytest.mark.parametrize(
    ("word", "composition"),
    [
        ("route", lambda: route(echo, on="x")),
        ("switch", lambda: switch((True, echo("x")), on=True, default=echo("y"))),
        ("repeat", lambda: repeat(echo, "x", until="done", at_most=1)),
        ("graded", lambda: graded(_ANYTHING)),
    ],
)
def test_compositions_that_a_body_does_not_need_are_refused(
    word: str, composition: Callable[[], Any]
) -> None:
    """A body is plain Python; the message says what to write."""

    @agent(agents=[echo, find])
    async def body(text: str) -> str:
        found: str = await composition()
        return found

    failure = failure_of(body, "x")

    assert failure.code == "not_in_body"
    assert f"{word}(...)" in str(failure)


@pytest.mark.parametrize(
    "wait",
    [
        lambda: approval(echo("x"), roles=["a"], within=1),
        lambda: wait_for("go", Item),
        lambda: sleep(1),
    ],
)
def test_a_body_does_not_wait_in_memory(wait: Callable[[], Any]) -> None:
    """What a body waits for needs a store that knows of it."""

    @agent(agents=[echo])
    async def body(text: str) -> str:
        found: str = await wait()
        return found

    assert failure_of(body, "x").code == "no_store"


def test_an_approval_in_a_body_takes_a_grant() -> None:
    """What a body may not call it may not ask for either."""
    with pytest.raises(DeclarationError, match="not_granted"):

        @agent(agents=[find])
        async def body(text: str) -> str:
            return str(await approval(echo(text), roles=["a"], within=1))


def test_what_is_awaited_already_cannot_be_composed() -> None:
    """`parallel` takes calls."""
    done: Any = "a value"

    @agent(agents=[echo])
    async def body(text: str) -> tuple[str, ...]:
        return await parallel(echo(text), done)

    assert failure_of(body, "x").code == "not_a_call"
