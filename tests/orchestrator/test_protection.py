"""Policies act on calls, share the state of their target, and stand in traces."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from fishplate import (
    Agent,
    App,
    Breaker,
    Bulkhead,
    ErrorClass,
    Failure,
    FishplateError,
    Policy,
    Retry,
    UsageError,
    agent,
    tool,
    workflow,
)
from fishplate.testing import VirtualClock, run_in_virtual_time

NO_DELAY = Retry(base=0.001, cap=0.001)


class ParcelError(Exception):
    """What the library of a carrier might raise."""


class Carrier:
    """A dependency that fails its first calls, and counts them all."""

    def __init__(
        self, failures: int, error: Callable[[], Exception] = ConnectionResetError
    ) -> None:
        self.calls, self._failures, self._error = 0, failures, error

    async def ask(self, parcel: str) -> str:
        """Answer, or fail."""
        self.calls += 1
        if self.calls <= self._failures:
            raise self._error()
        return f"{parcel} is on its way"


def test_a_tool_that_only_reads_is_asked_again_by_default() -> None:
    """A lost connection of a `readonly` tool is tried again; three attempts in all."""
    carrier = Carrier(failures=2)
    track = tool(carrier.ask, name="track", effect="readonly")

    async def scenario() -> str:
        async with App() as app:
            return await app.start(track, "P1").result()

    assert run_in_virtual_time(scenario()) == "P1 is on its way"
    assert carrier.calls == 3


def test_a_tool_that_acts_once_is_never_asked_again() -> None:
    """After a lost answer an `at_most_once` tool is not repeated: it may have acted."""
    mail = Carrier(failures=1)
    send = tool(mail.ask, name="send", effect="at_most_once", policy=Policy(retry=NO_DELAY))

    async def scenario() -> None:
        async with App() as app:
            with pytest.raises(FishplateError):
                await app.start(send, "P1").result()

    run_in_virtual_time(scenario())

    assert mail.calls == 1


def test_an_agent_is_asked_again_only_if_it_says_so() -> None:
    """A plain agent has the run's deadline only; with `Policy(retry=)` it is tried again."""
    bare, patient = Carrier(failures=1), Carrier(failures=1)
    once = agent(bare.ask, name="once")
    twice = agent(patient.ask, name="twice", policy=Policy(retry=NO_DELAY))

    async def scenario() -> str:
        async with App() as app:
            with pytest.raises(FishplateError):
                await app.start(once, "P1").result()
            return await app.start(twice, "P1").result()

    assert run_in_virtual_time(scenario()) == "P1 is on its way"
    assert (bare.calls, patient.calls) == (1, 2)


def test_an_exception_is_classified_by_the_declared_map() -> None:
    """What a library raises is retried if the agent says that its type is transient, else a bug."""
    known, unknown = Carrier(1, ParcelError), Carrier(1, ParcelError)
    mapped = agent(
        known.ask,
        name="mapped",
        policy=Policy(retry=NO_DELAY),
        error_classes={ParcelError: ErrorClass.TRANSIENT},
    )
    unmapped = agent(unknown.ask, name="unmapped", policy=Policy(retry=NO_DELAY))

    async def scenario() -> FishplateError:
        async with App() as app:
            assert await app.start(mapped, "P1").result() == "P1 is on its way"
            with pytest.raises(FishplateError) as failure:
                await app.start(unmapped, "P1").result()
            return failure.value

    failure = run_in_virtual_time(scenario())

    assert (failure.code, failure.error_class) == ("bug", ErrorClass.BUG)
    assert (known.calls, unknown.calls) == (2, 1)


def test_tools_of_one_target_share_its_breaker() -> None:
    """Five failures of one tool open the breaker for the other; a fallback then answers at once."""
    down = Carrier(failures=100)
    policy = Policy(retry="off", breaker=Breaker())
    track = tool(down.ask, name="track", effect="readonly", target="carrier", policy=policy)
    price = tool(down.ask, name="price", effect="readonly", target="carrier", policy=policy)

    @agent
    async def guess(parcel: str) -> str:
        return f"{parcel} should arrive"

    @workflow(tools=[price])
    async def quote(parcel: str) -> str:
        return await price.or_else(guess)(parcel)

    async def scenario() -> tuple[str, str]:
        async with App(quote) as app:
            for _ in range(5):
                with pytest.raises(FishplateError):
                    await app.start(track, "P1").result()
            run = app.start(quote, "P1")
            await run.ended()
            return await run.result(), run.degraded[0].reason

    assert run_in_virtual_time(scenario()) == ("P1 should arrive", "breaker_open")
    assert down.calls == 5


