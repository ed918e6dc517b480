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
from fishplate.releases.digest import digest

ATOMS: Final = (str, int, float, complex, bytes, Decimal, date, timedelta, UUID)
LONGEST: Final = 65_536
"""Characters of a table within another beyond which its digest stands for it."""
_PLAIN: Final = frozenset[type]({dict, list, set})


def is_made_to_be_written(value: object) -> bool:
    """Whether a table is of a kind that programs remember in, such as a default dict."""
    kind = type(value)
    return issubclass(kind, (dict, list, set)) and kind not in _PLAIN


def constant(value: object) -> JsonValue:
    """A value as JSON; `None` for what holds no data, such as a client or a lock.

    A table that stands in several places is read once, and what is longer than `LONGEST` within a
    list or another table is told by its digest: written out at every place, tables that refer to
    each other would double with every level.

    Args:
        value: Read now; a table within itself counts as nothing.
    """
    return _Reading().told(value)


class _Reading:
    """Reads one value and what is in it."""

    def __init__(self) -> None:
        # With the table itself, so that nothing else takes its id; `None` while it is being read.
        self._known: dict[int, tuple[object, JsonValue]] = {}

    def told(self, value: object) -> JsonValue:
        """A value as JSON."""
        if isinstance(value, enum.Enum):
            return [str(value), repr(cast("object", value.value))]
        if value is None or isinstance(value, (bool, *ATOMS)):
            return repr(value)
        if isinstance(value, re.Pattern):
            return [repr(cast("re.Pattern[str]", value).pattern), value.flags]
        if id(value) in self._known:
            return self._known[id(value)][1]
        self._known[id(value)] = value, None
        found = self._table(value)
        self._known[id(value)] = value, found
        return found

    def _table(self, value: object) -> JsonValue:
        if isinstance(value, (tuple, frozenset, list, set)):
            found = [repr(self._within(one)) for one in cast("Iterable[object]", value)]
            is_ordered = isinstance(value, (tuple, list))
            return list[JsonValue](found if is_ordered else sorted(found))
        if isinstance(value, (dict, MappingProxyType)):
            entries = list(cast("Mapping[object, object]", value).items())
            return {repr(self._within(key)): self._within(held) for key, held in entries}
        if isinstance(value, BaseModel):
            return {name: self._within(held) for name, held in list(value.__dict__.items())}
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            names = [field.name for field in dataclasses.fields(value)]
            return {name: self._within(getattr(value, name, None)) for name in names}
        return None

    def _within(self, value: object) -> JsonValue:
        return _short(self.told(value))


def _short(found: JsonValue) -> JsonValue:
    """What was read; its digest if it is too long to be written out wherever it stands."""
    is_table = isinstance(found, (dict, list))
    return digest(found) if is_table and len(repr(found)) > LONGEST else found
