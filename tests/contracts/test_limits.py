"""Schemas from outside: what costs is counted, what leads elsewhere is refused."""

import time
from typing import Final

import pytest

from fishplate.contracts.fits import fits, overlaps, unsatisfiable
from fishplate.contracts.limits import SchemaLimits
from fishplate.contracts.schema import Schema
from fishplate.core.errors import DeclarationError, JsonValue

# Generous on a busy machine; what is meant is "not for ever".
MOST_SECONDS: Final = 5.0


def refusal(document: JsonValue, limits: SchemaLimits | None = None) -> DeclarationError:
    """The error that a foreign schema is refused with."""
    with pytest.raises(DeclarationError) as caught:
        Schema.from_foreign(document, limits=limits or SchemaLimits())
    return caught.value


def doubling(levels: int, word: str = "allOf") -> dict[str, JsonValue]:
    """A schema whose references double on each level."""
    definitions: dict[str, JsonValue] = {
        f"x{n}": {word: [{"$ref": f"#/$defs/x{n + 1}"}, {"$ref": f"#/$defs/x{n + 1}"}]}
        for n in range(levels)
    }
    return {"$defs": {**definitions, f"x{levels}": {"type": "integer"}}, "$ref": "#/$defs/x0"}


def nested(levels: int, word: str) -> dict[str, JsonValue]:
    """A schema in a schema in a schema."""
    document: dict[str, JsonValue] = {}
    for _ in range(levels):
        document = {word: document}
    return document


@pytest.mark.parametrize(
    ("document", "limit"),
    [
        ({"enum": ["x" * 1000] * 300}, "size_bytes=262144"),
        (nested(32, "items"), "depth=32"),
        (nested(100_000, "not"), "depth=32"),
        ({"anyOf": [{"minimum": n} for n in range(2000)]}, "subschemas=2000"),
        ({"$defs": {"a": {}}, "anyOf": [{"$ref": "#/$defs/a"}] * 201}, "references=200"),
        (doubling(12), "expanded=10000"),
        (doubling(40, "anyOf"), "expanded=10000"),
        ({"pattern": "a" * 257}, "pattern_length=256"),
        ({"patternProperties": {"a" * 257: {}}}, "pattern_length=256"),
        ({"uniqueItems": True}, "unique_items=1000"),
        ({"uniqueItems": True, "maxItems": 1001}, "unique_items=1000"),
    ],
    ids=lambda held: held if isinstance(held, str) else "",
)
def test_names_the_limit_that_is_broken(document: JsonValue, limit: str) -> None:
    """A schema over a limit is refused, and the message names limit and figure."""
    error = refusal(document)

    assert error.code == "hostile_schema"
    assert f"(limit {limit})" in error.problems[0].message


@pytest.mark.parametrize(
    "document",
    [
        {"$ref": "http://127.0.0.1:1/schema.json"},
        {"$ref": "other.json#/a"},
        {"$defs": {"unused": {"$ref": "file:///etc/passwd"}}},
        {"properties": {"a": {"$dynamicRef": "https://example.com/#a"}}},
        {"$id": "https://example.com/schema.json"},
        {"$defs": {"a": {"$id": "inner"}}},
        {"$schema": "https://example.com/dialect"},
        {"properties": {"a": {"$schema": "https://json-schema.org/draft/2020-12/schema"}}},
    ],
)
def test_nothing_leads_out_of_the_document(document: JsonValue) -> None:
    """Remote and file references are refused before anything could follow them."""
    error = refusal(document)

    assert error.code == "hostile_schema"
    assert "accepted" in error.problems[0].message


@pytest.mark.parametrize(
    "document",
    [
        {"$ref": "#"},
        {"anyOf": [{"type": "string"}, {"$ref": "#"}]},
        {"not": {"$ref": "#"}},
        {"if": {}, "then": {"$ref": "#"}},
        {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"},
        {"$defs": {"unused": {"$ref": "#/$defs/unused"}}},
        {"$dynamicAnchor": "here", "allOf": [{"$dynamicRef": "#here"}]},
    ],
)
def test_recursion_has_to_consume_data(document: JsonValue) -> None:
    """A schema that leads back to itself for the same value is refused."""
    assert "recursion without data" in refusal(document).message


@pytest.mark.parametrize(
    "pattern", ["^(?=a)b", "(?<!a)b", r"(a)\1", "(", "^(((a{1,30}){1,30}){1,30}){1,30}$"]
)
def test_patterns_run_in_linear_time(pattern: str) -> None:
    """Look-around, back-references and patterns that would grow too large do not compile."""
    documents: list[JsonValue] = [{"pattern": pattern}, {"patternProperties": {pattern: {}}}]
    for document in documents:
        error = refusal(document)

        assert error.code == "invalid_schema"
        assert "is no regex" in error.message


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("^(?!x)a$", "it looks around; write out what may stand there"),
        ("(?<=a)b", "it looks around"),
        (r"(a)\1", "it refers back to a group"),
        ("(?>a)", "it has an atomic group; write (?:...)"),
        ("[a-z]{1,100000}", "its repetitions are too large; bound the length by minLength"),
        ("(a", "it is malformed; look for brackets"),
        (r"(\(?=", "it is malformed"),
    ],
)
def test_a_pattern_that_cannot_be_used_comes_with_the_reason(pattern: str, reason: str) -> None:
    """Other engines take some of these patterns, so the refusal says what is not supported."""
    assert reason in refusal({"pattern": pattern}).message


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (["type"], "an object or a boolean, not list"),
        (None, "an object or a boolean, not NoneType"),
        ({"minimum": float("nan")}, "is no JSON"),
        ({"const": "\ud800"}, "lone surrogate"),
        ({"$ref": "#/$defs/missing"}, "names no schema"),
        ({"enum": [{"type": "string"}], "$ref": "#/enum/0"}, "names no schema"),
        ({"format": "credit-card"}, "'credit-card', which is not in the list of formats"),
        ({"type": "strin"}, "no valid schema"),
        ({"required": "a"}, "no valid schema"),
    ],
)
def test_refuses_what_is_no_schema(document: JsonValue, message: str) -> None:
    """What cannot be a schema is refused with the reason."""
    assert message in refusal(document).message


