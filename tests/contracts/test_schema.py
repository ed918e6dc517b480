"""A schema validates, says what is wrong in plain words, and knows its fingerprints."""

import pytest
from hypothesis import given

from fishplate.contracts.schema import Schema
from fishplate.core.errors import DeclarationError, JsonValue
from tests.contracts.independent import accepts
from tests.contracts.pairs import INTEGER, NUMBER, REFUND, STATUS, STRING, Document, either, record
from tests.contracts.schemas import documents, values

ORDER: Document = record(order_id=STRING, amount=NUMBER, optional={"note": STRING}, is_closed=True)


@given(documents(), values)
def test_agrees_with_an_independent_validator(document: Document, value: JsonValue) -> None:
    """A value has violations exactly if another validator refuses it."""
    expected = accepts(document, value)

    schema = Schema(document)

    assert schema.is_valid(value) is expected
    assert (schema.violations(value) == ()) is expected


@pytest.mark.parametrize(
    ("document", "value", "pointer", "message", "keyword"),
    [
        (STRING, None, "", "null is null, not a string", "type"),
        ({"type": ["integer", "null"]}, "a", "", '"a" is a string, not null or an integer', "type"),
        (ORDER, {"amount": 1}, "", "'order_id' is missing", "required"),
        (
            ORDER,
            {"order_id": "a", "amount": True},
            "/amount",
            "true is a boolean, not a number",
            "type",
        ),
        (
            ORDER,
            {"order_id": "a", "amount": 1, "x": 1},
            "",
            "'x' is not declared",
            "additionalProperties",
        ),
        ({"enum": ["late", "lost"]}, "lte", "", '"lte" is none of "late", "lost"', "enum"),
        ({"enum": list(range(20))}, -1, "", "-1 is none of 0, 1, 2, 3, 4, 5, 6, 7, ...", "enum"),
        ({"const": {"a": 1}}, 2, "", '2 is not {"a":1}', "const"),
        ({"minimum": 3}, 2, "", "2 is below 3", "minimum"),
        ({"exclusiveMinimum": 3}, 3, "", "3 is not above 3", "exclusiveMinimum"),
        ({"maximum": 3}, 4, "", "4 is above 3", "maximum"),
        ({"exclusiveMaximum": 3}, 3, "", "3 is not below 3", "exclusiveMaximum"),
        ({"multipleOf": 2}, 3, "", "3 is no multiple of 2", "multipleOf"),
        ({"minLength": 2}, "a", "", '"a" has fewer than 2 characters', "minLength"),
        ({"maxLength": 0}, "a", "", '"a" has more than 0 characters', "maxLength"),
        ({"pattern": "^b"}, "a", "", "\"a\" does not match '^b'", "pattern"),
        ({"format": "date"}, "a", "", '"a" is no date', "format"),
        ({"minItems": 1}, [], "", "array has fewer than 1 items", "minItems"),
        ({"maxItems": 0}, [1], "", "array has more than 0 items", "maxItems"),
        ({"uniqueItems": True}, [1, 1.0], "", "array holds the same item twice", "uniqueItems"),
        ({"minProperties": 1}, {}, "", "object has fewer than 1 properties", "minProperties"),
        ({"maxProperties": 0}, {"a": 1}, "", "object has more than 0 properties", "maxProperties"),
        (
            {"propertyNames": {"enum": ["a"]}},
            {"b": 1},
            "",
            'a name in the object breaks its rule: "b" is none of "a"',
            "propertyNames",
        ),
        (
            {"prefixItems": [STRING], "unevaluatedItems": False},
            ["a", 1],
            "",
            "array holds items that are not declared, at 1",
            "unevaluatedItems",
        ),
        ({"items": False}, [1], "/0", "1 may not stand here", "falseSchema"),
        ({"not": STRING}, "a", "", "\"a\" breaks the rule 'not'", "not"),
        (either(STRING, NUMBER), None, "", "null fits none of the 2 alternatives", "anyOf"),
        (
            {"oneOf": [NUMBER, INTEGER]},
            1,
            "",
            "1 fits several alternatives, where exactly one is asked for",
            "oneOf",
        ),
        (
            {"properties": {"a/b~c": STRING}},
            {"a/b~c": 1},
            "/a~1b~0c",
            "1 is a number, not a string",
            "type",
        ),
    ],
)
def test_says_what_is_wrong_and_where(
    document: Document, value: JsonValue, pointer: str, message: str, keyword: str
) -> None:
    """A violation has a pointer into the value, one plain sentence, and the broken keyword."""
    (found,) = Schema(document).violations(value)

    assert (found.pointer, found.message, found.keyword) == (pointer, message, keyword)


