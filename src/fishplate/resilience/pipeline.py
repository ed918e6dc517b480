"""The attempts of a call: one function for all policies, in one order.

retry (and its budget) → breaker, looked at → rate limit → bulkhead → breaker, permit →
`before_dispatch` → attempt timer → the attempt → its class

The order is the same for everybody. The breaker is looked at before a call queues, so that it fails
fast, and its permit is taken after, so that no probe waits in a queue. A call that finds its target
free and succeeds at once passes all of it as comparisons and additions in `Pipeline.run`; whatever
else happens is in `admission` (before an attempt) and in `aftermath` (after one that failed).
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from math import inf
from typing import Any, Final, TypeVar

from fishplate.core.suspension import finish_within
from fishplate.resilience.admission import Admission
from fishplate.resilience.aftermath import Aftermath
from fishplate.resilience.breaker import CALLS, BreakerState, Outcome
from fishplate.resilience.budget import FIRSTS
from fishplate.resilience.calls import ORDINARY, CallOptions, CallState, DispatchedAttempt
from fishplate.resilience.classify import NO_MAP, ErrorMap, check_error_map
from fishplate.resilience.events import AttemptEnded
from fishplate.resilience.resolve import ResolvedPolicy
from fishplate.resilience.target import Environment, Target

T = TypeVar("T")

_CLOSED: Final = BreakerState.CLOSED


class Pipeline:
    """Runs the calls of one policy to one target.

    Args:
        resolved: The policies.
        target: The state that all calls to the target share; a policy that is on has its part there
            (`Targets.pipeline` sees to it).
        environment: Clock, randomness, sleep and events.
        errors: Class of the exceptions that the attempt may raise, beside those of fishplate.

    Raises:
        ValueError: The map of errors names what is not an exception.
    """

    def __init__(
        self,
        resolved: ResolvedPolicy,
        target: Target,
        environment: Environment,
        errors: ErrorMap = NO_MAP,
    ) -> None:
        check_error_map(errors)
        self.resolved = resolved
        self.target = target
        self._around = environment
        self._clock = environment.clock
        has_budget = resolved.retry is not None and resolved.retry.budget
        self._budget = target.budget if has_budget else None
        self._breaker = target.breaker if resolved.breaker is not None else None
        self._slots = target.slots if resolved.bulkhead is not None else None
        self._limiter = target.limiter if resolved.rate_limit is not None else None
        limit = resolved.attempt_timeout
        self._attempt_timeout = inf if limit is None else limit
        self._least_useful = resolved.least_useful
        self._admission = Admission(resolved, target, environment)
        self._aftermath = Aftermath(resolved, target, environment, self._admission, errors)

    # Fused, since a call per policy would cost more; by position, since keywords cost as much.
    async def run(  # noqa: C901, PLR0912, PLR0913, PLR0915, PLR0917
        self,
        attempt: Callable[..., Coroutine[Any, Any, T]],
        subject: str,
        deadline: float | None = None,
        options: CallOptions = ORDINARY,
        arguments: tuple[object, ...] = (),
        begin: Callable[[float], object] | None = None,
        now: float | None = None,
    ) -> T:
        """Make attempts until one succeeds or no further one is worth it.

        Args:
            attempt: Makes the coroutine of one attempt from `arguments`; called once for each.
            subject: What is called, for errors and events, e.g. the path of the step.
            deadline: When the call has to be over, on the environment's clock.
            options: What most calls leave at its default.
            arguments: What `attempt` is called with.
            begin: Told right before each attempt when that has to be over, on the environment's
                clock; infinity if nothing bounds it.
            now: The time on that clock, if the caller has just asked.

        Raises:
            FishplateError: The last attempt's, or a `Failure` of the pipeline itself: `deadline`,
                `attempt_timeout`, `breaker_open`, `bulkhead_full`, `rate_limit_reached`,
                `above_rate_limit`, `quota_exhausted`. `retry_exhausted` tells that the policy has
                tried again as often as it may. An exception that the map of errors or Python's
                own table knows comes as a `Failure` with it as the cause.
            DeclaredError: The last attempt raised it, and the map of errors does not name it.
            Exception: A bug of the attempt, as it was raised.
        """
        if now is None:
            now = self._clock()
        breaker, slots, limiter = self._breaker, self._slots, self._limiter
        number = options.attempts_made
        earns = self._budget if number == 0 else None  # a call's first attempt earns retry credit
        call: CallState | None = None
        while True:
            # The limiter comes last: it takes when asked.
            if (
                now >= self.target.closed_until
                and (deadline is None or deadline - now >= self._least_useful)
                and (breaker is None or breaker.state is _CLOSED)
                and (slots is None or slots.in_flight < slots.limit)
                and (limiter is None or limiter.take(options.tokens, now) == 0)
            ):
                epoch, probe = 0 if breaker is None else breaker.epoch, 0
                if slots is not None:
                    slots.in_flight += 1
            else:
                call = call or CallState(subject, deadline, options)
                epoch, probe = await self._admission.admit(call)
                now = self._clock()
            number += 1
            if earns is not None:
                if now >= earns.window.ends:
                    earns.window.roll(now)
                earns.window.current[FIRSTS] += 1
                earns = None
            if options.before_dispatch is not None:
                await self._mark(options, DispatchedAttempt(number, now, epoch, probe))
                now = self._clock()
            ends = now + self._attempt_timeout
            if deadline is not None and deadline < ends:
                ends = deadline
            if begin is not None:
                begin(ends)
            try:
                coroutine = attempt(*arguments)
                try:
                    yielded = coroutine.send(None)
                except StopIteration as stop:
                    result: T = stop.value
                    has_waited = False
                else:
                    left = ends - self._clock()
                    result = await finish_within(
                        left, coroutine, yielded, grace=options.cancel_grace
                    )
                    has_waited = True
            except BaseException as error:
                if slots is not None:
                    slots.release()
                attempted = DispatchedAttempt(number, now, epoch, probe)
                if not isinstance(error, Exception):
                    self._aftermath.give_back(attempted, deadline)
                    raise
                call = call or CallState(subject, deadline, options)
                verdict = self._aftermath.judge(call, attempted, error)
                if verdict.delay is None:
                    if verdict.failure is error:
                        raise
                    raise verdict.failure from verdict.failure.__cause__
            else:
                ended = self._clock() if has_waited else now
                if slots is not None:
                    if slots.waiters:
                        slots.release()
                    else:
                        slots.in_flight -= 1
                if breaker is not None:
                    # As `settle` does for a call in no doubt.
                    if (
                        breaker.epoch == epoch
                        and breaker.state is _CLOSED
                        and (not has_waited or breaker.settings.slow_call is None)
                    ):
                        if ended >= breaker.window.ends:
                            breaker.window.roll(ended)
                        breaker.window.current[CALLS] += 1
                        breaker.consecutive = 0
                    else:
                        breaker.settle(epoch, probe, Outcome.SUCCESS, ended, seconds=ended - now)
                if has_waited:
                    self.target.remember(ended - now)
                if number > 1 or options is not ORDINARY:
                    self._tell_success(subject, options, number, ended - now, result)
                return result
            if not verdict.uses_attempt:
                number -= 1
            await self._around.sleep(verdict.delay)
            now = self._clock()

    def hold_until(self, thread: Future[Any]) -> None:
        """Keep the running attempt's slot until a thread ends that the attempt cannot end.

        An attempt that runs a thread calls this when it is cancelled, before it ends; without a
        bulkhead nothing happens.
        """
        if self._slots is not None:
            self._slots.hold_until(thread)

    async def _mark(self, options: CallOptions, attempt: DispatchedAttempt) -> None:
        """Announce an attempt that is about to begin; if that fails, nothing has happened."""
        assert options.before_dispatch is not None
        try:
            await options.before_dispatch(attempt.number)
        except BaseException:
            if self._slots is not None:
                self._slots.release()
            if self._breaker is not None:
                self._breaker.release(attempt.epoch, attempt.probe)
            if self._limiter is not None:
                self._limiter.give_back(options.tokens, requests=1)
            raise

    def _tell_success(
        self, subject: str, options: CallOptions, number: int, seconds: float, result: object
    ) -> None:
        """What a success has to tell unless it was an ordinary call's first attempt."""
        if self._limiter is not None and options.tokens_used is not None:
            used = options.tokens_used(result)
            if used is not None:
                self._limiter.give_back(options.tokens - used)
        if number > 1:
            ended = AttemptEnded(
                target=self.target.key, subject=subject, attempt=number, seconds=seconds
            )
            self._around.emit(ended)
