"""Shapes: a value is the same object inside a process, and the same JSON outside of it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ForwardRef, Generic, Literal, TypeVar, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, create_model
from pydantic_core import to_json

from fishplate import DeclarationError
from fishplate.contracts.anatomy import Anatomy
from fishplate.contracts.shape import BrokenValueError, Shape
from fishplate.contracts.spelling import spelled
from fishplate.core.errors import JsonValue, OutputError
from tests.contracts.shapes_table import (
    TYPES,
    Aliased,
    Cat,
    Dog,
    Line,
    NotFoundError,
    Order,
    Point,
    Priced,
    Reason,
    Sparse,
)


@pytest.mark.parametrize("name", TYPES)
@settings(max_examples=25)
@given(data=st.data())
def test_a_value_survives_its_json(name: str, data: st.DataObject) -> None:
    """What is encoded and decoded is equal, of the same class, and accepted as it is."""
    annotation, values = TYPES[name]
    shape = Shape.of(annotation)
    value: Any = data.draw(values)

    accepted: Any = shape.accept(value, given=True)
    document = shape.encode(accepted)

    assert shape.gives.violations(document) == ()
    for given_by_producer in (True, False):
        again: Any = shape.decode(document, given=given_by_producer)
        assert again == accepted
        assert type(again) is type(accepted)
    assert accepted == value


@pytest.mark.parametrize("name", TYPES)
@settings(max_examples=25)
@given(data=st.data())
def test_the_text_of_a_value_is_that_of_its_document(name: str, data: st.DataObject) -> None:
    """What is written at once as text reads as the JSON form does."""
    annotation, values = TYPES[name]
    shape = Shape.of(annotation)
    accepted: Any = shape.accept(data.draw(values), given=True)

    assert json.loads(shape.to_json(accepted)) == json.loads(to_json(shape.encode(accepted)))


@pytest.mark.parametrize("value", [math.nan, -math.inf, 2**53 + 1, "\ud800"])
def test_no_text_is_written_that_readers_would_not_agree_on(value: object) -> None:
    """A value that has no portable JSON form is refused, wherever in a document it stands."""
    annotation = cast("Any", type(value))
    for shape, held in ((Shape.of(annotation), value), (Shape.of(list[annotation]), [value])):
        with pytest.raises(OutputError):
            shape.to_json(held)


@given(
    value=st.one_of(*(values for _, values in TYPES.values())), name=st.sampled_from(list(TYPES))
)
def test_what_a_shape_accepts_is_what_its_json_gives_back(value: Any, name: str) -> None:
    """Whatever is given to a shape, it hands on what the JSON form gives back, or refuses it."""
    shape = Shape.of(TYPES[name][0])
    try:
        accepted: Any = shape.accept(value)
    except BrokenValueError:
        return

    again: Any = shape.decode(shape.encode(accepted))
    assert again == accepted
    assert type(again) is type(accepted)


def test_an_instance_of_a_subclass_is_narrowed() -> None:
    """A subclass's own fields do not travel, wherever in a value it stands."""
    priced = Priced(sku="a", price=Decimal(3))
    plain = Line(sku="a")

    assert _same(Shape.of(Line).accept(priced, given=True), plain)
    assert _same(Shape.of(list[Line]).accept([priced], given=True), [plain])
    assert _same(Shape.of(Line | None).accept(priced, given=True), plain)
    assert _same(Shape.of(dict[str, Line]).accept({"a": priced}, given=True), {"a": plain})
    order = Shape.of(Order).accept(
        Order(lines=[priced], first=priced, by_name={"a": priced}), given=True
    )
    assert _same(order, Order(lines=[plain], first=plain, by_name={"a": plain}))
    assert {type(line) for line in [*order.lines, order.first, order.by_name["a"]]} == {Line}


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_are_refused(number: float) -> None:
    """JSON would make `null` of them, so they are refused wherever they stand, by pointer."""

    class Measured(BaseModel):
        at: dict[str, list[float | None]] = {}
        weight: float | None = None

    shape = Shape.of(Measured)
    for value, pointer in (
        (Measured(weight=number), "/weight"),
        (Measured(at={"a": [1.0, number]}), "/at/a/1"),
    ):
        with pytest.raises(BrokenValueError, match="not finite") as broken:
            shape.accept(value, given=True)
        assert broken.value.violations[0].pointer == pointer
    for annotation, wrapped in ((float, number), (list[float], [number]), (Any, {"a": number})):
        with pytest.raises(BrokenValueError, match="not finite"):
            Shape.of(annotation).accept(wrapped, given=True)


