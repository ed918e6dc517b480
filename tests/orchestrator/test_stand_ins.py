"""Remembered and fixed answers in the place of an agent that fails."""

import asyncio
from dataclasses import asdict
from typing import Any

import pytest
from pydantic import BaseModel

from fishplate import (
    Agent,
    App,
    Cache,
    DeclarationError,
    Degraded,
    ErrorClass,
    Failure,
    FishplateError,
    Policy,
    Principal,
    Reason,
    Stale,
    Static,
    agent,
    current,
    graded,
    tool,
    workflow,
)
from fishplate.workflows.render import mermaid
from tests.engines.running import in_app

HOUR = Stale(max_age=3600, scope="parcels")


class Eta(BaseModel):
    """When something arrives."""

    days: int


class Carrier:
    """Answers with the number of its call, until it goes down."""

    def __init__(self) -> None:
        self.failure: Exception | None = None
        self.calls = 0

        @agent(errors=[])
        async def track(parcel: str) -> Eta:
            self.calls += 1
            if self.failure is not None:
                raise self.failure
            return Eta(days=self.calls)

        self.track = track

    def fails(self, error_class: ErrorClass = ErrorClass.TRANSIENT, code: str = "down") -> None:
        """Fail from now on."""
        self.failure = Failure("it failed", error_class=error_class, code=code)


@agent
async def estimate(parcel: str) -> Eta:
    """Ask nobody."""
    return Eta(days=9)


@tool(effect="idempotent", scopes=["parcels:write"])
async def redirect(parcel: str) -> str:
    """Send it elsewhere."""
    return parcel


async def ended(app: App, unit: Agent[[str], Any], *, tenant: str = "default") -> tuple[Any, ...]:
    """The value of a run, and why it is degraded."""
    run = app.start(unit, "P1", principal=Principal(tenant=tenant))
    value = await run.result()
    return (value.days, *((one.reason, one.source, one.age) for one in run.degraded))


def test_the_last_good_answer_stands_in_with_its_age() -> None:
    """Source, reason and age stand on the run, on the span and beside the value."""
    carrier = Carrier()
    track = carrier.track

    @agent
    async def weigh(found: Degraded[Eta]) -> list[Reason]:
        return found.reasons

    @workflow
    async def flow(parcel: str) -> list[Reason]:
        found = await graded(track.or_else(HOUR)(parcel))
        return await weigh(found)

    async def scenario(app: App) -> list[Any]:
        told: list[Any] = [await app.start(flow, "P1").result()]
        carrier.fails()
        await asyncio.sleep(600)
        run = app.start(flow, "P1")
        told.append(await run.result())
        told.append([asdict(run.degraded[0])])
        (root,) = [span for span in app.spans(run) if span.name == "flow"]
        told.append((root.attributes or {})["degraded"])
        return told

    expected = {"reason": "down", "source": "cache", "step": "track", "age": 600.0}
    fresh, beside, on_run, on_span = in_app(scenario)

    assert fresh == []
    assert [asdict(reason) for reason in beside] == [expected]
    assert on_run == on_span == [expected]


def test_an_answer_that_is_too_old_is_not_given() -> None:
    """The next of the chain answers; nobody behind: the failure is the agent's own."""
    carrier = Carrier()
    track = carrier.track

    @workflow
    async def chain(parcel: str) -> Eta:
        return await track.or_else(HOUR).or_else(estimate)(parcel)

    @workflow
    async def alone(parcel: str) -> Eta:
        return await track.or_else(HOUR)(parcel)

    async def scenario(app: App) -> list[Any]:
        told = [await ended(app, chain)]
        carrier.fails()
        await asyncio.sleep(3599)
        told += [await ended(app, chain), await ended(app, alone)]
        await asyncio.sleep(1)
        told.append(await ended(app, chain))
        with pytest.raises(FishplateError) as failure:
            await ended(app, alone)
        return [*told, failure.value.code]

    old = (1, ("down", "cache", 3599.0))

    assert in_app(scenario) == [(1,), old, old, (9, ("down", "estimate", None)), "down"]