def test_a_tagged_union_is_judged_by_the_arm_that_was_meant() -> None:
    """The arm whose tag the value carries says what is wrong."""
    (found,) = Schema(either(REFUND, STATUS)).violations({"kind": "refund", "amount": "much"})

    assert found.pointer == "/amount"
    assert found.message == '"much" is a string, not a number'


def test_a_nullable_field_is_judged_by_its_type() -> None:
    """An array of which one item is wrong is not reported as "none of the alternatives"."""
    schema = Schema(either({"type": "array", "items": STRING}, {"type": "null"}))

    (found,) = schema.violations(["a", 1])

    assert found.pointer == "/1"


def test_messages_stay_short() -> None:
    """A large value is not echoed, and no more than 20 violations are listed."""
    schema = Schema({"type": "array", "items": STRING})

    value: list[JsonValue] = [{"secret": "x" * 10_000}]
    value *= 50

    found = schema.violations(value)

    assert len(found) == 20
    assert all(len(violation.message) <= 200 for violation in found)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("\ud800", "lone surrogate"),
        (object(), "object is no JSON"),
        ([b"bytes"], "list is no JSON"),
        ({1: 2}, "dict is no JSON"),
    ],
)
def test_what_is_no_json_is_refused_where_it_is_looked_at(value: JsonValue, message: str) -> None:
    """Surrogates, Python objects and other keys are violations, not crashes."""
    schema = Schema(either(STRING, record(a=STRING), {"type": "array", "items": STRING}))

    (found,) = schema.violations(value)

    assert not schema.is_valid(value)
    assert message in found.message


def test_a_value_that_is_too_deep_to_be_shown_is_a_violation() -> None:
    """A wrong value beyond the validator's depth is told without an error."""
    value: JsonValue = []
    for _ in range(1000):
        value = [value]

    assert not Schema(STRING).is_valid(value)
    assert Schema(STRING).violations(value)[0].message == "value is nested too deeply"


def test_a_schema_compiles_when_it_is_used() -> None:
    """A document that is no schema is a typed error with a pointer, on first use."""
    schema = Schema({"properties": {"a": {"type": "strin"}}})

    with pytest.raises(DeclarationError) as caught:
        schema.is_valid(1)

    assert caught.value.code == "invalid_schema"
    assert caught.value.problems[0].pointer == "/properties/a/type"


def test_nothing_is_retrieved() -> None:
    """A reference to another address is refused without asking for it."""
    with pytest.raises(DeclarationError, match="a reference leads nowhere"):
        Schema({"$ref": "http://127.0.0.1:1/schema.json"}).is_valid(1)


def test_the_document_is_a_copy() -> None:
    """Changing the document that a schema was made of does not change the schema."""
    document: dict[str, JsonValue] = {"properties": {"a": {"type": "string"}}}
    schema = Schema(document)

    document["properties"] = {"a": {"type": "integer"}}

    assert schema.json == {"properties": {"a": {"type": "string"}}}


def test_equal_documents_are_equal_schemas() -> None:
    """The order of keys does not matter to equality, hash and fingerprint."""
    first = Schema({"type": "string", "minLength": 1})
    second = Schema({"minLength": 1, "type": "string"})

    assert first == second
    assert hash(first) == hash(second)
    assert first.fingerprint == second.fingerprint
    assert first != Schema(STRING)
    assert first != "a schema"
    assert repr(Schema(STRING)) == "Schema({'type': 'string'})"


def test_texts_count_in_the_fingerprint_but_not_in_the_shape() -> None:
    """A description changes the fingerprint; a field or an enum value named like one does not."""
    plain = Schema(record(title=STRING))
    described = Schema({**record(title=STRING), "title": "Book", "description": "A book."})

    assert plain.fingerprint != described.fingerprint
    assert plain.shape_fingerprint == described.shape_fingerprint
    assert plain.shape_fingerprint != Schema(record(name=STRING)).shape_fingerprint
    assert (
        Schema({"const": {"title": "a"}}).shape_fingerprint
        != Schema({"const": {"title": "b"}}).shape_fingerprint
    )
