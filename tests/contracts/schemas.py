"""Schemas and values for property tests, small enough that values often meet schemas."""

from typing import Final

from hypothesis import strategies as st

from fishplate.core.errors import JsonValue

Document = dict[str, JsonValue] | bool

NAMES: Final[tuple[str, ...]] = ("a", "b", "c")
WORDS: Final = ("", "a", "b", "ab", "aab", "2024-02-29", "x-a")
PATTERNS: Final = ("^a", "b$", "^a+$", "^[ab]*$", "^x-")

numbers = st.sampled_from((-2, -1, 0, 0.5, 1, 1.0, 1.5, 2, 3, 4, 6, 7))
scalars = st.one_of(st.none(), st.booleans(), numbers, st.sampled_from(WORDS))
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from((*NAMES, "x-a")), inner, max_size=3),
    ),
    max_leaves=6,
)


@st.composite
def _number_schemas(draw: st.DrawFn) -> Document:
    schema: dict[str, JsonValue] = {"type": draw(st.sampled_from(("integer", "number")))}
    for word in draw(
        st.sets(
            st.sampled_from(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")),
            max_size=2,
        )
    ):
        schema[word] = draw(numbers)
    if draw(st.integers(0, 3)) == 0:
        schema["multipleOf"] = draw(st.sampled_from((0.5, 1, 2, 3)))
    return schema


@st.composite
def _string_schemas(draw: st.DrawFn) -> Document:
    schema: dict[str, JsonValue] = {"type": "string"}
    extra: dict[str, JsonValue] = {
        "minLength": draw(st.integers(0, 2)),
        "maxLength": draw(st.integers(1, 4)),
        "pattern": draw(st.sampled_from(PATTERNS)),
        "format": "date",
    }
    for word in draw(st.sets(st.sampled_from(sorted(extra)), max_size=2)):
        schema[word] = extra[word]
    return schema


def _leaves() -> st.SearchStrategy[Document]:
    return st.one_of(
        st.booleans(),
        st.just({}),
        st.sampled_from(("null", "boolean", "string", "integer", "array", "object")).map(
            lambda name: {"type": name}
        ),
        st.lists(
            st.sampled_from(("null", "boolean", "string", "number", "object")),
            min_size=1,
            max_size=3,
            unique=True,
        ).map(lambda names: {"type": names}),
        st.lists(scalars, min_size=1, max_size=3, unique_by=repr).map(lambda v: {"enum": v}),
        values.map(lambda value: {"const": value}),
        _number_schemas(),
        _string_schemas(),
    )


@st.composite
def _objects(draw: st.DrawFn, inner: st.SearchStrategy[JsonValue]) -> Document:
    names: st.SearchStrategy[str] = st.sampled_from(NAMES)
    properties: dict[str, JsonValue] = draw(st.dictionaries(names, inner, max_size=3))
    schema: dict[str, JsonValue] = {"type": "object", "properties": properties}
    schema["required"] = [*sorted(draw(st.sets(names, max_size=2)))]
    options: dict[str, st.SearchStrategy[JsonValue]] = {
        "additionalProperties": st.one_of(st.just(False), inner),
        "patternProperties": st.dictionaries(st.just("^x-"), inner, min_size=1, max_size=1),
        "propertyNames": st.sampled_from(({"enum": ["a", "b"]}, {"pattern": "^[ab]$"})),
        "minProperties": st.integers(0, 2),
        "maxProperties": st.integers(0, 3),
        "dependentRequired": st.just({"a": ["b"]}),
        "unevaluatedProperties": st.just(False),
    }
    for word in draw(st.sets(st.sampled_from(sorted(options)), max_size=2)):
        schema[word] = draw(options[word])
    return schema


@st.composite
def _arrays(draw: st.DrawFn, inner: st.SearchStrategy[JsonValue]) -> Document:
    schema: dict[str, JsonValue] = {"type": "array"}
    options: dict[str, st.SearchStrategy[JsonValue]] = {
        "items": inner,
        "prefixItems": st.lists(inner, min_size=1, max_size=2),
        "minItems": st.integers(0, 2),
        "maxItems": st.integers(0, 3),
        "uniqueItems": st.booleans(),
        "contains": inner,
    }
    for word in draw(st.sets(st.sampled_from(sorted(options)), max_size=3)):
        schema[word] = draw(options[word])
    return schema


def _compounds(inner: st.SearchStrategy[JsonValue]) -> st.SearchStrategy[Document]:
    several = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        _objects(inner),
        _objects(inner),
        _arrays(inner),
        several.map(lambda arms: {"anyOf": arms}),
        several.map(lambda arms: {"oneOf": arms}),
        several.map(lambda arms: {"allOf": arms}),
        inner.map(lambda schema: {"not": schema}),
        st.fixed_dictionaries({"if": inner, "then": inner, "else": inner}),
        st.just({"$ref": "#/$defs/Node"}),
    )


_documents: st.SearchStrategy[Document] = st.recursive(_leaves(), _compounds, max_leaves=8)


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """A schema; where it refers to `Node`, that is a recursive type that it defines."""
    document = draw(_documents)
    if "#/$defs/Node" not in repr(document):
        return document
    leaf = draw(_leaves())
    node: dict[str, JsonValue] = {
        "type": "object",
        "properties": {"a": leaf, "b": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]}},
        "required": draw(st.sampled_from((["a"], ["a", "b"]))),
    }
    if draw(st.booleans()):
        node["additionalProperties"] = False
    return {"$defs": {"Node": node}, "allOf": [document]}


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Document, Document]:
    """Two schemas, mostly relatives, since strangers hardly ever fit."""
    first = draw(documents())
    kind = draw(st.integers(0, 4))
    if kind == 0:
        return first, draw(documents())
    changed = _changed(draw, first)
    if kind == 1:
        changed = _changed(draw, changed)
    return (first, changed) if draw(st.booleans()) else (changed, first)


def _changed(draw: st.DrawFn, document: JsonValue) -> Document:
    """One edit somewhere in a schema: a word dropped, a value replaced, a part edited."""
    if not isinstance(document, dict) or not document:
        return draw(_leaves())
    copy = dict(document)
    word = draw(st.sampled_from(sorted(copy)))
    held = copy[word]
    if word in {"properties", "$defs", "patternProperties"} and isinstance(held, dict) and held:
        name = draw(st.sampled_from(sorted(held)))
        copy[word] = {**held, name: _changed(draw, held[name])}
    elif word in {"anyOf", "oneOf", "allOf", "prefixItems"} and isinstance(held, list) and held:
        at = draw(st.integers(0, len(held) - 1))
        more = [draw(_leaves())] if draw(st.booleans()) else []
        copy[word] = [*held[:at], _changed(draw, held[at]), *held[at + 1 :], *more]
    elif word in {"items", "additionalProperties", "not", "contains", "if", "then", "else"}:
        copy[word] = _changed(draw, held)
    elif word in {"minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"}:
        copy[word] = draw(numbers)
    elif word == "type" and held == "integer":
        copy[word] = "number"
    elif word not in {"type", "$defs", "$ref"}:
        del copy[word]
    return copy
