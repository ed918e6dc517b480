"""What holds for a breaker after any order of events, and proof that these laws find bugs.

The machine knows nothing of how the breaker works. It keeps the permits that it was given, settles,
cancels, loses or forgets them in any order, and watches from outside.
"""

import random
from dataclasses import dataclass

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from typing_extensions import override

from fishplate.resilience.breaker import BreakerState, CircuitBreaker, Outcome, Permit
from fishplate.resilience.events import ResilienceEvent
from fishplate.resilience.policy import Breaker

LEASE = 10.0
LONGEST_OPENING = 30 * 1.2
BOUNDED = settings(max_examples=60, stateful_step_count=40)


@dataclass(kw_only=True)
class Given:
    """A permit that is out, and what was known when it was given."""

    permit: Permit
    at: float
    is_probe: bool
    epoch: int


class Watched(RuleBasedStateMachine):
    """Any order of calls, answers, cancellations, losses, pauses and operator actions."""

    kind: type[CircuitBreaker] = CircuitBreaker

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.events: list[ResilienceEvent] = []
        self.breaker = self.kind(
            Breaker(calls=4),
            target="target",
            uniform=random.Random(1).uniform,
            emit=self.events.append,
            now=self.now,
        )
        self.out: list[Given] = []
        self.lost: list[Given] = []
        # Successes of probes since the breaker opened last, the most that could be.
        self.proofs = 0

    @rule(seconds=st.sampled_from([0.0, 0.1, 1.0, 5.0, 12.0, 31.0, 40.0]))
    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

    @precondition(lambda self: self.breaker.state is BreakerState.CLOSED)
    @rule()
    def break_down(self) -> None:
        """Let calls fail until it opens, and the time pass for which it stays open."""
        while self.breaker.state is BreakerState.CLOSED:
            permit = self.breaker.acquire(self.now, lease=LEASE)
            assert permit is not None
            permit.settle(Outcome.FAILURE, self.now)
        self.proofs = 0
        self.now += self.breaker.peek(self.now)

    @rule()
    def ask(self) -> None:
        """Ask for a permit; looking before has said whether there is one."""
        looked = self.breaker.peek(self.now)
        permit = self.breaker.acquire(self.now, lease=LEASE)

        assert (permit is None) == (looked > 0)
        if permit is not None:
            is_probe = self.breaker.state is BreakerState.HALF_OPEN
            epoch = self.breaker.epoch
            self.out.append(Given(permit=permit, at=self.now, is_probe=is_probe, epoch=epoch))

    @precondition(lambda self: self.out)
    @rule(choice=st.integers(0, 100), outcome=st.sampled_from(Outcome))
    def answer(self, choice: int, outcome: Outcome) -> None:
        """Settle any permit that is out."""
        given = self.out.pop(choice % len(self.out))
        before = (self.breaker.state, self.breaker.epoch)
        is_late = given.epoch != self.breaker.epoch or (
            given.is_probe and self.now > given.at + LEASE
        )
        given.permit.settle(outcome, self.now)

        if is_late or outcome is Outcome.IGNORED:
            assert (self.breaker.state, self.breaker.epoch) == before, "it moved"
        elif given.is_probe and outcome is Outcome.SUCCESS:
            self.proofs += 1
        if before[0] is not BreakerState.CLOSED and self.breaker.state is BreakerState.CLOSED:
            assert self.proofs >= 2, "it closed without two probes that succeeded"
        if self.breaker.state is BreakerState.OPEN:
            self.proofs = 0

    @precondition(lambda self: self.out)
    @rule(choice=st.integers(0, 100))
    def cancel(self, choice: int) -> None:
        """Cancel any call that runs; a cancelled probe makes way for the next."""
        given = self.out.pop(choice % len(self.out))
        before = (self.breaker.state, self.breaker.epoch)
        is_live = (
            given.is_probe and given.epoch == self.breaker.epoch and self.now <= given.at + LEASE
        )
        given.permit.release()

        assert (self.breaker.state, self.breaker.epoch) == before, "it moved"
        if is_live:
            assert self.breaker.peek(self.now) == 0, "the probe was not given back"

    @precondition(lambda self: self.out)
    @rule(choice=st.integers(0, 100))
    def lose(self, choice: int) -> None:
        """Forget a permit, as a call does whose task was killed."""
        self.lost.append(self.out.pop(choice % len(self.out)))

    @precondition(lambda self: len(self.lost) > 1)  # seldom, since it hides the rest
    @rule(action=st.sampled_from(["force_open", "disable", "reset", "reset"]))
    def overrule(self, action: str) -> None:
        """Act as an operator."""
        match action:
            case "force_open":
                self.breaker.force_open(by="ana", why="")
            case "disable":
                self.breaker.disable(by="ana", why="")
            case _:
                self.breaker.reset(self.now, by="ana", why="")
        self.proofs = 0

    @invariant()
    def at_most_one_probe(self) -> None:
        """No two probes of one epoch are out whose leases hold."""
        live = [
            given
            for given in [*self.out, *self.lost]
            if given.is_probe and given.epoch == self.breaker.epoch and self.now <= given.at + LEASE
        ]
        assert len(live) <= 1, f"{len(live)} probes at once"

    @invariant()
    def never_stuck(self) -> None:
        """Unless an operator holds it open, somebody is admitted after a while."""
        if self.breaker.state is not BreakerState.FORCED_OPEN:
            later = self.now + max(LONGEST_OPENING, LEASE) + 1e-6
            assert self.breaker.peek(later) == 0, "nobody will ever be admitted"

    @override
    def teardown(self) -> None:
        """Once the target answers, it closes, whatever happened before."""
        if self.breaker.state is BreakerState.FORCED_OPEN:
            return
        self.now += LONGEST_OPENING + LEASE
        for _ in range(2):
            permit = self.breaker.acquire(self.now, lease=LEASE)
            assert permit is not None, "a healthy target is rejected"
            permit.settle(Outcome.SUCCESS, self.now)
        assert self.breaker.state in {BreakerState.CLOSED, BreakerState.DISABLED}


