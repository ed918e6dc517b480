"""Asking something of a store: by way of whoever drives it, or, if nobody does, at once."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from fishplate.core.errors import ErrorClass, FishplateError, JsonValue
from fishplate.journal.inbox import Request, answer, answer_of, check, pending, put
from fishplate.journal.lock import DrivingLock, StoreLockedError
from fishplate.journal.store import open_reader, open_store, told

PATIENCE: Final = 10.0
"""Seconds for which an answer is waited for."""
_PAUSE: Final = 0.05


class NotAnsweredError(FishplateError):
    """A request stands in the inbox, and who drives the store has not answered it so far."""

    code = "not_answered"
    error_class = ErrorClass.OVERLOAD


def send(
    path: Path,
    request: Request,
    *,
    now_ms: Callable[[], int],
    pause: Callable[[float], None],
    patience: float = PATIENCE,
) -> Mapping[str, JsonValue]:
    """Have a request done, and say what was done.

    Args:
        path: Of the store's file, which has to be there.
        request: What is asked for.
        now_ms: Wall clock, milliseconds since 1970.
        pause: Waits for so many seconds.
        patience: Seconds for which an answer is waited for.

    Raises:
        FishplateError: The request does not fit the store as it is; nothing was changed.
        NotAnsweredError: No answer came in time; the request stays, and is done as soon as
            somebody drives the store who listens.
        StoreError: The file is no store, damaged, or of another version.
        StoreUnavailableError: There is no such file, or it cannot be written to.
    """
    with told(path):
        with _closing(open_reader(path)) as reader:
            check(reader, request, now_ms())
        with _closing(open_store(path)) as store:
            with _transaction(store):
                number = put(store, request, now_ms())
            for _ in range(round(patience / _PAUSE)):
                found = answer_of(store, number)
                if found is None and _driven_alone(store, path, now_ms):
                    found = answer_of(store, number)
                if found is not None:
                    return found
                pause(_PAUSE)
    msg = (
        f"{request.action!r} stands in the inbox of {str(path)!r} as number {number}, and the "
        f"process that drives the store has not answered for {patience:g} seconds: it does it "
        "later, or the next one that opens the store"
    )
    raise NotAnsweredError(msg)


def _driven_alone(store: sqlite3.Connection, path: Path, now_ms: Callable[[], int]) -> bool:
    """Answer everything in the inbox, if no process drives the store."""
    try:
        lock = DrivingLock(path)
    except StoreLockedError as refused:
        if refused.code != StoreLockedError.code:
            raise
        return False
    try:
        for message in pending(store):
            with _transaction(store):
                answer(store, message, now_ms())
    finally:
        lock.release()
    return True


@contextmanager
def _transaction(store: sqlite3.Connection) -> Generator[None]:
    store.execute("PRAGMA synchronous = FULL")  # refused inside a transaction
    store.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if store.in_transaction:
            store.execute("ROLLBACK")
        raise
    store.execute("COMMIT")


@contextmanager
def _closing(connection: sqlite3.Connection) -> Generator[sqlite3.Connection]:
    try:
        yield connection
    finally:
        connection.close()
