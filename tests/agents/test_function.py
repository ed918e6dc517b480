"""`@agent` and `@tool`: what a function says becomes an agent, and runs as it is written."""

from __future__ import annotations

import threading
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest
from pydantic import BaseModel

from fishplate import (
    Agent,
    App,
    Contract,
    DeclarationError,
    DeclaredError,
    Policy,
    agent,
    current,
    each,
    parallel,
    tool,
)
from fishplate.contracts import Schema
from fishplate.contracts.shape import Shape


class Question(BaseModel):
    """What is asked."""

    text: str


class Answer(BaseModel):
    """What is answered."""

    text: str


class NotKnownError(DeclaredError):
    """Nobody knows."""


@agent
async def echo(question: Question) -> Answer:
    """Say the same.

    This paragraph is for readers of the code.
    """
    return Answer(text=question.text)


@agent(name="where", version="1.2.3", errors=[NotKnownError], policy=Policy(timeout=2))
def thread_name(question: Question) -> str:
    """Plain: runs in a thread."""
    return threading.current_thread().name


@agent(inline=True)
def inline_name(question: Question) -> str:
    """Plain: runs on the event loop."""
    return threading.current_thread().name


@agent
async def joined(*, left: str, right: str = "r") -> str:
    """Takes its arguments by name."""
    return f"{left} {right}"


@agent
def joined_in_a_thread(left: str, *, right: str = "r") -> str:
    """Takes one of its arguments by name."""
    return f"{left} {right}"


class Desk:
    """Holds a behaviour."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def answer(self, question: Question) -> str:
        """An async method."""
        return f"{self.name} {question.text}"

    def look(self, question: Question) -> str:
        """A plain method."""
        return f"{self.name} {question.text}"


first = agent(Desk("first").answer, name="first")
second = agent(Desk("second").look, name="second", inline=True)
look = tool(Desk("desk").look, name="look", effect="readonly", scopes=["desks:read"])


async def test_a_function_becomes_an_agent() -> None:
    """Name, description and contract are the function's; awaiting a call runs it."""
    assert echo.name == "echo"
    assert echo.about.text == "Say the same."
    assert echo.contract.input == Shape.of(Question).takes
    assert echo.contract.output == Shape.of(Answer).gives
    assert await echo(Question(text="a")) == Answer(text="a")


async def test_words_of_the_decorator_are_the_agents() -> None:
    """Name, version, errors and policy come from the decorator."""
    assert thread_name.name == "where"
    assert thread_name.contract.version == "1.2.3"
    assert thread_name.contract.errors.keys() == {"not_known_error"}
    assert thread_name.policy == Policy(timeout=2)


async def test_plain_functions_run_in_threads_or_inline() -> None:
    """A plain function may block, unless it says that it does not."""
    async with App(thread_name, inline_name):
        assert await thread_name(Question(text="")) != threading.current_thread().name
        assert await inline_name(Question(text="")) == threading.current_thread().name


@pytest.mark.parametrize("unit", [joined, joined_in_a_thread])
async def test_parameters_may_be_given_by_name_alone(unit: Agent[..., str]) -> None:
    """A parameter behind `*` reaches its function by name, from calls and from JSON."""
    async with App(unit) as app:
        assert await unit(left="l") == "l r"
        assert await unit(right="x", left="l") == "l x"
        assert await app.start_json(unit, {"left": "l", "right": "y"}).result() == "l y"


async def test_methods_become_agents_of_their_object() -> None:
    """Two objects of a class are two agents, which need names of their own."""
    assert await first(Question(text="a")) == "first a"
    assert await second(Question(text="b")) == "second b"


async def test_a_tool_is_made_of_a_method_too() -> None:
    """A tool that holds a connection is a method of what holds it."""
    assert look.about.effect is not None
    assert look.about.effect.scopes == ("desks:read",)
    assert await look(Question(text="a")) == "desk a"


def test_annotations_may_name_local_types() -> None:
    """Types of the function around it are found, though annotations are texts."""

    class Local(BaseModel):
        number: int

    @agent
    async def double(local: Local) -> Local:
        return Local(number=2 * local.number)

    assert double.signature.output.annotation is Local


@agent(agents=[echo], tools=[])
async def caller(question: Question) -> list[Answer]:
    """Calls in every form; a local name hides the agent of that name."""
    first = await echo(question)
    second, third = await parallel(echo(question), echo.using(Policy(timeout=2))(question))
    inline_name = current().run_id
    return [first, second, third, *await each(echo, [question]), Answer(text=inline_name[:0])]


