"""A slow or broken dependency stays its own problem, shown from outside: through an `App` alone."""

import asyncio
import random
from typing import Any

import pytest

from fishplate import (
    App,
    Breaker,
    Bulkhead,
    Degraded,
    FishplateError,
    Policy,
    RateLimit,
    Retry,
    Run,
    Stale,
    Static,
    agent,
    current,
    graded,
    tool,
    workflow,
)
from fishplate.testing import VirtualClock, run_in_virtual_time


def now() -> float:
    """Virtual seconds."""
    return asyncio.get_running_loop().time()


async def outcome(run: Run[Any]) -> object:
    """What a run gives, or the code of its failure."""
    try:
        return await run.result()
    except FishplateError as failure:
        return failure.code


@pytest.mark.parametrize("seed", range(3))
def test_an_outage_is_not_amplified_and_ends_soon_after_it(seed: int) -> None:
    """Down for 60 of 100 s under default policies: at most 1.25 requests a call, and answers again.

    Of 10 calls a second, 99 % succeed from 35 s after recovery on at the latest.
    """
    requests = 0
    answered: dict[int, bool] = {}

    @tool(effect="readonly", target="dependency", policy=Policy())
    async def ask(number: int) -> int:
        nonlocal requests
        requests += 1
        await asyncio.sleep(0.05)
        if now() < 60:
            raise ConnectionResetError
        return number

    async def main() -> None:
        async with App(ask, clock=VirtualClock(), randomness=random.Random(seed)) as app:

            async def one(number: int) -> None:
                await asyncio.sleep(number / 10)
                answered[number] = await outcome(app.start(ask, number)) == number

            await asyncio.gather(*map(one, range(1_000)))

    run_in_virtual_time(main())

    late = [answered[number] for number in range(950, 1_000)]
    assert requests <= 1.25 * 1_000
    assert sum(late) >= 0.99 * len(late)


def test_a_deadline_shrinks_on_the_way_down() -> None:
    """Whoever is called has no more time than what is left of every call around it."""

    @agent
    async def leaf(seen: list[float]) -> list[float]:
        return [*seen, current().deadline]

    @agent(agents=[leaf], policy=Policy(timeout=5))
    async def inner(seen: list[float]) -> list[float]:
        seen = [*seen, current().deadline]
        await asyncio.sleep(1)
        return await leaf(seen)

    @agent(agents=[inner], policy=Policy(timeout=20))
    async def outer(seen: list[float]) -> list[float]:
        seen = [*seen, current().deadline]
        await asyncio.sleep(16)
        return await inner(seen)

    async def main() -> list[float]:
        async with App(outer, clock=VirtualClock()):
            return await outer([])

    assert run_in_virtual_time(main()) == pytest.approx([20, 4, 3])


def test_a_call_that_hangs_leaves_time_to_its_fallback() -> None:
    """A reserve is kept of the time around it, a tenth or what is declared."""

    @agent
    async def hang(_: str) -> float:
        await asyncio.sleep(1_000)
        return 0

    @agent
    async def left(_: str) -> float:
        return current().deadline

    @workflow(policy=Policy(timeout=10))
    async def usual(text: str) -> float:
        return await hang.or_else(left)(text)

    @workflow(policy=Policy(timeout=10))
    async def declared(text: str) -> float:
        return await hang.using(Policy(reserve=3)).or_else(left)(text)

    async def main() -> list[float]:
        async with App(usual, declared, clock=VirtualClock()):
            return [await usual("x"), await declared("x")]

    assert run_in_virtual_time(main()) == pytest.approx([1, 3])


def test_one_probe_at_a_time_closes_a_breaker() -> None:
    """Of many calls one probes; its cancellation counts as nothing, and one that waits probes."""
    is_up, running, most = False, 0, 0

    @tool(effect="readonly", policy=Policy(retry="off", breaker=Breaker(consecutive=2, jitter=0)))
    async def ask(number: int) -> int:
        nonlocal running, most
        if not is_up:
            raise ConnectionResetError
        running += 1
        most = max(most, running)
        try:
            await asyncio.sleep(1)
        finally:
            running -= 1
        return number

    async def main() -> list[object]:
        nonlocal is_up
        async with App(ask, clock=VirtualClock()) as app:
            told = [await outcome(app.start(ask, number)) for number in range(3)]
            await asyncio.sleep(15.1)
            is_up = True
            runs = [app.start(ask, number) for number in range(5)]
            await asyncio.sleep(0.5)
            runs[0].cancel()
            told.append([await outcome(run) for run in runs])
            told += [await outcome(app.start(ask, 7)), await outcome(app.start(ask, 8))]
            assert most == 1
            told.append(await asyncio.gather(*(outcome(app.start(ask, 9)) for _ in range(3))))
            return told

    assert run_in_virtual_time(main()) == [
        "connection",
        "connection",
        "breaker_open",
        ["run_cancelled", 1, *["breaker_open"] * 3],
        7,
        8,
        [9, 9, 9],
    ]


def test_a_bulkhead_and_a_rate_limit_hold_calls_back() -> None:
    """One runs, one waits, the next is rejected; the third of two a minute waits half a minute."""
    narrow = Policy(retry="off", bulkhead=Bulkhead(1, queued=1, wait=2))
    rare = Policy(timeout=60, retry=Retry(max_wait=31), rate_limit=RateLimit(requests_per_minute=2))

    @tool(effect="readonly", policy=narrow)
    async def scan(number: int) -> int:
        await asyncio.sleep(1.5)
        return number

    @tool(effect="readonly", policy=rare)
    async def locate(number: int) -> float:
        return now()

    async def main() -> tuple[list[object], list[float]]:
        async with App(scan, locate, clock=VirtualClock()) as app:
            began = now()
            times = [await locate(number) - began for number in range(3)]
            return await asyncio.gather(*(outcome(app.start(scan, n)) for n in range(3))), times

    scanned, times = run_in_virtual_time(main())
    assert scanned == [0, 1, "bulkhead_full"]
    assert times == pytest.approx([0, 0, 30])


def test_a_chain_answers_and_every_answer_says_what_it_is() -> None:
    """The last answer with its age, else another agent, else a fixed one; never as a good one."""
    is_up = True

    @agent
    async def carrier(parcel: str) -> str:
        if not is_up:
            raise ConnectionResetError
        return "in Ontario"

    @agent
    async def guess(parcel: str) -> str:
        if parcel != "P2":
            raise ConnectionResetError
        return "on its way"

    @agent
    async def tell(known: Degraded[str]) -> str:
        why = ", ".join(f"{one.source} {one.age}" for one in known.reasons)
        return f"{known.value} [{why}]"

    @workflow
    async def where(parcel: str) -> str:
        asked = carrier.or_else(Stale(max_age=60, scope="parcels")).or_else(guess)
        return await tell(await graded(asked.or_else(Static("unknown"))(parcel)))

    async def main() -> list[tuple[str, str]]:
        nonlocal is_up
        told: list[tuple[str, str]] = []
        async with App(where, clock=VirtualClock()) as app:
            for parcel, pause in (("P1", 7), ("P1", 0), ("P2", 0), ("P3", 60), ("P1", 0)):
                run = app.start(where, parcel)
                told.append((await run.result(), run.state))
                await asyncio.sleep(pause)
                is_up = False
        return told

    assert run_in_virtual_time(main()) == [
        ("in Ontario []", "succeeded"),
        ("in Ontario [cache 7.0]", "degraded"),
        ("on its way [guess None]", "degraded"),
        ("unknown [static None]", "degraded"),
        ("unknown [static None]", "degraded"),
    ]
