"""An output contract on its way to a model, and a model's answer on its way to the contract.

What is sent is a relaxed schema, since the strict modes of providers take a part of JSON Schema
only; it is proved that it accepts whatever the contract accepts. What comes back is judged by the
contract itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final, Generic, TypeVar, cast

from fishplate.contracts.fits import fits
from fishplate.contracts.json import parse_json
from fishplate.contracts.keywords import SchemaDocument
from fishplate.contracts.schema import Schema
from fishplate.contracts.shape import Shape
from fishplate.contracts.values import BrokenValueError
from fishplate.core.data import dataclass
from fishplate.core.errors import JsonError, JsonValue, Violation
from fishplate.models.model import Features, OutputMode

T = TypeVar("T")

RESULT: Final = "result"
"""Member of the object around an output that is no object itself: providers ask for one."""

# Each stands for a rule of its own, so that leaving one out only ever accepts more.
_LEFT_OUT: Final = frozenset(
    {
        *("pattern", "format", "minLength", "maxLength"),
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
        *("minItems", "maxItems", "uniqueItems", "contains", "minContains", "maxContains"),
        *("minProperties", "maxProperties", "propertyNames", "dependentRequired", "not"),
        *("if", "then", "else", "dependentSchemas", "default", "examples", "$schema"),
        "discriminator",  # of OpenAPI, which validators do not know
    }
)
_NAMED: Final = frozenset({"properties", "$defs"})
_LISTED: Final = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})
_ADJECTIVE: Final = "requested|required|valid|corrected|complete|whole|final|resulting"
_NOUN: Final = "JSON|answer|object|document|result|response|output"
# All that may stand before an answer and be taken off: that it comes now, and nothing about it.
_INTRODUCTION: Final = (
    r"(?:(?:Sure|Certainly|Of course|Okay|OK)\b[!.,]?\s*)?"
    r"(?:Here (?:it is|you go|you are)\b\s*(?:[:.!]\s*)?"
    r"|(?:(?:Here(?:['\u2019]s| is)|This is|Below is)\s+)?"
    rf"(?:(?:the|your|my)\s+)?(?:(?:{_ADJECTIVE})\s+)*(?:{_NOUN})(?:\s+(?:{_NOUN}))*"
    r"(?:,?\s+(?:as requested|(?:that\s+)?you asked for|below))?\s*(?:[:.]\s*)?)?"
)
_FENCED: Final = r"```(?:json)?\s*(?P<fenced>[\[{].*[\]}])\s*```"
_BARE: Final = r"(?P<bare>[\[{].*[\]}])"
_PACKED: Final = re.compile(
    rf"\s*{_INTRODUCTION}(?:{_FENCED}|{_BARE})\s*", re.DOTALL | re.IGNORECASE
)


class InexpressibleError(Exception):
    """An output type that no provider can be asked for; the text says why and what to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading(Generic[T]):
    """What an answer says.

    Attributes:
        value: The output.
        is_mended: Something stood around the JSON and was taken off.
    """

    value: T
    is_mended: bool = False


class WireOutput(Generic[T]):
    """The output of an agent as models see it.

    Args:
        shape: The contract.

    Attributes:
        shape: The contract.
        is_text: The output is the model's text as it stands.
        schema: What is sent; `None` for text.

    Raises:
        InexpressibleError: The type says nothing about its values, or not in a way that a schema
            on the wire can be proved to hold.
    """

    def __init__(self, shape: Shape[T]) -> None:
        self.shape = shape
        self.is_text = shape.annotation is str
        self._is_wrapped = False
        self.schema: SchemaDocument | None = None
        if not self.is_text:
            self.schema = self._sent(shape.gives.json)

    def _sent(self, gives: SchemaDocument) -> SchemaDocument:
        if not isinstance(gives, dict) or not gives.keys() - {"title", "description"}:
            msg = (
                f"{self.shape.name!r} says nothing about its values, so no provider can be asked "
                "for one: name a model, a union of models, a literal or str"
            )
            raise InexpressibleError(msg)
        relaxed = cast("dict[str, JsonValue]", _relaxed(gives))
        verdict = fits(self.shape.gives, Schema(relaxed))
        if verdict.verdict != "fits":
            msg = (
                f"{self.shape.name!r} cannot be sent to a provider: no schema that they take is "
                f"proved to accept all its values ({verdict.reason}). Use a model without "
                "conditions between its fields"
            )
            raise InexpressibleError(msg)
        self._is_wrapped = relaxed.get("type") != "object"
        return _wrapped(relaxed) if self._is_wrapped else relaxed

    def mode(self, features: Features, *, has_tools: bool = False) -> OutputMode:
        """How the schema goes out to a model: natively if it can, else by a tool, else in words.

        Args:
            features: What the model can do.
            has_tools: Tools go out beside the schema.
        """
        if self.is_text:
            return "text"
        may_both = features.has_both_at_once or not has_tools
        # Providers that hold a model to a schema take an object of any names for one of none.
        if features.has_schemas and may_both and not _has_open_object(self.schema):
            return "native"
        return "tool" if features.has_tools else "prompted"

    def read(self, text: str) -> Reading[T]:
        """The output that a text stands for.

        Only what says nothing is taken off: a code fence, and words before the JSON that announce
        it, such as "Here is the JSON:". Any other word beside it may say that it is no answer.

        Raises:
            BrokenValueError: It is no JSON, or breaks the contract.
        """
        if self.is_text:
            return Reading(value=self.shape.decode(text, given=True))
        try:
            document, is_mended = parse_json(text), False
        except JsonError as error:
            inner = _json_inside(text)
            if inner is None:
                raise BrokenValueError(_no_json(error)) from None
            document, is_mended = inner, True
        return Reading(value=self._judged(document), is_mended=is_mended)

    def _judged(self, document: JsonValue) -> T:
        if not self._is_wrapped:
            return self.shape.decode(document, given=True)
        if not isinstance(document, dict) or set(document) != {RESULT}:
            message = f"the answer is an object with the one member {RESULT!r}"
            raise BrokenValueError(Violation(pointer="", message=message, keyword="required"))
        try:
            return self.shape.decode(document[RESULT], given=True)
        except BrokenValueError as error:
            raise BrokenValueError(*(_below(RESULT, one) for one in error.violations)) from None


