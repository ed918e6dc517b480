"""What a call has spent: counts on its span, which all sums are made of, and which only grow."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping
from typing import Final, Protocol

from fishplate.core.data import dataclass
from fishplate.core.errors import JsonValue, UsageError

MOST_NANOS: Final = 10**15
"""Most that one request may cost, in 10^-9 of its currency, so that a store can sum it up."""
MOST_SUM: Final = 2**63 - 1
"""Where kept sums stop, in 10^-9 of a currency: one that stands there is at least that much."""
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


@dataclass(frozen=True, kw_only=True, slots=True)
class RunUsage:
    """What a run has spent.

    Attributes:
        requests: To models and priced tools; each attempt counts.
        input_tokens: That went in, as far as they were counted.
        output_tokens: That came out, likewise.
        costs: What is known of their cost, in billionths, by currency.
        unpriced_requests: How many of them have no known price.
        is_whole: Whether that is all. If not, another process drove the run before: of what that
            one spent, the answers of models that it recorded are counted, and the sums are the
            least that it can have been.
    """

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    costs: Mapping[str, int]
    unpriced_requests: int = 0
    is_whole: bool = True


class RunSpending:
    """What the calls of a run have spent so far.

    Args:
        is_known: Whether something can be said of it: not of a run that nothing is known of but
            that another process drove it.
        is_whole: Whether nothing was spent before, where it was not counted.
    """

    def __init__(self, *, is_known: bool = True, is_whole: bool = True) -> None:
        self._is_known = is_known
        self._is_whole = is_whole
        self._counts: dict[str, int] = {}
        self._costs: dict[str, int] = {}
        self._lock = threading.Lock()  # plain functions spend on threads of their own

    def count(self, word: str, count: int) -> None:
        """Count what one of its requests took."""
        with self._lock:
            self._counts[word] = self._counts.get(word, 0) + count

    def pay(self, nanos: int, currency: str) -> None:
        """Count what one of its requests cost."""
        with self._lock:
            self._costs[currency] = self._costs.get(currency, 0) + nanos

    def learn(self, known: RunSpending) -> None:
        """Begin with what is known by now, if nothing was known before."""
        with self._lock:
            if not self._is_known:
                self._is_known = known._is_known
                self._counts, self._costs = dict(known._counts), dict(known._costs)
                self._is_whole = known._is_whole

    @property
    def usage(self) -> RunUsage | None:
        """All that is known of it; `None` if that is nothing."""
        if not self._is_known:
            return None
        with self._lock:
            words = ("requests", "input_tokens", "output_tokens", "unpriced_requests")
            counts = {word: self._counts.get(word, 0) for word in words}
            return RunUsage(costs=dict(self._costs), is_whole=self._is_whole, **counts)


class Paying(Protocol):
    """Who pays for what a call spends: its run."""

    @property
    def spending(self) -> RunSpending:
        """What was spent so far."""
        ...


class Told(Protocol):
    """What has a span: a call."""

    attributes: dict[str, JsonValue] | None

    @property
    def run(self) -> Paying:
        """The run that it is a call of."""
        ...


def is_count(value: object, most: int) -> bool:
    """Whether a value is a whole number from 0 to `most`."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most


def is_currency(value: object) -> bool:
    """Whether a value is spelled as ISO 4217 spells currencies."""
    return isinstance(value, str) and _CURRENCY.fullmatch(value) is not None


def is_whole(costs: Mapping[str, int], unpriced: int) -> bool:
    """Whether sums of costs are all that was spent, and not the least that it can have been."""
    return not unpriced and all(nanos < MOST_SUM for nanos in costs.values())


def add_count(call: Told, word: str, count: int) -> None:
    """Put a count on a span, on top of what earlier requests of the call have put there."""
    _put(call, word, count)
    call.run.spending.count(word, count)


def add_cost(call: Told, nanos: int, currency: str) -> bool:
    """Put the cost of a request on a span, which has one currency.

    Returns:
        Whether it was put there: not if the call has paid in another currency before, or would
        come to `MOST_SUM`.
    """
    facts = call.attributes or {}
    if facts.get("cost_currency", currency) != currency or _paid(facts) + nanos >= MOST_SUM:
        return False
    _put(call, "cost_nanos", nanos)
    call.run.spending.pay(nanos, currency)
    assert call.attributes is not None, "the count stands there"
    call.attributes["cost_currency"] = currency
    return True


def spend(
    call: Told, path: str, cost_nanos: int | None, currency: str | None, tokens: dict[str, int]
) -> None:
    """Count one request that a body has paid for itself; see `Current.spent`.

    Raises:
        UsageError: It is no amount, in another currency than before, or more than one call can pay
            (code `bad_spending`).
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
        facts = call.attributes or {}
        before = facts.get("cost_currency")
        if before != currency:
            wanted = f"{before!r} as before: one call pays in one currency"
            raise _refused(path, f"currency={currency!r}", wanted)
        wanted = f"below {MOST_SUM:,} with the {_paid(facts):,} that the call has paid before"
        raise _refused(path, f"cost_nanos={cost_nanos!r}", wanted)
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


def _paid(facts: Mapping[str, JsonValue]) -> int:
    paid = facts.get("cost_nanos")
    return paid if isinstance(paid, int) else 0


def _put(call: Told, word: str, count: int) -> None:
    facts = call.attributes
    if facts is None:
        facts = call.attributes = {}
    known = facts.get(word)
    facts[word] = count + (known if isinstance(known, int) else 0)


def _refused(path: str, given: str, wanted: str) -> UsageError:
    msg = f"step {path!r} says current().spent({given}): it has to be {wanted}"
    return UsageError(msg, code="bad_spending")
