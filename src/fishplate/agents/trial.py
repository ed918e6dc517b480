"""Prompt functions, tried with invented inputs: what they return shows before a model is asked.

A prompt function is pure: it depends on its arguments alone and changes nothing, so it may be
called with an input that nobody has sent. That it fails on one says nothing, since it may ask more
of its input than the contract does. What it returns says all: a text is no `Prompt`, whatever came
in. Only that a prompt is blank may lie in the input, where that is blank somewhere too.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Iterable, Iterator
from typing import Any, Final, cast

from fishplate.agents.agent import AnyAgent
from fishplate.contracts.example import examples
from fishplate.core.data import dataclass
from fishplate.core.errors import Failure, InputError, JsonValue, Problem
from fishplate.models.prompt import EMPTY_PROMPT, Prompt, check_prompt

PATIENCE: Final = 1.0
"""Seconds for all calls of one function; microseconds are usual."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """What a prompt function gave for one input.

    Attributes:
        input: The input document.
        prompt: What it returned, if that is a prompt of texts; blank for a blank input only.
        mistake: What is wrong with what it returned, else.
        failure: Type of the exception that it raised, which says nothing of it.
    """

    input: JsonValue
    prompt: Prompt[object] | None = None
    mistake: Failure | None = None
    failure: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Trials:
    """The trials of one prompt function.

    Attributes:
        found: In the order of the inputs; none if no input was found that keeps the contract.
        is_cut_short: The function had not returned in time. It is left to itself in its thread.
    """

    found: tuple[Trial, ...]
    is_cut_short: bool

    @property
    def mistake(self) -> Failure | None:
        """What it returned in place of a prompt that asks something, if it did."""
        return next((one.mistake for one in self.found if one.mistake is not None), None)

    @property
    def silence(self) -> str | None:
        """Why nothing is known of the function; `None` if something is."""
        if any(one.failure is None for one in self.found):
            return None
        if self.is_cut_short:
            return f"it takes more than {PATIENCE:g} s"
        if not self.found:
            return "no example of its input was found"
        return f"it raises {self.found[0].failure} for an invented input"


def try_prompt(
    agent: AnyAgent, inputs: Iterable[JsonValue] | None = None, *, patience: float = PATIENCE
) -> Trials:
    """Call the prompt function of a model agent; blocks, so not on an event loop.

    It is called in a thread of its own that nothing waits for: one that hangs holds nobody up.

    Args:
        agent: Made by `@model_agent`.
        inputs: Documents; those that break its contract are left out. Invented ones by default.
        patience: Seconds for all of it.
    """
    found: list[Trial] = []
    documents = examples(agent.signature.takes) if inputs is None else inputs

    def call() -> None:
        found.extend(_trials(agent, documents))

    thread = threading.Thread(target=call, name=f"fishplate-try-{agent.name}", daemon=True)
    thread.start()
    thread.join(patience)
    return Trials(found=tuple(found), is_cut_short=thread.is_alive())


def prompt_problem(agent: AnyAgent, trials: Trials) -> Problem | None:
    """Why a model agent can ask nothing: its prompt function gave no prompt when tried."""
    mistake = trials.mistake
    if mistake is None:
        return None
    return Problem(code=mistake.code, message=mistake.message, where=agent.about.where)


def _trials(agent: AnyAgent, documents: Iterable[JsonValue]) -> Iterator[Trial]:
    for document in documents:
        try:
            yield _trial(agent, document)
        except InputError:  # the type asks more than its schema says
            continue
        except (Exception, SystemExit) as error:  # noqa: BLE001 -- an invented input has caused it
            yield Trial(input=document, failure=type(error).__name__)


def _trial(agent: AnyAgent, document: JsonValue) -> Trial:
    function: Any = agent.about.written
    given = agent.signature.decode(document, subject="an example")
    found: object = function(*given)
    if inspect.iscoroutine(found):
        found.close()  # it is told as what it is, and not warned of as well
    try:
        check_prompt(found, agent.about.subject)
    except Failure as error:
        lies_in_input = error.code == EMPTY_PROMPT and _is_blank(agent.signature.encode(given))
        if not lies_in_input:
            return Trial(input=document, mistake=error)
    return Trial(input=document, prompt=cast("Prompt[object]", found))


def _is_blank(document: JsonValue) -> bool:
    """Whether an input leaves something out that a prompt may have been made of."""
    match document:
        case None | []:
            return True
        case str():
            return not document.strip()
        case list():
            return any(map(_is_blank, document))
        case dict():
            return any(map(_is_blank, document.values()))
        case _:
            return False
