"""Values as JSON, for a fingerprint: texts, numbers, tables of them, and objects that hold data."""

from __future__ import annotations

import dataclasses
import enum
import re
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Final, cast
from uuid import UUID

from pydantic import BaseModel

from fishplate.core.errors import JsonValue

ATOMS: Final = (str, int, float, complex, bytes, Decimal, date, timedelta, UUID)
_PLAIN: Final = frozenset[type]({dict, list, set})


def is_made_to_be_written(value: object) -> bool:
    """Whether a table is of a kind that programs remember in, such as a default dict."""
    kind = type(value)
    return issubclass(kind, (dict, list, set)) and kind not in _PLAIN


def constant(value: object, above: tuple[int, ...] = ()) -> JsonValue:  # noqa: PLR0911 -- one per kind
    """A value as JSON; `None` for what holds no data, such as a client or a lock.

    Args:
        value: Read now.
        above: Ids of the tables that it stands in; a table within itself counts as nothing.
    """
    if isinstance(value, enum.Enum):
        return [str(value), repr(cast("object", value.value))]
    if value is None or isinstance(value, (bool, *ATOMS)):
        return repr(value)
    if isinstance(value, re.Pattern):
        return [repr(cast("re.Pattern[str]", value).pattern), value.flags]
    if id(value) in above:
        return None
    within = (*above, id(value))
    if isinstance(value, (tuple, frozenset, list, set)):
        found = [repr(constant(one, within)) for one in cast("Iterable[object]", value)]
        is_ordered = isinstance(value, (tuple, list))
        return list[JsonValue](found if is_ordered else sorted(found))
    if isinstance(value, (dict, MappingProxyType)):
        entries = list(cast("Mapping[object, object]", value).items())
        return {repr(constant(key, within)): constant(held, within) for key, held in entries}
    if isinstance(value, BaseModel):
        return {name: constant(held, within) for name, held in list(value.__dict__.items())}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value)]
        return {name: constant(getattr(value, name, None), within) for name in names}
    return None