def test_an_answer_belongs_to_its_tenant_arguments_and_scope() -> None:
    """Nobody gets another tenant's answer, and a write to the scope forgets what it made wrong."""
    carrier = Carrier()
    track = carrier.track

    @workflow
    async def flow(parcel: str) -> Eta:
        return await track.or_else(HOUR).or_else(Static(Eta(days=0)))(parcel)

    async def scenario(app: App) -> list[Any]:
        await ended(app, flow)
        carrier.fails()
        told = [await ended(app, flow), await ended(app, flow, tenant="other")]
        await app.start(redirect, "P1").result()
        return [*told, await ended(app, flow)]

    fixed = (0, ("down", "static", None))

    assert in_app(scenario) == [(1, ("down", "cache", 0.0)), fixed, fixed]


def test_a_degraded_answer_is_not_remembered() -> None:
    """What an agent itself calls uncertain does not stand in for it later."""
    seen: list[str] = []

    @agent
    async def unsure(parcel: str) -> Eta:
        current().degrade("slow", source="guess")
        if seen:
            raise ConnectionResetError
        seen.append(parcel)
        return Eta(days=1)

    @workflow
    async def flow(parcel: str) -> Eta:
        return await unsure.or_else(HOUR).or_else(estimate)(parcel)

    async def scenario(app: App) -> list[Any]:
        return [await ended(app, flow), await ended(app, flow)]

    assert in_app(scenario)[1] == (9, ("connection", "estimate", None))


def test_an_expired_cache_entry_and_the_last_answer_are_two_things() -> None:
    """A cache spares calls for a minute; what it forgets is still there for an outage."""
    carrier = Carrier()
    track = carrier.track.using(Policy(cache=Cache(ttl=60, scope="parcels")))

    @workflow
    async def flow(parcel: str) -> Eta:
        return await track.or_else(HOUR)(parcel)

    async def scenario(app: App) -> list[Any]:
        told = [await ended(app, flow), await ended(app, flow)]
        carrier.fails()
        await asyncio.sleep(100)
        return [*told, await ended(app, flow)]

    assert in_app(scenario) == [(1,), (1,), (1, ("down", "cache", 100.0))]
    assert carrier.calls == 2


@pytest.mark.parametrize(
    ("error_class", "days"),
    [
        (ErrorClass.TRANSIENT, 9),
        (ErrorClass.BUDGET_EXCEEDED, 0),
        (ErrorClass.POLICY_DENIED, 0),
        (ErrorClass.PERMANENT, None),
        (ErrorClass.BUG, None),
    ],
)
def test_an_entry_that_may_not_answer_is_passed_over(
    error_class: ErrorClass, days: int | None
) -> None:
    """The chain goes on to the next entry that may; if there is none, the failure stands."""
    carrier = Carrier()
    carrier.fails(error_class)
    track = carrier.track

    @workflow
    async def flow(parcel: str) -> Eta:
        return await track.or_else(estimate).or_else(Static(Eta(days=0)))(parcel)

    async def scenario(app: App) -> int | None:
        try:
            return (await ended(app, flow))[0]
        except FishplateError:
            return None

    assert in_app(scenario) == days


def test_an_entry_answers_what_it_lists() -> None:
    """A permanent failure, such as a context that is too long, is answered by who says so."""
    carrier = Carrier()
    carrier.fails(ErrorClass.PERMANENT, "context_too_long")
    track = carrier.track

    @agent
    async def shorter(parcel: str) -> Eta:
        return Eta(days=4)

    @workflow
    async def flow(parcel: str) -> Eta:
        return await track.or_else(estimate).or_else(shorter, on=[ErrorClass.PERMANENT])(parcel)

    @agent(agents=[track, estimate, shorter])
    async def body(parcel: str) -> Eta:
        return await track.or_else(estimate).or_else(shorter, on=[ErrorClass.PERMANENT])(parcel)

    async def scenario(app: App) -> list[Any]:
        return [await ended(app, flow), await ended(app, body)]

    assert in_app(scenario) == [(4, ("context_too_long", "shorter", None))] * 2


