"""Prompt functions are tried with invented inputs before any model is asked."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal

import pytest
from pydantic import AfterValidator, BaseModel

from fishplate import App, DeclarationError, ErrorClass, Failure, Prompt, model_agent
from fishplate.agents.agent import AnyAgent
from fishplate.agents.trial import prompt_problem, try_prompt
from fishplate.testing import ScriptedModel


class Query(BaseModel):
    """What a customer writes."""

    text: str
    channel: Literal["email", "chat"] = "chat"


def asking(function: Callable[[Query], object]) -> AnyAgent:
    """A model agent with a prompt function that gives what it likes."""

    def prompt(query: Query) -> Prompt[str]:
        """Ask."""
        found: Any = function(query)
        return found  # type: ignore[no-any-return]

    return model_agent("fast", name="asking")(prompt)


async def unawaited(query: Query) -> Prompt[str]:
    """Give no prompt, but what has to be awaited."""
    return Prompt(user=query.text)


@model_agent("fast")
def first_words(query: Query) -> Prompt[str]:
    """Ask with words alone."""
    found: Any = query.text.split()
    return found  # type: ignore[no-any-return]


def broken(user: Any = "?", system: Any = "", examples: Any = ()) -> Prompt[str]:
    """A prompt of something else than texts."""
    return Prompt(user=user, system=system, examples=examples)


NO_PROMPTS: Final[dict[str, tuple[Callable[[Query], object], str]]] = {
    "a text": (lambda query: query.text, "returned 'str': return a Prompt"),
    "nothing": (lambda _: None, "returned 'NoneType': return a Prompt"),
    "the class": (lambda _: Prompt, "returned 'type': return a Prompt"),
    "a coroutine": (unawaited, "returned 'coroutine': return a Prompt"),
    "another user": (lambda _: broken(user=5), "a Prompt with a 'int' as its 'user': give texts"),
    "another system": (lambda _: broken(system=None, user=None), "as its 'user'"),
    "no pairs": (lambda _: broken(examples=("abc",)), "examples that are no pairs"),
    "nothing in one case": (
        lambda query: Prompt[str](user="?") if query.channel == "chat" else None,
        "returned 'NoneType'",
    ),
}


@pytest.mark.parametrize(("function", "said"), NO_PROMPTS.values(), ids=NO_PROMPTS)
def test_whatever_is_no_prompt_is_a_problem(function: Callable[[Query], object], said: str) -> None:
    """Every value of an enum is tried, and what is returned is told by its type."""
    agent = asking(function)
    problem = prompt_problem(agent, try_prompt(agent))

    assert problem is not None
    assert problem.code == "bad_prompt"
    assert problem.message.startswith("the prompt function of agent 'asking' returned ")
    assert said in problem.message


def test_a_prompt_is_no_problem() -> None:
    """It was made of an input that has every field, with its name for a text."""
    agent = asking(lambda query: Prompt[str](system=query.channel, user=query.text))
    trials = try_prompt(agent)
    first, *others = trials.found

    assert prompt_problem(agent, trials) is None
    assert first.input == {"text": "<text>", "channel": "email"}
    assert first.prompt == Prompt[str](system="email", user="<text>")
    assert all(one.prompt is not None for one in others)


def test_a_function_that_fails_on_an_invented_input_says_nothing() -> None:
    """It may ask more of its input than the contract does."""
    agent = asking(lambda query: query.text[99])

    trials = try_prompt(agent)

    assert prompt_problem(agent, trials) is None
    assert trials.silence == "it raises IndexError for an invented input"


def leave(query: Query) -> object:
    """Call sys.exit()."""
    raise SystemExit(len(query.text))


def test_a_function_that_leaves_the_process_leaves_its_thread_alone() -> None:
    """It says nothing, as any other exception."""
    assert try_prompt(asking(leave)).silence == "it raises SystemExit for an invented input"


def test_a_validator_that_fails_says_nothing() -> None:
    """Code of the user that makes an argument of an invented input may fail as well."""

    def known(name: str) -> str:
        return {"Ann": "A"}[name]

    @model_agent("fast")
    def greeting(name: Annotated[str, AfterValidator(known)]) -> Prompt[str]:
        """Greet."""
        return Prompt(user=name)

    assert try_prompt(greeting).silence == "it raises KeyError for an invented input"


def test_an_input_that_the_type_refuses_is_not_tried() -> None:
    """Where no example is found, nothing is called, and nothing is known."""

    def even(number: int) -> int:
        if number < 10:
            msg = "small"
            raise ValueError(msg)
        return number

    called: list[int] = []

    @model_agent("fast")
    def counting(number: Annotated[int, AfterValidator(even)]) -> Prompt[str]:
        """Ask."""
        called.append(number)
        return Prompt(user=str(number))

    assert try_prompt(counting).silence == "no example of its input was found"
    assert called == []


def test_a_function_that_hangs_is_left_alone() -> None:
    """Nobody waits for it beyond the patience, and that is no refusal."""
    gate = threading.Event()
    agent = asking(lambda query: Prompt[str](user=str(gate.wait()) + query.text))
    trials = try_prompt(agent, patience=0.01)
    gate.set()

    assert trials.is_cut_short
    assert trials.found == ()
    assert trials.silence == "it takes more than 1 s"


def test_inputs_may_be_given() -> None:
    """Only those that keep the contract are tried, in their order."""
    agent = asking(lambda query: Prompt[str](user=query.text))
    trials = try_prompt(agent, [{"text": "b"}, {"words": "x"}, {"text": "a"}])

    assert [one.input for one in trials.found] == [{"text": "b"}, {"text": "a"}]


@pytest.mark.parametrize("blank", ["", " \n\t", "\N{NO-BREAK SPACE}"])
def test_a_prompt_without_a_word_is_a_problem(blank: str) -> None:
    """Blanks ask nothing, and examples alone do not either; the remedy is said."""
    examples = (("1 + 1", "2"),)
    agent = asking(lambda _: Prompt[str](user=blank, system=blank, examples=examples))
    problem = prompt_problem(agent, try_prompt(agent))

    assert problem is not None
    assert problem.code == "empty_prompt"
    assert "write what is asked in user=, or in system=" in problem.message


def test_a_prompt_without_a_word_in_one_case_is_a_problem() -> None:
    """All that the input could say it does say, and still nothing is asked."""
    agent = asking(lambda query: Prompt[str](user=query.text if query.channel == "chat" else ""))
    problem = prompt_problem(agent, try_prompt(agent))

    assert problem is not None
    assert problem.code == "empty_prompt"


def test_a_word_in_either_part_is_a_prompt() -> None:
    """Who says it all in the system's part has no question to add, and the other way round."""
    for prompt in (Prompt[str](user="", system="Tell a joke."), Prompt[str](user="A joke!")):
        agent = asking(lambda _, prompt=prompt: prompt)
        assert prompt_problem(agent, try_prompt(agent)) is None


