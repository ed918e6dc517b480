"""What a schema from outside may ask for, judged before anything compiles it.

A schema is a small program. Compiling one that doubles its references, or that refers to itself
without looking into the value, takes no time; running it takes for ever, with the interpreter's
lock held. So a schema from a file, a remote agent or a tool server is read like code: everything
that costs is counted, and what leads elsewhere is refused.
"""

from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import unquote

from fishplate.contracts.dialects import KNOWN_DIALECTS
from fishplate.contracts.json import canonical_json, escape_token, pointer_tokens
from fishplate.contracts.keywords import (
    DEFINITIONS,
    IN_PLACE,
    REFERENCES,
    SchemaDocument,
    subschemas,
)
from fishplate.core.data import dataclass
from fishplate.core.errors import JsonError, JsonValue, Problem

# Checked by the validator, from JSON Schema Validation 2020-12, section 7.3.
_CHECKED_FORMATS: Final = frozenset(
    {
        "date",
        "date-time",
        "duration",
        "email",
        "hostname",
        "idn-email",
        "idn-hostname",
        "ipv4",
        "ipv6",
        "iri",
        "iri-reference",
        "json-pointer",
        "regex",
        "relative-json-pointer",
        "time",
        "uri",
        "uri-reference",
        "uri-template",
        "uuid",
    }
)
# Notes to a reader that no validator checks, from the OpenAPI format registry and pydantic.
_NOTED_FORMATS: Final = frozenset(
    {
        "base64url",
        "binary",
        "byte",
        "decimal",
        "directory-path",
        "double",
        "file-path",
        "float",
        "int32",
        "int64",
        "json-string",
        "password",
        "path",
        "uint32",
        "uint64",
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class SchemaLimits:
    """What a foreign schema may cost; the ends of every range are allowed.

    Attributes:
        size_bytes: Length of the schema as canonical JSON.
        depth: Levels of objects and arrays in the schema.
        subschemas: Schemas inside the schema, itself included.
        references: Uses of `$ref` and `$dynamicRef`.
        expanded: Schemas that remain when every reference is replaced by its target; a reference
            back into what is being expanded counts as one.
        pattern_length: Characters of one regular expression.
        unique_items: Largest `maxItems` beside `uniqueItems`.
        formats: Words that `format` may have.
    """

    size_bytes: int = 256 * 1024
    depth: int = 32
    subschemas: int = 2000
    references: int = 200
    expanded: int = 10_000
    pattern_length: int = 256
    unique_items: int = 1000
    formats: frozenset[str] = _CHECKED_FORMATS | _NOTED_FORMATS


def lint(document: JsonValue, limits: SchemaLimits) -> list[Problem]:
    """Every reason to refuse a schema from outside; none means that it may be compiled.

    Each problem has the code `hostile_schema`, names the limit and what was found, and points
    into the schema.
    """
    if not isinstance(document, dict | bool):
        return [_problem("", f"a schema is an object or a boolean, not {type(document).__name__}")]
    # The two sizes come first and end the lint, since all that follows walks the whole schema.
    if oversize := _sizes(document, limits):
        return [oversize]
    found: dict[str, SchemaDocument] = dict(_walk("", document))
    problems = list(_counts(found, limits))
    for pointer, schema in found.items():
        if isinstance(schema, dict):
            problems.extend(_local(pointer, schema))
            problems.extend(_costly(pointer, schema, limits))
    if not problems:
        problems.extend(_References(found).problems(limits))
    return problems


def _problem(pointer: str, message: str) -> Problem:
    where = f"at {pointer!r} " if pointer else ""
    return Problem(code="hostile_schema", message=f"schema {where}{message}", pointer=pointer)


def _sizes(document: SchemaDocument, limits: SchemaLimits) -> Problem | None:
    depth = _depth(document, limits.depth)
    if depth > limits.depth:
        return _problem("", f"has more than {limits.depth} levels (limit depth={limits.depth})")
    try:
        size = len(canonical_json(document))
    except JsonError as error:
        return _problem("", f"is no JSON: {error.message}")
    if size > limits.size_bytes:
        return _problem("", f"has {size} bytes (limit size_bytes={limits.size_bytes})")
    return None


def _depth(document: JsonValue, most: int) -> int:
    """Count the levels of a document, giving up one beyond `most`."""
    depth = 0
    level: list[JsonValue] = [document]
    while level and depth <= most:
        depth += 1
        below: list[JsonValue] = []
        for node in level:
            if isinstance(node, dict):
                below.extend(node.values())
            elif isinstance(node, list):
                below.extend(node)
        level = [node for node in below if isinstance(node, dict | list)]
    return depth


def _walk(pointer: str, schema: SchemaDocument) -> Iterator[tuple[str, SchemaDocument]]:
    yield pointer, schema
    if isinstance(schema, dict):
        for tokens, part in subschemas(schema):
            below = "".join(f"/{escape_token(token)}" for token in tokens)
            yield from _walk(f"{pointer}{below}", part)


def _counts(found: Mapping[str, SchemaDocument], limits: SchemaLimits) -> Iterator[Problem]:
    if len(found) > limits.subschemas:
        yield _problem("", f"holds {len(found)} schemas (limit subschemas={limits.subschemas})")
    uses = sum(len(REFERENCES & s.keys()) for s in found.values() if isinstance(s, dict))
    if uses > limits.references:
        yield _problem("", f"holds {uses} references (limit references={limits.references})")


def _local(pointer: str, schema: Mapping[str, JsonValue]) -> Iterator[Problem]:
    """Refuse what leads out of the document, or makes its own pointers mean something else."""
    dialect = schema.get("$schema")
    if dialect is not None and (pointer or str(dialect).removesuffix("#") not in KNOWN_DIALECTS):
        yield _problem(
            pointer, f"declares $schema {dialect!r}: only a known draft, at the top, is accepted"
        )
    for word in ("$id", "id"):
        if (name := schema.get(word)) is not None and (pointer or _is_remote(name)):
            # `id` is an identifier in draft 4 only, and there too it may be a mere property.
            if word == "id" and not isinstance(name, str):
                continue
            yield _problem(
                pointer, f"declares {word} {name!r}: only a local name, at the top, is accepted"
            )
    for word in REFERENCES & schema.keys():
        target = schema[word]
        if not isinstance(target, str) or not target.startswith("#"):
            yield _problem(
                pointer, f"has {word} {target!r}: only references inside the schema are accepted"
            )


def _is_remote(name: JsonValue) -> bool:
    return not isinstance(name, str) or ("://" in name) or name.startswith(("//", "file:"))


def _costly(
    pointer: str, schema: Mapping[str, JsonValue], limits: SchemaLimits
) -> Iterator[Problem]:
    patterns = [p for p in (schema.get("pattern"),) if isinstance(p, str)]
    if isinstance(named := schema.get("patternProperties"), dict):
        patterns.extend(named)
    for pattern in patterns:
        if len(pattern) > limits.pattern_length:
            yield _problem(
                pointer,
                f"has a pattern of {len(pattern)} characters "
                f"(limit pattern_length={limits.pattern_length})",
            )
    if schema.get("uniqueItems") is True:
        most = schema.get("maxItems")
        if not isinstance(most, int | float) or most > limits.unique_items:
            yield _problem(
                pointer,
                f"asks for uniqueItems with maxItems={most!r}: state maxItems "
                f"(limit unique_items={limits.unique_items})",
            )
    word = schema.get("format")
    if isinstance(word, str) and word not in limits.formats:
        yield _problem(pointer, f"has the format {word!r}, which is not in the list of formats")


class _References:
    """The graph of a schema: its parts, and where its references lead."""

    def __init__(self, found: Mapping[str, SchemaDocument]) -> None:
        self._found = found
        self._named: dict[str, list[str]] = {}
        for pointer, schema in found.items():
            if isinstance(schema, dict):
                for word in ("$anchor", "$dynamicAnchor"):
                    if isinstance(name := schema.get(word), str):
                        self._named.setdefault(name, []).append(pointer)

    def problems(self, limits: SchemaLimits) -> Iterator[Problem]:
        """What is wrong with the references: dangling ones, idle recursion, expansion."""
        dangling = list(self._dangling())
        yield from dangling
        if dangling:
            return
        circle = self._idle_circle()
        if circle is not None:
            yield _problem(
                circle, "refers to itself without looking into the value (recursion without data)"
            )
            return
        expanded = self._expanded("", {}, set(), limits.expanded)
        if expanded > limits.expanded:
            yield _problem(
                "",
                f"grows to more than {limits.expanded} schemas when its references are followed "
                f"(limit expanded={limits.expanded})",
            )

    def _dangling(self) -> Iterator[Problem]:
        for pointer, schema in self._found.items():
            if isinstance(schema, dict):
                for word in REFERENCES & schema.keys():
                    if not self._targets(str(schema[word])):
                        yield _problem(
                            pointer, f"has {word} {schema[word]!r}, which names no schema in it"
                        )

    def _targets(self, reference: str) -> list[str]:
        # A reference is a URI, so that the pointer in it is percent-encoded.
        fragment = unquote(reference.removeprefix("#"))
        if fragment and not fragment.startswith("/"):
            return self._named.get(fragment, [])
        pointer = "".join(f"/{escape_token(token)}" for token in pointer_tokens(fragment))
        return [pointer] if pointer in self._found else []

    def _edges(self, pointer: str, *, in_place: bool) -> Iterator[str]:
        schema = self._found[pointer]
        if not isinstance(schema, dict):
            return
        for word in REFERENCES & schema.keys():
            yield from self._targets(str(schema[word]))
        for tokens, _ in subschemas(schema):
            if tokens[0] in DEFINITIONS or (in_place and tokens[0] not in IN_PLACE):
                continue
            yield pointer + "".join(f"/{escape_token(token)}" for token in tokens)

    def _idle_circle(self) -> str | None:
        """The first schema that leads back to itself while it judges one and the same value."""
        done: set[str] = set()
        for start in self._found:
            path: dict[str, Iterator[str]] = {}
            waiting: list[str] = [start] if start not in done else []
            while waiting:
                pointer = waiting[-1]
                edges = path.setdefault(pointer, self._edges(pointer, in_place=True))
                following = next((edge for edge in edges if edge not in done), None)
                if following is None:
                    done.add(waiting.pop())
                    del path[pointer]
                elif following in path:
                    return following
                else:
                    waiting.append(following)
        return None

    def _expanded(self, pointer: str, known: dict[str, int], open_: set[str], most: int) -> int:
        if pointer in known:
            return known[pointer]
        if pointer in open_:
            return 1
        open_.add(pointer)
        total = 1
        for edge in self._edges(pointer, in_place=False):
            total += self._expanded(edge, known, open_, most)
            if total > most:
                break
        open_.discard(pointer)
        known[pointer] = total
        return total
