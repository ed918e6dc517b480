"""Signatures: a function's annotations are its contract."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal, cast

import pytest
from pydantic import BaseModel, Field

from fishplate import DeclarationError, InputError
from fishplate.contracts.signature import MISSING, Signature
from fishplate.core.errors import JsonValue
from tests.contracts.shapes_table import Cat, Dog, Line, NotFoundError, Pet, Point, Sparse


def signature_of(function: Any) -> Signature:
    """The signature of a function of this module."""
    return Signature.of(function, subject="agent 'it'", where="here.py:1", local={})


async def _of_a_model(line: Line) -> str: ...
async def _of_a_union(pet: Cat | Dog) -> str: ...
async def _of_a_named_union(pet: Pet) -> str: ...
async def _of_an_error(error: NotFoundError) -> str: ...
async def _of_a_dataclass(point: Point) -> str: ...
async def _of_a_typed_dict(sparse: Sparse) -> str: ...
async def _of_a_text(text: str) -> str: ...
async def _of_a_list(lines: list[Line]) -> str: ...
async def _of_a_model_with_a_default(line: Line = Line(sku="x")) -> str: ...  # noqa: B008
async def _of_several(line: Line, times: int = 2, *, by: Literal["a", "b"] = "a") -> str: ...
async def _of_a_decimal(amount: Decimal = Decimal("1.50")) -> str: ...
async def _of_nothing() -> None: ...


@pytest.mark.parametrize(
    "function",
    [_of_a_model, _of_a_union, _of_a_named_union, _of_an_error, _of_a_dataclass, _of_a_typed_dict],
)
def test_one_parameter_of_an_object_or_union_type_is_the_whole_input(function: Any) -> None:
    """Its JSON is the input, without the parameter's name around it."""
    signature = signature_of(function)

    assert signature.is_whole
    assert signature.takes == signature.parameters[0].shape.takes


@pytest.mark.parametrize(
    ("function", "required"),
    [
        (_of_a_text, ["text"]),
        (_of_a_list, ["lines"]),
        (_of_a_model_with_a_default, []),
        (_of_several, ["line"]),
        (_of_nothing, []),
    ],
)
def test_otherwise_the_input_is_an_object_of_the_parameters(
    function: Any, required: list[str]
) -> None:
    """Each parameter is a property; those without a default are required."""
    signature = signature_of(function)
    document: Any = signature.takes.json

    assert not signature.is_whole
    assert document["type"] == "object"
    assert list(document["properties"]) == [one.name for one in signature.parameters]
    assert document.get("required", []) == required


def test_arguments_are_bound_as_python_binds_them() -> None:
    """By position, by name, defaults filled in; the result has the order of the parameters."""
    signature = signature_of(_of_several)
    line = Line(sku="a")

    for arguments, named in (
        ((line,), {}),
        ((), {"line": line}),
        ((line, 2), {"by": "a"}),
        ((line,), {"times": 2}),
    ):
        assert signature.bind(arguments, named, subject="agent 'it'") == (line, 2, "a")


@pytest.mark.parametrize(
    ("arguments", "named", "says"),
    [
        ((), {}, "misses the argument 'line'"),
        ((1, 2, 3, 4), {}, "takes 3 arguments, 4 were given"),
        ((1,), {"line": 1}, "got 'line' twice"),
        ((1,), {"colour": 1}, "takes no argument 'colour'; it takes: line, times, by"),
        ((), {"lien": 1}, "takes no argument 'lien'; it takes: line, times, by"),
    ],
)
def test_arguments_that_do_not_match_are_refused(
    arguments: tuple[object, ...], named: dict[str, object], says: str
) -> None:
    """As Python's own call would refuse them."""
    with pytest.raises(TypeError, match=says):
        signature_of(_of_several).bind(arguments, named, subject="agent 'it'")


@pytest.mark.parametrize(
    ("function", "document", "arguments"),
    [
        (_of_a_model, {"sku": "a"}, (Line(sku="a"),)),
        (_of_a_union, {"kind": "cat", "lives": 9}, (Cat(lives=9),)),
        (_of_a_dataclass, {"x": 1}, (Point(1),)),
        (_of_a_list, {"lines": [{"sku": "a"}]}, ([Line(sku="a")],)),
        (_of_a_model_with_a_default, {}, (Line(sku="x"),)),
        (_of_several, {"line": {"sku": "a"}, "by": "b"}, (Line(sku="a"), 2, "b")),
        (_of_nothing, {}, ()),
    ],
)
def test_an_input_document_becomes_arguments_and_back(
    function: Any, document: JsonValue, arguments: tuple[object, ...]
) -> None:
    """Decoding fills defaults in; encoding and decoding again changes nothing."""
    signature = signature_of(function)

    found = signature.decode(document, subject="the input")

    assert found == arguments
    assert signature.decode(signature.encode(found), subject="the input") == arguments
    assert signature.accept(arguments, subject="the input") == arguments


