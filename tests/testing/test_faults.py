"""Faults: what they do to a call, which attempts they hit, and what is refused."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import pytest
from pydantic import BaseModel

from fishplate import (
    Agent,
    App,
    Breaker,
    ErrorClass,
    Failure,
    FishplateError,
    OutputError,
    Policy,
    Retry,
    StepError,
    UsageError,
    agent,
    each,
    tool,
    workflow,
)
from fishplate.testing import VirtualClock, run_in_virtual_time
from fishplate.testing.faults import (
    Error,
    Fault,
    Faults,
    Garbage,
    Hang,
    Latency,
    Partial,
    Schedule,
)

T = TypeVar("T")
QUICK_RETRY = Retry(attempts=3, base=0.001, cap=0.001)


class Parcel(BaseModel):
    """Where a parcel is."""

    parcel_id: str
    place: str


@agent
async def carrier(parcel_id: str) -> Parcel:
    """Say where a parcel is."""
    return Parcel(parcel_id=parcel_id, place="Ontario")


@agent
async def guess(parcel_id: str) -> Parcel:
    """Guess where a parcel is."""
    return Parcel(parcel_id=parcel_id, place="somewhere")


@agent(agents=[carrier])
async def asker(parcel_id: str) -> str:
    """Ask the carrier, in plain Python."""
    return (await carrier(parcel_id)).place


@workflow
async def tracking(parcel_id: str) -> Parcel:
    """Ask the carrier, as a step."""
    return await carrier(parcel_id)


@workflow
async def estimate(parcel_id: str) -> Parcel:
    """Ask the carrier, or guess."""
    return await carrier.or_else(guess)(parcel_id)


@workflow
async def trackings(parcel_ids: list[str]) -> list[Parcel]:
    """Ask the carrier about many parcels."""
    return await each(carrier, parcel_ids, concurrency=1)


def under(faults: Faults, scenario: Callable[[App], Awaitable[T]]) -> T:
    """Run a scenario in virtual time, in an app with faults."""

    async def main() -> T:
        async with App(clock=VirtualClock(), faults=faults) as app:
            return await scenario(app)

    return run_in_virtual_time(main())


def failing(faults: Faults, unit: Agent[..., Any], *arguments: object) -> FishplateError:
    """The failure of a call under faults."""

    async def scenario(_: App) -> FishplateError:
        with pytest.raises(FishplateError) as failure:
            await unit(*arguments)
        return failure.value

    return under(faults, scenario)


# What each kind does.


def test_an_error_has_its_class_and_says_that_it_was_injected() -> None:
    """Whoever sees the failure knows how it is treated, and that nobody has to look for it."""
    fault = Error(ErrorClass.RATE_LIMITED, retry_after=7)
    failure = failing(Faults({"carrier": [fault]}), carrier, "P1")

    assert isinstance(failure, Failure)
    assert failure.error_class is ErrorClass.RATE_LIMITED
    assert (failure.code, failure.retry_after) == ("injected", 7)
    assert failure.message == "an injected fault failed agent 'carrier' as 'rate_limited'"


@pytest.mark.parametrize("error_class", ErrorClass)
def test_every_error_class_can_be_injected(error_class: ErrorClass) -> None:
    """The set is closed, and all of it can be rehearsed."""
    failure = failing(Faults({"carrier": [Error(error_class, answer_lost=True)]}), carrier, "P1")

    assert failure.error_class is error_class


def test_latency_delays_by_virtual_time() -> None:
    """The call takes so much longer on the loop's clock, and none in a test."""

    async def scenario(_: App) -> tuple[str, float]:
        return (await carrier("P1")).place, asyncio.get_running_loop().time()

    assert under(Faults({"carrier": [Latency(90)]}), scenario) == ("Ontario", 90.0)


@pytest.mark.parametrize("answer_lost", [False, True])
def test_a_hang_is_ended_by_the_time_limit(answer_lost: bool) -> None:
    """It would last for ever; the policy of the call is what ends it."""
    impatient = carrier.using(Policy(timeout=5))
    failure = failing(Faults({"carrier": [Hang(answer_lost=answer_lost)]}), impatient, "P1")

    assert failure.code == "step_timeout"


def test_a_hang_is_ended_by_the_working_time_at_last() -> None:
    """Where no policy stands around a call, its run still ends."""
    failure = failing(Faults({"carrier": [Hang()]}), carrier, "P1")

    assert isinstance(failure, StepError)
    assert failure.code == "deadline"


async def anything(parcel_id: str) -> Any:
    """Say anything."""
    return parcel_id


async def text(parcel_id: str) -> str:
    """Say something."""
    return parcel_id


