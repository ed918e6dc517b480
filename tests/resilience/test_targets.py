"""Who calls the same target shares its state, and an operator can act on it."""

import pytest

from fishplate.core.errors import ErrorClass, Failure, UsageError
from fishplate.resilience.breaker import BreakerState
from fishplate.resilience.events import BreakerOverruled
from fishplate.resilience.policy import Breaker, Bulkhead, Policy, RateLimit, Retry
from fishplate.testing.virtual_time import run_in_virtual_time
from tests.resilience.world import Script, World, failing, outcome, overloaded


def test_tools_with_one_target_share_its_breaker() -> None:
    """What one of them learns holds for the other; a third target is another matter."""

    async def scenario() -> list[object]:
        world = World()
        policy = Policy(retry="off")
        refund = world.pipeline(policy, kind="tool", effect="keyed", key="payments", owner="refund")
        status = world.pipeline(
            policy, kind="tool", effect="readonly", key="payments", owner="status"
        )
        parcel = world.pipeline(policy, kind="tool", effect="readonly", key="carrier", owner="eta")
        for _ in range(5):
            await outcome(refund.run(Script([overloaded()]), "refund"))
        rejected = await outcome(status.run(Script(["answer"]), "status"))
        assert isinstance(rejected, Failure)
        return [rejected.code, await parcel.run(Script(["answer"]), "parcel")]

    assert run_in_virtual_time(scenario()) == ["breaker_open", "answer"]


def test_declared_settings_win_over_defaults_in_either_order() -> None:
    """A target has the numbers that somebody wrote, whoever comes first."""

    async def scenario() -> None:
        world = World()
        declared = Policy(bulkhead=Bulkhead(3), breaker=Breaker(consecutive=2))
        first = world.pipeline(declared, kind="model", key="a")
        world.pipeline(Policy(), kind="model", key="a")
        world.pipeline(Policy(), kind="model", key="b")
        second = world.pipeline(declared, kind="model", key="b")

        for pipeline in (first, second):
            assert pipeline.target.slots is not None
            assert pipeline.target.breaker is not None
            assert pipeline.target.slots.limit == 3
            assert pipeline.target.breaker.settings.consecutive == 2

    run_in_virtual_time(scenario())


def test_equal_declarations_agree() -> None:
    """Saying the same twice is no conflict."""

    async def scenario() -> None:
        world = World()
        limit = Policy(rate_limit=RateLimit(requests_per_minute=5))
        first = world.pipeline(limit, key="a", owner="one")
        second = world.pipeline(limit, key="a", owner="two")
        assert first.target is second.target

    run_in_virtual_time(scenario())


@pytest.mark.parametrize(
    ("one", "other", "part"),
    [
        (Policy(breaker=Breaker(calls=5)), Policy(breaker=Breaker(calls=6)), "breaker"),
        (Policy(bulkhead=Bulkhead(5)), Policy(bulkhead=Bulkhead(6)), "bulkhead"),
        (
            Policy(rate_limit=RateLimit(requests_per_minute=5)),
            Policy(rate_limit=RateLimit(requests_per_minute=6)),
            "rate_limit",
        ),
    ],
)
def test_declarations_that_contradict_each_other_are_refused(
    one: Policy, other: Policy, part: str
) -> None:
    """One target has one breaker, whose numbers cannot depend on who is declared first."""

    async def scenario() -> None:
        world = World()
        world.pipeline(one, key="payments", owner="tool 'refund'")
        world.pipeline(other, key="payments", owner="tool 'status'")

    with pytest.raises(UsageError) as refused:
        run_in_virtual_time(scenario())
    assert refused.value.code == "conflicting_policies"
    assert "tool 'status' and tool 'refund' share the target 'payments'" in str(refused.value)
    assert f"Declare {part}= once" in str(refused.value)


def test_who_switched_a_policy_off_is_not_bound_by_it() -> None:
    """Although others who call the same target are."""

    async def scenario() -> object:
        world = World()
        world.pipeline(Policy(breaker=Breaker()), key="a", owner="one")
        world.targets.force_open("a", by="ana", why="maintenance")
        unguarded = world.pipeline(Policy(retry=Retry()), key="a", owner="two")
        return await unguarded.run(Script(["answer"]), "step")

    assert run_in_virtual_time(scenario()) == "answer"


