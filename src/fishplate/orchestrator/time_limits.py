"""How long a call may take: by its own policy, by what is around it, and by what it leaves over."""

from __future__ import annotations

from typing import Final, NamedTuple

from fishplate.agents.agent import AnyAgent
from fishplate.core.errors import ErrorClass, StepError
from fishplate.core.suspension import CANCEL_GRACE
from fishplate.orchestrator.frame import Frame
from fishplate.resilience.deadline import least_useful, reserve_of, time_for
from fishplate.resilience.resolve import ResolvedPolicy

# They only compute, or their steps look at the time themselves: any time above 0 is of use.
_NEEDS_NO_TIME: Final = frozenset({"inline", "plan"})


class Allowance(NamedTuple):
    """The time of one call.

    Attributes:
        seconds: How long it may take from its beginning; at least 0.
        is_own: The call's own timeout ends it, and not what is around it.
        is_shorter: It ends before what is around it does, so that it needs a timer of its own.
        reserve: What is kept of the time around it for a fallback that stands behind it.
        cancel_grace: For how long it may clean up when it is cut off.
    """

    seconds: float
    is_own: bool
    is_shorter: bool
    reserve: float = 0.0
    cancel_grace: float = CANCEL_GRACE


def usual_allowance(unit: AnyAgent, policy: ResolvedPolicy) -> Allowance | None:
    """What a call may take that has more time around it than it wants; `None`: it has to be asked.

    Most calls have just this, so it is made once.
    """
    if policy.timeout is None or policy.reserve is not None or unit.fallbacks:
        return None
    return Allowance(seconds=policy.timeout, is_own=True, is_shorter=True)


def allowance(frame: Frame, unit: AnyAgent, policy: ResolvedPolicy, left: float) -> Allowance:
    """What a call may take that begins now.

    It is the least of its own timeout and of what is left around it; of the latter it leaves a
    reserve to its fallback, so that the fallback has time even if the call uses all of its own.

    Args:
        frame: The call.
        unit: What is called.
        policy: How it is protected.
        left: Seconds that are left around it; not above 0 once they are past.

    Raises:
        StepError: So little is left around it that it could not be useful (code `deadline`).
    """
    reserve = reserve_of(max(left, 0.0), policy.reserve) if unit.fallbacks else 0.0
    own = None if policy.timeout is None else policy.timeout - (policy.reserve or 0.0)
    seconds = time_for(own, left, reserve)
    assert seconds is not None, "a run has a working time"
    least = 0.0 if unit.about.kind in _NEEDS_NO_TIME else least_useful(own)
    if seconds < least or seconds <= 0:
        raise _too_late(frame, unit, seconds, reserve)
    return Allowance(
        seconds=seconds,
        is_own=own is not None and own <= left - reserve,
        is_shorter=seconds < left,
        reserve=reserve,
        cancel_grace=min(CANCEL_GRACE, reserve / 2) if reserve else CANCEL_GRACE,
    )


def timed_out(frame: Frame, unit: AnyAgent, policy: ResolvedPolicy, time: Allowance) -> StepError:
    """The failure of a call whose time was over."""
    if not time.is_own:
        return _cut_off(
            frame,
            unit,
            f"was ended after {time.seconds:.3f} seconds, since what calls it has no more time"
            + _kept(time.reserve),
        )
    return StepError(
        f"step {frame.path!r} took longer than its {policy.timeout:g} seconds: "
        "raise Policy(timeout=), or add a fallback",
        step=frame.path,
        code="step_timeout",
        error_class=ErrorClass.DEADLINE,
        where=unit.about.where,
        details={"timeout": policy.timeout},
    )


def _too_late(frame: Frame, unit: AnyAgent, seconds: float, reserve: float) -> StepError:
    why = f"was not started: {seconds:.3f} seconds are left of the time of what calls it"
    return _cut_off(frame, unit, why + _kept(reserve))


def _kept(reserve: float) -> str:
    return f" ({reserve:.3f} seconds are kept for the fallback)" if reserve else ""


def _cut_off(frame: Frame, unit: AnyAgent, why: str) -> StepError:
    return StepError(
        f"step {frame.path!r} {why}: raise the Policy(timeout=) around it",
        step=frame.path,
        code="deadline",
        error_class=ErrorClass.DEADLINE,
        where=unit.about.where,
    )
