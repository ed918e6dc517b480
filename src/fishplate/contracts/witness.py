"""Values that a schema may accept: the search for a counterexample.

Nothing here has to be right. Each value is only proposed, and counts when compiled validators say
that one side accepts it and the other refuses it. So the generator is simple and bounded: it
proposes the corners of a schema (each enum value, the ends of each range and their neighbours, the
shortest and longest string, each optional field absent, an extra field, each arm of a union), one
corner at a time.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Final

from fishplate.contracts.keywords import SchemaDocument, all_schemas, referenced
from fishplate.contracts.patterns import matching
from fishplate.core.data import dataclass
from fishplate.core.errors import JsonError, JsonValue

MOST_PROPOSALS: Final = 3000
_MOST_PER_PART: Final = 60
_DEEPEST: Final = 12
_DEEPEST_CONTAINER: Final = 1
_LONGEST: Final = 3000
_EXTRA_NAME: Final = "unexpected"

_FORMAT_SAMPLES: Final[Mapping[str, tuple[str, ...]]] = {
    "date": ("2024-02-29", "1970-01-01"),
    "date-time": ("2024-02-29T12:30:00Z", "1970-01-01T00:00:00.5+02:00"),
    "time": ("12:30:00Z", "23:59:59.5+02:00"),
    "duration": ("P1D", "PT1H30M"),
    "email": ("a@example.com",),
    "idn-email": ("a@example.com",),
    "hostname": ("example.com", "a"),
    "idn-hostname": ("example.com",),
    "ipv4": ("192.0.2.1",),
    "ipv6": ("2001:db8::1",),
    "uuid": ("123e4567-e89b-12d3-a456-426614174000",),
    "uri": ("https://example.com/a", "urn:a:b"),
    "uri-reference": ("/a", "https://example.com/a", ""),
    "iri": ("https://example.com/a",),
    "iri-reference": ("/a", ""),
    "uri-template": ("/a/{b}", ""),
    "json-pointer": ("/a", ""),
    "relative-json-pointer": ("1/a", "0"),
    "regex": ("^a$", ""),
}
_PLAIN_STRINGS: Final = ("", "a", "0", "A b", "\N{SNOWMAN}", "-", "abcdefghij")
_NAMED_WORDS: Final = frozenset({"properties", "patternProperties", "$defs"})
_TYPES: Final = ("null", "boolean", "integer", "number", "string", "array", "object")
_TYPE_OF_WORD: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"), "number"
    ),
    **dict.fromkeys(("minLength", "maxLength", "pattern", "format"), "string"),
    **dict.fromkeys(
        ("items", "prefixItems", "minItems", "maxItems", "uniqueItems", "contains"), "array"
    ),
    **dict.fromkeys(
        (
            "properties",
            "required",
            "additionalProperties",
            "patternProperties",
            "propertyNames",
            "minProperties",
            "maxProperties",
            "dependentRequired",
            "dependentSchemas",
        ),
        "object",
    ),
}


@dataclass(eq=False, kw_only=True, repr=False, slots=True)
class Hints:
    """Numbers and literals of the other side: its limits are where it is likely to be broken."""

    numbers: frozenset[int | float] = frozenset()
    lengths: frozenset[int] = frozenset()
    literals: tuple[JsonValue, ...] = ()


def hints_of(*documents: SchemaDocument) -> Hints:
    """The limits and literals that stand anywhere in some schemas."""
    numbers: set[int | float] = set()
    lengths: set[int] = set()
    literals: list[JsonValue] = []
    for schema in all_schemas(*documents):
        for word, held in schema.items():
            if word == "enum" and isinstance(held, list):
                literals.extend(held)
            elif word == "const":
                literals.append(held)
            elif not isinstance(held, int | float) or isinstance(held, bool):
                continue
            elif _TYPE_OF_WORD.get(word) == "number":
                numbers.update((held, held - 1, held + 1, held + 0.5, held * 2))
            elif word.startswith(("min", "max")):
                lengths.update(n for n in (int(held) - 1, int(held), int(held) + 1) if n >= 0)
    return Hints(
        numbers=frozenset(numbers), lengths=frozenset(lengths), literals=tuple(literals[:40])
    )


def proposals(document: SchemaDocument, hints: Hints) -> Iterator[JsonValue]:
    """Values that the schema may accept, simple ones first, at most `MOST_PROPOSALS`."""
    return islice(_Proposer(root=document, hints=hints).of(document, 0), MOST_PROPOSALS)


@dataclass(eq=False, kw_only=True, repr=False, slots=True)
class _Proposer:
    root: SchemaDocument
    hints: Hints

    def of(self, schema: JsonValue, level: int) -> Iterator[JsonValue]:
        """Proposals for one schema, `level` schemas below the root."""
        if level > _DEEPEST or schema is False:
            return
        if not isinstance(schema, dict):
            yield from self._anything(level)
            return
        if "const" in schema:
            yield schema["const"]
        elif isinstance(values := schema.get("enum"), list):
            yield from values
        elif isinstance(reference := schema.get("$ref"), str):
            yield from self._referred(reference, schema, level)
        elif isinstance(parts := schema.get("allOf"), list):
            yield from self.of(merged(schema, "allOf", parts), level + 1)
        elif (arms := schema.get("anyOf", schema.get("oneOf"))) and isinstance(arms, list):
            word = "anyOf" if "anyOf" in schema else "oneOf"
            yield from in_turn([self.of(merged(schema, word, [arm]), level + 1) for arm in arms])
        elif "if" in schema:
            taken = merged(schema, "if", [schema["if"], schema.get("then", True)])
            other = merged(schema, "if", [schema.get("else", True)])
            yield from in_turn([self.of(taken, level + 1), self.of(other, level + 1)])
        else:
            yield from in_turn([self._typed(schema, name, level) for name in _types_of(schema)])

    def _anything(self, level: int) -> Iterator[JsonValue]:
        yield from ("a", 0, None, {}, [], True, 0.5)
        yield from self.hints.literals
        if level <= _DEEPEST_CONTAINER:
            nested: tuple[JsonValue, ...] = ({_EXTRA_NAME: 0}, [0], ["a", "a"])
            yield from nested

    def _referred(
        self, reference: str, schema: Mapping[str, JsonValue], level: int
    ) -> Iterator[JsonValue]:
        try:
            target = referenced(self.root, reference)
        except JsonError:
            # An anchor, or another resource: such a reference gets no proposals.
            return
        yield from self.of(merged(schema, "$ref", [target]), level + 1)

    def _typed(self, schema: Mapping[str, JsonValue], name: str, level: int) -> Iterator[JsonValue]:
        match name:
            case "null":
                yield None
            case "boolean":
                yield from (True, False)
            case "integer" | "number":
                yield from self._numbers(schema, is_integer=name == "integer")
            case "string":
                yield from self._strings(schema)
            case "array":
                yield from self._arrays(schema, level)
            case "object":
                yield from self._objects(schema, level)
            case _:
                return

    def _numbers(self, schema: Mapping[str, JsonValue], *, is_integer: bool) -> Iterator[JsonValue]:
        low = _number(schema, "minimum", "exclusiveMinimum")
        high = _number(schema, "maximum", "exclusiveMaximum")
        step = _number(schema, "multipleOf")
        near: list[float] = []
        for bound in (low, high):
            if bound is not None:
                near.extend((bound, bound + 1, bound - 1, bound + 0.5, bound - 0.5))
        if low is not None and high is not None:
            near.append((low + high) / 2)
        if step:
            start = ((low or 0) // step) * step
            near.extend(start + step * factor for factor in (0, 1, 2, 3, 5, 7, -1))
        numbers = [*near, 0, 1, -1, 0.5, 2, 7, *sorted(self.hints.numbers), 1e6, -1e6, 1e20]
        if is_integer:
            yield from dict.fromkeys(int(number) for number in numbers)
        else:
            yield from dict.fromkeys(
                int(number) if number == int(number) else number for number in numbers
            )

    def _strings(self, schema: Mapping[str, JsonValue]) -> Iterator[JsonValue]:
        word, pattern = schema.get("format"), schema.get("pattern")
        if isinstance(word, str):
            yield from _FORMAT_SAMPLES.get(word, ())
        if isinstance(pattern, str):
            yield from matching(pattern)
        shortest, longest = _count(schema, "minLength") or 0, _count(schema, "maxLength")
        lengths = {shortest, shortest + 1, longest or 0, *self.hints.lengths}
        yield from (text for text in self.hints.literals if isinstance(text, str))
        yield from _PLAIN_STRINGS
        yield from (sign * n for n in sorted(lengths) if n <= _LONGEST for sign in ("a", "0"))

    def _arrays(self, schema: Mapping[str, JsonValue], level: int) -> Iterator[JsonValue]:
        prefix = schema.get("prefixItems")
        positions = list(prefix) if isinstance(prefix, list) else []
        rest = schema.get("items", True)
        contained = [schema["contains"]] if "contains" in schema else []
        shortest, longest = _count(schema, "minItems") or 0, _count(schema, "maxItems")
        is_unique = schema.get("uniqueItems") is True
        lengths = {shortest, len(positions), len(positions) + 1, 1, 2, longest or 0}
        lengths |= self.hints.lengths
        for length in sorted(lengths):
            if length < shortest or length > (_LONGEST if longest is None else longest):
                continue
            schemas = (positions + contained + [rest] * length)[:length]
            base = self._items(schemas, level, is_unique=is_unique)
            if base is None:
                continue
            yield base
            for position in range(min(length, len(positions) + len(contained) + 2)):
                for item in islice(self.of(schemas[position], level + 1), _MOST_PER_PART):
                    yield [*base[:position], item, *base[position + 1 :]]

    def _items(
        self, schemas: list[JsonValue], level: int, *, is_unique: bool
    ) -> list[JsonValue] | None:
        items: list[JsonValue] = []
        last = schemas[-1] if schemas else None
        for position, schema in enumerate(schemas):
            samples = list(islice(self.of(schema, level + 1), _MOST_PER_PART if is_unique else 1))
            if not samples or len(items) > _LONGEST:
                return None
            items.append(samples[position % len(samples)] if is_unique else samples[0])
            if not is_unique and position and schema is last:
                # All that follows has this schema: one sample serves.
                return items + [samples[0]] * (len(schemas) - len(items))
        return items

    def _objects(self, schema: Mapping[str, JsonValue], level: int) -> Iterator[JsonValue]:
        declared = self._declared(schema)
        wanted = schema.get("required")
        listed = wanted if isinstance(wanted, list) else []
        required = [name for name in listed if isinstance(name, str)]
        extra = schema.get("additionalProperties", True)
        first: dict[str, JsonValue] = {}
        for name in dict.fromkeys([*required, *declared]):
            for sample in islice(self.of(declared.get(name, extra), level + 1), 1):
                first[name] = sample
        base = {name: first[name] for name in required if name in first}
        if len(base) < len(set(required)):
            return
        yield base
        yield first
        for name, sample in first.items():
            if name not in base:
                yield {**base, name: sample}
                yield {other: held for other, held in first.items() if other != name}
        starts = (base, first) if len(first) > len(base) else (base,)
        yield from in_turn(
            self._varied(start, name, part, level)
            for name, part in declared.items()
            for start in starts
        )
        yield from self._extras(schema, base, level)

    def _varied(
        self, start: dict[str, JsonValue], name: str, part: JsonValue, level: int
    ) -> Iterator[JsonValue]:
        for sample in islice(self.of(part, level + 1), _MOST_PER_PART):
            yield {**start, name: sample}

    def _extras(
        self, schema: Mapping[str, JsonValue], base: dict[str, JsonValue], level: int
    ) -> Iterator[JsonValue]:
        names = [_EXTRA_NAME, *(text for text in self.hints.literals if isinstance(text, str))]
        if "propertyNames" in schema:
            found = islice(self.of(schema["propertyNames"], level + 1), _MOST_PER_PART)
            names = [name for name in found if isinstance(name, str)]
        extra = schema.get("additionalProperties", True)
        least = max(_count(schema, "minProperties") or 0, 2)
        counts = sorted(n for n in {least, *self.hints.lengths} if n <= _LONGEST)
        for position, sample in enumerate(islice(self.of(extra, level + 1), _MOST_PER_PART)):
            for name in names[:4]:
                if name not in base:
                    yield {**base, name: sample}
            if position == 0:
                for count in counts:
                    many = {f"{_EXTRA_NAME}{n}": sample for n in range(count - len(base))}
                    yield {**many, **base}

    def _declared(self, schema: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        """The properties of an object schema; a name pattern stands for the names that match it."""
        found: dict[str, JsonValue] = {}
        if isinstance(patterns := schema.get("patternProperties"), dict):
            for pattern, part in patterns.items():
                found.update((name, part) for name in matching(pattern)[:2])
        if isinstance(properties := schema.get("properties"), dict):
            found.update(properties)
        return found


def in_turn(columns: Iterable[Iterator[JsonValue]]) -> Iterator[JsonValue]:
    """One proposal of each in turn, so that no arm or property waits for another's end."""
    waiting = deque(columns)
    while waiting:
        column = waiting.popleft()
        for value in column:
            yield value
            waiting.append(column)
            break


