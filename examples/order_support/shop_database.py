"""Three SQLite tables, loaded from `data/` when the database is new.

A row is its JSON document, with one difference: money is whole cents, under a key that says so
(`price_cents`). What customers are found by are columns generated from the document, so they cannot
disagree with it.
"""

import json
import sqlite3
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import JsonValue

DATA = Path(__file__).parent / "data"
FORMAT = 1

Table: TypeAlias = Literal["orders", "users", "products"]

_KEY: dict[Table, str] = {"orders": "order_id", "users": "user_id", "products": "product_id"}
_SCHEMA = (
    "CREATE TABLE orders (order_id TEXT PRIMARY KEY, document TEXT NOT NULL)",
    """CREATE TABLE users (
        user_id TEXT PRIMARY KEY,
        document TEXT NOT NULL,
        email TEXT AS (lower(json_extract(document, '$.email'))),
        first_name TEXT AS (lower(json_extract(document, '$.name.first_name'))),
        last_name TEXT AS (lower(json_extract(document, '$.name.last_name'))),
        zip TEXT AS (json_extract(document, '$.address.zip'))
    )""",
    "CREATE TABLE products (product_id TEXT PRIMARY KEY, document TEXT NOT NULL)",
    "CREATE UNIQUE INDEX users_by_email ON users (email)",
    # Not unique: a customer who moves may share name and zip with another one.
    "CREATE INDEX users_by_name_and_zip ON users (last_name, first_name, zip)",
)
_CENTS = {
    key: f"{key}_cents" for key in ("price", "amount", "balance", "exchange_price_difference")
}
_AMOUNTS = {cents: amount for amount, cents in _CENTS.items()}


class ShopFormatError(Exception):
    """The file is no database of this shop, or one of another format."""


class ShopDatabase:
    """Rows of the shop, by key, inside transactions.

    Any thread may call; calls take turns, also between processes that share the file.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        # Protects the one connection: an in-memory database has no second one, and a transaction
        # belongs to the connection, not to the thread. Reentrant, as a change reads, then writes.
        self._lock = threading.RLock()

    @classmethod
    def open(cls, path: str) -> "ShopDatabase":
        """Open the file, or `:memory:`; create and fill the tables if there are none.

        Raises:
            ShopFormatError: The file holds something else.
        """
        connection = sqlite3.connect(path, timeout=5, check_same_thread=False, isolation_level=None)
        database = cls(connection)
        try:
            with database.change():
                _prepare(connection, path)
        except sqlite3.DatabaseError as error:
            database.close()
            if error.sqlite_errorname == "SQLITE_NOTADB":
                raise ShopFormatError(_not_ours(path, "no SQLite database")) from error
            raise
        except BaseException:
            database.close()
            raise
        return database

    def close(self) -> None:
        """Close the connection; what is in memory is gone."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def change(self) -> Generator[None]:
        """Commit everything that is put in the block, or nothing if it raises."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # SQLite may have rolled back by itself
                    self._connection.execute("ROLLBACK")
                raise

    def get(self, table: Table, key: str) -> JsonValue | None:
        """Read a row's document, amounts as numbers; None if there is no such row."""
        return self._document(f"SELECT document FROM {table} WHERE {_KEY[table]} = ?", key)  # noqa: S608 -- both are our own words

    def put(self, table: Table, key: str, document: JsonValue) -> None:
        """Replace a row that exists."""
        with self._lock:
            self._connection.execute(
                f"UPDATE {table} SET document = ? WHERE {_KEY[table]} = ?",  # noqa: S608 -- both are our own words
                (json.dumps(_in_cents(document)), key),
            )

    def user_id_by_email(self, email: str) -> str | None:
        """Find a customer; case does not matter."""
        return self._text("SELECT user_id FROM users WHERE email = ?", email.lower())

    def user_id_by_name_and_zip(self, first_name: str, last_name: str, zip_code: str) -> str | None:
        """Find a customer; the names' case does not matter. Of several, the first in the data."""
        return self._text(
            "SELECT user_id FROM users WHERE last_name = ? AND first_name = ? AND zip = ?"
            " ORDER BY rowid LIMIT 1",
            last_name.lower(),
            first_name.lower(),
            zip_code,
        )

    def variant(self, item_id: str) -> JsonValue | None:
        """Read a variant of whichever product has it."""
        return self._document(
            "SELECT variant.value FROM products, json_each(document, '$.variants') AS variant"
            " WHERE variant.key = ?",
            item_id,
        )

    def product_ids_by_name(self) -> dict[str, str]:
        """List all products, sorted by name."""
        with self._lock:
            rows: list[tuple[str, str]] = self._connection.execute(
                "SELECT json_extract(document, '$.name') AS name, product_id"
                " FROM products ORDER BY name"
            ).fetchall()
        return dict(rows)

    def _document(self, query: str, *values: str) -> JsonValue | None:
        text = self._text(query, *values)
        return None if text is None else _in_amounts(json.loads(text))

    def _text(self, query: str, *values: str) -> str | None:
        with self._lock:
            row: tuple[str] | None = self._connection.execute(query, values).fetchone()
        return None if row is None else row[0]


def _prepare(connection: sqlite3.Connection, path: str) -> None:
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    if found == FORMAT:
        return
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if found != 0 or tables != 0:
        raise ShopFormatError(_not_ours(path, f"format {found}, and this program reads {FORMAT}"))
    for statement in _SCHEMA:
        connection.execute(statement)
    for table, key in _KEY.items():
        rows: dict[str, JsonValue] = json.loads((DATA / f"{table}.json").read_text("utf-8"))
        connection.executemany(
            f"INSERT INTO {table} ({key}, document) VALUES (?, ?)",  # noqa: S608 -- both are our own words
            ((row_key, json.dumps(_in_cents(row))) for row_key, row in rows.items()),
        )
    connection.execute(f"PRAGMA user_version = {FORMAT}")


def _not_ours(path: str, found: str) -> str:
    return f"{path!r} is not a database of this shop: {found}. Name another file or remove it."


def _in_cents(value: JsonValue) -> JsonValue:
    """Turn every amount into whole cents, under a key that says so."""
    if isinstance(value, list):
        return [_in_cents(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    stored: dict[str, JsonValue] = {}
    for key, entry in value.items():
        # A product may name an option "price", too; its value is then a text.
        if key in _CENTS and isinstance(entry, float | int):
            stored[_CENTS[key]] = round(entry * 100)
        else:
            stored[key] = _in_cents(entry)
    return stored


def _in_amounts(value: JsonValue) -> JsonValue:
    """Turn whole cents back into amounts; the opposite of `_in_cents`."""
    if isinstance(value, list):
        return [_in_amounts(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    read: dict[str, JsonValue] = {}
    for key, entry in value.items():
        if key in _AMOUNTS and isinstance(entry, int):
            read[_AMOUNTS[key]] = entry / 100
        else:
            read[key] = _in_amounts(entry)
    return read
