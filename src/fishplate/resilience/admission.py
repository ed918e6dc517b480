"""The slow way in: what a call does when its target is not simply free."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from fishplate.core.errors import ErrorClass, Failure, FishplateError
from fishplate.resilience.breaker import LEASE_MARGIN
from fishplate.resilience.calls import CallState
from fishplate.resilience.events import CallHeld, CallRejected
from fishplate.resilience.resolve import ResolvedPolicy
from fishplate.resilience.target import Environment, Target

# Whoever may wait looks again after this, if nobody knows when a rejection passes.
LOOK_AGAIN: Final = 0.1
# No wait is shorter: rounding would make it a busy loop.
SHORTEST_WAIT: Final = 0.001
# Lease of a probe of an attempt that nothing bounds.
LONGEST_PROBE: Final = 60.0


class Admitted(NamedTuple):
    """A slot is held, and this is the breaker's permit."""

    epoch: int
    probe: int


class Admission:
    """Lets the calls of one policy into one target: breaker, rate limit, bulkhead, breaker permit.

    Args:
        resolved: The policies.
        target: What is called.
        environment: Clock, randomness, sleep and events.
    """

    def __init__(self, resolved: ResolvedPolicy, target: Target, environment: Environment) -> None:
        self._resolved = resolved
        self._target = target
        self._around = environment
        self._least_useful = resolved.least_useful
        self._breaker = target.breaker if resolved.breaker is not None else None
        self._slots = target.slots if resolved.bulkhead is not None else None
        self._limiter = target.limiter if resolved.rate_limit is not None else None

    async def admit(self, call: CallState) -> Admitted:
        """Wait until the call may be dispatched.

        Raises:
            Failure: It may not: the call's time is over, or a rejection did not pass in time.
        """
        waited_before, held_by = call.waited, ""
        while True:
            now = self._around.clock()
            if call.time_left(now) < self._least_useful:
                raise self._out_of_time(call, now) from call.last
            found = await self._try(call, now)
            if isinstance(found, Admitted):
                if held_by:
                    waited = call.waited - waited_before
                    held = CallHeld(
                        target=self._target.key, subject=call.subject, code=held_by, seconds=waited
                    )
                    self._around.emit(held)
                return found
            wait = self.wait_for(call, found)
            if wait is None:
                self._tell_rejection(call, found)
                raise found from call.last
            held_by = found.code
            await self._around.sleep(wait)

    def wait_for(self, call: CallState, rejection: FishplateError) -> float | None:
        """Seconds after which a rejected call may try again, counted as waited; `None`: it may not.

        Args:
            call: The call.
            rejection: An error of the class `local_rejection`; any other is never waited for.
        """
        if rejection.error_class is not ErrorClass.LOCAL_REJECTION or call.options.has_fallback:
            return None
        asked = rejection.retry_after
        wait = LOOK_AGAIN if asked is None else max(asked, SHORTEST_WAIT)
        left = call.time_left(self._around.clock())
        if call.waited + wait > self._resolved.max_wait or left < wait + self._least_useful:
            return None
        call.waited += wait
        return wait

    async def _try(self, call: CallState, now: float) -> Admitted | Failure:
        """Pass all gates once, and hold nothing if one is shut."""
        if (refusal := self._closed(call, now) or self._open_breaker(call, now)) is not None:
            return refusal
        tokens = call.options.tokens
        if self._limiter is not None and (wait := self._limiter.take(tokens, now)) > 0:
            return self._limited(call, wait)
        is_admitted = False
        try:
            found = await self._enter(call)
            is_admitted = isinstance(found, Admitted)
            return found
        finally:
            if self._limiter is not None and not is_admitted:  # rejected, or cancelled in the queue
                self._limiter.give_back(tokens, requests=1)

    async def _enter(self, call: CallState) -> Admitted | Failure:
        if self._slots is not None:
            at_most = call.time_left(self._around.clock()) - self._least_useful
            if not await self._slots.acquire(at_most=at_most):
                return self._rejection(
                    call,
                    "bulkhead_full",
                    f"all {self._slots.limit} slots of target {self._target.key!r} are taken and "
                    f"{self._slots.queued} calls wait: raise Bulkhead(concurrent=), or call less",
                    None,
                )
        if self._breaker is None:
            return Admitted(0, 0)
        now = self._around.clock()
        permit = self._breaker.acquire(now, lease=self._lease(call, now))
        if permit is not None:
            return Admitted(permit.epoch, permit.probe)
        assert self._slots is not None, "a breaker can shut after the look only while a call queues"
        self._slots.release()
        return self._shut(call, self._breaker.peek(now))

    def _closed(self, call: CallState, now: float) -> Failure | None:
        left = self._target.closed_until - now
        if left <= 0:
            return None
        return Failure(
            f"{call.subject!r} was not called: the quota of target {self._target.key!r} is "
            f"exhausted for another {left:.1f} seconds: add a fallback",
            error_class=ErrorClass.QUOTA_EXHAUSTED,
            code="quota_exhausted",
            retry_after=left,
        )

    def _open_breaker(self, call: CallState, now: float) -> Failure | None:
        wait = 0.0 if self._breaker is None else self._breaker.peek(now)
        return self._shut(call, wait) if wait > 0 else None

    def _shut(self, call: CallState, wait: float) -> Failure:
        is_forced = math.isinf(wait)
        how = "held open by an operator" if is_forced else f"open for another {wait:.1f} seconds"
        why = f"the breaker of target {self._target.key!r} is {how}: add a fallback"
        return self._rejection(call, "breaker_open", why, None if is_forced else wait)

    def _limited(self, call: CallState, wait: float) -> Failure:
        key, tokens = self._target.key, call.options.tokens
        if self._limiter is not None and not self._limiter.can_ever_take(tokens):
            most = self._limiter.settings.tokens_per_minute
            return Failure(
                f"{call.subject!r} was not called: it needs {tokens} tokens at once, and target "
                f"{key!r} has RateLimit(tokens_per_minute={most!r}): ask for less",
                error_class=ErrorClass.PERMANENT,
                code="above_rate_limit",
            )
        why = f"target {key!r} has used up its RateLimit: raise it, or call less"
        return self._rejection(call, "rate_limit_reached", why, wait)

    def _rejection(
        self, call: CallState, code: str, why: str, retry_after: float | None
    ) -> Failure:
        return Failure(
            f"{call.subject!r} was not called: {why}",
            error_class=ErrorClass.LOCAL_REJECTION,
            code=code,
            retry_after=retry_after,
            retry_exhausted=self._resolved.retry is not None,
        )

    def _out_of_time(self, call: CallState, now: float) -> Failure:
        return Failure(
            f"{call.subject!r} was not called: {max(call.time_left(now), 0.0):.3f} seconds of its "
            f"time are left, and an attempt needs {self._least_useful:g}: raise Policy(timeout=)",
            error_class=ErrorClass.DEADLINE,
            code="deadline",
        )

    def _tell_rejection(self, call: CallState, rejection: Failure) -> None:
        rejected = CallRejected(
            target=self._target.key,
            subject=call.subject,
            code=rejection.code,
            waited=call.waited,
            retry_after=rejection.retry_after,
        )
        self._around.emit(rejected)

    def _lease(self, call: CallState, now: float) -> float:
        limit = self._resolved.attempt_timeout
        longest = call.time_left(now) if limit is None else min(limit, call.time_left(now))
        return (LONGEST_PROBE if math.isinf(longest) else longest) + LEASE_MARGIN