def test_what_can_be_read_only_once_is_refused() -> None:
    """A generator would be empty when it is read again, so it is refused, by pointer."""

    class Basket(BaseModel):
        items: list[int]

    for annotation, once, pointer in (
        (list[int], (number for number in range(3)), ""),
        (tuple[int, ...], iter([1, 2]), ""),
        (list[list[int]], [(number for number in range(3))], "/0"),
        (Basket, {"items": map(int, "123")}, "/items"),
    ):
        with pytest.raises(BrokenValueError, match="read only once: give a list") as broken:
            Shape.of(annotation).accept(once, given=True)
        assert broken.value.violations[0].pointer == pointer


def test_a_key_that_the_type_refuses_is_named_where_it_stands() -> None:
    """A pointer leads to the member with the bad key, and the message says that it is the key."""
    with pytest.raises(BrokenValueError, match=r"^the key: ") as broken:
        Shape.of(dict[int, str]).decode({"x": "a"})

    assert broken.value.violations[0].pointer == "/x"


@pytest.mark.parametrize(
    ("value", "says"),
    [(2**53 + 1, r"beyond 2\^53"), (-(2**60), r"beyond 2\^53"), ("a\ud800", "lone surrogate")],
)
def test_what_readers_of_json_disagree_on_is_refused_at_every_edge(
    value: object, says: str
) -> None:
    """Coming in as JSON, leaving as JSON, or on its way through it: by pointer, keys too."""
    shape = Shape.of(dict[str, Any])
    edges: list[Callable[[], object]] = [
        lambda: shape.decode({"a": cast("Any", [value])}),
        lambda: shape.accept({"a": (value,)}, given=True),
    ]
    for edge in edges:
        with pytest.raises(BrokenValueError, match=says) as broken:
            edge()
        assert broken.value.violations[0].pointer == "/a/0"
    with pytest.raises(OutputError, match=says) as refused:
        Shape.of(cast("Any", type(value))).encode(value)
    assert refused.value.pointer == ""
    if isinstance(value, str):
        with pytest.raises(BrokenValueError, match=says):
            shape.decode({value: 1})


@pytest.mark.parametrize("value", [2**53, -(2**53), "\U0001f600", True])
def test_the_ends_of_what_is_portable_belong_to_it(value: Any) -> None:
    """2^53 itself and every character are read alike by all."""
    assert Shape.of(Any).decode(value) == value
    assert Shape.of(cast("Any", type(value))).encode(value) == value


def test_a_whole_number_with_a_point_is_an_integer() -> None:
    """JSON Schema calls 1.0 an integer, so the typed object gets 1."""
    found = Shape.of(Line).decode({"sku": "a", "count": 2.0})

    assert found == Line(sku="a", count=2)
    assert type(found.count) is int


def test_json_is_judged_by_its_schema_before_it_becomes_an_object() -> None:
    """No coercion: a text is no number, and every place that breaks is told by its pointer."""
    with pytest.raises(BrokenValueError) as broken:
        Shape.of(Order).decode({"lines": [{"sku": 1, "count": "2"}]})

    assert {found.pointer for found in broken.value.violations} == {
        "/lines/0/sku",
        "/lines/0/count",
    }


def test_a_refusal_of_the_type_itself_is_a_violation_too() -> None:
    """What the schema cannot say, such as a validator's rule, is told like the rest."""
    with pytest.raises(BrokenValueError, match="low is above high"):
        Shape.of(TYPES["checked"][0]).decode({"low": 2, "high": 1})


def test_inputs_are_open_and_outputs_are_closed() -> None:
    """A consumer overlooks what it does not know; a producer gives what it has promised."""
    shape = Shape.of(Line)
    document: Any = {"sku": "a", "count": 1, "more": True}

    assert shape.decode(document) == Line(sku="a")
    with pytest.raises(BrokenValueError, match="more"):
        shape.decode(document, given=True)


def test_defaults_may_be_left_out_of_inputs_and_are_written_in_outputs() -> None:
    """What has a default is optional on the way in, and always there on the way out."""
    shape = Shape.of(Line)

    assert shape.decode({"sku": "a"}) == Line(sku="a", count=1)
    assert shape.encode(Line(sku="a")) == {"sku": "a", "count": 1}
    with pytest.raises(BrokenValueError, match="count"):
        shape.decode({"sku": "a"}, given=True)