@pytest.mark.parametrize("unit", [carrier, agent(anything), agent(text)])
def test_garbage_breaks_the_contract(unit: Agent[[str], object]) -> None:
    """The output's check refuses it, also where nearly everything is an output."""
    failure = failing(Faults({unit.name: [Garbage()]}), unit, "P1")

    assert isinstance(failure, OutputError)
    assert failure.error_class is ErrorClass.CONTRACT_OUT


def test_a_partial_answer_breaks_the_contract_by_a_missing_field() -> None:
    """The refusal names the field, and so does the span."""

    async def scenario(app: App) -> tuple[str, object]:
        with pytest.raises(OutputError) as refusal:
            await carrier("P1")
        [span] = app.traces.spans()
        return refusal.value.message, dict(span.attributes or {})["injected"]

    message, told = under(Faults({"carrier": [Partial()]}), scenario)

    assert "parcel_id" in message
    assert told == ["partial:parcel_id"]


def test_delays_add_up_and_one_other_fault_follows() -> None:
    """Faults are tried in order; what is behind the first that is no delay does not act."""
    faults = Faults({"carrier": [Latency(1), Latency(2), Error(), Latency(4), Hang()]})

    async def scenario(_: App) -> float:
        with pytest.raises(Failure):
            await carrier("P1")
        return asyncio.get_running_loop().time()

    assert under(faults, scenario) == 3.0
    assert faults.injected == {("carrier", "latency"): 2, ("carrier", "error"): 1}


# Where they act.


@pytest.mark.parametrize("unit", [carrier, asker, tracking, estimate])
def test_a_fault_finds_the_call_wherever_it_is_made(unit: Agent[[str], object]) -> None:
    """On its own, in a body, as a step: the name decides, and not the place."""
    faults = Faults({"carrier": [Error(ErrorClass.PERMANENT)]})

    assert failing(faults, unit, "P1").code == "injected"
    assert faults.injected["carrier", "error"] == 1


def test_a_workflow_can_be_late_and_fail() -> None:
    """A workflow is an agent, and has faults of its own."""
    faults = Faults({"tracking": [Latency(2), Error()]})

    assert failing(faults, tracking, "P1").code == "injected"
    assert faults.injected == {("tracking", "latency"): 1, ("tracking", "error"): 1}


def test_a_thread_can_fail_before_it_begins() -> None:
    """A plain function with a slot in a pool gives the slot back, so that the next call runs."""

    @agent(pool="one")
    def plain(number: int) -> int:
        return number

    async def scenario(app: App) -> list[str]:
        return [await app.start(plain, 1).ended() for _ in range(3)]

    async def main() -> list[str]:
        faults = Faults({"plain": [Error(when=Schedule(first=2))]})
        async with App(pools={"one": 1}, faults=faults) as app:
            return await scenario(app)

    assert run_in_virtual_time(main()) == ["failed", "failed", "succeeded"]


def test_a_fallback_answers_for_an_injected_error() -> None:
    """What follows from a fault is what follows from a real failure."""

    async def scenario(app: App) -> tuple[str, str]:
        run = app.start(estimate, "P1")
        return (await run.result()).place, run.state

    faults = Faults({"carrier": [Error(ErrorClass.OVERLOAD)]})

    assert under(faults, scenario) == ("somewhere", "degraded")


def test_each_attempt_is_asked_anew() -> None:
    """A retry gets past a fault that hits the first two attempts, and the span tells of both."""
    faults = Faults({"carrier": [Error(when=Schedule(first=2))]})
    patient = carrier.using(Policy(retry=QUICK_RETRY))

    async def scenario(app: App) -> tuple[str, object]:
        run = app.start(patient, "P1")
        place = (await run.result()).place
        [span] = [span for span in app.spans(run) if span.name == "carrier"]
        return place, dict(span.attributes or {})["injected"]

    assert under(faults, scenario) == ("Ontario", ["error:transient", "error:transient"])
    assert faults.injected["carrier", "error"] == 2


def test_the_breaker_stands_around_the_faults() -> None:
    """It counts what was injected, and once it is open no attempt reaches a fault."""
    guarded = carrier.using(Policy(retry="off", breaker=Breaker(consecutive=2)))
    faults = Faults({"carrier": [Error(ErrorClass.OVERLOAD)]})

    async def scenario(_app: App) -> list[str]:
        codes: list[str] = []
        for _ in range(4):
            with pytest.raises(FishplateError) as failure:
                await guarded("P1")
            codes.append(failure.value.code)
        return codes

    assert under(faults, scenario) == ["injected", "injected", "breaker_open", "breaker_open"]
    assert faults.injected["carrier", "error"] == 2


