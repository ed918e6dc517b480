"""What a step gave comes back from its record as it was, as far as anybody decides by it."""

from __future__ import annotations

from decimal import Decimal
from enum import Enum

import pytest
from pydantic import BaseModel

from fishplate import DeclaredError, ErrorClass, Failure, agent
from fishplate.contracts.values import BrokenValueError
from fishplate.core.errors import (
    FishplateError,
    InputError,
    JsonError,
    MissingExtraError,
    OutputError,
    StepError,
    UsageError,
    Violation,
)
from fishplate.core.outcome import Reason
from fishplate.orchestrator.effects import Marked
from fishplate.orchestrator.records import (
    failure_from_record,
    failure_to_record,
    value_from_record,
    value_to_record,
)


class Colour(Enum):
    """An enum."""

    RED = "red"


class Order(BaseModel):
    """What is recorded."""

    order_id: str
    total: Decimal
    colour: Colour


class NotFoundError(DeclaredError):
    """Declared."""

    order_id: str


class GoneError(DeclaredError):
    """Not declared by `lookup`."""

    since: int


@agent(errors=[NotFoundError])
async def lookup(order_id: str) -> Order:
    """Give the order."""
    return Order(order_id=order_id, total=Decimal("12.50"), colour=Colour.RED)


@agent
async def quiet(order_id: str) -> None:
    """Give nothing."""
    _ = order_id


ORDER = Order(order_id="#W1", total=Decimal("12.50"), colour=Colour.RED)


def test_a_value_comes_back_equal() -> None:
    """A typed value is read back as the same typed value, `None` as `None`."""
    assert value_from_record(lookup, *value_to_record(lookup, ORDER)) == ORDER
    assert value_from_record(quiet, *value_to_record(quiet, None)) is None


def test_the_mark_of_a_degraded_value_comes_back_with_it() -> None:
    """Why a value is degraded is kept beside it."""
    marked = Marked(ORDER, (Reason(reason="carrier_down", source="cache", step="eta", age=60.0),))
    assert value_from_record(lookup, *value_to_record(lookup, marked)) == marked


def test_a_value_is_judged_by_the_contract_of_today() -> None:
    """A record that the present contract refuses is not handed on."""
    with pytest.raises(BrokenValueError):
        value_from_record(lookup, b'{"order_id": 1}', None)


FAILURES = [
    StepError(
        "late",
        step="refund/0.pay",
        code="step_timeout",
        error_class=ErrorClass.DEADLINE,
        where="app.py:3",
        details={"timeout": 2},
    ),
    Failure("down", error_class=ErrorClass.OVERLOAD, code="http_503", retry_after=3.0),
    OutputError("the output", [Violation(pointer="/a", message="no", keyword="type")]),
    InputError("the input", [Violation(pointer="", message="no", keyword="required")]),
    JsonError("not JSON", pointer="/x"),
    UsageError("no", code="no_resource"),
    MissingExtraError("numpy", "local"),
    FishplateError("other", code="other"),
]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
def test_a_failure_comes_back_with_all_that_decides(failure: FishplateError) -> None:
    """Code, class, facts and marks of a failure are those of the one that was recorded."""
    failure.has_effect = failure.retry_exhausted = True
    found = failure_from_record(lookup, failure_to_record(failure))
    assert isinstance(found, FishplateError)
    assert isinstance(failure, type(found))
    assert found.to_json() == failure.to_json()
    assert (found.has_effect, found.retry_exhausted) == (True, True)
    assert found.retry_after == failure.retry_after
    assert str(found) == str(failure)


def test_a_declared_error_comes_back_as_itself() -> None:
    """A declared error is of its class again, with its data."""
    found = failure_from_record(lookup, failure_to_record(NotFoundError(order_id="#W1")))
    assert found == NotFoundError(order_id="#W1")


def test_an_error_that_is_not_declared_any_more_is_told() -> None:
    """A record of an error that the contract has lost is refused, and named."""
    with pytest.raises(BrokenValueError, match="gone"):
        failure_from_record(lookup, failure_to_record(GoneError(since=3)))
