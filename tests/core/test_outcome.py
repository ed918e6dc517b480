"""Declared errors: exceptions with data, which are values too."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from fishplate import DeclaredError


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
