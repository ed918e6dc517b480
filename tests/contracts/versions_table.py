"""Labelled pairs of contract versions: which bump does the change ask for?

Each label was set by hand from the rules of semantic versions for functions: the input may only
grow, the output may only shrink, and what an agent may do may not grow without notice.
"""

from typing import Final, Literal, NamedTuple

from fishplate.contracts.dialects import CURRENT_DIALECT
from fishplate.contracts.evolution import Safety, ToolSafety
from fishplate.core.errors import JsonValue

Bump = Literal["none", "patch", "minor", "major"]


class Versions(NamedTuple):
    """Two versions of a contract, as changes to one base document, and the labelled bump."""

    name: str
    old: dict[str, JsonValue]
    new: dict[str, JsonValue]
    bump: Bump


class SafetyVersions(NamedTuple):
    """Two versions of what an agent may do through its tools."""

    name: str
    old: Safety
    new: Safety
    bump: Bump


def taking(fields: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """A contract whose input has these fields."""
    return {"input_schema": fields}


def giving(fields: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """A contract whose output has these fields."""
    return {"output_schema": fields}


def failing(errors: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """A contract that declares these errors."""
    return {"errors": errors}


def takes(schema: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """A contract whose input is this JSON Schema."""
    return {"input_schema": {"$schema": CURRENT_DIALECT, **schema}}


def gives(schema: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """A contract whose output is this JSON Schema."""
    return {"output_schema": {"$schema": CURRENT_DIALECT, **schema}}


def tool(effect: str, *scopes: str) -> Safety:
    """One tool with this effect and these scopes."""
    return {"refund": ToolSafety(effect=effect, scopes=frozenset(scopes))}


def endless(value: JsonValue) -> dict[str, JsonValue]:
    """A recursive type with values of one type."""
    node: dict[str, JsonValue] = {
        "type": "object",
        "properties": {"v": value, "t": {"type": "array", "items": {"$ref": "#/$defs/T"}}},
        "required": ["v"],
    }
    return {"$ref": "#/$defs/T", "$defs": {"T": node}}


BASE: Final[dict[str, JsonValue]] = {
    "agent": "refunds",
    "version": "1.4.0",
    "input_schema": "any",
    "output_schema": "any",
}
OPTIONAL: Final[dict[str, JsonValue]] = taking({"id": "string", "note?": "string"})
VERSIONS: Final[tuple[Versions, ...]] = (
    # nothing
    Versions("the same", taking({"id": "string"}), taking({"id": "string"}), "none"),
    Versions(
        "order of keys",
        taking({"a": "string", "b": "int"}),
        taking({"b": "int", "a": "string"}),
        "none",
    ),
    Versions(
        "another spelling",
        taking({"id": "string?"}),
        takes(
            {
                "type": "object",
                "properties": {"id": {"type": ["null", "string"]}},
                "required": ["id"],
            }
        ),
        "none",
    ),
    Versions(
        "reference instead of inline",
        takes({"properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"type": "string"}}}),
        takes({"properties": {"a": {"type": "string"}}}),
        "none",
    ),
    # texts
    Versions("description of the agent", {}, {"description": "Says whether."}, "patch"),
    Versions(
        "description of a field",
        takes({"properties": {"a": {"type": "string"}}}),
        takes({"properties": {"a": {"type": "string", "description": "Number of the order."}}}),
        "patch",
    ),
    Versions(
        "title of the output",
        gives({"type": "string"}),
        gives({"type": "string", "title": "T"}),
        "patch",
    ),
    # the name
    Versions("agent renamed", {}, {"agent": "refund"}, "major"),
    # input
    Versions(
        "new required field",
        taking({"id": "string"}),
        taking({"id": "string", "note": "string"}),
        "major",
    ),
    Versions("new optional field", taking({"id": "string"}), OPTIONAL, "minor"),
    Versions(
        "new optional nested field",
        taking({"o": {"a": "int"}}),
        taking({"o": {"a": "int", "b?": "int"}}),
        "minor",
    ),
    Versions(
        "optional becomes required", OPTIONAL, taking({"id": "string", "note": "string"}), "major"
    ),
    Versions(
        "required becomes optional", taking({"id": "string", "note": "string"}), OPTIONAL, "minor"
    ),
    Versions("field removed from an open input", OPTIONAL, taking({"id": "string"}), "minor"),
    Versions(
        "field removed from a closed input",
        {**OPTIONAL, "strict": True},
        {**taking({"id": "string"}), "strict": True},
        "major",
    ),
    Versions("field renamed", taking({"id": "string"}), taking({"order_id": "string"}), "major"),
    Versions("type widened", taking({"n": "integer"}), taking({"n": "number"}), "minor"),
    Versions("type narrowed", taking({"n": "number"}), taking({"n": "integer"}), "major"),
    Versions(
        "enum widened", taking({"r": "enum[late]"}), taking({"r": "enum[late, lost]"}), "minor"
    ),
    Versions(
        "enum narrowed", taking({"r": "enum[late, lost]"}), taking({"r": "enum[late]"}), "major"
    ),
    Versions("becomes nullable", taking({"id": "string"}), taking({"id": "string?"}), "minor"),
    Versions("no longer nullable", taking({"id": "string?"}), taking({"id": "string"}), "major"),
    Versions(
        "bound tightened",
        takes({"type": "integer", "maximum": 9}),
        takes({"type": "integer", "maximum": 5}),
        "major",
    ),
    Versions(
        "bound relaxed",
        takes({"type": "integer", "maximum": 5}),
        takes({"type": "integer", "maximum": 9}),
        "minor",
    ),
    Versions(
        "pattern added",
        takes({"type": "string"}),
        takes({"type": "string", "pattern": "^O-"}),
        "major",
    ),
    Versions(
        "input closed",
        taking({"id": "string"}),
        {**taking({"id": "string"}), "strict": True},
        "major",
    ),
    Versions(
        "nested input closed",
        taking({"o": {"a": "int"}}),
        takes(
            {
                "type": "object",
                "properties": {
                    "o": {
                        "type": "object",
                        "properties": {"a": {"type": "integer"}},
                        "required": ["a"],
                        "additionalProperties": False,
                    }
                },
                "required": ["o"],
            }
        ),
        "major",
    ),
    Versions(
        "input opened",
        {**taking({"id": "string"}), "strict": True},
        taking({"id": "string"}),
        "minor",
    ),
    Versions(
        "closed, and a new optional field",
        {**taking({"id": "string"}), "strict": True},
        {**OPTIONAL, "strict": True},
        "minor",
    ),
    # output
    Versions(
        "output field added",
        giving({"ok": "boolean"}),
        giving({"ok": "boolean", "why": "string"}),
        "minor",
    ),
    Versions(
        "optional output field added",
        giving({"ok": "boolean"}),
        giving({"ok": "boolean", "why?": "string"}),
        "minor",
    ),
    Versions(
        "output field removed",
        giving({"ok": "boolean", "why": "string"}),
        giving({"ok": "boolean"}),
        "major",
    ),
    Versions(
        "output field optional now", giving({"why": "string"}), giving({"why?": "string"}), "major"
    ),
    Versions(
        "output field always there now",
        giving({"why?": "string"}),
        giving({"why": "string"}),
        "minor",
    ),
    Versions("output type widened", giving({"n": "integer"}), giving({"n": "number"}), "major"),
    Versions("output type narrowed", giving({"n": "number"}), giving({"n": "integer"}), "minor"),
    Versions("output enum widened", giving({"r": "enum[a]"}), giving({"r": "enum[a, b]"}), "major"),
    Versions(
        "output enum narrowed", giving({"r": "enum[a, b]"}), giving({"r": "enum[a]"}), "minor"
    ),
    Versions("output nullable now", giving({"why": "string"}), giving({"why": "string?"}), "major"),
    Versions(
        "output never null now", giving({"why": "string?"}), giving({"why": "string"}), "minor"
    ),
    Versions(
        "union gains an arm",
        gives({"anyOf": [{"type": "string"}]}),
        gives({"anyOf": [{"type": "string"}, {"type": "integer"}]}),
        "major",
    ),
    Versions(
        "union loses an arm",
        gives({"anyOf": [{"type": "string"}, {"type": "integer"}]}),
        gives({"anyOf": [{"type": "string"}]}),
        "minor",
    ),
    Versions(
        "recursive output widened",
        gives(endless({"type": "integer"})),
        gives(endless({"type": "number"})),
        "major",
    ),
    # errors
    Versions("new error", {}, failing({"late": {"by": "int"}}), "major"),
    Versions("error gone", failing({"late": {"by": "int"}}), {}, "minor"),
    Versions(
        "error carries more",
        failing({"late": {"by": "int"}}),
        failing({"late": {"by": "int", "at": "date"}}),
        "minor",
    ),
    Versions(
        "error carries less", failing({"late": {"by": "int"}}), failing({"late": {}}), "major"
    ),
    # both sides, and what cannot be decided
    Versions(
        "the larger bump counts",
        {**taking({"id": "string"}), **giving({"ok": "boolean"})},
        {**taking({"id": "string?"}), **giving({"ok": "boolean?"})},
        "major",
    ),
    Versions(
        "a proof that is not found",
        gives({"type": "string", "pattern": "^(a|b)*$"}),
        gives({"type": "string", "pattern": "^[ab]*$"}),
        "major",
    ),
)


SAFETY: Final[tuple[SafetyVersions, ...]] = (
    SafetyVersions("the same", tool("keyed", "a:write"), tool("keyed", "a:write"), "none"),
    SafetyVersions("new tool that reads", {}, tool("readonly", "a:read"), "minor"),
    SafetyVersions("new tool that writes", {}, tool("idempotent", "a:write"), "major"),
    SafetyVersions("tool gone", tool("keyed"), {}, "minor"),
    SafetyVersions("effect weaker", tool("keyed"), tool("at_most_once"), "major"),
    SafetyVersions("effect begins", tool("readonly"), tool("keyed"), "major"),
    SafetyVersions("effect stronger", tool("at_most_once"), tool("keyed"), "minor"),
    SafetyVersions("unknown effect", tool("keyed"), tool("perhaps"), "major"),
    SafetyVersions(
        "scope added", tool("keyed", "a:write"), tool("keyed", "a:write", "b:read"), "major"
    ),
    SafetyVersions("scope widened", tool("keyed", "a:read"), tool("keyed", "a:*"), "major"),
    SafetyVersions("scope tightened", tool("keyed", "a:*"), tool("keyed", "a:read"), "minor"),
    SafetyVersions(
        "scope dropped", tool("keyed", "a:read", "b:read"), tool("keyed", "a:read"), "minor"
    ),
)
