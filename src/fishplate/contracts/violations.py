"""What a broken rule is called: the validator's findings in short, plain words.

A message never repeats more of a value than helps to find it: a value may be large or private.
"""

import math
import re
from collections.abc import Sequence
from typing import Final, cast

from jsonschema_rs import ValidationError
from jsonschema_rs import ValidationErrorKind as Kind

from fishplate.contracts.json import canonical_json, to_pointer
from fishplate.core.errors import JsonError, JsonValue, Violation

_LONGEST_MESSAGE: Final = 200
_LONGEST_VALUE: Final = 60
_MOST_OPTIONS: Final = 8
_NOT_LINEAR: Final = (
    (
        re.compile(r"(?<!\\)\(\?<?[=!]"),
        "it looks around; write out what may stand there, or check it in the body",
    ),
    (
        re.compile(r"(?<!\\)\\(?:[1-9]|k<)"),
        "it refers back to a group; write the text out, or check it in the body",
    ),
    (re.compile(r"(?<!\\)\(\?>"), "it has an atomic group; write (?:...) instead"),
)
_REPETITION: Final = re.compile(r"\{(\d{1,9}),?(\d{0,9})\}")
# Below it the engine has room for the largest classes of characters too, in general.
_MOST_REPEATS: Final = 1000
_TYPE_WORDS: Final = {
    "array": "an array",
    "boolean": "a boolean",
    "integer": "an integer",
    "number": "a number",
    "object": "an object",
    "string": "a string",
}


def explain(error: ValidationError) -> Violation:
    """The violation that one finding of the validator stands for.

    A value that fits no arm of a union is judged by the arm that it was evidently meant for, if
    there is one: the rule that this arm found broken is worth more than "fits none of them".
    """
    if isinstance(error.kind, Kind.AnyOf | Kind.OneOfNotValid):
        arms = error.kind.context
        meant = [arm for arm in arms if arm and not _is_elsewhere(arm, len(error.instance_path))]
        if len(meant) == 1:
            return explain(meant[0][0])
    return Violation(
        pointer=to_pointer(error.instance_path),
        message=_cut(_message(error), _LONGEST_MESSAGE),
        keyword=error.kind.name,
    )


def unreadable(value: JsonValue, error: ValueError) -> Violation:
    """The violation of a value that cannot be judged at all."""
    if isinstance(error, UnicodeEncodeError):
        message = "text holds a lone surrogate, which is no Unicode text"
    elif "Recursion limit" in str(error):
        message = "value is nested too deeply"
    else:
        message = f"{type(value).__name__} is no JSON, or holds what is no JSON"
    return Violation(pointer="", message=message)


def shown(value: object) -> str:
    """A value as JSON, cut to 60 characters."""
    try:
        # Whatever is no JSON value is found out by the writer.
        text = canonical_json(cast("JsonValue", value)).decode("utf-8")
    except JsonError:
        text = f"a {type(value).__name__} that is no JSON"
    return _cut(text, _LONGEST_VALUE)


def _is_elsewhere(arm: Sequence[ValidationError], depth: int) -> bool:
    """Whether an arm failed on what tells arms apart: the type, or a tag of the value itself."""
    return any(
        (len(error.instance_path) == depth and isinstance(error.kind, Kind.Type))
        or (
            len(error.instance_path) <= depth + 1
            and isinstance(error.kind, Kind.Constant | Kind.Enum)
        )
        for error in arm
    )


def _message(error: ValidationError) -> str:  # noqa: C901, PLR0911, PLR0912 -- a table of words
    value = error.instance
    match error.kind:
        case Kind.Type(types):
            wanted = [_TYPE_WORDS.get(name, name) for name in types]
            return f"{shown(value)} is {_type_of(value)}, not {_options(wanted)}"
        case Kind.Required(name):
            return f"{name!r} is missing"
        case Kind.AdditionalProperties(names) | Kind.UnevaluatedProperties(names):
            return f"{_names(names)} not declared"
        case Kind.FalseSchema():
            return f"{shown(value)} may not stand here"
        case Kind.Enum(options):
            return f"{shown(value)} is none of {_values(options)}"
        case Kind.Constant(expected):
            return f"{shown(value)} is not {shown(expected)}"
        case Kind.Minimum(limit):
            return f"{shown(value)} is below {limit}"
        case Kind.ExclusiveMinimum(limit):
            return f"{shown(value)} is not above {limit}"
        case Kind.Maximum(limit):
            return f"{shown(value)} is above {limit}"
        case Kind.ExclusiveMaximum(limit):
            return f"{shown(value)} is not below {limit}"
        case Kind.MultipleOf(step):
            return f"{shown(value)} is no multiple of {step}"
        case Kind.MinLength(limit):
            return f"{shown(value)} has fewer than {limit} characters"
        case Kind.MaxLength(limit):
            return f"{shown(value)} has more than {limit} characters"
        case Kind.Pattern(pattern):
            return f"{shown(value)} does not match {pattern!r}"
        case Kind.Format("regex"):
            reason = _why_no_regex(str(value))
            return f"{shown(value)} is no regex that can be used: {reason}"
        case Kind.Format(word):
            return f"{shown(value)} is no {word}"
        case Kind.MinItems(limit):
            return f"array has fewer than {limit} items"
        case Kind.MaxItems(limit):
            return f"array has more than {limit} items"
        case Kind.UniqueItems():
            return "array holds the same item twice"
        case Kind.UnevaluatedItems(positions):
            return f"array holds items that are not declared, at {_options(positions)}"
        case Kind.MinProperties(limit):
            return f"object has fewer than {limit} properties"
        case Kind.MaxProperties(limit):
            return f"object has more than {limit} properties"
        case Kind.PropertyNames(inner):
            return f"a name in the object breaks its rule: {_message(inner)}"
        case Kind.AnyOf(arms) | Kind.OneOfNotValid(arms):
            return f"{shown(value)} fits none of the {len(arms)} alternatives"
        case Kind.OneOfMultipleValid():
            return f"{shown(value)} fits several alternatives, where exactly one is asked for"
        case Kind.Referencing(reason):
            return f"a reference leads nowhere: {reason}"
        case _:
            return f"{shown(value)} breaks the rule {error.kind.name!r}"


def _why_no_regex(pattern: str) -> str:
    """Why a pattern is refused that runs in linear time or not at all, and what to write instead.

    Args:
        pattern: One that the engine has refused; the reason is read off its text.
    """
    for sign, reason in _NOT_LINEAR:
        if sign.search(pattern):
            return reason
    counts = [int(most or least) for least, most in _REPETITION.findall(pattern)]
    if math.prod(counts) > _MOST_REPEATS:
        return "its repetitions are too large; bound the length by minLength and maxLength"
    return "it is malformed; look for brackets that are not closed"


def _type_of(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case str():
            return "a string"
        case dict():
            return "an object"
        case list() | tuple():
            return "an array"
        case _:
            return "a number"


def _options(words: Sequence[str | int]) -> str:
    return " or ".join(str(word) for word in words[:_MOST_OPTIONS])


def _names(names: Sequence[str]) -> str:
    listed = ", ".join(repr(name) for name in names[:_MOST_OPTIONS])
    return f"{listed} is" if len(names) == 1 else f"{listed} are"


def _values(options: Sequence[object]) -> str:
    more = ", ..." if len(options) > _MOST_OPTIONS else ""
    return ", ".join(shown(option) for option in options[:_MOST_OPTIONS]) + more


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."
