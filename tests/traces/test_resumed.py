"""A run that several processes have worked on: what each told stands in one tree."""

import asyncio
import random
from collections import Counter
from pathlib import Path

from fishplate import App, ErrorClass, Failure, Policy, Principal, Retry, agent, approval, workflow
from fishplate.core.events import Span
from fishplate.traces.queries import RunFilter, list_traces
from fishplate.traces.store import open_trace_reader

CLERK = Principal(name="ada", roles=frozenset({"clerk"}))
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = 0x00F067AA0BA902B7


@agent
async def find(order_id: str) -> str:
    """A step."""
    return order_id


@agent(agents=[find])
async def pay(order_id: str) -> str:
    """Makes a call before somebody has to agree, and one after it."""
    found = await find(order_id)
    agreed = await approval(find(found), roles=["clerk"], within=60)
    return str(agreed)


@workflow
async def inner(order_id: str) -> str:
    """Waits two levels down."""
    return await pay(await find(order_id))


@workflow
async def outer(order_id: str) -> str:
    """A step, and a workflow that waits."""
    return await inner(await find(order_id))


def lives(store: str, traceparent: str | None = None) -> tuple[list[Span], list[Span]]:
    """What two processes have told of one run, in the second of which somebody agrees."""

    async def first() -> tuple[str, list[Span]]:
        async with App(outer, store=store) as app:
            run = app.start(outer, "W1", traceparent=traceparent)
            assert await run.ended_or_waiting() == "waiting"
            return run.id, list(app.spans(run))

    async def second(run_id: str) -> list[Span]:
        async with App(outer, store=store) as app:
            run = await app.run(run_id)
            (wait,) = await app.waits(run_id)
            await app.approve(run_id, wait.key, principal=CLERK)
            assert await run.result() == "W1"
            return list(app.spans(run))

    run_id, before = asyncio.run(first())
    return before, asyncio.run(second(run_id))


def test_what_ended_before_stands_below_what_ends_later(tmp_path: Path) -> None:
    """Every span has its parent, however deep the run was when it waited, and there is one root."""
    before, after = lives(f"sqlite:///{tmp_path}/runs.db")
    told = {one.span_id: one for one in [*before, *after]}
    parents = {
        one.path: told[one.parent_id].path for one in told.values() if one.parent_id is not None
    }

    assert [one.name for one in before] == ["find", "find", "find"]
    assert [one.name for one in told.values() if one.parent_id is None] == ["outer"]
    assert parents == {
        "find": "outer",
        "inner": "outer",
        "inner/find": "inner",
        "inner/pay": "inner",
        "inner/pay/0.find": "inner/pay",
        "inner/pay/1.approval": "inner/pay",
        "inner/pay/1.approval/find": "inner/pay",
    }


def test_a_run_began_when_its_first_process_began_it(tmp_path: Path) -> None:
    """Its own span begins with the run and not with the process that ends it."""
    before, after = lives(f"sqlite:///{tmp_path}/runs.db")
    (root,) = (one for one in after if one.parent_id is None)
    waited = next(one for one in after if one.name == "approval → approved")
    called = max(one.end_ns for one in after if one.parent_id is not None)

    assert before
    assert root.end_ns - root.start_ns >= waited.end_ns - waited.start_ns > 0
    assert root.start_ns < waited.start_ns + 1_000_000  # the clock of the store has milliseconds
    assert root.end_ns >= called


def test_a_row_tells_when_the_run_began_though_its_first_life_is_not_kept(tmp_path: Path) -> None:
    """How long it took is counted from its first process on, which has kept no traces."""
    store, traces = f"sqlite:///{tmp_path}/runs.db", f"sqlite:///{tmp_path}/traces.db"

    async def first() -> str:
        async with App(outer, store=store) as app:
            run = app.start(outer, "W1")
            assert await run.ended_or_waiting() == "waiting"
            return run.id

    async def second(run_id: str) -> Span:
        async with App(outer, store=store, traces=traces) as app:
            run = await app.run(run_id)
            (wait,) = await app.waits(run_id)
            await app.approve(run_id, wait.key, principal=CLERK)
            assert await run.result() == "W1"
            return app.spans(run)[-1]

    root = asyncio.run(second(asyncio.run(first())))
    (row,) = list_traces(open_trace_reader(traces), RunFilter())

    assert row.duration_ns == root.end_ns - root.start_ns


FAILED: list[asyncio.Event] = []


@agent(policy=Policy(retry=Retry(attempts=2, base=60, cap=60)))
async def slow_to_try(order_id: str) -> str:
    """Fails in its first life, and waits before it is tried again."""
    if FAILED:
        FAILED.pop().set()
        raise Failure("not yet", error_class=ErrorClass.TRANSIENT, code="not_yet")
    return order_id


@workflow
async def tried(order_id: str) -> str:
    """One step."""
    return await slow_to_try(order_id)


def test_what_an_attempt_has_told_stands_below_its_step(tmp_path: Path) -> None:
    """A step that ends in another process has the id under which the first told of attempts."""
    store = f"sqlite:///{tmp_path}/runs.db"

    async def first() -> tuple[str, list[Span]]:
        failed = asyncio.Event()
        FAILED.append(failed)
        async with App(tried, store=store, randomness=random.Random(1)) as app:
            run = app.start(tried, "W1")
            await failed.wait()
            await asyncio.sleep(0)
        return run.id, app.spans(run)

    async def second(run_id: str) -> list[Span]:
        async with App(tried, store=store) as app:
            run = await app.run(run_id)
            assert await run.result() == "W1"
            return app.spans(run)

    run_id, before = asyncio.run(first())
    (step,) = (one for one in asyncio.run(second(run_id)) if one.path == "slow_to_try")
    attempts = [one for one in before if one.name.startswith("retry")]

    assert attempts
    assert {one.parent_id for one in attempts} == {step.span_id}


def test_a_run_of_a_caller_stays_below_it(tmp_path: Path) -> None:
    """Two runs in one caller's trace have spans of their own."""
    traceparent = f"00-{TRACE}-{PARENT:016x}-01"
    one, _ = lives(f"sqlite:///{tmp_path}/one.db", traceparent)
    other, _ = lives(f"sqlite:///{tmp_path}/other.db", traceparent)

    assert not {span.parent_id for span in one} & {span.parent_id for span in other}


TRIES = Counter[str]()


@agent(agents=[find])
async def deep(order_id: str) -> str:
    """Calls another."""
    return await find(order_id)


@agent(agents=[deep], policy=Policy(retry=Retry(attempts=2, base=0.001)))
async def shaky(order_id: str) -> str:
    """Calls a body, and fails at the first try."""
    found = await deep(order_id)
    TRIES["shaky"] += 1
    if TRIES["shaky"] == 1:
        raise Failure("not yet", error_class=ErrorClass.TRANSIENT, code="not_yet")
    return found


async def test_each_try_has_spans_of_its_own(tmp_path: Path) -> None:
    """What a body calls anew, because it is tried again, is another span."""
    TRIES.clear()
    async with App(shaky, store=f"sqlite:///{tmp_path}/runs.db") as app:
        run = app.start(shaky, "W1")
        assert await run.result() == "W1"
        spans = app.spans(run)

    assert [one.name for one in spans].count("deep") == 2
    assert len({one.span_id for one in spans}) == len(spans)