@pytest.mark.parametrize(
    ("function", "document", "pointer"),
    [
        (_of_a_model, {"sku": 1}, "/sku"),
        (_of_a_model, {}, ""),
        (_of_a_model, [], ""),
        (_of_several, {"line": {"sku": 1}}, "/line/sku"),
        (_of_several, {"line": {"sku": "a"}, "by": "c"}, "/by"),
        (_of_several, [], ""),
        (_of_a_list, {"lines": [{"sku": "a"}, {}]}, "/lines/1"),
    ],
)
def test_a_wrong_input_names_its_pointer(function: Any, document: JsonValue, pointer: str) -> None:
    """The pointer leads into the document that was given."""
    with pytest.raises(InputError) as refusal:
        signature_of(function).decode(document, subject="the input")

    assert refusal.value.pointer == pointer


def test_a_wrong_argument_names_its_pointer() -> None:
    """An argument made inside the process is told by the name of its parameter."""
    with pytest.raises(InputError) as refusal:
        signature_of(_of_several).accept((Line(sku="a"), "often", "a"), subject="the input")

    assert refusal.value.pointer == "/times"


class Other:
    """Holds a class whose name is taken."""

    class Cat(BaseModel):
        """Another cat."""

        kind: Literal["cat"] = "cat"
        lives: str


OtherPet = Annotated[Other.Cat | Dog, Field(discriminator="kind")]


async def _of_two_cats(first: list[Pet], second: list[OtherPet]) -> str: ...


def test_parameters_may_mean_different_things_by_one_name() -> None:
    """Two classes of one name stand in one input, each with its own fields."""
    signature = signature_of(_of_two_cats)
    document: dict[str, JsonValue] = {
        "first": [{"kind": "cat", "lives": 9}, {"kind": "dog", "name": "Rex"}],
        "second": [{"kind": "cat", "lives": "nine"}],
    }

    first, second = signature.decode(document, subject="the input")
    assert first == [Cat(lives=9), Dog(name="Rex")]
    assert second == [Other.Cat(lives="nine")]
    with pytest.raises(InputError, match="lives"):
        signature.decode({**document, "second": [{"kind": "cat", "lives": 9}]}, subject="the input")


def test_every_reference_of_an_input_leads_somewhere() -> None:
    """Discriminators refer to definitions too, and follow when these are renamed."""
    document: Any = signature_of(_of_two_cats).takes.json
    names = {f"#/$defs/{name}" for name in document["$defs"]}

    found: set[str] = set()
    for name in ("first", "second"):
        items = document["properties"][name]["items"]
        found |= {arm["$ref"] for arm in items["oneOf"]}
        found |= set(items["discriminator"]["mapping"].values())
    assert found == names
    assert len(names) == 4


def test_everything_that_is_wrong_is_told_at_once() -> None:
    """Parameters, defaults and the result are all looked at."""

    async def wrong(first, /, lock: Other, times: int = cast("int", "x"), *rest: int): ...  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202  # pyright: ignore[reportMissingParameterType, reportUnknownParameterType]

    with pytest.raises(DeclarationError) as refusal:
        signature_of(cast("Any", wrong))

    told = [problem.message for problem in refusal.value.problems]
    assert [code.code for code in refusal.value.problems] == [
        "no_contract",
        "no_contract",
        "bad_default",
        "no_contract",
        "no_contract",
    ]
    for message, part in zip(
        told,
        ("positional-only", "'Other' has no JSON", "default of 'times'", "no fixed", "returns"),
        strict=True,
    ):
        assert part in message


@pytest.mark.parametrize(
    ("annotation", "says"),
    [("Missing", "'Missing' of agent 'it' is not known here"), ("1 +", "cannot be read")],
)
def test_annotations_that_cannot_be_read_say_so(annotation: str, says: str) -> None:
    """What is not imported, and what is no Python."""

    async def odd(one: int) -> int:
        return one

    odd.__annotations__["one"] = annotation
    with pytest.raises(DeclarationError, match=says):
        signature_of(odd)


def test_defaults_are_written_as_json() -> None:
    """A default stands in the schema of the input as callers would send it."""
    document: Any = signature_of(_of_a_decimal).takes.json
    assert document["properties"]["amount"]["default"] == "1.50"


def test_a_signature_knows_the_fields_of_its_input() -> None:
    """Names that other declarations refer to, such as a business key."""
    assert signature_of(_of_a_model).input_fields == ("sku", "count")
    assert signature_of(_of_several).input_fields == ("line", "times", "by")


def test_a_parameter_without_a_default_has_none() -> None:
    """`None` would be a default."""
    parameters = {one.name: one.default for one in signature_of(_of_several).parameters}

    assert parameters == {"line": MISSING, "times": 2, "by": "a"}


def test_an_input_that_is_no_object_is_told_the_parameters_by_name() -> None:
    """The commonest slip of a first run: the bare value in place of the object."""

    def scale(number: int, factor: int) -> int:
        return number * factor

    signature = Signature.of(scale, subject="agent 'scale'", where="x.py:1", local={})
    with pytest.raises(InputError, match=r'\{"number": \.\.\., "factor": \.\.\.\}'):
        signature.decode(3, subject="the input")
