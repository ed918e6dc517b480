"""How much one answer of a model agent may take, and what it has taken."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

from fishplate.core.data import dataclass
from fishplate.core.errors import ErrorClass, Failure, JsonValue
from fishplate.models.model import Message, ModelAnswer, ModelRequest
from fishplate.resilience.checks import check_count

CHARACTERS_A_TOKEN: Final = 4
"""A rule of thumb for English; for estimates where nobody has counted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Most that one answer may take, its repairs and tool calls included.

    What reaches a limit is asked nothing more. What goes beyond one fails, also by its last
    request: an answer that took too much is paid for, and is not handed on as if all were well.

    Attributes:
        requests: Requests to the model; at least 1.
        tool_calls: Calls of tools; at least 0.
        tokens: Tokens in and out, over all requests; at least 1. Where a provider does not say how
            many it were, they are estimated.
        cost_nanos: Billionths of the currency in which the model is priced; at least 1. A request
            whose price is unknown, or in another currency than the one before, fails, since nobody
            could say whether that is too much.
    """

    requests: int = 10
    tool_calls: int = 20
    tokens: int | None = None
    cost_nanos: int | None = None

    def __post_init__(self) -> None:
        """Refuse impossible numbers."""
        check_count("Limits", "requests", self.requests)
        check_count("Limits", "tool_calls", self.tool_calls, at_least=0)
        if self.tokens is not None:
            check_count("Limits", "tokens", self.tokens)
        if self.cost_nanos is not None:
            check_count("Limits", "cost_nanos", self.cost_nanos)

    def to_json(self) -> dict[str, JsonValue]:
        """The limits as a JSON object."""
        return {
            "requests": self.requests,
            "tool_calls": self.tool_calls,
            "tokens": self.tokens,
            "cost_nanos": self.cost_nanos,
        }


class Spending:
    """What one answer has taken so far.

    Args:
        subject: Whose answer it is, for errors.
        limits: Most that it may take.
    """

    def __init__(self, subject: str, limits: Limits) -> None:
        self._subject = subject
        self._limits = limits
        self.requests = 0
        self.tool_calls = 0
        self.tokens = 0
        self.cost_nanos = 0
        self._currency: str | None = None

    def begin_request(self) -> None:
        """Count a request that is about to be sent.

        Raises:
            Failure: It would be one too many, or the tokens or the money are spent (code
                `model_limit`).
        """
        self._check_next_request()
        self.requests += 1

    def _check_next_request(self) -> None:
        if self.requests >= self._limits.requests:
            raise self._over("requests", self._limits.requests)
        if self._limits.tokens is not None and self.tokens >= self._limits.tokens:
            raise self._over("tokens", self._limits.tokens)
        if self._limits.cost_nanos is not None and self.cost_nanos >= self._limits.cost_nanos:
            raise self._over("cost_nanos", self._limits.cost_nanos)

    def end_request(self, sent: Iterable[Message], answer: ModelAnswer) -> None:
        """Count the tokens and the cost of a request.

        Raises:
            Failure: They are too many, or nobody knows the cost that is limited (code
                `model_limit`).
        """
        total = answer.usage.total
        said = Message(role="assistant", text=answer.text, calls=answer.calls)
        self.tokens += estimated_tokens((*sent, said)) if total is None else total
        if self._limits.tokens is not None and self.tokens > self._limits.tokens:
            raise self._over("tokens", self._limits.tokens, taken=self.tokens)
        if self._limits.cost_nanos is None:
            return
        self._currency = self._currency or answer.cost.currency
        if answer.cost.nanos is None or answer.cost.currency != self._currency:
            raise Failure(
                f"{self._subject} has a limit of {self._limits.cost_nanos} nanos, and the "
                "price of its model is unknown, or in several currencies: give the app "
                "prices= in one, or limit tokens",
                error_class=ErrorClass.BUDGET_EXCEEDED,
                code="model_limit",
            )
        self.cost_nanos += answer.cost.nanos
        if self.cost_nanos > self._limits.cost_nanos:
            raise self._over("cost_nanos", self._limits.cost_nanos, taken=self.cost_nanos)

    def add_tool_calls(self, count: int) -> None:
        """Count tool calls that are about to be made.

        Raises:
            Failure: They would be too many, or no request may follow that tells the model what they
                gave (code `model_limit`).
        """
        self._check_next_request()
        if self.tool_calls + count > self._limits.tool_calls:
            raise self._over("tool_calls", self._limits.tool_calls)
        self.tool_calls += count

    def _over(self, word: str, limit: int, *, taken: int | None = None) -> Failure:
        took = "needs" if taken is None else f"took {taken}, which is"
        return Failure(
            f"{self._subject} {took} more than its {limit} {word.replace('_', ' ')} for one "
            f"answer: ask for less, or raise Limits({word}=)",
            error_class=ErrorClass.BUDGET_EXCEEDED,
            code="model_limit",
        )


def estimated_tokens(messages: Iterable[Message]) -> int:
    """Roughly how many tokens some messages are, where no provider has counted them."""
    characters = sum(
        len(message.text) + sum(len(call.name) + len(call.arguments) for call in message.calls)
        for message in messages
    )
    return -(-characters // CHARACTERS_A_TOKEN)


def tokens_of(request: ModelRequest) -> int:
    """Roughly how many tokens a request is, its schemas included."""
    schemas = [tool.schema for tool in request.tools]
    if request.mode == "native" and request.schema is not None:
        schemas.append(request.schema)
    texts = [Message(role="system", text=json.dumps(schema)) for schema in schemas]
    return estimated_tokens((*request.messages, *texts))