@pytest.mark.parametrize("error_class", ErrorClass)
def test_only_some_classes_may_be_listed(error_class: ErrorClass) -> None:
    """A refusal goes to nobody who could be less guarded; what nobody may answer is refused."""
    track = Carrier().track

    def is_refused(other: Any) -> bool:
        try:
            track.or_else(other, on=[error_class])
        except DeclarationError as refused:
            return refused.code == "unanswerable_class"
        return False

    may_be_listed = {ErrorClass.PERMANENT}
    assert is_refused(estimate) == (error_class not in may_be_listed)
    may_be_listed.add(ErrorClass.REFUSAL)
    assert is_refused(Static(Eta(days=0))) == (error_class not in may_be_listed)
    assert is_refused(HOUR) == (error_class not in may_be_listed)


def test_what_an_entry_lists_is_part_of_the_release() -> None:
    """It changes the policy, and neither the contract nor the behaviour."""
    track = Carrier().track
    plain = track.or_else(estimate).release
    listed = track.or_else(estimate, on=[ErrorClass.PERMANENT]).release

    assert plain.policy != listed.policy
    assert (plain.contract, plain.behaviour) == (listed.contract, listed.behaviour)


def test_a_fixed_answer_keeps_the_contract() -> None:
    """One that breaks it is refused at declaration, with the pointer."""
    wrong: Any = Static({"days": "soon"})

    with pytest.raises(DeclarationError) as refused:
        Carrier().track.or_else(wrong)

    (problem,) = refused.value.problems
    assert (problem.code, problem.pointer) == ("mismatched_fallback", "/days")


def test_a_fixed_answer_is_part_of_the_release() -> None:
    """Another value is another policy and another behaviour, and the same one is the same."""
    track = Carrier().track
    one, same, other = (track.or_else(Static(Eta(days=days))).release for days in (1, 1, 2))

    assert one == same
    assert one.fingerprint != other.fingerprint
    assert one.contract == other.contract


def test_a_body_has_the_same_chains() -> None:
    """A granted agent may be answered for in plain Python too."""
    carrier = Carrier()
    track = carrier.track

    @agent(agents=[track])
    async def body(parcel: str) -> Eta:
        return await track.or_else(HOUR).or_else(Static(Eta(days=0)))(parcel)

    async def scenario(app: App) -> list[Any]:
        told = [await ended(app, body)]
        carrier.fails()
        return [*told, await ended(app, body)]

    assert in_app(scenario) == [(1,), (1, ("down", "cache", 0.0))]


def test_a_stand_in_belongs_to_whatever_is_in_its_agents_place() -> None:
    """A replacement is remembered and answered for like the agent that it replaces."""
    fake = Carrier()
    track = Carrier().track

    @workflow
    async def flow(parcel: str) -> Eta:
        return await track.or_else(HOUR).or_else(Static(Eta(days=0)))(parcel)

    replaced = flow.replace(track, fake.track)

    async def scenario(app: App) -> list[Any]:
        told = [await ended(app, replaced), await ended(app, replaced)]
        fake.fails()
        return [*told, await ended(app, replaced)]

    assert in_app(scenario) == [(1,), (2,), (2, ("down", "cache", 0.0))]
    assert fake.calls == 3


def test_a_stand_in_is_drawn() -> None:
    """The graph of a workflow shows every entry of a chain behind a dotted edge."""
    track = Carrier().track

    @workflow
    async def flow(parcel: str) -> Eta:
        return await track.or_else(HOUR).or_else(Static(Eta(days=0)))(parcel)

    drawn = mermaid(flow)

    assert drawn.count("or else") == 2
    assert "track-stale-" in drawn
    assert "track-static-" in drawn


def test_what_changes_something_is_not_remembered() -> None:
    """An effect is not stood in for by the memory of an earlier one: refused at declaration."""
    with pytest.raises(DeclarationError) as refused:
        redirect.or_else(HOUR)

    assert refused.value.code == "cached_effect"