async def test_a_body_may_call_what_it_is_granted() -> None:
    """A grant covers every way to call the agent, under any settings."""
    assert [answer.text for answer in await caller(Question(text="a"))] == ["a", "a", "a", "a", ""]


def test_a_published_contract_is_kept(tmp_path: Path) -> None:
    """A contract in a file is the agent's, if the function keeps it."""
    file = tmp_path / "echo.json"
    file.write_text(
        '{"agent": "echo", "version": "2.0.0", "input_schema": {"text": "string"},'
        ' "output_schema": {"text": "string"}}',
        encoding="utf-8",
    )

    published = agent(_plain_echo, name="echo", contract=file)
    assert published.contract.version == "2.0.0"
    assert published.contract == Contract.load(file)


async def _plain_echo(question: Question) -> Answer:
    return Answer(text=question.text)


@pytest.mark.parametrize(
    ("contract", "says"),
    [
        (Contract(name="other", input=Schema({}), output=Schema({})), "the contract is that of"),
        (
            Contract(name="echo", input=Schema({}), output=Shape.of(Answer).gives),
            "does not take everything",
        ),
        (
            Contract(name="echo", input=Shape.of(Question).takes, output=Schema({"type": "null"})),
            "may give what",
        ),
    ],
)
def test_a_published_contract_that_is_not_kept_is_refused(contract: Contract, says: str) -> None:
    """Callers rely on the published contract, so the code has to keep it."""
    with pytest.raises(DeclarationError, match=says):
        agent(_plain_echo, name="echo", contract=contract)


def test_errors_have_to_be_published_too() -> None:
    """An error that the published contract does not promise would surprise its callers."""
    contract = Contract(name="echo", input=Shape.of(Question).takes, output=Shape.of(Answer).gives)

    with pytest.raises(DeclarationError, match="may raise 'NotKnownError'"):
        agent(_plain_echo, name="echo", contract=contract, errors=[NotKnownError])


def test_a_missing_contract_file_says_so() -> None:
    """A path that leads nowhere is told with the path."""
    with pytest.raises(DeclarationError, match=r"nowhere\.json"):
        agent(_plain_echo, name="echo", contract="nowhere.json")


def test_a_business_key_names_fields_of_the_input() -> None:
    """They are parameters, or the fields of the one model that is the input."""
    pay = tool(_plain_echo, name="pay", effect="keyed", key_ttl=60, business_key=["text"])
    assert pay.about.effect is not None

    with pytest.raises(DeclarationError, match="business_key names 'question'"):
        tool(_plain_echo, name="pay", effect="keyed", key_ttl=60, business_key=["question"])


def test_all_that_is_wrong_with_an_agent_is_told_at_once() -> None:
    """Version, settings, grants and contract are all looked at."""

    async def wrong(question: Question) -> int | bool:
        await echo(question)
        return 1

    with pytest.raises(DeclarationError) as refusal:
        agent(version="one", inline=True, tools=[caller])(wrong)

    assert [problem.code for problem in refusal.value.problems] == [
        "bad_version",
        "unused_option",
        "bad_grant",
        "not_granted",
    ]


def test_a_body_that_calls_itself_is_refused_where_it_does() -> None:
    """Nobody could grant it, so the declaration says what to write; a parameter is no such call."""
    with pytest.raises(DeclarationError, match=r"calls itself.*undecorated async") as refusal:

        @agent
        async def countdown(number: int) -> int:
            return await countdown(number - 1) if number else 0

    assert [problem.code for problem in refusal.value.problems] == ["self_call"]
    assert ":" in (refusal.value.problems[0].where or "")

    @agent
    async def named(named: int) -> str:
        return str(named)

    assert named.name == "named"

    async def plain(number: int) -> int:
        return await plain(number - 1) if number else 0

    assert agent(plain).name == "plain"


@pytest.mark.parametrize("found", [3, "echo", Desk])
def test_what_is_no_agent_cannot_be_granted(found: Any) -> None:
    """A plain function or a name among the grants is told with what it is."""
    with pytest.raises(DeclarationError, match="is not an agent but"):
        agent(agents=[found])(_plain_echo)


def _say_nothing(_: Question) -> None:
    """Nothing."""


def test_a_name_has_to_stand_in_a_path() -> None:
    """A behaviour whose name is none, or would break a step path, needs another."""
    for name, says in (("<lambda>", "needs name="), ("a/b", "is not 1 to 64"), ("", "needs name=")):
        unnamed = FunctionType(_say_nothing.__code__, globals(), name)
        unnamed.__annotations__ = dict(_say_nothing.__annotations__)
        unnamed.__qualname__ = name
        with pytest.raises(DeclarationError, match=says):
            agent(unnamed)
