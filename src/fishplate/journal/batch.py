"""What is written together: the items of a batch, and the one function that commits them.

Rows of one table go into SQLite by statements of many rows. The module lets other threads run at
every statement, and beside a busy event loop each return from there waits for its turn.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from typing_extensions import override

from fishplate.core.errors import FishplateError

Values: TypeAlias = tuple[str | int | bytes | None, ...]
Synchronous: TypeAlias = Literal["FULL", "NORMAL"]

WIDTHS: Final = (256, 128, 64, 32, 16, 8, 4, 2, 1)
"""Rows in a statement: few widths, so that SQLite's compiled statements are found again, and such
that every number of rows takes few statements."""


class Table:
    """A table that rows are added to.

    Args:
        name: In the store.
        columns: Those that a row has values for, in order.
        on_conflict: `ABORT`, or `IGNORE` where an equal row may stand there already.
    """

    def __init__(
        self,
        name: str,
        columns: tuple[str, ...],
        on_conflict: Literal["ABORT", "IGNORE"] = "ABORT",
    ) -> None:
        self.name = name
        # All of it is our own text: no value of anybody else gets into a statement.
        head = f"INSERT OR {on_conflict} INTO {name} ({', '.join(columns)}) VALUES "  # noqa: S608
        one = f"({', '.join('?' * len(columns))})"
        self._statements = {width: head + ", ".join([one] * width) for width in WIDTHS}

    def write(self, connection: sqlite3.Connection, rows: Sequence[Values]) -> None:
        """Write rows, inside the caller's transaction."""
        start = 0
        for width, statement in self._statements.items():
            while len(rows) - start >= width:
                chunk = rows[start : start + width]
                connection.execute(statement, [value for row in chunk for value in row])
                start += width


class Overwriting(Table):
    """Columns of a table whose values are replaced; written after the rows that are added.

    Args:
        name: In the store.
        columns: The key, which has to be there, then those that get new values.
    """

    def __init__(self, name: str, columns: tuple[str, ...]) -> None:
        self.name = name
        key, *others = columns
        one = f"({', '.join('?' * len(columns))})"
        # As above, all of it is our own text.
        assigned = ", ".join(f"{column} = new.{column}" for column in others)
        self._statements = {
            width: f"WITH new ({', '.join(columns)}) AS (VALUES {', '.join([one] * width)}) "  # noqa: S608
            f"UPDATE {name} SET {assigned} FROM new WHERE {name}.{key} = new.{key}"
            for width in WIDTHS
        }

    @override
    def write(self, connection: sqlite3.Connection, rows: Sequence[Values]) -> None:
        """Overwrite what stands under the rows' keys; the last one of a key counts."""
        super().write(connection, list({row[0]: row for row in rows}.values()))


class Owner:
    """Whose rows they are: hears when they are lost.

    Attributes:
        failure: Why rows of it were not kept; `None` while all were.
    """

    __slots__ = ("failure",)

    def __init__(self) -> None:
        self.failure: FishplateError | None = None


class Row(NamedTuple):
    """A row to add; nobody waits for it by itself."""

    owner: Owner
    table: Table
    values: Values


class Change(NamedTuple):
    """Something to read and write in one piece.

    Attributes:
        owner: Hears if the batch fails.
        apply: Run inside the transaction, on the writer's thread. What it raises as a
            `FishplateError` undoes this change alone.
        is_precious: Survives a loss of power even where the rest of the journal may not.
    """

    owner: Owner
    apply: Callable[[sqlite3.Connection], object]
    is_precious: bool = False


Item: TypeAlias = Row | Change
Outcome: TypeAlias = object
"""What a change gave, or the `FishplateError` that it raised."""


def commit(
    connection: sqlite3.Connection, items: Iterable[Item], synchronous: Synchronous
) -> list[Outcome]:
    """Write a batch in one transaction: its rows, then its changes in order.

    Args:
        connection: Outside of a transaction.
        items: What is written.
        synchronous: `FULL` if the batch has to survive a loss of power.

    Returns:
        What each change gave, in order.

    Raises:
        sqlite3.Error: Nothing of the batch was written.
    """
    rows: dict[Table, list[Values]] = {}
    changes: list[Change] = []
    for item in items:
        if isinstance(item, Row):
            rows.setdefault(item.table, []).append(item.values)
        else:
            changes.append(item)
    level = "FULL" if any(change.is_precious for change in changes) else synchronous
    connection.execute(f"PRAGMA synchronous = {level}")  # refused inside a transaction
    connection.execute("BEGIN IMMEDIATE")
    try:
        for table, found in sorted(rows.items(), key=_is_overwriting):
            table.write(connection, found)
        outcomes = [_applied(connection, change) for change in changes]
        connection.execute("COMMIT")
    except BaseException:
        # SQLite itself may have rolled back by then, e.g. when its disk is full.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return outcomes


def _is_overwriting(found: tuple[Table, list[Values]]) -> bool:
    return isinstance(found[0], Overwriting)


def _applied(connection: sqlite3.Connection, change: Change) -> Outcome:
    connection.execute("SAVEPOINT change")
    try:
        found: Any = change.apply(connection)
    except FishplateError as error:
        connection.execute("ROLLBACK TO change")
        connection.execute("RELEASE change")
        return error
    connection.execute("RELEASE change")
    return found
