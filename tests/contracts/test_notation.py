"""The short notation of contracts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fishplate.contracts.notation import read_notation
from fishplate.contracts.schema import Schema
from fishplate.core.errors import JsonValue

NULL: JsonValue = {"type": "null"}


def read(notation: JsonValue, *, is_closed: bool = True) -> JsonValue:
    """The schema of a notation that has nothing wrong with it."""
    schema, problems = read_notation(notation, is_closed=is_closed)
    assert problems == []
    return schema


@pytest.mark.parametrize(
    ("notation", "schema"),
    [
        ("string", {"type": "string"}),
        (" integer ", {"type": "integer"}),
        ("int", {"type": "integer"}),
        ("number", {"type": "number"}),
        ("float", {"type": "number"}),
        ("boolean", {"type": "boolean"}),
        ("bool", {"type": "boolean"}),
        ("object", {"type": "object"}),
        ("any", {}),
        ("null", NULL),
        ("date", {"type": "string", "format": "date"}),
        ("datetime", {"type": "string", "format": "date-time"}),
        ("uuid", {"type": "string", "format": "uuid"}),
        ("enum[damaged, late ]", {"type": "string", "enum": ["damaged", "late"]}),
        ("enum[a b]", {"type": "string", "enum": ["a b"]}),
        ("string[]", {"type": "array", "items": {"type": "string"}}),
        ("array[string]", {"type": "array", "items": {"type": "string"}}),
        ("list[int]", {"type": "array", "items": {"type": "integer"}}),
        (["string"], {"type": "array", "items": {"type": "string"}}),
        ("map[number]", {"type": "object", "additionalProperties": {"type": "number"}}),
        ("string?", {"anyOf": [{"type": "string"}, NULL]}),
        ("string[]?", {"anyOf": [{"type": "array", "items": {"type": "string"}}, NULL]}),
        ("string?[]", {"type": "array", "items": {"anyOf": [{"type": "string"}, NULL]}}),
        ("enum[a][]", {"type": "array", "items": {"type": "string", "enum": ["a"]}}),
        (
            "map[array[date]]",
            {
                "type": "object",
                "additionalProperties": {
                    "type": "array",
                    "items": {"type": "string", "format": "date"},
                },
            },
        ),
    ],
)
def test_reads_every_form(notation: JsonValue, schema: JsonValue) -> None:
    """Each form of the notation stands for one schema."""
    assert read(notation) == schema


def test_listed_keys_are_required_unless_marked() -> None:
    """`?` on a key makes it optional; on the type it would make it nullable."""
    assert read({"a": "string", "b?": "integer"}) == {
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": "integer"}},
        "required": ["a"],
        "additionalProperties": False,
    }


def test_openness_reaches_every_object() -> None:
    """Nested objects are open or closed like the outer one."""
    notation: JsonValue = {"a": {"b": "string"}, "c": [{"d": "string"}]}
    value: JsonValue = {"a": {"b": "x", "more": 1}, "c": [{"d": "x"}]}

    assert Schema(read_notation(notation, is_closed=False)[0]).is_valid(value)
    assert not Schema(read_notation(notation, is_closed=True)[0]).is_valid(value)


def test_a_field_may_be_named_like_a_keyword() -> None:
    """Inside the notation `type` and `properties` are fields like any other."""
    schema, _ = read_notation({"type": "string"}, is_closed=True)

    assert Schema(schema).is_valid({"type": "refund"})


@pytest.mark.parametrize(
    ("notation", "pointer", "message"),
    [
        ({"a": {"b": "strng"}}, "/a/b", "'strng' is no type: did you mean 'string'?"),
        ({"a/b": "foo"}, "/a~1b", "'foo' is no type: use one of string, integer"),
        ({"a": ["foo[string]"]}, "/a/0", "'foo[string]' is no type"),
        ("enum[]", "", "lists an empty value"),
        ("enum[a,,b]", "", "lists an empty value"),
        ("enum[a, b, a]", "", "lists 'a' twice"),
        ("enum[a", "", "'enum[a' is no type: did you mean 'enum[...]'?"),
        ("enum[a], b]", "", "is no type"),
        ("array[]", "", "array[] names no type: write for example array[string]"),
        ("map[strin]", "", "'strin' is no type"),
        ("", "", "'' is no type"),
        ("?", "", "'' is no type"),
        ("[]", "", "'' is no type"),
        (["string", "integer"], "", "a list of 2 is no type"),
        ([], "", "a list of 0 is no type"),
        ({"a": None}, "/a", "write 'null' in quotes"),
        ({"a": 5}, "/a", "5 is no type"),
        ({"a": True}, "/a", "True is no type"),
        ({"?": "string"}, "/?", "a key without a name"),
        ({"a": "string", "a?": "string"}, "/a?", "'a' is listed twice"),
        ("string" + "[]" * 1000, "", "nested deeper than 32 levels"),
        ("string" + "?" * 1000, "", "nested deeper than 32 levels"),
        ("array[" * 1000 + "string" + "]" * 1000, "", "nested deeper than 32 levels"),
    ],
)
def test_names_the_place_of_every_mistake(notation: JsonValue, pointer: str, message: str) -> None:
    """A mistake is told with the pointer of the type that it is in."""
    _, problems = read_notation(notation, is_closed=True, pointer="/input_schema")

    assert [problem.pointer for problem in problems] == [f"/input_schema{pointer}"]
    assert message in problems[0].message
    assert f"at '/input_schema{pointer}'" in problems[0].message
    assert problems[0].code == "invalid_notation"


def test_tells_all_mistakes_at_once() -> None:
    """Reading goes on after a mistake."""
    _, problems = read_notation({"a": "x", "b": {"c": 1, "d": "string"}}, is_closed=True)

    assert [problem.pointer for problem in problems] == ["/a", "/b/c"]


words = st.one_of(
    st.sampled_from(("string", "int", "any", "enum[a, b]", "map[date]", "list[bool]?")),
    st.text("strinumap[]?,e ", max_size=12),
)
notations = st.recursive(
    words,
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.text("ab?", max_size=2), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(notations, st.booleans())
def test_a_notation_is_a_schema_or_a_mistake(notation: JsonValue, is_closed: bool) -> None:
    """What is read without a problem compiles; everything else is a problem, never a crash."""
    schema, problems = read_notation(notation, is_closed=is_closed)

    if not problems:
        Schema.from_foreign(schema).is_valid(None)