def test_tells_every_problem_with_its_place() -> None:
    """All problems are told at once, each with its pointer into the schema."""
    error = refusal(
        {"properties": {"a/b": {"uniqueItems": True}, "c": {"$ref": "https://example.com"}}}
    )

    assert [problem.pointer for problem in error.problems] == [
        "/properties/a~1b",
        "/properties/c",
    ]


def test_limits_can_be_set() -> None:
    """A limit acts at the value that it is given, ends included."""
    limits = SchemaLimits(pattern_length=3)

    assert Schema.from_foreign({"pattern": "abc"}, limits=limits).is_valid("abc")
    assert "pattern_length=3" in refusal({"pattern": "abcd"}, limits).message


@pytest.mark.parametrize(
    ("document", "good", "bad"),
    [
        (nested(31, "items"), 1, None),
        (doubling(11), 1, "a"),
        ({"uniqueItems": True, "maxItems": 1000}, [1, 2], [1, 1]),
        ({"$id": "order", "$ref": "#/$defs/a", "$defs": {"a": {"type": "null"}}}, None, 1),
        ({"$ref": "#/$defs/a%20b", "$defs": {"a b": {"type": "null"}}}, None, 1),
        ({"$ref": "#name", "$defs": {"a": {"$anchor": "name", "type": "null"}}}, None, 1),
        ({"properties": {"next": {"$ref": "#"}}, "type": "object"}, {"next": {}}, {"next": 1}),
        ({"properties": {"id": {"type": "string"}}}, {"id": "a"}, {"id": 1}),
        (
            {"properties": {"$ref": {"type": "string"}}, "required": ["$ref"]},
            {"$ref": "a"},
            {"$ref": 1},
        ),
    ],
)
def test_accepts_what_keeps_the_limits(
    document: JsonValue, good: JsonValue, bad: JsonValue
) -> None:
    """Schemas at the limits, recursion through data, and fields with telling names are fine."""
    schema = Schema.from_foreign(document)

    assert schema.is_valid(good)
    assert bad is None or not schema.is_valid(bad)


def alternatives(count: int, arms: int) -> JsonValue:
    """Many unions under one intersection."""
    return {
        "type": "string",
        "allOf": [
            {"anyOf": [{"pattern": f"^{n}-{arm}"} for arm in range(arms)]} for n in range(count)
        ],
    }


@pytest.mark.parametrize(
    "document",
    [
        alternatives(30, 8),
        alternatives(3, 7),
        doubling(11, "anyOf"),
        {"allOf": [{"not": {"required": [f"a{n}", f"b{n}"]}} for n in range(60)]},
        {"allOf": [{"if": {"required": [f"a{n}"]}, "then": False} for n in range(60)]},
        {"dependentSchemas": {f"a{n}": {"anyOf": [{"minimum": n}, {}]} for n in range(60)}},
        {"allOf": [{"properties": {"a": {"anyOf": [{"minimum": n}, {}]}}} for n in range(60)]},
        {"type": "array", "minItems": 10**9},
        {"type": "string", "minLength": 10**15, "pattern": "^(a+)+$"},
        {"type": "integer", "multipleOf": 10**300 + 1, "minimum": 10**308},
    ],
)
def test_comparing_a_hostile_schema_comes_to_an_end(document: JsonValue) -> None:
    """What passes the lint is also compared in bounded time, if need be without an answer."""
    schema = Schema.from_foreign(document)
    other = Schema({"type": ["string", "object"], "maxLength": 3})
    started = time.perf_counter()

    fits(schema, other)
    fits(other, schema)
    overlaps(schema, other)
    unsatisfiable(schema)

    assert time.perf_counter() - started < MOST_SECONDS


def test_a_hostile_value_meets_a_recursive_schema() -> None:
    """Recursion that doubles on each level of the data is validated in bounded time."""
    schema = Schema.from_foreign(
        {
            "allOf": [
                {"properties": {"a": {"$ref": "#"}, "b": {"const": 1}}},
                {"properties": {"a": {"$ref": "#"}, "c": {"const": 1}}},
            ]
        }
    )
    value: JsonValue = 1
    for _ in range(60):
        value = {"a": value}
    started = time.perf_counter()

    assert schema.is_valid(value)
    assert time.perf_counter() - started < MOST_SECONDS


def test_a_backtracking_pattern_does_no_harm() -> None:
    """The pattern that hangs a backtracking engine is answered at once."""
    schema = Schema.from_foreign({"type": "string", "pattern": "^(a+)+$"})

    assert not schema.is_valid("a" * 50_000 + "!")
