"""A store that an earlier version has written is opened, and its runs go on."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from fishplate.core.run_context import Principal
from fishplate.journal.layout import MIGRATIONS
from tests.journal.stores.cast import CALLS, opened

STORES = Path(__file__).parent / "stores"
LEAD = Principal(name="ann", roles=frozenset({"lead"}))


def test_every_version_has_a_store() -> None:
    """Each version of the tables that there has been has a file, so that none is forgotten."""
    versions = range(1, len(MIGRATIONS) + 1)
    assert [f"version_{version}.db" for version in versions] == sorted(
        found.name for found in STORES.glob("*.db")
    )


@pytest.mark.parametrize("name", sorted(found.name for found in STORES.glob("*.db")))
async def test_runs_of_an_earlier_version_go_on(tmp_path: Path, name: str) -> None:
    """What was open ends, what waits can be answered, and what is in doubt is still on the list."""
    path = tmp_path / "runs.db"
    await asyncio.to_thread(shutil.copy, STORES / name, path)
    CALLS.clear()
    async with opened(path, gate_is_open=True, hours_later=1) as app:
        [left] = app.resumed
        assert await left.result() == "#W4 found, packed"
        [wait] = await app.waits()
        await app.approve(wait.run, wait.key, principal=LEAD)
        assert await (await app.run(wait.run)).result() == "#W3 found, refunded"
    found = await asyncio.to_thread(_runs, path)

    assert CALLS == ["pack #W4 found", "refund #W3 found"], "what is recorded is not done again"
    assert sorted(found) == [
        ("charge", "needs_attention", "unknown_outcome"),
        ("give_back", "succeeded", None),
        ("ship", "succeeded", None),
        ("ship", "succeeded", None),
    ]


def _runs(path: Path) -> list[tuple[str, str, str | None]]:
    with closing(sqlite3.connect(path)) as store:
        assert store.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
        return store.execute("SELECT agent, state, attention FROM run").fetchall()