def _types_of(schema: Mapping[str, JsonValue]) -> list[str]:
    declared = schema.get("type")
    if isinstance(declared, str):
        return [declared]
    if isinstance(declared, list):
        return [name for name in declared if isinstance(name, str)]
    implied = {_TYPE_OF_WORD[word] for word in schema if word in _TYPE_OF_WORD}
    return sorted(_TYPES, key=lambda name: name not in implied)


def _number(schema: Mapping[str, JsonValue], *words: str) -> int | float | None:
    for word in words:
        held = schema.get(word)
        if isinstance(held, int | float) and not isinstance(held, bool):
            return held
    return None


def _count(schema: Mapping[str, JsonValue], word: str) -> int | None:
    number = _number(schema, word)
    return None if number is None else int(number)


def merged(
    schema: Mapping[str, JsonValue], word: str, parts: Iterable[JsonValue]
) -> dict[str, JsonValue] | bool:
    """A schema near to the conjunction of one with others that stood under its keyword `word`."""
    found = {key: held for key, held in schema.items() if key not in {word, "then", "else"}}
    for part in parts:
        if part is False:
            return False
        for key, held in part.items() if isinstance(part, dict) else ():
            found[key] = _joined(key, found[key], held) if key in found else held
    return found


def _joined(word: str, held: JsonValue, other: JsonValue) -> JsonValue:
    """Both demands of one keyword, where that is simple, else the newer one."""
    if isinstance(held, dict) and isinstance(other, dict) and word in _NAMED_WORDS:
        common = held.keys() & other.keys()
        both: dict[str, JsonValue] = {n: {"allOf": [held[n], other[n]]} for n in common}
        return {**held, **other, **both}
    if isinstance(held, list) and isinstance(other, list) and word in {"required", "allOf"}:
        return [*held, *other]
    if isinstance(held, int | float) and isinstance(other, int | float):
        is_least = word.startswith(("min", "exclusiveMin"))
        return max(held, other) if is_least else min(held, other)
    if word == "type":
        names = _types_of({"type": other})
        kept: list[JsonValue] = [name for name in _types_of({"type": held}) if name in names]
        return kept or ["integer"]
    return other
