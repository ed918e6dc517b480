"""What a run spent in a former life, as far as its records tell: the answers of models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, cast

from pydantic_core import from_json

from fishplate.core.spending import MOST_NANOS, MOST_TOKENS, RunSpending, is_count, is_currency
from fishplate.journal.run_rows import StepRecord

# What the name of a request ends in, and the words that the record of its answer always has.
_REQUEST: Final = "-model"
_ANSWER: Final = frozenset({"text", "calls", "finish_reason", "usage", "cost"})


def spent_before(records: Iterable[StepRecord]) -> RunSpending:
    """Count what recorded answers of models took, those too that were dropped since.

    Args:
        records: Of the run, in the order in which its steps ended.

    Returns:
        At least what the run has spent: a request that failed or was cut off has no record, and
        what a body paid for itself is in none.
    """
    found = RunSpending(is_whole=False)
    for record in records:
        if record.kind == "value" and record.key.endswith(_REQUEST):
            answer: object = from_json(record.data)
            if isinstance(answer, dict):
                facts = cast("Mapping[str, object]", answer)
                if facts.keys() >= _ANSWER:
                    _count(found, facts)
    return found


def _count(found: RunSpending, answer: Mapping[str, object]) -> None:
    found.count("requests", 1)
    usage, cost = _object(answer["usage"]), _object(answer["cost"])
    for word in ("input_tokens", "output_tokens"):
        tokens = usage.get(word)
        if isinstance(tokens, int) and is_count(tokens, MOST_TOKENS):
            found.count(word, tokens)
    nanos, currency = cost.get("nanos"), cost.get("currency")
    if isinstance(nanos, int) and is_count(nanos, MOST_NANOS) and is_currency(currency):
        found.pay(nanos, str(currency))
    else:
        found.count("unpriced_requests", 1)


def _object(value: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", value) if isinstance(value, dict) else {}
