"""The structural proofs alone: they may fail to decide, but never decide wrongly."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fishplate.contracts.algebra import common, covers
from fishplate.contracts.disjoint import are_disjoint
from fishplate.contracts.keywords import SchemaDocument
from fishplate.contracts.proof import is_proved
from fishplate.contracts.schema import Schema
from fishplate.contracts.witness import hints_of, proposals
from fishplate.core.errors import JsonValue
from tests.contracts.independent import accepts
from tests.contracts.pairs import (
    BOOLEAN,
    HUMAN,
    INTEGER,
    NUMBER,
    PAIRS,
    REFUND,
    STATUS,
    STRING,
    Document,
    Pair,
    array,
    either,
    fixed,
    record,
    tree,
)
from tests.contracts.schemas import pairs, values

PATTERNED: Document = {"type": "object", "patternProperties": {"^x-": INTEGER}}


def by_algebra(producer: SchemaDocument, consumer: SchemaDocument) -> bool:
    """Leave what has no structure to the canonical form."""
    return covers(Schema(consumer), Schema(producer)) is True


def by_type(producer: SchemaDocument, consumer: SchemaDocument) -> bool:
    """Know nothing but that a type fits itself, and an integer a number."""
    return producer == consumer or (producer, consumer) == (INTEGER, NUMBER)


def excludes(first: SchemaDocument, second: SchemaDocument) -> bool:
    """Leave what has no structure to the canonical form."""
    return common(Schema(first), Schema(second))[1] is False


@pytest.mark.parametrize("pair", PAIRS, ids=[pair.name for pair in PAIRS])
def test_never_proves_a_labelled_break(pair: Pair) -> None:
    """On documents as they are written, no proof contradicts a label."""
    if not pair.forwards:
        assert not is_proved(pair.producer, pair.consumer, by_algebra)
    if not pair.backwards:
        assert not is_proved(pair.consumer, pair.producer, by_algebra)


@given(pairs(), st.lists(values, max_size=12))
@settings(max_examples=100)
def test_no_value_contradicts_a_proof(
    pair: tuple[Document, Document], samples: list[JsonValue]
) -> None:
    """What is proved holds for every value, as an independent validator judges it."""
    producer, consumer = pair

    if is_proved(producer, consumer, by_algebra):
        proposed = list(proposals(producer, hints_of(producer, consumer)))[:40]
        valid = [value for value in (*samples, *proposed) if accepts(producer, value)]
        assert all(accepts(consumer, value) for value in valid)


@given(pairs(), st.lists(values, max_size=12))
@settings(max_examples=100)
def test_no_value_contradicts_disjointness(
    pair: tuple[Document, Document], samples: list[JsonValue]
) -> None:
    """What is proved to be disjoint has no value in common."""
    first, second = pair

    if are_disjoint(first, second, excludes):
        proposed = list(proposals(first, hints_of(first, second)))[:40]
        assert not any(accepts(first, v) and accepts(second, v) for v in (*samples, *proposed))


@pytest.mark.parametrize(
    ("producer", "consumer"),
    [
        (record(a=INTEGER), record(a=NUMBER)),
        (record(a=INTEGER, b=STRING, is_closed=True), record(a=NUMBER, optional={"c": STRING})),
        (record(a=INTEGER, b=INTEGER, is_closed=True), {"type": "object", "maxProperties": 2}),
        (record(a=INTEGER, b=INTEGER), {"type": "object", "minProperties": 2}),
        (
            {"type": "object", "propertyNames": {"const": "a"}, "additionalProperties": INTEGER},
            record(optional={"a": NUMBER}, is_closed=True),
        ),
        (PATTERNED, {"type": "object", "patternProperties": {"^x-": NUMBER}}),
        (array(INTEGER, minItems=1, maxItems=2), array(NUMBER, maxItems=3)),
        (array(INTEGER, maxItems=1), array(INTEGER, uniqueItems=True)),
        (fixed(INTEGER, STRING), fixed(NUMBER, STRING)),
        (
            {"type": "array", "prefixItems": [INTEGER], "items": False},
            array(NUMBER, maxItems=1),
        ),
        (either(INTEGER, STRING), either(STRING, BOOLEAN, NUMBER)),
        ({"oneOf": [REFUND, STATUS]}, either(REFUND, STATUS, HUMAN)),
        ({"type": ["integer", "string"]}, either(NUMBER, STRING)),
        ({"allOf": [record(b=STRING), record(a=INTEGER)]}, record(a=NUMBER)),
        (record(a=INTEGER, b=STRING), {"allOf": [record(a=NUMBER), record(b=STRING)]}),
        (tree(INTEGER), tree(NUMBER)),
        (record(optional={"next": {"$ref": "#"}}), record(optional={"next": {"$ref": "#"}})),
        ({**record(a=INTEGER), "not": {"required": ["b"]}}, record(a=NUMBER)),
    ],
)
def test_proves_by_structure_alone(producer: Document, consumer: Document) -> None:
    """Objects, arrays, unions and recursion are settled without the canonical form."""
    assert is_proved(producer, consumer, by_type)


@pytest.mark.parametrize(
    ("producer", "consumer"),
    [
        (record(a=INTEGER), record(a=NUMBER, is_closed=True)),
        (record(a=INTEGER), record(a=INTEGER, b=STRING)),
        (record(a=INTEGER), {"type": "object", "maxProperties": 5}),
        (record(a=INTEGER, is_closed=True), {"type": "object", "minProperties": 2}),
        (record(a=INTEGER), {**record(a=NUMBER), "unevaluatedProperties": False}),
        (record(a=INTEGER), {"type": "object", "patternProperties": {"a": STRING}}),
        (record(a=INTEGER), array(INTEGER)),
        (array(INTEGER), array(INTEGER, minItems=1)),
        (array(INTEGER), array(INTEGER, uniqueItems=True)),
        (array(INTEGER), {"type": "array", "contains": INTEGER}),
        (fixed(INTEGER), fixed(INTEGER, INTEGER)),
        (INTEGER, False),
        (True, INTEGER),
        (tree(NUMBER), tree(INTEGER)),
    ],
)
def test_does_not_prove_what_is_wrong(producer: Document, consumer: Document) -> None:
    """A demand of the consumer that the producer does not make ends the proof."""
    assert not is_proved(producer, consumer, by_algebra)


def recursive(word: str, name: str, **more: JsonValue) -> dict[str, JsonValue]:
    """A type that refers to itself below one keyword."""
    node: dict[str, JsonValue] = {word: {"$ref": f"#/$defs/{name}"}, **more}
    return {"$defs": {name: node}, "$ref": f"#/$defs/{name}"}


@pytest.mark.parametrize(
    ("producer", "consumer"),
    [
        # A circle that never enters the value proves nothing, whatever it promises.
        (recursive("not", "A"), STRING),
        ({"$defs": {"A": {"anyOf": [{"$ref": "#/$defs/A"}]}}, "$ref": "#/$defs/A"}, STRING),
        ({"$defs": {"A": {"$ref": "#/$defs/A"}}, "$ref": "#/$defs/A"}, STRING),
        (STRING, {"$defs": {"A": {"allOf": [{"$ref": "#/$defs/A"}]}}, "$ref": "#/$defs/A"}),
        # References that mean something else than a pointer from the top.
        (
            {"$ref": "#here", "$defs": {"a": {"$anchor": "here", **record(a=STRING)}}},
            record(a=STRING),
        ),
        ({"$ref": "#/$defs/missing"}, STRING),
        (
            {"$defs": {"a": {"$id": "other", **record(a=STRING)}}, "$ref": "#/$defs/a"},
            record(a=STRING),
        ),
        (
            {"$schema": "http://json-schema.org/draft-07/schema#", **record(a=STRING)},
            record(a=STRING),
        ),
    ],
)
def test_gives_up_on_what_it_does_not_understand(producer: Document, consumer: Document) -> None:
    """Idle recursion, anchors, embedded resources and other drafts get no proof."""
    assert not is_proved(producer, consumer, by_type)


def member(number: int, shared: Document) -> Document:
    """A member of a union that has no tag."""
    own = f"own{number}"
    return {
        "type": "object",
        "properties": {"shared": shared, own: STRING},
        "required": ["shared", own],
    }


def test_wide_unions_are_proved_in_time() -> None:
    """Twenty untagged members are matched with twenty wider ones."""
    narrow = either(*(member(number, INTEGER) for number in range(20)))
    wide = either(*(member(number, NUMBER) for number in range(20)))

    assert is_proved(narrow, wide, by_type)


@pytest.mark.parametrize(
    ("first", "second", "is_disjoint"),
    [
        (STRING, NUMBER, True),
        (REFUND, STATUS, True),
        (either(REFUND, STATUS), either(HUMAN, STRING), True),
        (tree(INTEGER), tree(STRING), True),
        (tree(INTEGER), tree(NUMBER), False),
        (record(a=INTEGER), record(optional={"a": STRING}), False),
        (
            record(a=INTEGER),
            {"type": "object", "required": ["a"], "additionalProperties": False},
            True,
        ),
        (
            record(a=INTEGER),
            {"type": "object", "required": ["a"], "patternProperties": {"a": STRING}},
            False,
        ),
        (STRING, {"$ref": "#/$defs/missing"}, False),
        (STRING, recursive("anyOf", "A"), False),
        (STRING, True, False),
        (STRING, False, True),
    ],
)
def test_tells_members_apart(first: Document, second: Document, is_disjoint: bool) -> None:
    """Types, tags and fields that both demand tell members apart; nothing else does."""
    assert are_disjoint(first, second, excludes) is is_disjoint
    assert are_disjoint(second, first, excludes) is is_disjoint