def test_json_has_the_aliases_and_python_the_names() -> None:
    """Fields are found by Python name, and each knows its name in JSON."""
    shape = Shape.of(Aliased)

    assert shape.encode(Aliased(order_id="1")) == {"orderId": "1", "type": "x"}
    assert {name: found.alias for name, found in shape.fields().items()} == {
        "order_id": "orderId",
        "type_": "type",
    }


def test_a_union_has_the_fields_that_all_its_members_have() -> None:
    """A field of some members only cannot be followed; one of all has the union of its types."""

    class Mouse(BaseModel):
        kind: Literal["mouse"] = "mouse"
        lives: str

    assert Shape.of(Cat | Dog).fields().keys() == {"kind"}
    assert Shape.of(Cat | Mouse).fields()["lives"].shape.name == "int | str"


def test_a_field_under_two_aliases_cannot_be_followed() -> None:
    """A plan names one place in JSON, so members that disagree about it share no such field."""

    class Other(BaseModel):
        order_id: str

    assert "order_id" not in Shape.of(Aliased | Other).fields()


def test_a_key_that_may_be_absent_says_so() -> None:
    """The optional key of a typed dict is there in some values only."""
    fields = Shape.of(Sparse).fields()

    assert {name: field.is_required for name, field in fields.items()} == {
        "name": True,
        "note": False,
    }


T = TypeVar("T")
K = TypeVar("K")


@dataclass(frozen=True)
class Shelf(Generic[K, T]):
    """A generic data class, with its type variables in fields of several kinds."""

    first: T
    rest: dict[K, list[T]]
    below: Shelf[K, T] | None = None


@pytest.mark.parametrize(
    ("annotation", "names"),
    [
        (Shelf[str, Line], ["Line", "dict[str, list[Line]]", "Shelf[str, Line] | None"]),
        (Shelf[str, int], ["int", "dict[str, list[int]]", "Shelf[str, int] | None"]),
        (Shelf, ["Any", "dict[Any, list[Any]]", "Shelf[Any, Any] | None"]),
    ],
)
def test_a_generic_data_class_has_the_fields_of_its_arguments(
    annotation: object, names: list[str]
) -> None:
    """What stands for a type variable can be followed like any other field."""
    found = Anatomy(annotation, TypeAdapter(cast("Any", annotation)).core_schema).fields()

    assert [spelled(member.annotation) for member in found.values()] == names


def test_a_value_of_a_generic_data_class_survives_its_json() -> None:
    """Its arguments say what comes back."""
    shape = Shape.of(Shelf[str, Line])
    shelf = Shelf[str, Line](first=Line(sku="a"), rest={})

    assert shape.fields()["first"].shape.fields().keys() == Line.model_fields.keys()
    assert shape.decode(shape.encode(shelf), given=True) == shelf
    with pytest.raises(BrokenValueError):
        shape.accept(Shelf[str, str](first="a", rest={}))


def test_lists_have_elements_and_fixed_tuples_have_positions() -> None:
    """What `each` walks over, and what can be unpacked."""
    assert _name(Shape.of(list[Line]).element()) == "Line"
    assert _name(Shape.of(tuple[int, ...]).element()) == "int"
    assert Shape.of(set[int]).element() is None
    assert Shape.of(str).element() is None
    assert [found.name for found in Shape.of(tuple[int, Line]).positions() or ()] == ["int", "Line"]
    assert Shape.of(tuple[int, ...]).positions() is None


def test_a_declared_error_is_a_value_with_a_tag() -> None:
    """As JSON it is an object that names the error, and only that; it comes back equal."""
    shape = Shape.of(NotFoundError)
    error = NotFoundError(order_id="1")
    error.add_note("on its way")

    document = shape.encode(error)
    assert document == {"error": "not_found_error", "order_id": "1", "tries": 1}
    assert shape.decode(document, given=True) == error
    with pytest.raises(BrokenValueError):
        shape.decode({"error": "other", "order_id": "1", "tries": 1})


def test_an_exact_class_needs_no_look() -> None:
    """Hot paths ask for the class alone where no instance can hold what JSON would change."""
    assert {Line, Cat, Reason, str, int, bool, type(None)} <= {
        cls
        for annotation in (Line, Cat, Reason, str, int, bool, None)
        for cls in Shape.of(annotation).exact
    }
    for annotation in (float, Point, Order, list[int], TYPES["checked"][0], TYPES["open"][0]):
        assert Shape.of(annotation).exact == frozenset()


