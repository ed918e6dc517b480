"""What a call has spent: counts on its span, which all sums are made of, and which only grow."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, Protocol

from fishplate.core.errors import JsonValue, UsageError

MOST_NANOS: Final = 10**15
"""Most that one request may cost, in 10^-9 of its currency, so that a store can sum it up."""
MOST_TOKENS: Final = 10**12
"""Most tokens of one request."""
SPENT: Final = frozenset(
    {
        *("requests", "unpriced_requests", "cost_nanos", "cost_currency", "cost_source"),
        *("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens"),
        "reasoning_tokens",
    }
)
"""The words by which a span tells what its call has spent itself."""

_CURRENCY: Final = re.compile("[A-Z]{3}")


class Told(Protocol):
    """What has a span: a call."""

    attributes: dict[str, JsonValue] | None


def is_count(value: object, most: int) -> bool:
    """Whether a value is a whole number from 0 to `most`."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most


def is_currency(value: object) -> bool:
    """Whether a value is spelled as ISO 4217 spells currencies."""
    return isinstance(value, str) and _CURRENCY.fullmatch(value) is not None


def add_count(call: Told, word: str, count: int) -> None:
    """Put a count on a span, on top of what earlier requests of the call have put there."""
    facts = call.attributes
    if facts is None:
        facts = call.attributes = {}
    known = facts.get(word)
    facts[word] = count + (known if isinstance(known, int) else 0)


def add_cost(call: Told, nanos: int, currency: str) -> bool:
    """Put the cost of a request on a span, which has one currency.

    Returns:
        Whether it was put there: not if the call has paid in another currency before.
    """
    if (call.attributes or {}).get("cost_currency", currency) != currency:
        return False
    add_count(call, "cost_nanos", nanos)
    assert call.attributes is not None, "the count stands there"
    call.attributes["cost_currency"] = currency
    return True


def spend(
    call: Told, path: str, cost_nanos: int | None, currency: str | None, tokens: dict[str, int]
) -> None:
    """Count one request that a body has paid for itself; see `Current.spent`.

    Raises:
        UsageError: It is no amount, or in another currency than before (code `bad_spending`).
    """
    for word, value, most in (
        ("cost_nanos", 0 if cost_nanos is None else cost_nanos, MOST_NANOS),
        *((word, count, MOST_TOKENS) for word, count in tokens.items()),
    ):
        if not is_count(value, most):
            raise _refused(path, f"{word}={value!r}", f"a whole number from 0 to {most:,}")
    if cost_nanos is None:
        if currency is not None:
            raise _refused(path, f"currency={currency!r}", "left out where cost_nanos is None")
        add_count(call, "unpriced_requests", 1)
    elif currency is None or not is_currency(currency):
        raise _refused(path, f"currency={currency!r}", "three letters of ISO 4217, e.g. 'EUR'")
    elif not add_cost(call, cost_nanos, currency):
        before = (call.attributes or {}).get("cost_currency")
        raise _refused(
            path, f"currency={currency!r}", f"{before!r} as before: one call pays in one currency"
        )
    add_count(call, "requests", 1)
    for word, count in tokens.items():
        add_count(call, word, count)


def not_noted(path: str, words: Iterable[str]) -> UsageError:
    """The error of a note that would be taken for something spent."""
    msg = (
        f"step {path!r} notes {', '.join(sorted(words))}, and sums of tokens and costs are made "
        "of those: a call that has paid for something itself says current().spent(cost_nanos=..., "
        "currency=...), and requests of model agents are counted already"
    )
    return UsageError(msg, code="bad_spending")


def _refused(path: str, given: str, wanted: str) -> UsageError:
    msg = f"step {path!r} says current().spent({given}): it has to be {wanted}"
    return UsageError(msg, code="bad_spending")
