"""A second opinion: another validator, written by other people."""

import re
from datetime import datetime
from typing import Final, Protocol, cast

from jsonschema import Draft202012Validator, FormatChecker

from fishplate.core.errors import JsonValue

_FORMATS: Final = FormatChecker()
_DATE_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")


class _Judge(Protocol):
    def is_valid(self, instance: JsonValue) -> bool: ...


@_FORMATS.checks("date-time", raises=ValueError)
def _is_date_time(value: object) -> bool:
    """Check a date with a time and an offset; the validator leaves that to another package."""
    if not isinstance(value, str):
        return True
    return bool(_DATE_TIME.fullmatch(value) and datetime.fromisoformat(value))


def accepts(document: dict[str, JsonValue] | bool, value: JsonValue) -> bool:
    """Whether the value is valid, with formats checked."""
    # The package leaves some of its own parameters without a type.
    judge = cast("_Judge", Draft202012Validator(document, format_checker=_FORMATS))
    return judge.is_valid(value)
