"""Where a run may be cut: a copy of its store, and of the shop, after each thing that is written.

The writer's thread takes the copies, so that nothing is written meanwhile: they are what a process
would leave behind that is killed there.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from fishplate.journal import writer as journal_writer
from fishplate.journal.batch import Batch, Outcome, Overwriting, Synchronous, Table, Value

_STEPS = "SELECT count(*) FROM step"


class Cut(NamedTuple):
    """What a process leaves behind that is killed after something was written.

    Attributes:
        steps: How many steps are recorded.
        store: The store.
        shop: The shop's database.
    """

    steps: int
    store: bytes
    shop: bytes

    def leave_in(self, folder: Path) -> None:
        """Write the files `runs.db` and `shop.db` that are left behind."""
        (folder / "runs.db").write_bytes(self.store)
        (folder / "shop.db").write_bytes(self.shop)


class Cuts:
    """The cuts of the runs that are kept while the patch holds.

    Args:
        patch: Ends with the test.
        shop: File of the shop's database, of which copies are taken only if it is written to.
    """

    def __init__(self, patch: pytest.MonkeyPatch, shop: Path) -> None:
        self.found: list[Cut] = []
        self._shop = shop
        self._commit = journal_writer.commit
        patch.setattr(journal_writer, "commit", self._commit_each)

    def of_steps(self) -> list[Cut]:
        """The first cut after each recorded step."""
        return [
            cut
            for before, cut in zip(self.found, self.found[1:], strict=False)
            if cut.steps > before.steps
        ]

    def _commit_each(
        self, connection: sqlite3.Connection, batch: Batch, synchronous: Synchronous
    ) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for part in _parts(batch):
            outcomes += self._commit(connection, part, synchronous)
            store = connection.serialize()
            if not self.found or store != self.found[-1].store:
                (steps,) = connection.execute(_STEPS).fetchone()
                self.found.append(Cut(steps, store, self._shop_now()))
        return outcomes

    def _shop_now(self) -> bytes:
        with closing(sqlite3.connect(self._shop)) as shop:
            found = shop.serialize()
        last = self.found[-1].shop if self.found else b""
        return last if found == last else found  # one copy of what is equal


def _parts(batch: Batch) -> Iterator[Batch]:
    """A batch as several: each row and each change by itself, in the order of the whole."""
    for table, row in sorted(_rows(batch), key=_place):
        part = Batch()
        part.values[table] = row
        yield part
    for change in batch.changes:
        part = Batch()
        part.changes.append(change)
        yield part


def _rows(batch: Batch) -> Iterator[tuple[Table, list[Value]]]:
    for table, values in batch.values.items():
        for start in range(0, len(values), table.width):
            yield table, values[start : start + table.width]


def _place(found: tuple[Table, list[Value]]) -> tuple[bool, bool, Value]:
    """Rows of steps stand in two lists, by the columns that they fill; their numbers order them."""
    table, row = found
    is_step = table.name == "step"
    return isinstance(table, Overwriting), is_step, row[table.columns.index("n")] if is_step else 0
