"""The audit: who decided what, in a chain that shows when a row was changed or taken out."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from typing import Final, NamedTuple

from fishplate.contracts.json import canonical_json
from fishplate.core.errors import JsonValue

FIRST_SEAL: Final = "0" * 64


class AuditRow(NamedTuple):
    """One decision.

    Attributes:
        n: Its number, from 1, without gaps.
        at_ms: Wall clock, milliseconds since 1970.
        principal: Who decided.
        action: What, e.g. `confirm_done`.
        subject: About what, e.g. the key of an effect.
        details: What else belongs to it.
        seal: SHA-256 over all of it and the seal of the row before, as hex.
    """

    n: int
    at_ms: int
    principal: str
    action: str
    subject: str
    details: Mapping[str, JsonValue]
    seal: str


def append_audit(  # noqa: PLR0913 -- the columns of a row
    connection: sqlite3.Connection,
    *,
    at_ms: int,
    principal: str,
    action: str,
    subject: str,
    details: Mapping[str, JsonValue],
) -> AuditRow:
    """Add a row to the chain, inside the caller's transaction."""
    last = connection.execute("SELECT n, seal FROM audit ORDER BY n DESC LIMIT 1").fetchone()
    number, before = (0, FIRST_SEAL) if last is None else last
    row = AuditRow(number + 1, at_ms, principal, action, subject, dict(details), "")
    row = row._replace(seal=_seal(row, before))
    connection.execute(
        "INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            row.n,
            row.at_ms,
            row.principal,
            row.action,
            row.subject,
            canonical_json(dict(row.details)),
            row.seal,
        ),
    )
    return row


def audit_rows(connection: sqlite3.Connection, subject: str | None = None) -> list[AuditRow]:
    """The rows about a subject, or all of them, oldest first."""
    found = connection.execute(
        "SELECT * FROM audit WHERE ? IS NULL OR subject = ? ORDER BY n", (subject, subject)
    )
    return [
        AuditRow(n, at_ms, principal, action, about, json.loads(details), seal)
        for n, at_ms, principal, action, about, details, seal in found
    ]


def first_broken(rows: list[AuditRow]) -> int | None:
    """The number of the first row that does not continue the chain; `None` if all of them do.

    Args:
        rows: All rows, oldest first. A chain that lost its last rows looks whole: keep the last
            seal elsewhere to notice that.
    """
    before = FIRST_SEAL
    for expected, row in enumerate(rows, start=1):
        if row.n != expected or row.seal != _seal(row, before):
            return expected
        before = row.seal
    return None


def _seal(row: AuditRow, before: str) -> str:
    facts: list[JsonValue] = [
        before,
        row.n,
        row.at_ms,
        row.principal,
        row.action,
        row.subject,
        dict(row.details),
    ]
    return hashlib.sha256(canonical_json(facts)).hexdigest()
