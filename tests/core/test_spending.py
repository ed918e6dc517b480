"""What a call has paid for itself: counted once, in one currency, and never by a note."""

from __future__ import annotations

from typing import Any

import pytest

from fishplate import (
    App,
    ErrorClass,
    Failure,
    Policy,
    Retry,
    UsageError,
    agent,
    current,
    tool,
)
from fishplate.core.errors import JsonValue
from fishplate.core.spending import MOST_NANOS, MOST_SUM, SPENT


@tool(effect="readonly")
async def search(words: str) -> str:
    """A service that takes money, once for each word, and does not tell the price of `odd`."""
    for word in words.split():
        is_known = word != "odd"
        current().spent(
            cost_nanos=500 if is_known else None,
            currency="EUR" if is_known else None,
            input_tokens=len(word),
        )
    return words


@agent(tools=[search])
async def ask(words: str) -> str:
    """Calls the service, and has costs of its own."""
    current().spent(cost_nanos=7, currency="USD")
    return await search(words)


@agent
async def pay(amounts: list[dict[str, Any]]) -> int:
    """Tells of these, one after the other."""
    for one in amounts:
        current().spent(**one)
    return len(amounts)


@agent
async def noting(word: str) -> str:
    """Notes a number under this name."""
    current().note(**{word: 1})
    return word


@tool(effect="readonly", policy=Policy(retry=Retry(attempts=2, base=0.001, cap=0.001)))
async def flaky(failures: list[int]) -> int:
    """Pays, and fails as often as the list is long."""
    current().spent(cost_nanos=11, currency="EUR")
    if failures:
        failures.pop()
        raise Failure("busy", error_class=ErrorClass.TRANSIENT, code="busy")
    return 1


@agent(tools=[flaky])
async def patient(failures: int) -> int:
    """Calls it until it answers."""
    return await flaky([0] * failures)


async def told(unit: Any, given: object) -> dict[str, dict[str, JsonValue]]:
    """What each span of a run says, by its name."""
    async with App(unit) as app:
        run = app.start(unit, given)
        await run.ended()
        return {span.name: dict(span.attributes or {}) for span in app.spans(run)}


async def test_what_a_call_pays_adds_up_on_its_own_span() -> None:
    """Each telling is one request; what the calls below pay is not among it."""
    found = await told(ask, "a odd abc")

    assert found == {
        "search": {
            "requests": 3,
            "unpriced_requests": 1,
            "cost_nanos": 1_000,
            "cost_currency": "EUR",
            "input_tokens": 7,
        },
        "ask": {"requests": 1, "cost_nanos": 7, "cost_currency": "USD"},
    }


async def test_every_attempt_that_has_paid_counts() -> None:
    """What a failed attempt has paid is spent, and the next one adds to it."""
    found = await told(patient, 1)

    assert found["flaky"] == {"requests": 2, "cost_nanos": 22, "cost_currency": "EUR"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"cost_nanos": -1, "currency": "EUR"}, "cost_nanos=-1"),
        ({"cost_nanos": 0.5, "currency": "EUR"}, "cost_nanos=0.5"),
        ({"cost_nanos": True, "currency": "EUR"}, "cost_nanos=True"),
        ({"cost_nanos": MOST_NANOS + 1, "currency": "EUR"}, "from 0 to"),
        ({"cost_nanos": 1, "currency": "eur"}, "ISO 4217"),
        ({"cost_nanos": 1}, "currency=None"),
        ({"cost_nanos": None, "currency": "EUR"}, "left out"),
        ({"cost_nanos": 1, "currency": "EUR", "input_tokens": -3}, "input_tokens=-3"),
        ({"cost_nanos": 1, "currency": "EUR", "output_tokens": 10**13}, "output_tokens="),
    ],
)
async def test_what_is_no_amount_is_refused(given: dict[str, Any], said: str) -> None:
    """An amount is a whole number within reason, of a currency; nothing of another is counted."""
    async with App(pay):
        with pytest.raises(UsageError, match=said) as refused:
            await pay([given])

    assert refused.value.code == "bad_spending"
    assert await told(pay, [given]) == {"pay": {"error": "bad_spending"}}


async def test_a_call_pays_in_one_currency() -> None:
    """An amount in another one is refused, and what was paid before stands."""
    euros = {"cost_nanos": 5, "currency": "EUR"}
    dollars = {"cost_nanos": 7, "currency": "USD", "input_tokens": 3}
    async with App(pay):
        with pytest.raises(UsageError, match="one call pays in one currency"):
            await pay([euros, dollars])

    assert await told(pay, [euros, dollars]) == {
        "pay": {
            "requests": 1,
            "cost_nanos": 5,
            "cost_currency": "EUR",
            "error": "bad_spending",
        }
    }


async def test_a_call_pays_no_more_than_a_sum_holds() -> None:
    """What would bring a call to the end of the sums is refused; what was paid before stands."""
    most = {"cost_nanos": MOST_NANOS, "currency": "IRR"}
    many = [most] * (MOST_SUM // MOST_NANOS)
    async with App(pay):
        await pay(many)
        with pytest.raises(UsageError, match="that the call has paid before") as refused:
            await pay([*many, most])

    assert refused.value.code == "bad_spending"


@pytest.mark.parametrize("word", sorted(SPENT))
async def test_no_note_is_taken_for_something_spent(word: str) -> None:
    """The words that sums are made of are refused in a note, which is told what to say instead."""
    async with App(noting):
        with pytest.raises(UsageError, match=rf"notes {word}.*current\(\)\.spent") as refused:
            await noting(word)

    assert refused.value.code == "bad_spending"