class Remark(BaseModel):
    """What may be left out, or empty, in every way."""

    text: str = ""
    lines: list[str] = []
    note: str | None = None


def test_a_blank_prompt_for_a_blank_input_is_no_problem() -> None:
    """What is left out of an invented input may be what a real one asks."""

    def prompt(remark: Remark) -> Prompt[str]:
        """Ask."""
        return Prompt(user=remark.text)

    def joined(remark: Remark) -> Prompt[str]:
        """Ask."""
        return Prompt(user=" ".join(remark.lines))

    for function in (prompt, joined):
        agent = model_agent("fast", name="remarking")(function)
        trials = try_prompt(agent, [{}, {"text": " ", "lines": ["a"]}, {"text": "a", "lines": []}])
        assert prompt_problem(agent, trials) is None
        assert prompt_problem(agent, try_prompt(agent)) is None


SILENT: Final = asking(lambda _: Prompt[str](user=" "))
ECHO: Final = asking(lambda query: Prompt[str](user=query.text))


async def test_an_app_tells_a_prompt_function_that_asks_nothing() -> None:
    """It is refused before anything runs, with its place."""
    with pytest.raises(DeclarationError) as refused:
        await App(SILENT, models={"fast": ScriptedModel([])}).__aenter__()

    (problem,) = refused.value.problems
    assert problem.code == "empty_prompt"
    assert "test_trial.py:" in (problem.where or "")


async def test_a_real_input_without_a_word_asks_no_model() -> None:
    """A call whose prompt turns out blank fails by its input, and nothing is sent."""
    model = ScriptedModel(["Yes."])
    async with App(ECHO, models={"fast": model}):
        with pytest.raises(Failure) as failed:
            await ECHO(Query(text=" "))

    assert failed.value.code == "empty_prompt"
    assert failed.value.error_class is ErrorClass.CONTRACT_IN
    assert model.requests == []


LYING: Final = asking(lambda query: query.text)
PARTICULAR: Final = asking(
    lambda query: Prompt[str](user=query.text.removeprefix("#").split("-")[1])
)


async def test_an_app_tells_every_prompt_function_that_gives_none() -> None:
    """Each is told with its place, and the app stays closed."""
    app = App(LYING, first_words, models={"fast": ScriptedModel([])})
    with pytest.raises(DeclarationError) as refused:
        await app.__aenter__()

    assert [problem.code for problem in refused.value.problems] == ["bad_prompt"] * 2
    assert all("test_trial.py:" in (problem.where or "") for problem in refused.value.problems)


async def test_a_function_that_fails_on_an_invented_input_starts() -> None:
    """The app is entered, and a real input decides."""
    model = ScriptedModel(["Yes."])
    async with App(PARTICULAR, models={"fast": model}):
        assert await PARTICULAR(Query(text="#W-1")) == "Yes."

    assert model.requests[0].messages[-1].text == "1"
