"""A call that was cut off after it was sent is made again, or left to a person: never forgotten."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from fishplate import Agent, App, agent, parallel, tool, wait_for, workflow
from fishplate.core.errors import FishplateError, NeedsAttention
from fishplate.core.run_context import Principal
from fishplate.journal.journal import MOST_BYTES, PayloadTooLargeError
from fishplate.journal.lock import DrivingLock

SENT: list[str] = []
WAY = {"is": "pay"}
KILL: dict[str, Callable[[], None]] = {}
EVENTS: dict[str, asyncio.Event] = {}


def _cut_off_here() -> None:
    """What the store holds at this moment is what the next life finds."""
    if (copy := KILL.pop("copy", None)) is not None:
        copy()


@tool(effect="at_most_once", scopes=["payments:write"])
async def pay(amount: int) -> str:
    """Pay, by a service that takes no keys."""
    SENT.append(f"pay {amount}")
    await asyncio.to_thread(_cut_off_here)
    return "paid"


@tool(effect="at_most_once", scopes=["payments:write"])
async def pay_elsewhere(amount: int) -> str:
    """Pay by another service."""
    SENT.append(f"pay_elsewhere {amount}")
    return "paid elsewhere"


@agent
async def look(amount: int) -> int:
    """Look at an amount."""
    return amount


@agent(tools=[pay, pay_elsewhere], agents=[look])
async def body(amount: int) -> str:
    """Pay in the way that the world asks for, which nobody recorded."""
    found = await look(amount)
    match WAY["is"]:
        case "elsewhere":
            return await pay_elsewhere(found)
        case "nothing":
            return "nothing"
        case "more":
            return await pay(found + 1)
        case "failure":
            raise LookupError
        case _:
            return await pay(found)


async def _cut_off(folder: Path, unit: Agent[..., Any], *arguments: object) -> str:
    """Start a run; URL of the store as it was when the run said that it is cut off."""
    live, left = folder / "live.db", folder / "left.db"

    def copy() -> None:
        with closing(sqlite3.connect(live)) as source, closing(sqlite3.connect(left)) as target:
            source.backup(target)

    SENT.clear()
    KILL["copy"] = copy
    WAY["is"] = "pay"
    async with App(unit, store=f"sqlite:///{live}") as app:
        await app.start(unit, *arguments).result()
    assert left.exists()
    SENT.clear()
    return f"sqlite:///{left}"


def _effects(url: str) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as store:
        return store.execute("SELECT tool, state FROM effect ORDER BY tool").fetchall()


async def _resumed(url: str, *agents: Agent[..., Any]) -> object:
    async with App(*agents, store=url) as app:
        [run] = app.resumed
        try:
            return await run.result()
        except FishplateError as error:
            return error


@pytest.mark.parametrize("way", ["elsewhere", "nothing", "more", "failure", "pay"])
async def test_a_body_may_not_pass_by_what_it_had_sent(tmp_path: Path, way: str) -> None:
    """Whatever a resumed body does instead, nothing else is sent, and a person is asked."""
    url = await _cut_off(tmp_path, body, 5)
    WAY["is"] = way
    found = await _resumed(url, body)

    assert isinstance(found, NeedsAttention)
    assert found.code == ("unknown_outcome" if way == "pay" else "diverged")
    assert SENT == []
    assert await asyncio.to_thread(_effects, url) == [("pay", "unknown")]


@tool(name="pay", effect="idempotent", scopes=["payments:write"])
async def pay_again(amount: int) -> str:
    """The same tool, which says by now that it may be repeated."""
    SENT.append(f"pay {amount}")
    return "paid"


@tool(name="pay", effect="readonly")
async def pay_harmlessly(amount: int) -> str:
    """The same tool, which says by now that it changes nothing."""
    SENT.append(f"pay {amount}")
    return "paid"


@workflow(name="flow", tools=[pay])
async def flow(amount: int) -> str:
    """Pay."""
    return await pay(amount)


@workflow(name="flow", tools=[pay_again])
async def flow_again(amount: int) -> str:
    """Pay."""
    return await pay_again(amount)


@workflow(name="flow", tools=[pay_harmlessly])
async def flow_harmlessly(amount: int) -> str:
    """Pay."""
    return await pay_harmlessly(amount)


@pytest.mark.parametrize("now", [flow_again, flow_harmlessly])
async def test_what_was_sent_keeps_to_the_word_under_which_it_was(
    tmp_path: Path, now: Agent[..., Any]
) -> None:
    """That a tool is harmless by now does not make what was sent before harmless."""
    url = await _cut_off(tmp_path, flow, 5)
    found = await _resumed(url, now)

    assert isinstance(found, NeedsAttention)
    assert SENT == []
    assert await asyncio.to_thread(_effects, url) == [("pay", "unknown")]


@tool(effect="keyed", key_ttl=3600, scopes=["payments:write"])
async def slow_refund(amount: int) -> str:
    """Refund, and answer late the first time."""
    SENT.append(f"refund {amount}")
    EVENTS["sent"].set()
    if len(SENT) == 1:
        await asyncio.get_running_loop().create_future()
    return "refunded"


@tool(effect="at_most_once", scopes=["mail:write"])
async def lose_mail(amount: int) -> str:
    """Write a letter, and lose the answer."""
    await EVENTS["sent"].wait()
    raise ConnectionResetError(amount)


@workflow(tools=[slow_refund, lose_mail])
async def both(amount: int) -> str:
    """Refund and write."""
    refunded, _ = await parallel(slow_refund(amount), lose_mail(amount))
    return refunded


async def test_a_doubt_about_one_call_makes_no_doubt_about_its_neighbour(tmp_path: Path) -> None:
    """A keyed call that is cut off beside it stays open, to be made again under its key."""
    SENT.clear()
    EVENTS["sent"] = asyncio.Event()
    url = f"sqlite:///{tmp_path}/runs.db"
    async with App(both, store=url) as app:
        with pytest.raises(NeedsAttention):
            await app.start(both, 5).result()

    assert await asyncio.to_thread(_effects, url) == [
        ("lose_mail", "unknown"),
        ("slow_refund", "dispatched"),
    ]


def test_a_fork_does_not_hold_the_lock_of_its_parent(tmp_path: Path) -> None:
    """A store is free when its owner is gone, though a process that it forked lives on."""
    lock = DrivingLock(tmp_path / "runs.db")
    ready, says_ready = os.pipe()
    ends, says_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(says_end)
        os.write(says_ready, b".")
        os.read(ends, 1)  # until the parent closes its end
        os._exit(0)
    os.read(ready, 1)
    lock.release()
    DrivingLock(tmp_path / "runs.db").release()
    os.close(says_end)
    os.waitpid(child, 0)


class Word(BaseModel):
    """What somebody says."""

    text: str


@workflow
async def looking(text: str) -> Word:
    """Wait for a word."""
    return await wait_for("word", Word)


async def test_inputs_and_signals_have_the_limit_of_outputs(tmp_path: Path) -> None:
    """What is larger than a store keeps of one document is refused, and nothing is written."""
    url = f"sqlite:///{tmp_path}/runs.db"
    large = "x" * (MOST_BYTES + 1)
    async with App(looking, store=url) as app:
        with pytest.raises(PayloadTooLargeError, match="the input of 'looking'"):
            await app.start(looking, large).result()
        run = app.start(looking, "small")
        assert await run.ended_or_waiting() == "waiting"
        with pytest.raises(PayloadTooLargeError, match="the signal 'word'"):
            await app.signal(run.id, "word", Word(text=large), principal=Principal(name="ann"))
        await app.signal(run.id, "word", Word(text="small"), principal=Principal(name="ann"))
        assert await run.result() == Word(text="small")
