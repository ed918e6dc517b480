"""Signals from whoever has the store and not the code: judged by what is kept of their run."""

from __future__ import annotations

import sqlite3
from typing import Any

from pydantic_core import from_json

from fishplate.contracts.json import canonical_json
from fishplate.contracts.schema import Schema
from fishplate.core.errors import InputError, JsonValue, UsageError, Violation
from fishplate.core.run_context import Principal
from fishplate.journal.waits import open_run, open_waits, receive


def check_signal(
    connection: sqlite3.Connection, run: str, name: str, value: JsonValue, by: Principal
) -> list[str]:
    """Judge a signal by what the agents of a run wait for; nothing is changed.

    Args:
        connection: Of the store.
        run: Id of the run.
        name: Of the signal.
        value: JSON that it carries.
        by: Who sends it.

    Returns:
        The fingerprints of the contracts that the value satisfies, at least one.

    Raises:
        UnknownRunError: There is no such run of the sender's tenant.
        NotWaitingError: It has ended.
        UsageError: No workflow in the run ever waits for a signal of that name, and no body does
            now (code `unknown_signal`).
        InputError: The value breaks every contract under that name.
    """
    open_run(connection, run, by)
    (document,) = connection.execute(
        "SELECT document.data FROM run JOIN document ON digest = units WHERE run.id = ?", (run,)
    ).fetchone()
    units: dict[str, Any] = from_json(document)
    kept = [schema for unit in units.values() for schema in unit.get("signals", {}).get(name, ())]
    # What bodies wait for is known as long as they do.
    kept += [
        from_json(wait.schema)
        for wait in open_waits(connection, run)
        if (wait.kind, wait.name) == ("signal", name)
    ]
    if not kept:
        msg = f"run {run!r} does not wait for the signal {name!r}: look at its wait_for(...)"
        raise UsageError(msg, code="unknown_signal")
    schemas = list({schema.fingerprint: schema for schema in map(Schema, kept)}.values())
    violations = list[Violation]()
    contracts = list[str]()
    for schema in schemas:
        if found := schema.violations(value):
            violations.extend(found)
        else:
            contracts.append(schema.fingerprint)
    if not contracts:
        raise InputError(f"the signal {name!r}", violations)
    return contracts


def send_signal(  # noqa: PLR0913 -- what a signal is
    connection: sqlite3.Connection,
    run: str,
    name: str,
    value: JsonValue,
    *,
    by: Principal,
    now_ms: int,
) -> bool:
    """Answer the oldest open wait for a signal, or keep it; whether the run goes on.

    Raises:
        FishplateError: See `check_signal`; nothing was changed.
    """
    contracts = check_signal(connection, run, name, value, by)
    answer = canonical_json({"value": value})
    return receive(connection, run, name, answer, contracts, by=by, now_ms=now_ms)
