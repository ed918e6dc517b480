"""Data classes: what the standard decorator gives, without what it costs to define them."""

import copy
import dataclasses
import inspect
import pickle
from collections.abc import Callable
from dataclasses import KW_ONLY, FrozenInstanceError, field
from functools import partial
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fishplate.core import data
from fishplate.core.data import dataclass, is_frozen

DECORATORS = [dataclasses.dataclass, data.dataclass]
ours_and_the_standard_one = pytest.mark.parametrize("decorator", DECORATORS, ids=["std", "ours"])


@dataclass(frozen=True, kw_only=True, slots=True)
class Parcel:
    """A class with every kind of field."""

    kind: ClassVar[str] = "parcel"

    number: str
    weight: float = 1.5
    notes: list[str] = field(default_factory=list[str], hash=False)
    seen: int = field(default=0, compare=False, repr=False)


def made(decorator: Callable[..., Any], **words: bool) -> type[Any]:
    """A class of three fields, two of them by position, by the given decorator."""

    class Point:
        """A point."""

        x: int
        y: int = 2
        _: KW_ONLY
        labels: list[str] = field(default_factory=list[str])

    return decorator(**words)(Point)


@ours_and_the_standard_one
def test_arguments_are_those_of_the_standard_class(decorator: Callable[..., Any]) -> None:
    """Fields before `KW_ONLY` are given by position or name, the others by name; defaults apply."""
    point = made(decorator, frozen=True, slots=True)

    assert str(inspect.signature(point)).startswith("(x: int, y: int = 2, *, labels: list[str] = ")
    assert point.__match_args__ == ("x", "y")
    assert dataclasses.astuple(point(1)) == (1, 2, [])
    assert dataclasses.astuple(point(1, y=3, labels=["a"])) == (1, 3, ["a"])
    assert point(1).labels is not point(1).labels
    for wrong in (point, partial(point, 1, 2, []), partial(point, 1, z=1)):
        with pytest.raises(TypeError, match="argument"):
            wrong()


@given(x=st.floats(), y=st.floats())
def test_classes_compare_print_and_hash_as_the_standard_ones(x: float, y: float) -> None:
    """Two objects are equal if they are of one class and all compared fields are."""
    standard, ours = (made(decorator, frozen=True) for decorator in DECORATORS)
    plain = {"labels": ("a",)}

    assert repr(ours(x, y)) == repr(standard(x, y))
    assert (ours(x, y, **plain) == ours(y, x, **plain)) == (
        standard(x, y, **plain) == standard(y, x, **plain)
    )
    assert ours(x, **plain) == ours(x, **plain)
    assert hash(ours(x, **plain)) == hash(ours(x, **plain))
    assert ours(x) != standard(x)


def test_fields_are_left_out_where_they_say_so() -> None:
    """`compare`, `hash` and `repr` of a field mean what they mean in a standard class."""
    first, second = Parcel(number="1", seen=1), Parcel(number="1", seen=2)

    assert first == second
    assert hash(first) == hash(second)
    assert repr(first) == "Parcel(number='1', weight=1.5, notes=[])"
    assert Parcel.kind == "parcel"


def test_a_class_that_contains_itself_can_be_printed() -> None:
    """Where it comes round again, dots stand."""
    first = Parcel(number="1")
    notes: list[Any] = first.notes
    notes.append(first)

    assert repr(first) == "Parcel(number='1', weight=1.5, notes=[...])"


def test_a_frozen_object_stays_as_it_is() -> None:
    """No attribute can be set or deleted; what can change is no key."""
    parcel: Any = Parcel(number="1")
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'number'"):
        parcel.number = "2"
    with pytest.raises(FrozenInstanceError, match="cannot delete field 'number'"):
        del parcel.number
    loose = made(data.dataclass, slots=True)
    point = loose(1)
    point.x = 5

    assert point == loose(5)
    assert [is_frozen(cls) for cls in (Parcel, loose)] == [True, False]
    assert [is_frozen(made(dataclasses.dataclass, frozen=word)) for word in (True, False)] == [
        True,
        False,
    ]
    with pytest.raises(TypeError, match="unhashable"):
        hash(point)


def pickled(parcel: Parcel, protocol: int) -> Parcel:
    """What comes back."""
    found = pickle.loads(pickle.dumps(parcel, protocol))
    assert isinstance(found, Parcel)
    return found


COPIES: list[Callable[[Parcel], Parcel]] = [
    copy.copy,
    copy.deepcopy,
    dataclasses.replace,
    *(partial(pickled, protocol=number) for number in range(pickle.HIGHEST_PROTOCOL + 1)),
]


@pytest.mark.parametrize("copied", COPIES)
def test_a_frozen_object_can_be_copied(copied: Callable[[Parcel], Parcel]) -> None:
    """Copies, pickles and `replace` give an equal object of the same class."""
    parcel = Parcel(number="1", weight=2.0, notes=["a"])

    assert copied(parcel) == parcel
    assert copied(parcel) is not parcel


def test_a_class_keeps_the_methods_that_it_writes() -> None:
    """Its own `__eq__`, `__hash__`, `__repr__` and `__init__` stand; `__post_init__` is called."""

    @dataclass(frozen=True, slots=True)
    class Odd:
        number: int

        def __post_init__(self) -> None:
            if self.number % 2 == 0:
                message = "even"
                raise ValueError(message)

        def __eq__(self, other: object) -> bool:
            return isinstance(other, int) and other == self.number

        def __hash__(self) -> int:
            return self.number

        def __repr__(self) -> str:
            return "odd"

    with pytest.raises(ValueError, match="even"):
        Odd(2)
    assert (repr(Odd(3)), hash(Odd(3)), Odd(3) == 3, Odd(3) == Odd(3)) == ("odd", 3, True, False)


def test_a_class_takes_the_fields_of_its_base_first() -> None:
    """Each class has an `__init__` of its own, whichever is called first."""

    @dataclass(frozen=True, kw_only=True, slots=True)
    class Labelled(Parcel):
        label: str

    labelled = Labelled(number="1", label="a")

    assert repr(labelled).endswith("Labelled(number='1', weight=1.5, notes=[], label='a')")
    assert labelled != Parcel(number="1")
    assert Parcel(number="1") == Parcel(number="1")


@ours_and_the_standard_one
def test_fields_know_their_types_as_they_are_written(decorator: Callable[..., Any]) -> None:
    """Types written as text are kept as text, and the special ones among them make no field."""

    @decorator(frozen=True, slots=True)
    class Label:
        """A label."""

        text: "str"
        count: "ClassVar[int]" = 0
        copies: "list[Missing]" = field(default_factory=list[Any])  # type: ignore[name-defined]  # noqa: F821 # pyright: ignore[reportUndefinedVariable] -- nobody looks it up

    found = {field.name: field.type for field in dataclasses.fields(Label)}

    assert found == {"text": "str", "copies": "list[Missing]"}
    assert Label.__annotations__ == {**found, "count": "ClassVar[int]"}


def test_without_equality_an_object_equals_itself_alone() -> None:
    """`eq=False` leaves identity, and with it a hash."""
    point = made(data.dataclass, eq=False, repr=False, slots=True)

    first = point(1)

    assert first != point(1)
    assert {first: 1}[first] == 1
    assert "object at" in repr(first)
