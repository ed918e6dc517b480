"""What usually helps when two schemas do not fit, by the rule that was broken."""

from typing import Final

from fishplate.contracts.violations import shown
from fishplate.core.errors import JsonValue, Violation

GENERAL_REPAIRS: Final = (
    "widen what the consumer takes",
    "narrow what the producer gives",
    "put an adapter step between them",
)
_LIMITS: Final = {
    "minimum": "the range",
    "maximum": "the range",
    "exclusiveMinimum": "the range",
    "exclusiveMaximum": "the range",
    "multipleOf": "the step of the number",
    "minLength": "the length",
    "maxLength": "the length",
    "pattern": "the pattern",
    "format": "the format",
    "minItems": "the number of items",
    "maxItems": "the number of items",
    "uniqueItems": "that items are unique",
    "minProperties": "the number of properties",
    "maxProperties": "the number of properties",
    "propertyNames": "the names of properties",
}


def repairs_for(  # noqa: PLR0911 -- a table of advice
    violation: Violation, value: JsonValue
) -> tuple[str, ...]:
    """Advice, most fitting first.

    Args:
        violation: The rule of the consumer that was broken.
        value: The part of the counterexample that broke it.
    """
    place = repr(violation.pointer) if violation.pointer else "the value"
    match violation.keyword:
        case "required":
            return (
                "make the field required in what the producer gives",
                "make it optional, or give it a default, in what the consumer takes",
            )
        case "additionalProperties" | "unevaluatedProperties":
            return (
                "close the producer's object to properties that it does not declare",
                "let the consumer accept further properties",
            )
        case "enum" | "const":
            return (
                f"accept {shown(value)} at {place} in the consumer",
                f"take {shown(value)} out of what the producer may give",
            )
        case "type" if value is None:
            return (
                f"let the producer never give null at {place}",
                f"let the consumer accept null at {place}",
            )
        case "type":
            return (
                f"convert {place} in an adapter step",
                "declare the same type on both sides",
            )
        case "anyOf" | "oneOf":
            return (
                f"add an alternative for {shown(value)} to the consumer",
                "take the arm out of what the producer may give",
            )
        case word if word in _LIMITS:
            return (
                f"declare {_LIMITS[word]} of {place} on the producer as the consumer does",
                f"relax it in the consumer at {place}",
            )
        case _:
            return GENERAL_REPAIRS
