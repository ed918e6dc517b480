"""What is doubtful about the policies of one call, with the reason and what to do instead.

Numbers that are impossible are refused at declaration. These can stand, and do not do what their
author may think.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import Literal, TypeAlias

from fishplate.core.data import dataclass
from fishplate.core.errors import JsonValue
from fishplate.resilience.deadline import LEAST_USEFUL
from fishplate.resilience.resolve import ResolvedPolicy
from fishplate.resilience.retry import longest_delays

Severity: TypeAlias = Literal["error", "warning"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One doubt.

    Attributes:
        code: Stable word, e.g. `nested_retries`.
        severity: An `error` is a setting that cannot hold, or that may repeat an effect.
        step: Path of the call.
        message: What will happen.
        remedy: What to write instead.
        where: `file:line` of what is called.
    """

    code: str
    severity: Severity
    step: str
    message: str
    remedy: str
    where: str

    def to_json(self) -> dict[str, JsonValue]:
        """The finding as a JSON object."""
        return {
            "code": self.code,
            "severity": self.severity,
            "step": self.step,
            "message": self.message,
            "remedy": self.remedy,
            "where": self.where,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Linted:
    """The call that is looked at.

    Attributes:
        subject: What errors call it: `tool 'pay'`.
        step: Path of the call.
        where: `file:line` of what is called.
        policy: Its policies, with the defaults.
        effect: The declared effect of a tool.
        key_ttl: Seconds for which the other side of a keyed tool remembers a key.
        time: Seconds that what calls it has at most.
    """

    subject: str
    step: str
    where: str
    policy: ResolvedPolicy
    effect: str | None
    key_ttl: float | None
    time: float

    def finding(self, code: str, severity: Severity, message: str, remedy: str) -> Finding:
        """A finding about this call."""
        return Finding(
            code=code,
            severity=severity,
            step=self.step,
            message=message,
            remedy=remedy,
            where=self.where,
        )


def lint_policy(call: Linted) -> Iterator[Finding]:
    """What is doubtful about one call, whatever it is part of."""
    yield from _retry_on_effect(call)
    yield from _forgotten_key(call)
    yield from _attempts_above_timeout(call)
    yield from _retry_without_budget(call)
    yield from _never_acts(call)


def _retry_on_effect(call: Linted) -> Iterator[Finding]:
    policy = call.policy
    if policy.repeats != "without_effect" or policy.retry is None or policy.retry.attempts == 1:
        return
    yield call.finding(
        "retry_on_effect",
        "warning",
        f"{call.subject} has the effect {call.effect!r} and Retry(attempts="
        f"{policy.retry.attempts}): an attempt is repeated only if it certainly did nothing. "
        "After a lost answer or a timeout the call fails at once",
        "declare effect='idempotent' or 'keyed' if that is true of the other side, or leave the "
        "retry out",
    )


def _forgotten_key(call: Linted) -> Iterator[Finding]:
    """A key may be sent again only while the other side remembers it."""
    policy, ttl = call.policy, call.key_ttl
    horizon = min(call.time, inf if policy.timeout is None else policy.timeout)
    if ttl is None or policy.retry is None or policy.retry.attempts == 1 or horizon <= ttl:
        return
    yield call.finding(
        "forgotten_key",
        "error",
        f"{call.subject} may be repeated until {horizon:g} s after its first attempt, and the "
        f"other side forgets its key after {ttl:g} s (key_ttl): a late attempt is a second effect",
        f"set Policy(timeout=) below {ttl:g}, or retry='off'",
    )


def _attempts_above_timeout(call: Linted) -> Iterator[Finding]:
    """The declared attempts with their longest delays need more time than the call has."""
    policy, retry = call.policy, call.policy.retry
    if policy.timeout is None or policy.source("timeout") == "default":
        return  # a default is made to leave room
    if policy.attempt_timeout is None and policy.source("retry") == "default":
        return
    attempts = 1 if retry is None else retry.attempts
    delays = 0.0 if retry is None else longest_delays(retry)
    one = LEAST_USEFUL if policy.attempt_timeout is None else policy.attempt_timeout
    needed, left = attempts * one + delays, policy.timeout - (policy.reserve or 0.0)
    if needed <= left:
        return
    reserved = f" (less a reserve of {policy.reserve:g} s)" if policy.reserve else ""
    waits = f" and up to {delays:g} s of delays" if delays else ""
    plural = "s" if attempts > 1 else ""
    yield call.finding(
        "attempts_above_timeout",
        "warning",
        f"{call.subject}: {attempts} attempt{plural} of {one:g} s{waits} take {needed:g} s, and "
        f"its timeout is {policy.timeout:g} s{reserved}: the last attempt is cut short, or not "
        "made at all",
        f"set timeout= to {needed + (policy.reserve or 0.0):g} or more, or make fewer or shorter "
        "attempts",
    )


def _retry_without_budget(call: Linted) -> Iterator[Finding]:
    retry = call.policy.retry
    if retry is None or retry.budget or retry.attempts == 1:
        return
    yield call.finding(
        "retry_without_budget",
        "warning",
        f"{call.subject} has Retry(budget=False): when its target is down, up to "
        f"{retry.attempts} times the usual calls go there, and keep it down",
        "leave budget= at True, which allows a fifth of the calls and one a second",
    )


def _never_acts(call: Linted) -> Iterator[Finding]:
    """Settings that the call's time never lets act."""
    policy = call.policy
    retry, breaker, bulkhead = policy.retry, policy.breaker, policy.bulkhead
    waits: list[tuple[str, float]] = []
    if bulkhead is not None and policy.source("bulkhead") == "declared":
        waits.append(("Bulkhead(wait=)", bulkhead.wait))
    if retry is not None and policy.source("retry") == "declared":
        waits.append(("Retry(max_wait=)", retry.max_wait))
    for name, wait in waits:
        if policy.timeout is not None and wait > policy.timeout:
            yield _without_effect(call, name, wait, "timeout", policy.timeout)
    slow = None if breaker is None else breaker.slow_call
    is_attempt = policy.attempt_timeout is not None
    limit = policy.attempt_timeout if is_attempt else policy.timeout
    if slow is not None and limit is not None and slow >= limit:
        word = "attempt_timeout" if is_attempt else "timeout"
        yield _without_effect(call, "Breaker(slow_call=)", slow, word, limit)


def _without_effect(call: Linted, name: str, value: float, by: str, limit: float) -> Finding:
    return call.finding(
        "never_acts",
        "warning",
        f"{call.subject}: {name} of {value:g} s never acts, since {by} ends the call or attempt "
        f"after {limit:g} s",
        f"set it below {limit:g}, or leave it out",
    )
