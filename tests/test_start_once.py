"""Starting once: a start under a key that was used gives the run that was started under it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from fishplate import App, UsageError
from fishplate.core.run_context import Principal
from fishplate.journal.starts import StartConflictError
from tests.waiting_cast import CALLS, LEAD, Store, find, refund, result, waiting


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store of its own, and a list of calls."""
    CALLS.clear()
    return Store(tmp_path)


async def test_a_start_under_a_used_key_gives_the_same_run(store: Store) -> None:
    """However often and at once it is started, it runs once."""
    async with store.open(find) as app:
        starts = [app.start_once(find("#W1"), key="k") for _ in range(5)]
        async with asyncio.TaskGroup() as tasks:
            started = [tasks.create_task(start) for start in starts]
        runs = [one.result() for one in started]
        assert {run.id for run in runs} == {runs[0].id}
        assert [await result(run) for run in runs] == ["#W1"] * 5
    assert CALLS == ["find #W1"]


async def test_a_key_is_used_for_good(store: Store) -> None:
    """After a restart a start under the key gives the stored output; one that waits goes on."""
    async with store.open(find, refund) as app:
        ended = await app.start_once(find("#W1"), key="k")
        await result(ended)
        open_run = await app.start_once(refund("#W2"), key="k")
        await waiting(open_run)
    CALLS.clear()
    async with store.open(find, refund) as app:
        again = await app.start_once(find("#W1"), key="k")
        assert (again.id, again.state) == (ended.id, "succeeded")
        assert await result(again) == "#W1"
        assert CALLS == []
        waits = await app.start_once(refund("#W2"), key="k")
        assert (waits.id, waits.state) == (open_run.id, "waiting")
        await app.approve(waits.id, "approval", principal=LEAD)
        assert await result(waits) == "paid #W2"


async def test_a_key_with_another_input_is_refused(store: Store) -> None:
    """The same key is the same start: with another input it is a mistake of the caller."""
    async with store.open(find) as app:
        await result(await app.start_once(find("#W1"), key="k"))
        with pytest.raises(StartConflictError, match="another input") as conflict:
            await app.start_once(find("#W2"), key="k")
        assert conflict.value.code == "idempotency_conflict"
    assert store.rows("SELECT count(*) FROM run") == [(1,)]


async def test_a_key_belongs_to_a_principal_and_an_agent(store: Store) -> None:
    """Others may use the same key for starts of their own."""
    async with store.open(find, refund) as app:
        runs = [
            await app.start_once(find("#W1"), key="k"),
            await app.start_once(find("#W1"), key="other"),
            await app.start_once(refund("#W1"), key="k"),
            await app.start_once(find("#W2"), key="k", principal=Principal(name="ann")),
            await app.start_once(find("#W3"), key="k", principal=Principal(tenant="b")),
        ]
        assert len({run.id for run in runs}) == len(runs)


async def test_without_a_store_nothing_can_be_started_once() -> None:
    """A key would be forgotten with the process, so it is refused."""
    async with App(find) as app:
        with pytest.raises(UsageError, match="store") as refused:
            await app.start_once(find("#W1"), key="k")
    assert refused.value.code == "no_store"