def is_wrapped(schema: SchemaDocument | None) -> bool:
    """Whether what is asked for stands in an object of its own, as the member `RESULT`."""
    if not isinstance(schema, dict):
        return False
    properties = schema.get("properties")
    return isinstance(properties, dict) and list(properties) == [RESULT]


def instructions(schema: SchemaDocument) -> str:
    """What a model is told that takes the schema in words only."""
    return (
        "Answer with one JSON document and nothing else. It has to be valid by this JSON Schema:\n"
        + json.dumps(schema, ensure_ascii=False, separators=(",", ":"))
    )


def repair_text(violations: tuple[Violation, ...]) -> str:
    """What a model is told whose answer breaks the contract: pointers and rules, at most ten."""
    lines = [f"- at {found.pointer or '/'}: {found.message[:200]}" for found in violations[:10]]
    return "\n".join(
        ["Your answer is not valid:", *lines, "Give the whole answer again, with these mended."]
    )


def _relaxed(schema: JsonValue) -> JsonValue:
    if not isinstance(schema, dict):
        return schema
    found: dict[str, JsonValue] = {}
    for word, value in schema.items():
        if word in _LEFT_OUT or (word == "oneOf" and "anyOf" in schema):
            continue
        if word in _NAMED and isinstance(value, dict):
            found[word] = {name: _relaxed(part) for name, part in value.items()}
        elif word in _LISTED and isinstance(value, list):
            # `oneOf` refuses what two members accept, and relaxed members may accept more.
            found["anyOf" if word == "oneOf" else word] = [_relaxed(part) for part in value]
        elif word in {"items", "additionalProperties"}:
            found[word] = _relaxed(value)
        else:
            found[word] = value
    return found


def _has_open_object(schema: JsonValue) -> bool:
    """Whether a schema has an object that takes names that it does not give."""
    if isinstance(schema, list):
        return any(map(_has_open_object, schema))
    if not isinstance(schema, dict):
        return False
    others = schema.get("additionalProperties", schema.get("properties") is None)
    is_open = schema.get("type") == "object" and others is not False
    return is_open or any(map(_has_open_object, schema.values()))


def _wrapped(schema: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    inner = {word: value for word, value in schema.items() if word != "$defs"}
    found: dict[str, JsonValue] = {
        "type": "object",
        "properties": {RESULT: inner},
        "required": [RESULT],
        "additionalProperties": False,
    }
    if "$defs" in schema:
        found["$defs"] = schema["$defs"]
    return found


def _json_inside(text: str) -> JsonValue:
    """The JSON object or array that is all a text says; `None` if it says something else too.

    What is said of it may withdraw it, as "Do not use this:" does, or "is wrong" behind it. So
    words are only taken off that are known to say nothing of it, and from before it.
    """
    found = _PACKED.fullmatch(text)
    if found is None:
        return None
    try:
        return parse_json(found["fenced"] or found["bare"])
    except JsonError:
        return None


def _no_json(error: JsonError) -> Violation:
    return Violation(pointer="", message=f"it is no JSON: {error.message}", keyword="json")


def _below(name: str, found: Violation) -> Violation:
    return Violation(
        pointer=f"/{name}{found.pointer}", message=found.message, keyword=found.keyword
    )
