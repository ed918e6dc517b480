"""Opening a store of runs: one SQLite file, see `core.sqlite_file`."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final, Literal, TypeAlias

from fishplate.core.sqlite_file import (
    Layout,
    StoreError,
    StoreUnavailableError,
    open_database,
    open_database_reader,
    store_failure,
    store_path,
    told,
)
from fishplate.journal.layout import APPLICATION_ID, MIGRATIONS

__all__ = [
    "Durability",
    "StoreError",
    "StoreUnavailableError",
    "open_reader",
    "open_store",
    "store_failure",
    "store_path",
    "told",
]

Durability: TypeAlias = Literal["full", "normal"]

_LAYOUT: Final = Layout(application_id=APPLICATION_ID, migrations=MIGRATIONS)


def open_store(path: Path) -> sqlite3.Connection:
    """Open a store to write to it; see `open_database`."""
    return open_database(path, _LAYOUT)


def open_reader(path: Path) -> sqlite3.Connection:
    """Open a store to read it, beside whoever drives it; see `open_database_reader`."""
    return open_database_reader(path, _LAYOUT)