def test_a_breaker_closes_by_itself() -> None:
    """After its open time a probe is let through, and two successes close the breaker."""
    carrier = Carrier(failures=5)
    policy = Policy(retry="off", breaker=Breaker())
    track = tool(carrier.ask, name="track", effect="readonly", policy=policy)

    async def scenario() -> list[str]:
        seen: list[str] = []
        async with App(clock=VirtualClock()) as app:
            for pause in (0, 0, 0, 0, 0, 1, 40, 0):
                await asyncio.sleep(pause)
                try:
                    seen.append(await app.start(track, "P1").result())
                except FishplateError as error:
                    seen.append(error.code)
        return seen

    seen = run_in_virtual_time(scenario())

    assert seen[5:] == ["breaker_open", "P1 is on its way", "P1 is on its way"]


def test_a_bulkhead_bounds_the_calls_at_a_time() -> None:
    """No more calls run than the bulkhead has places, and what finds its queue full is refused."""
    running, most = 0, 0

    @tool(
        effect="readonly",
        policy=Policy(retry="off", bulkhead=Bulkhead(2, queued=1, wait=10), timeout=60),
    )
    async def slow(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(1)
        running -= 1
        return number

    async def scenario() -> list[str]:
        async with App() as app:
            runs = [app.start(slow, number) for number in range(6)]
            return [await run.ended() for run in runs]

    states = run_in_virtual_time(scenario())

    assert most == 2
    assert states.count("succeeded") >= 3


def test_every_attempt_stands_in_the_trace() -> None:
    """A retry is a decision below the call, with the class, the delay and the attempt."""
    carrier = Carrier(failures=1)
    track = tool(carrier.ask, name="track", effect="readonly")

    async def scenario() -> list[dict[str, Any]]:
        async with App() as app:
            run = app.start(track, "P1")
            await run.result()
            return [
                dict(span.attributes or {}) for span in app.spans(run) if span.kind == "decision"
            ]

    facts = run_in_virtual_time(scenario())

    assert [found["event"] for found in facts] == [
        "attempt.ended",
        "retry.scheduled",
        "attempt.ended",
    ]
    assert all(found["target"] == "tool/track" for found in facts)


def test_a_failure_that_says_when_to_come_back_is_waited_for() -> None:
    """A `retry_after` of the dependency is a minimum for the delay."""
    carrier = Carrier(1, lambda: Failure("busy", error_class=ErrorClass.OVERLOAD, retry_after=3.0))
    track = tool(carrier.ask, name="track", effect="readonly", policy=Policy(timeout=60))

    async def scenario() -> float:
        async with App() as app:
            started = asyncio.get_running_loop().time()
            await app.start(track, "P1").result()
            return asyncio.get_running_loop().time() - started

    assert run_in_virtual_time(scenario()) >= 3


def test_two_policies_for_one_target_are_refused() -> None:
    """Tools that share a target cannot declare two breakers for it."""
    carrier = Carrier(failures=0)
    one = tool(
        carrier.ask, name="one", effect="readonly", target="t", policy=Policy(breaker=Breaker())
    )
    other = tool(
        carrier.ask,
        name="other",
        effect="readonly",
        target="t",
        policy=Policy(breaker=Breaker(consecutive=9)),
    )

    async def scenario() -> str:
        async with App() as app:
            await app.start(one, "P1").result()
            with pytest.raises(UsageError) as refused:
                await app.start(other, "P1").result()
            return refused.value.code

    assert run_in_virtual_time(scenario()) == "conflicting_policies"


def charging(log: list[str]) -> Agent[[str], str]:
    """An agent that charges and then loses its connection."""

    @tool(effect="idempotent")
    async def charge(order: str) -> str:
        log.append(order)
        return order

    @agent(tools=[charge], policy=Policy(retry=NO_DELAY))
    async def settle(order: str) -> str:
        await charge(order)
        raise ConnectionResetError

    return settle


def test_a_body_is_not_repeated_after_an_effect() -> None:
    """An agent with a retry policy is tried again only while nothing that it called has acted."""
    charged: list[str] = []
    settle = charging(charged)

    async def scenario() -> None:
        async with App() as app:
            with pytest.raises(FishplateError):
                await app.start(settle, "W1").result()

    run_in_virtual_time(scenario())

    assert charged == ["W1"]


def test_a_fallback_does_not_answer_after_an_effect() -> None:
    """What fails after it has changed something fails with `partial_effect`."""
    charged: list[str] = []
    settle = charging(charged)

    @agent
    async def pretend(order: str) -> str:
        return order

    @workflow
    async def checkout(order: str) -> str:
        return await settle.or_else(pretend)(order)

    async def scenario() -> FishplateError:
        async with App(checkout) as app:
            with pytest.raises(FishplateError) as failure:
                await app.start(checkout, "W1").result()
            return failure.value

    failure = run_in_virtual_time(scenario())

    assert failure.code == "partial_effect"
    assert "'pretend' does not answer" in failure.message
    assert charged == ["W1"]