class Till:
    """A tool that charges money, and counts how often it did."""

    def __init__(self) -> None:
        self.charges = 0

        async def charge(amount: int) -> int:
            self.charges += 1
            return amount

        self.charge = tool(effect="at_most_once", policy=Policy(retry=QUICK_RETRY))(charge)


def test_before_the_behaviour_nothing_was_sent() -> None:
    """A tool that is never repeated blindly is repeated: it certainly has not acted."""
    till = Till()
    faults = Faults({"charge": [Error(when=Schedule(first=1))]})

    async def scenario(_: App) -> int:
        return await till.charge(5)

    assert under(faults, scenario) == 5
    assert till.charges == 1


@pytest.mark.parametrize("error_class", [ErrorClass.TRANSIENT, ErrorClass.LOCAL_REJECTION])
def test_a_lost_answer_leaves_an_effect_behind(error_class: ErrorClass) -> None:
    """The tool has acted, so it is neither repeated nor answered by another one."""
    till = Till()
    charge = till.charge

    @agent
    async def spare(amount: int) -> int:
        return -amount

    @workflow(tools=[charge])
    async def paying(amount: int) -> int:
        return await charge.or_else(spare)(amount)

    failure = failing(Faults({"charge": [Error(error_class, answer_lost=True)]}), paying, 5)

    assert till.charges == 1
    assert failure.code == "partial_effect"


def test_a_hang_before_the_behaviour_lets_a_fallback_answer() -> None:
    """Nothing was sent; but a time limit cannot know that, so the tool is not repeated."""
    till = Till()
    charge = till.charge.using(Policy(retry=QUICK_RETRY, timeout=9, attempt_timeout=1))
    faults = Faults({"charge": [Hang()]})

    @agent
    async def spare(amount: int) -> int:
        return -amount

    @workflow(tools=[charge])
    async def paying(amount: int) -> int:
        return await charge.or_else(spare)(amount)

    async def scenario(_: App) -> int:
        return await paying(5)

    assert under(faults, scenario) == -5
    assert faults.injected["charge", "hang"] == 1


def test_an_answer_that_is_spoiled_was_given() -> None:
    """The tool has acted, whatever arrives."""
    till = Till()
    failure = failing(Faults({"charge": [Garbage()]}), till.charge, 5)

    assert till.charges == 1
    assert isinstance(failure, OutputError)


def test_a_behaviour_that_fails_by_itself_has_no_answer_to_spoil() -> None:
    """Its own failure is told, and no fault is."""

    @agent
    async def broken(number: int) -> int:
        raise Failure(str(number), error_class=ErrorClass.PERMANENT, code="own")

    faults = Faults({"broken": [Garbage()]})

    assert failing(faults, broken, 1).code == "own"
    assert faults.injected == {}


def test_an_answer_that_is_broken_by_itself_is_not_made_partial() -> None:
    """The contract refuses it as it is, and no fault is told."""

    @agent
    async def wrong(number: int) -> Parcel:
        return number  # pyright: ignore[reportReturnType] -- as asked

    faults = Faults({"wrong": [Partial()]})

    assert isinstance(failing(faults, wrong, 1), OutputError)
    assert faults.injected == {}


def test_inputs_are_compared_beside_faults() -> None:
    """`debug=True` still finds an agent that changes its input."""

    @agent
    async def changing(items: list[int]) -> int:
        items.append(1)
        return len(items)

    async def main() -> str:
        faults = Faults({"changing": [Latency(1)]})
        async with App(debug=True, clock=VirtualClock(), faults=faults):
            with pytest.raises(StepError) as failure:
                await changing([0])
        return failure.value.code

    assert run_in_virtual_time(main()) == "input_changed"


# Which attempts they hit.


@pytest.mark.parametrize(
    ("when", "hits"),
    [
        (Schedule(), [1, 2, 3, 4, 5, 6, 7, 8]),
        (Schedule(rate=0), []),
        (Schedule(first=3), [1, 2, 3]),
        (Schedule(after=5), [6, 7, 8]),
        (Schedule(after=2, first=3), [3, 4, 5]),
        (Schedule(every=3), [3, 6]),
        (Schedule(after=1, every=3, first=6), [4, 7]),
        (Schedule(since=2, until=4), [3, 4]),
        (Schedule(since=6), [7, 8]),
    ],
)
def test_a_schedule_hits_the_attempts_that_all_its_fields_allow(
    when: Schedule, hits: list[int]
) -> None:
    """Numbers count attempts from 1; the first call of this test begins at 0 s, the next at 1 s."""

    async def scenario(app: App) -> list[str]:
        states: list[str] = []
        for _ in range(8):
            states.append(await app.start(carrier, "P1").ended())
            await asyncio.sleep(1)
        return states

    states = under(Faults({"carrier": [Error(when=when)]}), scenario)

    assert [number for number, state in enumerate(states, 1) if state == "failed"] == hits


