"""Declared errors: exceptions with data, which are values too."""

from typing import Any, cast, get_origin

import pytest
from pydantic import TypeAdapter, ValidationError

from fishplate import DeclaredError, Degraded, Reason, Rejected, TimedOut
from fishplate.contracts.shape import BrokenValueError, Shape
from fishplate.core.errors import JsonValue


class OrderNotFound(DeclaredError):  # noqa: N818 -- an outcome
    """No order of that number."""

    number: str
    tries: int = 1


def test_a_declared_error_is_named_after_its_class() -> None:
    """Its code is the class name in lower case words, unless it says another."""

    class TooLate(DeclaredError):  # noqa: N818 -- an outcome
        code = "late"

    assert (OrderNotFound.code, TooLate.code) == ("order_not_found", "late")


def test_a_declared_error_checks_its_data() -> None:
    """Missing, unknown and wrong fields are refused where it is raised."""
    assert OrderNotFound(number="1").to_model().model_dump() == {
        "error": "order_not_found",
        "number": "1",
        "tries": 1,
    }
    wrong: list[dict[str, Any]] = [{}, {"number": 1}, {"number": "1", "name": "x"}]
    for fields in wrong:
        with pytest.raises(ValidationError):
            OrderNotFound(**fields)


def test_declared_errors_are_equal_by_their_data() -> None:
    """Notes that a run adds on the way make no other error of it."""
    noted, other = OrderNotFound(number="1"), OrderNotFound(number="1")
    noted.add_note("in step 'find'")

    assert noted == other
    assert len({noted, other, OrderNotFound(number="2")}) == 2
    assert noted != OrderNotFound(number="2")
    assert noted != "order_not_found"


def test_a_declared_error_comes_back_from_its_json() -> None:
    """With its tag, and without the notes."""
    adapter = TypeAdapter(OrderNotFound)
    noted = OrderNotFound(number="1", tries=3)
    noted.add_note("in step 'find'")

    assert adapter.dump_python(noted, mode="json") == {
        "error": "order_not_found",
        "number": "1",
        "tries": 3,
    }
    assert adapter.validate_json(adapter.dump_json(noted)) == noted


@pytest.mark.parametrize("name", ["error", "args", "to_model", "add_note"])
def test_a_field_cannot_have_the_name_of_what_every_error_has(name: str) -> None:
    """It would not be there, or hide what is."""
    with pytest.raises(TypeError, match=f"Bad.{name} is taken"):
        type("Bad", (DeclaredError,), {"__annotations__": {name: str}})


OUTCOMES: list[tuple[Any, Any, dict[str, object]]] = [
    (
        Rejected,
        Rejected(reason="expired"),
        {"outcome": "rejected", "reason": "expired", "by": None, "note": ""},
    ),
    (
        TimedOut,
        TimedOut(signal="paid", within=2.0),
        {"outcome": "timed_out", "signal": "paid", "within": 2.0},
    ),
    (
        Reason,
        Reason(reason="down", source="cache", age=3.0),
        {"reason": "down", "source": "cache", "step": "", "age": 3.0},
    ),
    (
        Degraded[int],
        Degraded[int](value=1, reasons=[Reason(reason="down", source="cache")]),
        {
            "value": 1,
            "reasons": [{"reason": "down", "source": "cache", "step": "", "age": None}],
        },
    ),
]
outcomes = pytest.mark.parametrize(("outcome", "value", "document"), OUTCOMES)


@outcomes
def test_an_outcome_comes_back_from_its_json(
    outcome: Any, value: object, document: dict[str, object]
) -> None:
    """It is a contract type: an object of its fields, and equal when it has been read."""
    shape = Shape.of(outcome)

    assert shape.encode(value) == document
    assert shape.decode(shape.encode(value), given=True) == value
    assert shape.accept(value) == value


@outcomes
def test_an_outcome_has_no_other_field(
    outcome: Any, value: object, document: dict[str, object]
) -> None:
    """JSON of another type is not taken for one, whether it comes in or goes out."""
    shape = Shape.of(outcome)

    assert type(value) is (get_origin(outcome) or outcome)
    for schema in (shape.takes, shape.gives):
        assert schema.violations(cast("JsonValue", document)) == ()
        assert schema.violations(cast("JsonValue", {**document, "other": 1})) != ()


@pytest.mark.parametrize(
    ("outcome", "wrong"),
    [
        (Rejected, Rejected(reason=cast("Any", "bored"))),
        (TimedOut, TimedOut(signal="paid", within=-1.0)),
        (TimedOut, TimedOut(signal="paid", within=float("inf"))),
        (Degraded[int], Degraded(value="one", reasons=[])),
    ],
)
def test_an_impossible_outcome_does_not_cross_a_contract(outcome: Any, wrong: object) -> None:
    """An instance is judged by its values, not taken by its class."""
    with pytest.raises(BrokenValueError):
        Shape.of(outcome).accept(wrong)
