"""A breaker's rules, one by one."""

from collections.abc import Callable

import pytest

from fishplate.resilience.breaker import BreakerState, CircuitBreaker, Outcome, Permit
from fishplate.resilience.events import (
    BreakerClosed,
    BreakerHalfOpened,
    BreakerOpened,
    BreakerOverruled,
    ResilienceEvent,
)
from fishplate.resilience.policy import Breaker as Settings

LEASE = 10.0


def middle(low: float, high: float) -> float:
    """Randomness that draws the middle: no jitter."""
    return (low + high) / 2


class Bench:
    """A breaker at a time of its own.

    Args:
        settings: Its numbers.
        uniform: Its randomness.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        uniform: Callable[[float, float], float] = middle,
    ) -> None:
        self.now = 0.0
        self.events: list[ResilienceEvent] = []
        self.breaker = CircuitBreaker(
            settings or Settings(),
            target="payments",
            uniform=uniform,
            emit=self.events.append,
            now=self.now,
        )

    def permit(self) -> Permit:
        """A permit that has to be given."""
        permit = self.breaker.acquire(self.now, lease=LEASE)
        assert permit is not None, f"rejected while {self.breaker.state}"
        return permit

    def is_rejected(self) -> bool:
        """Whether a call is rejected; one that is not is cancelled again."""
        permit = self.breaker.acquire(self.now, lease=LEASE)
        if permit is not None:
            permit.release()
        return permit is None

    def call(
        self, outcome: Outcome, *, seconds: float = 0.0, retry_after: float | None = None
    ) -> None:
        """Make one call."""
        permit = self.permit()
        self.now += seconds
        permit.settle(outcome, self.now, seconds=seconds, retry_after=retry_after)

    def open(self) -> None:
        """Fail until it opens."""
        while self.breaker.state is BreakerState.CLOSED:
            self.call(Outcome.FAILURE)

    def probe_after_opening(self) -> Permit:
        """Open it, wait, and take the probe."""
        self.open()
        self.now += self.breaker.peek(self.now)
        return self.permit()


def test_five_failures_in_a_row_open_it() -> None:
    """A success in between begins the row anew."""
    bench = Bench()
    for outcome in [Outcome.FAILURE] * 4 + [Outcome.SUCCESS] + [Outcome.FAILURE] * 4:
        bench.call(outcome)
    assert bench.breaker.state is BreakerState.CLOSED

    bench.call(Outcome.FAILURE)
    assert bench.breaker.state is BreakerState.OPEN
    assert bench.events == [BreakerOpened(target="payments", reason="consecutive", seconds=15)]


def test_half_of_ten_calls_failing_open_it() -> None:
    """Fewer than ten calls say too little."""
    bench = Bench()
    for _ in range(4):
        bench.call(Outcome.SUCCESS)
        bench.call(Outcome.FAILURE)
    bench.call(Outcome.SUCCESS)
    assert bench.breaker.state is BreakerState.CLOSED

    bench.call(Outcome.FAILURE)
    assert bench.breaker.state is BreakerState.OPEN
    assert bench.events == [BreakerOpened(target="payments", reason="failure_rate", seconds=15)]


def test_old_failures_are_forgotten() -> None:
    """The share is that of the last thirty seconds."""
    bench = Bench(Settings(consecutive=100))
    for _ in range(9):
        bench.call(Outcome.FAILURE)
    bench.now += 31

    bench.call(Outcome.FAILURE)
    assert bench.breaker.state is BreakerState.CLOSED


def test_slow_calls_open_it() -> None:
    """Eight of ten calls above `slow_call`, whether they succeed or not."""
    bench = Bench(Settings(slow_call=1.0, consecutive=100, failure_rate=1.0))
    for seconds in (0.1, 0.1, *[1.5] * 7):
        bench.call(Outcome.SUCCESS, seconds=seconds)
    assert bench.breaker.state is BreakerState.CLOSED

    bench.call(Outcome.SUCCESS, seconds=1.5)
    assert bench.breaker.state is BreakerState.OPEN
    assert bench.events == [BreakerOpened(target="payments", reason="slow_rate", seconds=15)]


def test_calls_cut_off_by_their_deadline_count_as_slow() -> None:
    """Also where nobody has said what slow means: a target that hangs is not healthy."""
    bench = Bench()
    for _ in range(10):
        bench.call(Outcome.HUNG)

    assert bench.breaker.state is BreakerState.OPEN


def test_a_slow_success_is_no_failure() -> None:
    """Without `slow_call`, and below the share with it."""
    bench = Bench()
    for _ in range(30):
        bench.call(Outcome.SUCCESS, seconds=100)

    assert bench.breaker.state is BreakerState.CLOSED


def test_ignored_calls_count_as_nothing() -> None:
    """They neither fail the target nor dilute its failures."""
    bench = Bench()
    for _ in range(4):
        bench.call(Outcome.FAILURE)
    for _ in range(100):
        bench.call(Outcome.IGNORED)
        bench.permit().release()

    bench.call(Outcome.FAILURE)
    assert bench.breaker.state is BreakerState.OPEN


def test_an_open_breaker_rejects_until_its_time_is_over() -> None:
    """And it says how long that will be."""
    bench = Bench()
    bench.open()
    bench.now += 14.9

    assert bench.is_rejected()
    assert bench.breaker.peek(bench.now) == pytest.approx(0.1)
    bench.now += 0.2
    assert bench.breaker.peek(bench.now) == 0
    assert not bench.is_rejected()
    assert bench.events[-1] == BreakerHalfOpened(target="payments")


def test_looking_changes_nothing() -> None:
    """A breaker turns half-open when somebody asks for a permit, not when somebody looks."""
    bench = Bench()
    bench.open()
    bench.now += 20

    bench.breaker.peek(bench.now)
    assert bench.breaker.state is BreakerState.OPEN


def test_each_opening_lasts_twice_as_long_up_to_its_cap() -> None:
    """Fifteen seconds, then thirty, and closing begins anew."""
    bench = Bench()
    bench.open()
    for _ in range(3):
        bench.now += bench.breaker.peek(bench.now)
        bench.call(Outcome.FAILURE)
    bench.now += bench.breaker.peek(bench.now)
    bench.call(Outcome.SUCCESS)
    bench.call(Outcome.SUCCESS)
    bench.open()

    openings = [event.seconds for event in bench.events if isinstance(event, BreakerOpened)]
    assert openings == [15, 30, 30, 30, 15]


@pytest.mark.parametrize(("uniform", "seconds"), [(min, 12), (max, 18)])
def test_an_opening_is_a_fifth_longer_or_shorter_at_random(
    uniform: Callable[[float, float], float], seconds: float
) -> None:
    """So that the breakers of many processes do not probe as one."""
    bench = Bench(uniform=uniform)
    bench.open()

    assert bench.breaker.peek(bench.now) == pytest.approx(seconds)


@pytest.mark.parametrize(("asked", "seconds"), [(5, 15), (60, 60), (86_400, 300)])
def test_an_opening_is_never_shorter_than_the_target_asks(asked: float, seconds: float) -> None:
    """But a wrong answer does not close a target for a day."""
    bench = Bench(Settings(consecutive=1))
    bench.call(Outcome.FAILURE, retry_after=asked)

    assert bench.breaker.peek(bench.now) == pytest.approx(seconds)


def test_one_probe_at_a_time() -> None:
    """However many calls ask at once."""
    bench = Bench()
    bench.probe_after_opening()

    assert all(bench.is_rejected() for _ in range(5))
    assert bench.breaker.peek(bench.now) > 0


def test_two_successful_probes_close_it() -> None:
    """With nothing counted from before."""
    bench = Bench()
    bench.probe_after_opening().settle(Outcome.SUCCESS, bench.now)
    assert bench.breaker.state is BreakerState.HALF_OPEN

    bench.call(Outcome.SUCCESS)
    assert bench.breaker.state is BreakerState.CLOSED
    assert bench.events[-1] == BreakerClosed(target="payments")
    assert bench.breaker.to_json(bench.now)["failures"] == 0


def test_one_failed_probe_opens_it_again() -> None:
    """Also after a successful one; the successes have to follow each other."""
    bench = Bench()
    bench.probe_after_opening().settle(Outcome.SUCCESS, bench.now)
    bench.call(Outcome.FAILURE)
    assert bench.breaker.state is BreakerState.OPEN

    bench.now += bench.breaker.peek(bench.now)
    bench.call(Outcome.SUCCESS)
    assert bench.breaker.state is BreakerState.HALF_OPEN


def test_a_probe_that_hangs_opens_it_again() -> None:
    """A probe that was cut off has not succeeded."""
    bench = Bench()
    bench.probe_after_opening().settle(Outcome.HUNG, bench.now)

    assert bench.breaker.state is BreakerState.OPEN


@pytest.mark.parametrize("end", ["release", "ignored"])
def test_a_cancelled_probe_leaves_it_half_open_for_the_next(end: str) -> None:
    """Nothing is learned and nothing is lost."""
    bench = Bench()
    probe = bench.probe_after_opening()
    if end == "release":
        probe.release()
    else:
        probe.settle(Outcome.IGNORED, bench.now)

    assert bench.breaker.state is BreakerState.HALF_OPEN
    assert not bench.is_rejected()


def test_a_lost_probe_returns_itself() -> None:
    """Its lease ends, the next call probes, and what the lost one says then is late."""
    bench = Bench()
    lost = bench.probe_after_opening()
    bench.now += LEASE
    assert not bench.is_rejected()

    second = bench.permit()
    lost.settle(Outcome.FAILURE, bench.now)
    assert bench.breaker.state is BreakerState.HALF_OPEN
    assert bench.breaker.late == 1
    assert bench.is_rejected()
    second.settle(Outcome.SUCCESS, bench.now)
    bench.call(Outcome.SUCCESS)
    assert bench.breaker.state is BreakerState.CLOSED


@pytest.mark.parametrize("outcome", [Outcome.SUCCESS, Outcome.FAILURE])
def test_an_answer_from_before_the_opening_moves_nothing(outcome: Outcome) -> None:
    """Neither while it is open, nor while it is half-open, nor after it has closed."""
    bench = Bench()
    late = [bench.permit() for _ in range(30)]
    bench.open()
    late.pop().settle(outcome, bench.now)
    assert bench.breaker.state is BreakerState.OPEN

    bench.now += bench.breaker.peek(bench.now)
    probe = bench.permit()
    late.pop().settle(outcome, bench.now)
    assert bench.breaker.state is BreakerState.HALF_OPEN
    assert bench.is_rejected()

    probe.settle(Outcome.SUCCESS, bench.now)
    bench.call(Outcome.SUCCESS)
    for permit in late:
        permit.settle(outcome, bench.now)
    assert bench.breaker.state is BreakerState.CLOSED
    assert bench.breaker.late == 30
    assert bench.breaker.to_json(bench.now)["calls"] == 0


def test_a_permit_counts_once() -> None:
    """Whatever is done with it afterwards."""
    bench = Bench()
    permit = bench.permit()
    for _ in range(20):
        permit.settle(Outcome.FAILURE, bench.now)
    permit.release()

    assert bench.breaker.consecutive == 1


def test_an_operator_forces_it_open() -> None:
    """No time and no answer closes it, only the operator does."""
    bench = Bench()
    running = bench.permit()
    bench.breaker.force_open(by="ana", why="the provider burns")
    running.settle(Outcome.SUCCESS, bench.now)
    bench.now += 1e6

    assert bench.is_rejected()
    assert bench.breaker.peek(bench.now) == float("inf")
    assert bench.breaker.to_json(bench.now)["retry_after"] is None
    bench.breaker.reset(bench.now, by="ana", why="it does not any more")
    assert not bench.is_rejected()
    assert bench.events == [
        BreakerOverruled(
            target="payments", state="forced_open", by="ana", why="the provider burns"
        ),
        BreakerOverruled(target="payments", state="closed", by="ana", why="it does not any more"),
    ]


def test_an_operator_disables_it() -> None:
    """It then admits everything and counts nothing."""
    bench = Bench()
    bench.open()
    bench.breaker.disable(by="ana", why="a test of the provider")

    for _ in range(20):
        bench.call(Outcome.FAILURE)
    assert bench.breaker.state is BreakerState.DISABLED
    assert bench.breaker.peek(bench.now) == 0
    assert bench.breaker.to_json(bench.now)["calls"] == 5


def test_new_numbers_hold_from_now_on() -> None:
    """What was counted stays, unless the window has another length."""
    bench = Bench()
    bench.call(Outcome.FAILURE)
    bench.breaker.configure(Settings(consecutive=2), bench.now)
    assert bench.breaker.to_json(bench.now)["failures"] == 1

    bench.breaker.configure(Settings(consecutive=2, window=5), bench.now)
    assert bench.breaker.to_json(bench.now)["failures"] == 0
    bench.call(Outcome.FAILURE)
    assert bench.breaker.state is BreakerState.OPEN


def test_its_report_says_what_it_has_seen() -> None:
    """State, counts, and when it may be called again."""
    bench = Bench()
    bench.call(Outcome.SUCCESS)
    bench.open()
    bench.now += 5

    assert bench.breaker.to_json(bench.now) == {
        "state": "open",
        "calls": 6,
        "failures": 5,
        "slow": 0,
        "consecutive": 5,
        "retry_after": 10.0,
        "late": 0,
    }
