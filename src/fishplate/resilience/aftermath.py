"""After an attempt that failed: what it means, what is counted, and whether another one follows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from fishplate.core.errors import ErrorClass, Failure, FishplateError
from fishplate.core.outcome import DeclaredError
from fishplate.core.suspension import OutOfTimeError
from fishplate.resilience.admission import Admission
from fishplate.resilience.breaker import LONGEST_RETRY_AFTER, Outcome
from fishplate.resilience.budget import RETRY_AFTER_TIMEOUT_COST, RETRY_COST
from fishplate.resilience.calls import CallState, DispatchedAttempt
from fishplate.resilience.classify import ErrorMap, classify, code_of, had_no_effect
from fishplate.resilience.events import AttemptEnded, RetriesStopped, RetryScheduled, StopReason
from fishplate.resilience.resolve import ResolvedPolicy
from fishplate.resilience.retry import FailedAttempt, is_given_up, next_delay
from fishplate.resilience.target import Environment, Target

_WHY: Final[Mapping[StopReason, str]] = {
    "attempts": "all attempts of its policy are used",
    "not_repeatable": "the attempt may have had an effect, and repeating it is not safe",
    "server_delay": "the target asks for a longer delay than Retry(max_server_delay=) allows",
    "deadline": "not enough time is left for another attempt",
    "breaker": "the target's breaker is open",
    "budget": "the target's retry budget is spent",
}


class Verdict(NamedTuple):
    """What follows a failed attempt.

    Attributes:
        failure: What the caller gets if nothing follows.
        delay: Seconds until the next attempt; `None`: there is none.
        uses_attempt: Whether the failed one counts as an attempt.
    """

    failure: Exception
    delay: float | None
    uses_attempt: bool = True


class _Meaning(NamedTuple):
    """What a failed attempt means to the caller, to a retry, to the breaker and to the budget."""

    failure: Exception
    error_class: ErrorClass
    outcome: Outcome
    cost: int = RETRY_COST


class Aftermath:
    """Judges the failed attempts of one policy on one target.

    Args:
        resolved: The policies.
        target: What was called.
        environment: Clock, randomness and events.
        admission: Knows how long a call may wait for a local rejection.
        errors: Class of the exceptions that the attempt may raise, beside those of fishplate.
    """

    def __init__(
        self,
        resolved: ResolvedPolicy,
        target: Target,
        environment: Environment,
        admission: Admission,
        errors: ErrorMap,
    ) -> None:
        self._resolved = resolved
        self._target = target
        self._around = environment
        self._admission = admission
        self._errors = errors
        self._breaker = target.breaker if resolved.breaker is not None else None
        self._limiter = target.limiter if resolved.rate_limit is not None else None

    def judge(self, call: CallState, attempt: DispatchedAttempt, error: Exception) -> Verdict:
        """Count a failed attempt, tell it, and decide whether another one follows.

        Args:
            call: The call; the failure becomes its last.
            attempt: The attempt.
            error: What it raised; `OutOfTimeError` if it was cut off here.
        """
        now = self._around.clock()
        seconds = now - attempt.started
        meaning = self._meaning(call, attempt, error, seconds)
        failure, error_class = meaning.failure, meaning.error_class
        self._count(call, attempt, error, meaning, now)
        ended = AttemptEnded(
            target=self._target.key,
            subject=call.subject,
            attempt=attempt.number,
            seconds=seconds,
            error_class=error_class,
            code=code_of(failure, error_class),
        )
        self._around.emit(ended)
        call.last = failure
        is_repeatable = self._is_repeatable(call, failure, error, error_class)
        if error_class is ErrorClass.LOCAL_REJECTION:
            return self._after_rejection(call, failure, is_repeatable=is_repeatable)
        return self._after_failure(call, attempt.number, meaning, now, is_repeatable=is_repeatable)

    def give_back(self, attempt: DispatchedAttempt, deadline: float | None) -> None:
        """Give back the permit of an attempt that was cancelled.

        Cancellation says nothing about the target, unless it comes at the end of the call's time:
        then the target hung, and another timer for the same deadline was first.
        """
        if self._breaker is None:
            return
        now = self._around.clock()
        is_at_end = deadline is not None and deadline - now < self._resolved.least_useful
        if is_at_end and now - attempt.started >= self._target.useful:
            self._breaker.settle(attempt.epoch, attempt.probe, Outcome.HUNG, now)
        else:
            self._breaker.release(attempt.epoch, attempt.probe)

    def _meaning(
        self, call: CallState, attempt: DispatchedAttempt, error: Exception, seconds: float
    ) -> _Meaning:
        if isinstance(error, OutOfTimeError):
            cut_off = self._cut_off(call, attempt, seconds)
            cut_off.failure.__cause__ = error.__cause__  # how it ended when it was cancelled
            return cut_off
        error_class = classify(error, self._errors)
        if isinstance(error, DeclaredError) and error_class is ErrorClass.PERMANENT:
            # The target has answered, as its contract says it may.
            return _Meaning(error, error_class, Outcome.SUCCESS)
        outcome = Outcome.FAILURE if error_class.is_counted else Outcome.IGNORED
        if isinstance(error, (FishplateError, DeclaredError)) or error_class is ErrorClass.BUG:
            return _Meaning(error, error_class, outcome)
        failure = Failure(
            f"{call.subject!r} failed: target {self._target.key!r} raised {type(error).__name__}",
            error_class=error_class,
            code=code_of(error, error_class),
        )
        failure.__cause__ = error
        return _Meaning(failure, error_class, outcome)

    def _cut_off(self, call: CallState, attempt: DispatchedAttempt, seconds: float) -> _Meaning:
        limit, key = self._resolved.attempt_timeout, self._target.key
        if limit is not None and attempt.started + limit < call.deadline:
            timed_out = Failure(
                f"{call.subject!r} failed: attempt {attempt.number} on target {key!r} took longer "
                f"than its {limit:g} seconds: raise Policy(attempt_timeout=), or add a fallback",
                error_class=ErrorClass.TRANSIENT,
                code="attempt_timeout",
            )
            cost = RETRY_AFTER_TIMEOUT_COST
            return _Meaning(timed_out, ErrorClass.TRANSIENT, Outcome.FAILURE, cost)
        too_late = Failure(
            f"{call.subject!r} failed: its time was over while attempt {attempt.number} on target "
            f"{key!r} ran for {seconds:.3f} seconds: raise Policy(timeout=), or add a fallback",
            error_class=ErrorClass.DEADLINE,
            code="deadline",
        )
        # An attempt that had less time than most need says nothing about the target.
        outcome = Outcome.HUNG if seconds >= self._target.useful else Outcome.IGNORED
        return _Meaning(too_late, ErrorClass.DEADLINE, outcome)

    def _count(
        self,
        call: CallState,
        attempt: DispatchedAttempt,
        error: Exception,
        meaning: _Meaning,
        now: float,
    ) -> None:
        failure = meaning.failure
        retry_after = failure.retry_after if isinstance(failure, FishplateError) else None
        if self._breaker is not None:
            self._breaker.settle(
                attempt.epoch,
                attempt.probe,
                meaning.outcome,
                now,
                seconds=now - attempt.started,
                retry_after=retry_after,
            )
        if meaning.error_class is ErrorClass.QUOTA_EXHAUSTED and retry_after is not None:
            self._target.closed_until = now + min(retry_after, LONGEST_RETRY_AFTER)
        if self._limiter is not None and had_no_effect(error):
            self._limiter.give_back(call.options.tokens, requests=1)

    def _is_repeatable(
        self, call: CallState, failure: Exception, error: Exception, error_class: ErrorClass
    ) -> bool:
        if call.options.may_repeat is not None:
            return call.options.may_repeat(failure, error_class)
        repeats = self._resolved.repeats
        if repeats == "unless_answered":
            return not (isinstance(failure, Failure) and failure.is_answer)
        return repeats == "always" or had_no_effect(error)

    def _after_rejection(
        self, call: CallState, failure: Exception, *, is_repeatable: bool
    ) -> Verdict:
        """A call further down was rejected locally: it may pass soon, and nothing was sent."""
        if not isinstance(failure, FishplateError) or failure.retry_exhausted:
            return Verdict(failure, None)
        wait = self._admission.wait_for(call, failure) if is_repeatable else None
        if wait is None and self._resolved.retry is not None:
            failure = failure.as_exhausted("not tried again: the rejection did not pass in time")
        return Verdict(failure, wait, uses_attempt=False)

    def _after_failure(
        self, call: CallState, number: int, meaning: _Meaning, now: float, *, is_repeatable: bool
    ) -> Verdict:
        retry, failure = self._resolved.retry, meaning.failure
        if retry is None:
            return Verdict(failure, None)
        typed = failure if isinstance(failure, FishplateError) else None
        failed = FailedAttempt(
            number=number,
            error_class=meaning.error_class,
            is_exhausted=is_given_up(failure) or call.options.has_given_up_below(),
            is_repeatable=is_repeatable,
            retry_after=None if typed is None else typed.retry_after,
            time_left=call.time_left(now),
            time_needed=self._target.useful,
        )
        delay = next_delay(retry, failed, self._around.uniform)
        if not isinstance(delay, str):
            delay = self._permitted(call, delay, meaning.cost, now)
        if isinstance(delay, str):
            return Verdict(self._stopped(call, number, meaning, delay), None)
        scheduled = RetryScheduled(
            target=self._target.key,
            subject=call.subject,
            attempt=number,
            delay=delay,
            error_class=meaning.error_class,
            credit=self._target.budget.credit(now) if retry.budget else None,
        )
        self._around.emit(scheduled)
        return Verdict(failure, delay)

    def _permitted(
        self, call: CallState, delay: float, cost: int, now: float
    ) -> float | StopReason:
        """What the target's state says to a retry: its breaker would reject it, or no credit."""
        if self._breaker is not None:
            patience = 0.0 if call.options.has_fallback else self._resolved.max_wait - call.waited
            if self._breaker.peek(now) > delay + patience:
                return "breaker"
        retry = self._resolved.retry
        if retry is not None and retry.budget and not self._target.budget.try_spend(cost, now):
            return "budget"
        return delay

    def _stopped(
        self, call: CallState, number: int, meaning: _Meaning, reason: StopReason
    ) -> Exception:
        failure = meaning.failure
        if reason == "not_retried":
            return failure  # its class says it to all layers above too
        stopped = RetriesStopped(
            target=self._target.key,
            subject=call.subject,
            attempt=number,
            error_class=meaning.error_class,
            reason=reason,
        )
        self._around.emit(stopped)
        if reason == "exhausted_below":
            return failure
        if isinstance(failure, DeclaredError):
            return failure.as_exhausted()
        if isinstance(failure, FishplateError):
            return failure.as_exhausted(f"not tried again: {_WHY[reason]}")
        return failure
