"""Labelled pairs of schemas: does everything that the first accepts fit the second?

Each label was set by hand from the specification. A row is (name, producer, consumer, forwards,
backwards): whether the producer fits the consumer, and the consumer the producer.
"""

from typing import Final, NamedTuple

from fishplate.core.errors import JsonValue

Document = dict[str, JsonValue] | bool

STRING: Final[Document] = {"type": "string"}
INTEGER: Final[Document] = {"type": "integer"}
NUMBER: Final[Document] = {"type": "number"}
BOOLEAN: Final[Document] = {"type": "boolean"}
NULL: Final[Document] = {"type": "null"}


class Pair(NamedTuple):
    """One pair and its two labels."""

    name: str
    producer: Document
    consumer: Document
    forwards: bool
    backwards: bool


def record(
    *,
    optional: dict[str, Document] | None = None,
    is_closed: bool = False,
    **required: Document,
) -> dict[str, JsonValue]:
    """An object schema with these properties."""
    schema: dict[str, JsonValue] = {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
    }
    if is_closed:
        schema["additionalProperties"] = False
    return schema


def either(*arms: Document) -> dict[str, JsonValue]:
    """A union."""
    return {"anyOf": list(arms)}


def array(items: Document, **limits: JsonValue) -> dict[str, JsonValue]:
    """An array of equal items."""
    return {"type": "array", "items": items, **limits}


def fixed(*items: Document) -> dict[str, JsonValue]:
    """A tuple as pydantic writes it."""
    count = len(items)
    return {"type": "array", "prefixItems": list(items), "minItems": count, "maxItems": count}


def tree(value: Document, *, child: str = "children") -> dict[str, JsonValue]:
    """A recursive type: a value and a list of the same."""
    return {
        "$defs": {
            "Tree": {
                "type": "object",
                "properties": {"value": value, child: array({"$ref": "#/$defs/Tree"})},
                "required": ["value", child],
            }
        },
        "$ref": "#/$defs/Tree",
    }


def chain(value: Document, end: Document) -> dict[str, JsonValue]:
    """A linked list."""
    return {
        "$defs": {
            "Link": {
                "type": "object",
                "properties": {"value": value, "next": either({"$ref": "#/$defs/Link"}, end)},
                "required": ["value", "next"],
            }
        },
        "$ref": "#/$defs/Link",
    }


def tagged(tag: str, **fields: Document) -> dict[str, JsonValue]:
    """One arm of a discriminated union."""
    own: dict[str, Document] = {"kind": {"const": tag, "type": "string"}, **fields}
    names: list[JsonValue] = list(own)
    return {"type": "object", "properties": {**own}, "required": names}


REFUND: Final = tagged("refund", amount=NUMBER)
STATUS: Final = tagged("status", order_id=STRING)
HUMAN: Final = tagged("human", reason=STRING)

UNROLLED: Final[Document] = {
    **tree(INTEGER),
    "$ref": "#/$defs/Root",
    "$defs": {
        "Root": record(value=INTEGER, children=array({"$ref": "#/$defs/Node"})),
        "Node": record(value=INTEGER, children=array({"$ref": "#/$defs/Node"})),
    },
}

