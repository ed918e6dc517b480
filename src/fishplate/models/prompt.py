"""What a prompt function gives: the messages of one question, with the type of its answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Generic, TypeVar, cast

from fishplate.core.data import dataclass
from fishplate.core.errors import ErrorClass, Failure
from fishplate.models.model import Message

R_co = TypeVar("R_co", covariant=True)

EMPTY_PROMPT: Final = "empty_prompt"
"""Code of a failure: a prompt is blank but for its examples, which ask nothing by themselves."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompt(Generic[R_co]):
    """A question to a model; `Prompt[Out]` is answered by an `Out`.

    Attributes:
        user: What is asked, with all the facts; may be blank where `system` says it all.
        system: Who the model is and what it has to do.
        examples: Questions with the answers that are wanted, as text, in this order.
    """

    user: str
    system: str = ""
    examples: tuple[tuple[str, str], ...] = ()

    def messages(self) -> tuple[Message, ...]:
        """The conversation that it begins."""
        found = [Message(role="system", text=self.system)] if self.system else []
        for question, answer in self.examples:
            found += [Message(role="user", text=question), Message(role="assistant", text=answer)]
        return (*found, Message(role="user", text=self.user))


def first_messages(found: object, subject: str) -> tuple[Message, ...]:
    """The messages of what a prompt function returned, whatever that is.

    Args:
        found: What it returned.
        subject: Whose function it is.

    Raises:
        Failure: It is no `Prompt`, or one of something else than texts (code `bad_prompt`).
    """
    if not isinstance(found, Prompt):
        raise _bad_prompt(subject, f"{type(found).__name__!r}: return a Prompt")
    prompt = cast("Prompt[object]", found)
    try:
        messages = prompt.messages()
    except (TypeError, ValueError):  # pydantic's own quotes what it was given
        what = f"a Prompt with {_wrong_part(prompt)}: give texts"
        raise _bad_prompt(subject, what) from None
    return messages


def check_prompt(found: object, subject: str) -> None:
    """Refuse what a prompt function returned if no model can be asked with it.

    Args:
        found: What it returned.
        subject: Whose function it is.

    Raises:
        Failure: As `first_messages`; or it asks nothing (code `empty_prompt`).
    """
    if is_blank(first_messages(found, subject)):
        raise Failure(
            f"the prompt function of {subject} returned a Prompt without a word: write what is "
            "asked in user=, or in system=",
            error_class=ErrorClass.BUG,
            code=EMPTY_PROMPT,
        )


def is_blank(messages: Sequence[Message]) -> bool:
    """Whether a conversation asks nothing: examples alone are no question."""
    last = messages[-1]
    return (
        last.role == "user"
        and not last.text.strip()
        and not any(one.role == "system" and one.text.strip() for one in messages)
    )


def _bad_prompt(subject: str, what: str) -> Failure:
    return Failure(
        f"the prompt function of {subject} returned {what}",
        error_class=ErrorClass.BUG,
        code="bad_prompt",
    )


def _wrong_part(prompt: Prompt[object]) -> str:
    for name in ("user", "system"):
        part: object = getattr(prompt, name)
        if not isinstance(part, str):
            return f"a {type(part).__name__!r} as its {name!r}"
    return "examples that are no pairs of a question and its answer"