TestWatched = Watched.TestCase
TestWatched.settings = BOUNDED


class LeakingOnCancel(CircuitBreaker):
    """Bug: a cancelled probe keeps its permit."""

    @override
    def release(self, epoch: int, probe: int) -> None:
        """Forget to give it back."""


class LeakingForEver(CircuitBreaker):
    """Bug: a permit is not a lease, so one that is lost never returns."""

    @override
    def acquire(self, now: float, *, lease: float) -> Permit | None:
        """Lend it for ever."""
        return super().acquire(now, lease=float("inf"))


class CountingCancelAsSuccess(CircuitBreaker):
    """Bug: a call that was cancelled has not failed, so it has succeeded."""

    @override
    def release(self, epoch: int, probe: int) -> None:
        """Settle instead."""
        self.settle(epoch, probe, Outcome.SUCCESS, 0.0)


class BelievingLateAnswers(CircuitBreaker):
    """Bug: any success that arrives while half-open counts, whenever its call began."""

    @override
    def settle(
        self,
        epoch: int,
        probe: int,
        outcome: Outcome,
        now: float,
        *,
        seconds: float = 0.0,
        retry_after: float | None = None,
    ) -> None:
        """Take the answer for one of this epoch."""
        if self.state is BreakerState.HALF_OPEN and not probe:
            self.state = BreakerState.CLOSED
            self.epoch += 1
        super().settle(epoch, probe, outcome, now, seconds=seconds, retry_after=retry_after)


class ProbingTogether(CircuitBreaker):
    """Bug: everybody who asks while half-open is a probe."""

    @override
    def peek(self, now: float) -> float:
        """Say that there is room."""
        return 0.0 if self.state is BreakerState.HALF_OPEN else super().peek(now)


class ClosingOnTheFirstSuccess(CircuitBreaker):
    """Bug: one lucky probe closes it."""

    @override
    def settle(
        self,
        epoch: int,
        probe: int,
        outcome: Outcome,
        now: float,
        *,
        seconds: float = 0.0,
        retry_after: float | None = None,
    ) -> None:
        """Close at once."""
        super().settle(epoch, probe, outcome, now, seconds=seconds, retry_after=retry_after)
        if self.state is BreakerState.HALF_OPEN and outcome is Outcome.SUCCESS:
            self.reset(now, by="bug", why="one is enough")


@pytest.mark.parametrize(
    "bug",
    [
        LeakingOnCancel,
        LeakingForEver,
        CountingCancelAsSuccess,
        BelievingLateAnswers,
        ProbingTogether,
        ClosingOnTheFirstSuccess,
    ],
)
def test_the_laws_find_a_planted_bug(bug: type[CircuitBreaker]) -> None:
    """A law that no bug breaks would prove nothing."""

    class Planted(Watched):
        kind = bug

    # Finding is enough here; making the example small takes longer than finding it.
    hunt = settings(max_examples=200, stateful_step_count=50, phases=[Phase.generate])
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Planted, settings=hunt)
