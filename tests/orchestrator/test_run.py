"""A run: its states, its ids, its input, on whose behalf it acts."""

import asyncio
import random
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import BaseModel

from fishplate import (
    App,
    DeclaredError,
    ErrorClass,
    InputError,
    Principal,
    Run,
    StepError,
    UsageError,
    agent,
    current,
)
from fishplate.testing import FakeClock
from tests.engines.running import in_app

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


class Query(BaseModel):
    """A question."""

    text: str


class NotFound(DeclaredError):  # noqa: N818 -- an outcome
    """Nothing there."""

    text: str


@agent(version="1.2.0")
async def echo(query: Query) -> str:
    """Say it again."""
    return query.text


@agent(errors=[NotFound])
async def find(text: str) -> str:
    """Find nothing."""
    raise NotFound(text=text)


@agent
async def nap(text: str) -> str:
    """Take a minute."""
    await asyncio.sleep(60)
    return text


@agent
async def stale(text: str) -> str:
    """An old answer."""
    current().degrade("old", source="cache")
    return text


def test_a_run_says_how_it_ended() -> None:
    """In one state, with its result or its failure, its release and its trace."""

    async def scenario(app: App) -> list[Any]:
        good = app.start(echo, Query(text="x"))
        states: list[Any] = [good.state, good.degraded]
        old = app.start(stale, "x")
        bad = app.start(find, "x")
        states += [await run.ended() for run in (good, old, bad)]
        with pytest.raises(NotFound):
            await bad.result()
        assert (await good.result(), await good.result()) == ("x", "x")
        assert good.release.startswith("1.2.0+fp.")
        assert good.trace_id == f"{app.spans(good)[0].trace_id:032x}"
        assert repr(old) == f"<run {old.id} of 'stale': degraded>"
        return [*states, [reason.source for reason in old.degraded], bad.degraded]

    assert in_app(scenario) == [
        "running",
        (),
        "succeeded",
        "degraded",
        "failed",
        ["cache"],
        (),
    ]


async def test_the_ids_of_runs_are_ordered_by_time() -> None:
    """Text order is the order in which they began, whenever somebody asks for them."""
    clock = FakeClock(NOON)
    async with App(clock=clock) as app:
        runs: list[Run[str]] = []
        while len(runs) < 5:
            runs.append(app.start(echo, Query(text="x")))
            clock.advance(0.001)
        ids = [run.id for run in reversed(runs)]
        for run in runs:
            await run.result()

    assert ids == sorted(ids, reverse=True)
    assert len(set(ids)) == 5
    assert all(len(found) == 26 for found in ids)


async def test_the_same_randomness_makes_the_same_run() -> None:
    """Ids, draws and keys of two apps with one seed are equal, call by call."""

    async def draws() -> list[str]:
        app = App(clock=FakeClock(NOON), randomness=random.Random(7))
        async with app:
            run = app.start(draw, "x")
            return [*(await run.result()), run.id, run.trace_id]

    first, second = await draws(), await draws()

    assert first == second
    assert len(set(first)) == len(first)


@agent
async def draw(text: str) -> list[str]:
    """What a call may know and draw."""
    me = current()
    return [str(me.uuid()), str(me.random.random()), me.idempotency_key, me.path, str(me.now())]


async def test_a_run_acts_on_somebodys_behalf() -> None:
    """Every call of it knows who, and keys of tenants cannot meet."""
    ann = Principal(name="ann", roles=frozenset({"lead"}), tenant="shop")
    async with App() as app:
        found = await app.start(who, "x", principal=ann).result()
        by_json = await app.start_json(who, {"text": "x"}, principal=ann).result()

    assert found == by_json == "ann of shop"
    assert await who("x") == "anonymous of default"


@agent
async def name_it(text: str) -> str:
    """Say on whose behalf it runs."""
    return f"{current().principal.name} of {current().principal.tenant}"


@agent(agents=[name_it])
async def who(text: str) -> str:
    """Ask a child."""
    return await name_it(text)


async def test_an_input_from_outside_is_judged_by_the_contract() -> None:
    """The error names the place in the document; no run is started."""
    async with App() as app:
        with pytest.raises(InputError) as refusal:
            app.start_json(echo, {"text": 5})
        with pytest.raises(InputError):
            app.start(echo, {"text": 5})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] -- what is refused
        assert await app.start_json(echo, {"text": "x"}).result() == "x"

    assert (refusal.value.pointer, refusal.value.error_class) == ("/text", ErrorClass.CONTRACT_IN)
    assert len(app.traces.spans()) == 1


async def test_current_is_there_in_a_call_and_nowhere_else() -> None:
    """Neither before, nor between, nor after."""
    async with App():
        await stale("x")
        with pytest.raises(UsageError) as refusal:
            current()

    assert refusal.value.code == "no_call"


def test_waiting_for_a_run_is_not_running_it() -> None:
    """Cancelling the wait leaves the run alone."""

    async def scenario(app: App) -> str:
        run = app.start(nap, "a")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await run.result()
        return await run.result()

    assert in_app(scenario) == "a"


def test_a_cancelled_runs_result_is_a_typed_failure() -> None:
    """Whoever waits for the result is not cancelled by it."""

    async def scenario(app: App) -> StepError:
        run = app.start(nap, "a")
        run.cancel()
        with pytest.raises(StepError) as failure:
            await run.result()
        assert run.state == "cancelled"
        return failure.value

    failure = in_app(scenario)

    assert (failure.code, failure.error_class) == ("run_cancelled", ErrorClass.CANCELLED)


def test_a_cancellation_that_comes_too_late_changes_nothing() -> None:
    """A run that has ended stays as it ended."""

    async def scenario(app: App) -> list[str]:
        states: list[str] = []
        run = app.start(nap, "x")
        states.append(run.state)
        await run.result()
        run.cancel()
        states.append(await run.ended())
        return states

    assert in_app(scenario) == ["running", "succeeded"]
