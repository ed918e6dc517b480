"""What is written together: the items of a batch, and the one function that commits them.

Rows of one table go into SQLite by statements of many rows. The module lets other threads run at
every statement, and beside a busy event loop each return from there waits for its turn.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from typing_extensions import override

from fishplate.core.errors import FishplateError

Value: TypeAlias = str | int | bytes | bytearray | None
"""What every run writes is a `bytearray`: `sqlite3` takes that as it is, and looks for adapters of
`bytes` each time, which raises and drops an exception."""
Values: TypeAlias = tuple[Value, ...]
Synchronous: TypeAlias = Literal["FULL", "NORMAL", "OFF"]

ROWS: Final = (256, 128, 64, 32, 16, 8, 4, 2, 1)
"""Rows in a statement: few numbers, so that SQLite's compiled statements are found again, and such
that every number of rows takes few statements."""


class Table:
    """A table that rows are added to.

    Args:
        name: In the store.
        columns: Those that a row has values for, in order.
        on_conflict: `ABORT`, or `IGNORE` where an equal row may stand there already.
    """

    is_overwriting = False

    def __init__(
        self,
        name: str,
        columns: tuple[str, ...],
        on_conflict: Literal["ABORT", "IGNORE"] = "ABORT",
    ) -> None:
        self.name = name
        self.columns = columns
        self.width = len(columns)
        # All of it is our own text: no value of anybody else gets into a statement.
        head = f"INSERT OR {on_conflict} INTO {name} ({', '.join(columns)}) VALUES "  # noqa: S608
        one = f"({', '.join('?' * len(columns))})"
        self._statements = {rows: head + ", ".join([one] * rows) for rows in ROWS}

    def write(self, connection: sqlite3.Connection, values: list[Value]) -> None:
        """Write rows, inside the caller's transaction.

        Args:
            connection: Of the store.
            values: Of the rows, one row after the other.
        """
        start = 0
        for rows, statement in self._statements.items():
            taken = rows * self.width
            while len(values) - start >= taken:
                connection.execute(statement, values[start : start + taken])
                start += taken


class Overwriting(Table):
    """Columns of a table whose values are replaced; written after the rows that are added.

    Args:
        name: In the store.
        columns: The key, which has to be there, then those that get new values.
    """

    is_overwriting = True

    def __init__(self, name: str, columns: tuple[str, ...]) -> None:
        self.name = name
        self.columns = columns
        self.width = len(columns)
        key, *others = columns
        one = f"({', '.join('?' * len(columns))})"
        # As above, all of it is our own text.
        assigned = ", ".join(f"{column} = new.{column}" for column in others)
        self._statements = {
            rows: f"WITH new ({', '.join(columns)}) AS (VALUES {', '.join([one] * rows)}) "  # noqa: S608
            f"UPDATE {name} SET {assigned} FROM new WHERE {name}.{key} = new.{key}"
            for rows in ROWS
        }

    @override
    def write(self, connection: sqlite3.Connection, values: list[Value]) -> None:
        """Overwrite what stands under the rows' keys; the last one of a key counts."""
        by_key = {row[0]: row for row in zip(*[iter(values)] * self.width, strict=True)}
        if len(by_key) * self.width < len(values):
            values = [value for row in by_key.values() for value in row]
        super().write(connection, values)


class Owner:
    """Whose rows they are: hears when they are lost.

    Attributes:
        failure: Why rows of it were not kept; `None` while all were.
        rows: Those that are in no batch yet.
    """

    __slots__ = ("failure", "rows")

    def __init__(self) -> None:
        self.failure: FishplateError | None = None
        self.rows: list[tuple[Table, Values]] = []


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


class Batch:
    """What one transaction writes: rows of tables, then changes in order.

    Attributes:
        owners: Whose rows they are; the same one may stand there twice.
        values: Of the rows of each table, one row after the other.
        changes: In order.
    """

    __slots__ = ("changes", "owners", "values")

    def __init__(self) -> None:
        self.owners: list[Owner] = []
        self.values: dict[Table, list[Value]] = {}
        self.changes: list[Change] = []

    def take(self, owner: Owner) -> None:
        """Take over an owner's rows."""
        self.owners.append(owner)
        gathered = self.values
        for table, values in owner.rows:
            if table in gathered:
                gathered[table] += values
            else:
                gathered[table] = list(values)
        owner.rows = []

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write."""
        return not self.values and not self.changes


Outcome: TypeAlias = object
"""What a change gave, or the `FishplateError` that it raised."""


def commit(connection: sqlite3.Connection, batch: Batch, synchronous: Synchronous) -> list[Outcome]:
    """Write a batch in one transaction: its rows, then its changes in order.

    Args:
        connection: Outside of a transaction.
        batch: What is written.
        synchronous: `FULL` if the batch has to survive a loss of power, `OFF` if nothing has to,
            not even what is precious: a store of the test kit, whose processes crash and whose
            power does not fail.

    Returns:
        What each change gave, in order.

    Raises:
        sqlite3.Error: Nothing of the batch was written.
    """
    is_precious = synchronous == "NORMAL" and any(change.is_precious for change in batch.changes)
    level = "FULL" if is_precious else synchronous
    connection.execute(f"PRAGMA synchronous = {level}")  # refused inside a transaction
    connection.execute("BEGIN IMMEDIATE")
    try:
        for table in sorted(batch.values, key=_is_overwriting):
            table.write(connection, batch.values[table])
        outcomes = [_applied(connection, change) for change in batch.changes]
        connection.execute("COMMIT")
    except BaseException:
        # SQLite itself may have rolled back by then, e.g. when its disk is full.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return outcomes


def _is_overwriting(table: Table) -> bool:
    return table.is_overwriting


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