def hit(seed: int, rate: float, *, others: Sequence[Fault] = (), count: int = 200) -> list[bool]:
    """Which of many attempts are hit at a rate."""
    faults = Faults({"carrier": [Error(when=Schedule(rate=rate)), *others]}, seed=seed)

    async def scenario(app: App) -> list[bool]:
        return [await app.start(carrier, "P1").ended() == "failed" for _ in range(count)]

    return under(faults, scenario)


def test_a_rate_is_the_share_of_attempts_that_it_hits() -> None:
    """Of 2000 attempts at 0.25, 500 are hit, give or take five standard deviations (97)."""
    assert abs(sum(hit(1, 0.25, count=2000)) - 500) < 97


def test_the_same_seed_hits_the_same_attempts() -> None:
    """Another seed hits others, and a fault behind it changes nothing."""
    once = hit(7, 0.5)

    assert hit(7, 0.5) == once
    assert hit(7, 0.5, others=[Latency(1, when=Schedule(rate=0.5))]) == once
    assert hit(8, 0.5) != once


def test_what_is_hit_depends_on_the_attempts_of_that_agent_alone() -> None:
    """Calls of another agent with faults in between move nothing."""
    half = Schedule(rate=0.5)

    def run(*, with_guesses: bool) -> list[str]:
        faults = Faults({"carrier": [Error(when=half)], "guess": [Error(when=half)]}, seed=3)

        async def scenario(app: App) -> list[str]:
            states: list[str] = []
            for _ in range(50):
                if with_guesses:
                    await app.start(guess, "P1").ended()
                states.append(await app.start(carrier, "P1").ended())
            return states

        async def main() -> list[str]:
            async with App(carrier, guess, clock=VirtualClock(), faults=faults) as app:
                return await scenario(app)

        return run_in_virtual_time(main())

    assert run(with_guesses=True) == run(with_guesses=False)


def test_the_items_of_a_fan_out_are_attempts_in_their_order() -> None:
    """The second item is hit, and no other."""
    faults = Faults({"carrier": [Error(when=Schedule(after=1, first=1))]})

    assert "each.1/carrier" in str(failing(faults, trackings, ["A", "B", "C"]).__notes__)


# What is refused.


def test_a_name_without_a_fault_is_refused() -> None:
    """An empty list would do nothing."""
    with pytest.raises(ValueError, match=r"'carrier': .*at least one fault"):
        Faults({"carrier": []})


def test_a_name_that_the_app_does_not_reach_is_refused() -> None:
    """A fault that never acts would let a test pass for nothing."""
    with pytest.raises(UsageError, match="Did you mean 'carrier'") as refusal:
        App(tracking, faults=Faults({"carier": [Hang()]}))

    assert refusal.value.code == "unknown_agent"


async def test_a_name_that_the_started_agent_does_not_reach_is_refused() -> None:
    """An app without agents asks when one is started."""
    async with App(faults=Faults({"guess": [Hang()]})) as app:
        with pytest.raises(UsageError) as refusal:
            app.start(tracking, "P1")

        assert await app.start(estimate, "P1").ended() == "succeeded"

    assert refusal.value.code == "unknown_agent"


@pytest.mark.parametrize(
    ("unit", "fault", "why"),
    [
        (tracking, Garbage(), "name a step"),
        (tracking, Partial(), "name a step"),
        (asker, Partial(), "not every 'str' is an object with a required field"),
    ],
)
def test_a_fault_that_an_agent_cannot_have_is_refused(
    unit: Agent[[str], object], fault: Fault, why: str
) -> None:
    """It is told before anything runs, with the reason."""
    with pytest.raises(UsageError, match=why) as refusal:
        App(unit, faults=Faults({unit.name: [fault]}))

    assert refusal.value.code == "impossible_fault"


async def test_faults_come_before_the_app_is_entered() -> None:
    """Half of a run under faults would say nothing."""
    app = App(tracking)
    async with app:
        with pytest.raises(UsageError) as refusal:
            app.inject(Faults({"carrier": [Error()]}))

    assert refusal.value.code == "app_entered"


async def test_faults_can_be_given_to_an_app_that_exists() -> None:
    """An app that was put together elsewhere gets them before it is entered."""
    app = App(tracking)
    app.inject(Faults({"carrier": [Error(ErrorClass.PERMANENT)]}))
    async with app:
        assert await app.start(tracking, "P1").ended() == "failed"
