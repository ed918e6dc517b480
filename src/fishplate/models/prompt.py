"""What a prompt function gives: the messages of one question, with the type of its answer."""

from __future__ import annotations

from typing import Generic, TypeVar

from fishplate.core.data import dataclass
from fishplate.models.model import Message

R_co = TypeVar("R_co", covariant=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompt(Generic[R_co]):
    """A question to a model; `Prompt[Out]` is answered by an `Out`.

    Attributes:
        user: What is asked, with all the facts.
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