PAIRS: Final[tuple[Pair, ...]] = (
    # the same, in the same and in another spelling
    Pair("same object", record(a=INTEGER), record(a=INTEGER), True, True),
    Pair("const and enum of one", {"const": "a"}, {"enum": ["a"]}, True, True),
    Pair("two types and a union", {"type": ["string", "null"]}, either(STRING, NULL), True, True),
    Pair(
        "reference and inlined",
        {
            "$defs": {"A": record(x=STRING)},
            "type": "object",
            "properties": {"a": {"$ref": "#/$defs/A"}},
        },
        {"type": "object", "properties": {"a": record(x=STRING)}},
        True,
        True,
    ),
    Pair(
        "allOf and merged",
        {"allOf": [record(a=INTEGER), record(b=STRING)]},
        record(a=INTEGER, b=STRING),
        True,
        True,
    ),
    Pair("true and empty", True, {}, True, True),
    Pair(
        "annotations only",
        {"type": "string", "title": "T", "description": "d", "default": "x"},
        STRING,
        True,
        True,
    ),
    # narrow and wide
    Pair("integer to number", INTEGER, NUMBER, True, False),
    Pair("string to anything", STRING, True, True, False),
    Pair("nothing to string", False, STRING, True, False),
    Pair(
        "enum narrower",
        {"enum": ["damaged", "late"]},
        {"enum": ["damaged", "late", "lost"]},
        True,
        False,
    ),
    Pair("enum to string", {"enum": ["a", "b"]}, STRING, True, False),
    Pair(
        "mixed enum", {"enum": [1, "a", None]}, {"type": ["integer", "string", "null"]}, True, False
    ),
    Pair("object const", {"const": {"a": 1}}, record(a=INTEGER), True, False),
    Pair(
        "range inside range",
        {"type": "integer", "minimum": 2, "maximum": 5},
        {"type": "integer", "minimum": 0, "maximum": 9},
        True,
        False,
    ),
    Pair(
        "exclusive and inclusive",
        {"type": "number", "exclusiveMinimum": 0},
        {"type": "number", "minimum": 0},
        True,
        False,
    ),
    Pair(
        "exclusive integer bound",
        {"type": "integer", "exclusiveMinimum": 0},
        {"type": "integer", "minimum": 1},
        True,
        True,
    ),
    Pair(
        "length inside length",
        {"type": "string", "minLength": 3, "maxLength": 5},
        {"type": "string", "minLength": 1},
        True,
        False,
    ),
    Pair(
        "bounds that only touch",
        {"type": "number", "maximum": 1},
        {"type": "number", "minimum": 1},
        False,
        False,
    ),
    # objects
    Pair("required to optional", record(a=INTEGER), record(optional={"a": INTEGER}), True, False),
    Pair(
        "optional stays absent",
        record(optional={"a": INTEGER}),
        record(optional={"a": INTEGER, "b": STRING}),
        False,
        True,
    ),
    Pair("closed to open", record(a=INTEGER, is_closed=True), record(a=INTEGER), True, False),
    Pair(
        "closed gains an optional",
        record(a=INTEGER, is_closed=True),
        record(a=INTEGER, optional={"b": STRING}, is_closed=True),
        True,
        False,
    ),
    Pair(
        "open does not fit a typed optional",
        record(a=INTEGER),
        record(a=INTEGER, optional={"b": STRING}),
        False,
        True,
    ),
    Pair("field of another type", record(a=STRING), record(a=INTEGER), False, False),
    Pair(
        "field renamed",
        record(order_id=STRING, is_closed=True),
        record(orderId=STRING, is_closed=True),
        False,
        False,
    ),
    Pair("nested wider", record(a=record(b=INTEGER)), record(a=record(b=NUMBER)), True, False),
    Pair("more fields than needed", record(a=INTEGER, b=STRING), record(a=INTEGER), True, False),
    Pair(
        "map values",
        {"type": "object", "additionalProperties": INTEGER},
        {"type": "object", "additionalProperties": NUMBER},
        True,
        False,
    ),
    Pair(
        "record into map",
        record(a=INTEGER, b=INTEGER, is_closed=True),
        {"type": "object", "additionalProperties": NUMBER},
        True,
        False,
    ),
    Pair(
        "map into map with known key",
        {"type": "object", "additionalProperties": INTEGER},
        {"type": "object", "properties": {"a": NUMBER}},
        True,
        False,
    ),
    Pair(
        "map of maps",
        {
            "type": "object",
            "additionalProperties": {"type": "object", "additionalProperties": INTEGER},
        },
        {"type": "object", "additionalProperties": {"type": "object"}},
        True,
        False,
    ),
    Pair(
        "pattern properties same pattern",
        {"type": "object", "patternProperties": {"^x-": INTEGER}},
        {"type": "object", "patternProperties": {"^x-": NUMBER}},
        True,
        False,
    ),
    Pair(
        "property names",
        {"type": "object", "propertyNames": {"enum": ["a", "b"]}},
        {"type": "object", "propertyNames": {"enum": ["a", "b", "c"]}},
        True,
        False,
    ),
    Pair(
        "property names and closed",
        {"type": "object", "propertyNames": {"enum": ["a"]}, "additionalProperties": STRING},
        record(optional={"a": STRING}, is_closed=True),
        True,
        True,
    ),
    Pair(
        "property counts",
        {"type": "object", "minProperties": 2, "maxProperties": 3},
        {"type": "object", "minProperties": 1},
        True,
        False,
    ),
    Pair(
        "required implies a count",
        record(a=STRING, b=STRING),
        {"type": "object", "minProperties": 2},
        True,
        False,
    ),
    Pair(
        "dependent required",
        {"type": "object", "dependentRequired": {"a": ["b"]}},
        {"type": "object"},
        True,
        False,
    ),
    Pair(
        "required meets dependent",
        record(a=STRING, b=STRING),
        {"type": "object", "dependentRequired": {"a": ["b"]}},
        True,
        False,
    ),
    Pair(
        "dependent missing",
        record(a=STRING, is_closed=True),
        {"type": "object", "dependentRequired": {"a": ["b"]}},
        False,
        False,
    ),
    Pair(
        "unevaluated closes",
        {**record(a=STRING), "unevaluatedProperties": False},
        record(a=STRING),
        True,
        False,
    ),
    Pair(
        "unevaluated over allOf",
        {"allOf": [record(a=STRING)], "unevaluatedProperties": False},
        record(a=STRING, is_closed=True),
        True,
        True,
    ),
    # unions
    Pair("arm into union", STRING, either(STRING, INTEGER), True, False),
    Pair("two arms into three", either(REFUND, STATUS), either(REFUND, STATUS, HUMAN), True, False),
    Pair("order of arms", either(REFUND, STATUS), either(STATUS, REFUND), True, True),
    Pair("tagged oneOf and anyOf", {"oneOf": [REFUND, STATUS]}, either(REFUND, STATUS), True, True),
    Pair(
        "discriminator as pydantic writes it",
        {"discriminator": {"propertyName": "kind"}, "oneOf": [REFUND, STATUS]},
        {"oneOf": [REFUND, STATUS, HUMAN]},
        True,
        False,
    ),
    Pair(
        "arm that grew",
        either(REFUND, tagged("status", order_id=STRING, eta=STRING)),
        either(REFUND, STATUS),
        True,
        False,
    ),
    Pair("union of numbers", either(INTEGER, NUMBER), NUMBER, True, True),
    Pair("nullable to plain", either(STRING, NULL), STRING, False, True),
    Pair(
        "union of records with a shared field",
        either(record(a=INTEGER), record(a=STRING)),
        record(a={"type": ["integer", "string"]}),
        True,
        True,
    ),
    Pair(
        "enum split over arms",
        {"enum": ["a", "b"]},
        either({"const": "a"}, {"const": "b"}),
        True,
        True,
    ),
    Pair(
        "range split over arms",
        {"type": "integer", "minimum": 0, "maximum": 10},
        either(
            {"type": "integer", "minimum": 0, "maximum": 5},
            {"type": "integer", "minimum": 6, "maximum": 10},
        ),
        True,
        True,
    ),
    Pair(
        "overlapping oneOf",
        {"oneOf": [INTEGER, {"type": "number", "minimum": 5}]},
        NUMBER,
        True,
        False,
    ),
    Pair(
        "number into overlapping oneOf",
        {"const": 7},
        {"oneOf": [INTEGER, {"type": "number", "minimum": 5}]},
        False,
        False,
    ),
    Pair(
        "tag split over two records",
        record(kind={"enum": ["refund", "status"]}),
        either(record(kind={"const": "refund"}), record(kind={"const": "status"})),
        True,
        True,
    ),
    # arrays and tuples
    Pair("items wider", array(INTEGER), array(NUMBER), True, False),
    Pair(
        "array bounds",
        array(INTEGER, minItems=1, maxItems=3),
        array(INTEGER, maxItems=5),
        True,
        False,
    ),
    Pair("tuple wider", fixed(INTEGER, STRING), fixed(NUMBER, STRING), True, False),
    Pair("tuple into array", fixed(INTEGER, INTEGER), array(NUMBER), True, False),
    Pair("tuple of other length", fixed(INTEGER), fixed(INTEGER, INTEGER), False, False),
    Pair("tuple swapped", fixed(INTEGER, STRING), fixed(STRING, INTEGER), False, False),
    Pair("unique to any", array(INTEGER, uniqueItems=True), array(INTEGER), True, False),
    Pair(
        "at most one is unique",
        array(STRING, maxItems=1),
        array(STRING, uniqueItems=True),
        True,
        False,
    ),
    Pair(
        "contains",
        {"type": "array", "contains": INTEGER},
        {"type": "array", "minItems": 1},
        True,
        False,
    ),
    Pair(
        "all items meet contains",
        array(INTEGER, minItems=1),
        {"type": "array", "contains": NUMBER},
        True,
        False,
    ),
    # recursion
    Pair("tree of integers into tree of numbers", tree(INTEGER), tree(NUMBER), True, False),
    Pair("tree with its child renamed", tree(INTEGER), tree(INTEGER, child="nodes"), False, False),
    Pair("chain wider", chain(INTEGER, NULL), chain(NUMBER, NULL), True, False),
    Pair(
        "chain that may end otherwise",
        chain(INTEGER, NULL),
        chain(INTEGER, {"type": ["null", "string"]}),
        True,
        False,
    ),
    Pair("tree unrolled once", UNROLLED, tree(NUMBER), True, False),
    # formats, patterns, decimals, divisors
    Pair("date-time to string", {"type": "string", "format": "date-time"}, STRING, True, False),
    Pair(
        "same format, other words",
        {"type": "string", "format": "uuid"},
        {"format": "uuid", "type": "string", "title": "Id"},
        True,
        True,
    ),
    Pair(
        "date to date-time",
        {"type": "string", "format": "date"},
        {"type": "string", "format": "date-time"},
        False,
        False,
    ),
    Pair(
        "decimal string to number",
        {"type": "string", "pattern": r"^-?\d+\.\d{2}$"},
        NUMBER,
        False,
        False,
    ),
    Pair(
        "decimal either way",
        {"type": "string", "pattern": r"^-?\d+(\.\d+)?$"},
        either(NUMBER, {"type": "string", "pattern": r"^-?\d+(\.\d+)?$"}),
        True,
        False,
    ),
    Pair(
        "same pattern with length",
        {"type": "string", "pattern": "^a+$", "maxLength": 9},
        {"type": "string", "pattern": "^a+$"},
        True,
        False,
    ),
    Pair(
        "pattern into pattern",
        {"type": "string", "pattern": "^ORD-[0-9]{4}$"},
        {"type": "string", "pattern": "^ORD-[0-9]+$"},
        True,
        False,
    ),
    Pair(
        "pattern of enum",
        {"enum": ["ORD-1", "ORD-22"]},
        {"type": "string", "pattern": "^ORD-[0-9]+$"},
        True,
        False,
    ),
    Pair(
        "multiple of six",
        {"type": "integer", "multipleOf": 6},
        {"type": "integer", "multipleOf": 3},
        True,
        False,
    ),
    Pair(
        "cents",
        {"type": "number", "multipleOf": 0.1},
        {"type": "number", "multipleOf": 0.01},
        True,
        False,
    ),
    Pair("divisor and integer", {"type": "number", "multipleOf": 1}, INTEGER, True, True),
    # conditions and negation
    Pair(
        "condition narrows",
        {
            **record(a=INTEGER),
            "if": {"properties": {"a": {"const": 1}}},
            "then": {"required": ["b"]},
        },
        record(a=INTEGER),
        True,
        False,
    ),
    Pair(
        "condition met",
        record(a={"const": 2}),
        {
            **record(a=INTEGER),
            "if": {"properties": {"a": {"const": 1}}},
            "then": {"required": ["b"]},
        },
        True,
        False,
    ),
    Pair(
        "not a value",
        {"type": "string", "not": {"const": ""}},
        {"type": "string", "minLength": 1},
        True,
        True,
    ),
    Pair(
        "not another type",
        {"not": {"type": "string"}},
        {"type": ["null", "boolean", "number", "array", "object"]},
        True,
        True,
    ),
    Pair(
        "enum without the excluded",
        {"enum": ["a", "b"]},
        {"type": "string", "not": {"enum": ["c"]}},
        True,
        False,
    ),
)
