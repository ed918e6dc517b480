"""The id of a run as a person writes it: whole, or its first characters, in any case."""

import sqlite3
from typing import Final

from fishplate.core.errors import UsageError

LEAST: Final = 6
"""Characters that stand for an id; fewer say no more than the month in which it began."""
_MOST_NAMED: Final = 5


def whole_id(connection: sqlite3.Connection, written: str) -> str:
    """The id of the one run of a store that begins so; what was written, if there is none.

    Args:
        connection: Of a store of runs or of traces.
        written: An id, or the first characters of one.

    Raises:
        UsageError: Several begin so (code `ambiguous_run`).
    """
    first = written.lower()
    if len(first) < LEAST or not first.isalnum():
        return written
    rows = connection.execute(
        "SELECT id FROM run WHERE id >= ? AND id < ? ORDER BY id DESC LIMIT ?",
        (first, first + "~", _MOST_NAMED + 1),
    )
    found = [str(run_id) for (run_id,) in rows]
    if first in found or len(found) == 1:
        return first if first in found else found[0]
    if not found:
        return written
    more = ", ..." if len(found) > _MOST_NAMED else ""
    message = (
        f"which run? Several begin with {written!r}: {', '.join(found[:_MOST_NAMED])}{more}. "
        "Write more of its id"
    )
    raise UsageError(message, code="ambiguous_run")