def test_an_operator_acts_on_a_breaker_and_is_remembered() -> None:
    """By name and with a reason, in the events."""

    async def scenario() -> None:
        world = World()
        pipeline = world.pipeline(Policy(retry="off"), kind="model", key="gpt")
        breaker = pipeline.target.breaker
        assert breaker is not None

        world.targets.force_open("gpt", by="ana", why="incident 7")
        found = await outcome(pipeline.run(Script(["answer"]), "step"))
        assert isinstance(found, Failure)
        assert (found.code, found.retry_after) == ("breaker_open", None)
        assert "held open by an operator" in str(found)
        world.targets.disable("gpt", by="ana", why="a test")
        assert breaker.state is BreakerState.DISABLED
        assert await pipeline.run(Script(["answer"]), "step") == "answer"
        world.targets.reset("gpt", by="ana", why="over")
        assert breaker.state is BreakerState.CLOSED
        assert [(event.state, event.by, event.why) for event in world.told(BreakerOverruled)] == [
            ("forced_open", "ana", "incident 7"),
            ("disabled", "ana", "a test"),
            ("closed", "ana", "over"),
        ]

    run_in_virtual_time(scenario())


def test_a_reset_forgets_an_exhausted_quota() -> None:
    """Somebody has paid."""

    async def scenario() -> object:
        world = World()
        pipeline = world.pipeline(Policy(), kind="model", key="gpt")
        spent = failing(ErrorClass.QUOTA_EXHAUSTED, retry_after=3600)
        await outcome(pipeline.run(Script([spent]), "step"))
        world.targets.reset("gpt", by="ana", why="paid")
        return await pipeline.run(Script(["answer"]), "step")

    assert run_in_virtual_time(scenario()) == "answer"


def test_an_operator_is_told_what_there_is() -> None:
    """A target that nobody calls, and one without a breaker."""

    async def scenario() -> None:
        world = World()
        world.pipeline(Policy(bulkhead=Bulkhead()), key="carrier")
        with pytest.raises(UsageError, match=r"to a target 'carier' yet; .* are: 'carrier'"):
            world.targets.force_open("carier", by="ana", why="")
        with pytest.raises(UsageError, match="target 'carrier' has no breaker"):
            world.targets.force_open("carrier", by="ana", why="")

    run_in_virtual_time(scenario())


def test_the_report_shows_every_target() -> None:
    """With the parts that somebody wants."""

    async def scenario() -> None:
        world = World()
        model = world.pipeline(
            Policy(rate_limit=RateLimit(requests_per_minute=60)), kind="model", key="gpt"
        )
        agent = world.pipeline(Policy(retry=Retry()), key="plain")
        await model.run(Script([2.0]), "step")
        spent = failing(ErrorClass.QUOTA_EXHAUSTED, retry_after=40)
        await outcome(agent.run(Script([spent]), "step"))

        assert world.targets.report() == [
            {
                "target": "gpt",
                "retry_credit": 10.2,
                "usual_duration": 2.0,
                "breaker": {
                    "state": "closed",
                    "calls": 1,
                    "failures": 0,
                    "slow": 0,
                    "consecutive": 0,
                    "retry_after": 0.0,
                    "late": 0,
                },
                "bulkhead": {
                    "in_flight": 0,
                    "concurrent": 10,
                    "queued": 0,
                    "queue": 20,
                    "abandoned": 0,
                },
                "rate_limit": {"requests": 59.0},
            },
            {
                "target": "plain",
                "retry_credit": 10.2,
                "usual_duration": 0.05,
                "closed_for": 40.0,
            },
        ]

    run_in_virtual_time(scenario())


def test_a_target_is_found_by_its_key() -> None:
    """Only a target that somebody has named is there."""

    async def scenario() -> None:
        world = World()
        world.pipeline(Policy(), key="bank")

        found = world.targets.get("bank")
        assert found is not None
        assert found.key == "bank"
        assert world.targets.get("post") is None

    run_in_virtual_time(scenario())