def test_an_accepted_instance_is_handed_on_as_it_is() -> None:
    """An instance that this process has made is neither validated nor copied again."""
    order = Order(lines=[Line(sku="a")])

    assert Shape.of(Cat | Dog).accept(cat := Cat(lives=9)) is cat
    if not Line.__subclasses__():
        assert Shape.of(Order).accept(order) is order


def test_a_union_of_types_and_json_keeps_its_members_apart() -> None:
    """A typed object belongs to its type, and JSON to the schema that accepts it."""
    described = Shape.of_schema(Shape.of(Dog).gives)
    shape = Shape.union([described, Shape.of(Cat)])

    cat = Cat(lives=9)
    dog = {"kind": "dog", "name": "Rex"}
    assert shape.accept(cat) is cat
    assert shape.accept(dog, given=True) == dog
    assert shape.decode({"kind": "cat", "lives": 9}) == cat
    assert shape.encode(cat) == {"kind": "cat", "lives": 9}
    assert [arm.name for arm in shape.arms()] == ["Cat", "JSON"]
    with pytest.raises(BrokenValueError):
        shape.accept({"kind": "mouse"})


def test_shapes_of_schemas_are_followed_through_references() -> None:
    """What is described by a document has fields, elements and positions too, self-contained."""
    order = Shape.of_schema(Shape.of(Order).gives)
    line = order.fields()["lines"].shape.element()

    assert line is not None
    assert line.fields().keys() == {"sku", "count"}
    assert line.gives.is_valid({"sku": "a", "count": 1})
    assert not line.gives.is_valid({"sku": "a", "count": "1"})
    node = Shape.of_schema(Shape.of(TYPES["recursive"][0]).gives)
    child = node.fields()["children"].shape.element()
    assert child is not None
    assert child.gives.is_valid({"name": "a", "children": [{"name": "b", "children": []}]})
    assert not child.gives.is_valid({"name": "a", "children": [{"name": 1}]})


def test_lists_and_tuples_of_schemas_keep_their_definitions() -> None:
    """Two documents that mean different things by one name stand side by side."""

    def made(kind: type[object]) -> Shape[Any]:
        inner = create_model("Inner", value=(kind, ...))
        outer = create_model("Outer", inner=(cast("Any", list.__class_getitem__(inner)), ...))
        return Shape.of_schema(Shape.of(outer).gives)

    number: JsonValue = {"inner": [{"value": 1}]}
    text: JsonValue = {"inner": [{"value": "a"}]}
    pair = Shape.tuple_of([made(int), made(str)])
    assert pair.gives.is_valid([number, text])
    assert not pair.gives.is_valid([text, number])
    assert Shape.list_of(made(int)).gives.is_valid([number])
    assert not Shape.list_of(made(int)).gives.is_valid([text])
    either = Shape.union([made(int), made(str)])
    assert either.gives.is_valid(number)
    assert either.gives.is_valid(text)
    assert len(either.arms()) == 2


@pytest.mark.parametrize(
    ("annotation", "name"),
    [
        (list[Line], "list[Line]"),
        (Cat | Dog | None, "Cat | Dog | None"),
        (dict[str, list[Cat | None]], "dict[str, list[Cat | None]]"),
        (tuple[int, ...], "tuple[int, ...]"),
        (Literal["a", 1], "Literal['a', 1]"),
        (None, "None"),
        (TYPES["short text"][0], "str"),
        (TYPES["generic"][0], "Page[Line]"),
        (TYPES["new type"][0], "OrderId"),
    ],
)
def test_a_type_is_spelled_as_a_reader_would(annotation: object, name: str) -> None:
    """Messages name types without the modules that they come from."""
    assert Shape.of(annotation).name == name


def test_a_type_that_is_not_known_yet_says_so() -> None:
    """A forward reference that leads nowhere is another mistake than a type without JSON."""
    early = create_model("Early", later=(cast("Any", ForwardRef("Later")), ...))

    with pytest.raises(DeclarationError, match="names a type that is not known here"):
        Shape.of(early)


def _same(found: object, wanted: object) -> bool:
    return found == wanted and type(found) is type(wanted) and repr(found) == repr(wanted)


def _name(shape: Shape[Any] | None) -> str | None:
    return None if shape is None else shape.name
