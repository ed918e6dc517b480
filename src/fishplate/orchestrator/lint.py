"""What is doubtful about the policies of a run: of each call, and of calls within calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from fishplate.orchestrator.protected import Conflict, ProtectedCall, shared_parts
from fishplate.resilience.lint import Finding, Linted, Severity, lint_policy

# What acts on time, on another process or on calls at the same time, none of which an inline
# function knows.
_IDLE_INLINE: Final = ("timeout", "attempt_timeout", "retry", "breaker", "bulkhead")


def lint_calls(roots: Sequence[ProtectedCall]) -> list[Finding]:
    """Look at all calls of some runs.

    Args:
        roots: What `protected_calls` gave.

    Returns:
        The findings in the order of the calls; an agent that is called at several places under
        one policy is told at the first, unless the place matters.
    """
    calls = [call for root in roots for call in root.all()]
    found: dict[tuple[str, str], Finding] = {}
    for finding in _findings(calls):
        found.setdefault((finding.code, finding.message), finding)
    return list(found.values())


def _findings(calls: Sequence[ProtectedCall]) -> Iterator[Finding]:
    for call in calls:
        yield from lint_policy(_linted(call))
        yield from _retry_over_effects(call)
        yield from _nested_retries(call)
        yield from _timeout_above_deadline(call)
        yield from _reserve_above_deadline(call)
        yield from _uncounted_tokens(call)
        yield from _shared_failure(call)
        yield from _idle_policy(call)
    for conflict in shared_parts(calls)[1]:
        yield _conflicting_policies(conflict)


def _linted(call: ProtectedCall) -> Linted:
    about = call.unit.about
    return Linted(
        subject=about.subject,
        step=call.path,
        where=about.where,
        policy=call.policy,
        effect=None if about.effect is None else about.effect.effect,
        key_ttl=None if about.effect is None else about.effect.key_ttl,
        time=call.time,
    )


def _finding(
    call: ProtectedCall, code: str, message: str, remedy: str, severity: Severity = "warning"
) -> Finding:
    return _linted(call).finding(code, severity, message, remedy)


def _retry_over_effects(call: ProtectedCall) -> Iterator[Finding]:
    """A body is repeated only while nothing that it called has changed anything."""
    retry, effects = call.policy.retry, call.below.effects
    if retry is None or retry.attempts == 1 or not effects:
        return
    subject, named = call.unit.about.subject, _listed(effects)
    yield _finding(
        call,
        "retry_on_effect",
        f"{subject} has Retry(attempts={retry.attempts}) and calls {named}: it is repeated only "
        f"while no effect has happened. Once {effects[0]!r} was called, its failure is final",
        f"put the retry on the tools that may be repeated, and leave it out of {subject}",
    )


def _nested_retries(call: ProtectedCall) -> Iterator[Finding]:
    """Retries belong to one layer, the leaf: each layer above multiplies the load of an outage."""
    retry, below = call.policy.retry, call.below
    if retry is None or retry.attempts == 1 or below.attempts == 1:
        return
    subject = call.unit.about.subject
    yield _finding(
        call,
        "nested_retries",
        f"{subject} makes {retry.attempts} attempts, and {below.retried!r} below it makes "
        f"{below.attempts} in each: up to {retry.attempts} x {below.attempts} = "
        f"{retry.attempts * below.attempts} calls. What gave up below is not tried again, but "
        "every other failure repeats all that had succeeded",
        f"keep the retry at {below.retried!r}, and leave it out of {subject}",
    )


def _timeout_above_deadline(call: ProtectedCall) -> Iterator[Finding]:
    """A limit that is longer than the time around it never acts."""
    for name in ("timeout", "attempt_timeout"):
        value = getattr(call.policy, name)
        if value is None or call.policy.source(name) == "default" or value <= call.time:
            continue
        subject = call.unit.about.subject
        yield _finding(
            call,
            "timeout_above_deadline",
            f"{subject} has {name}={value:g}, and what calls it is over after {call.time:g} s: "
            "the call is cut off before its own limit acts",
            f"set {name}= below {call.time:g}, or give what calls it more time",
            "error",
        )
        return


def _reserve_above_deadline(call: ProtectedCall) -> Iterator[Finding]:
    """Never more than half of the time around a call is kept, and only for a fallback."""
    reserve, subject = call.policy.reserve, call.unit.about.subject
    if reserve is None:
        return
    if call.fallbacks and reserve > call.time / 2:
        yield _finding(
            call,
            "reserve_above_deadline",
            f"{subject} has reserve={reserve:g} for its fallback, and what calls it is over after "
            f"{call.time:g} s: no more than half of that is kept",
            f"set reserve= to {call.time / 2:g} or less, or give what calls it more time",
            "error" if reserve >= call.time else "warning",
        )
    elif not call.fallbacks and call.policy.timeout is None:
        yield _finding(
            call,
            "never_acts",
            f"{subject} has reserve={reserve:g}, which never acts: it has no timeout to be taken "
            "from, and no fallback stands behind it to be kept for",
            "add a fallback or a timeout, or leave the reserve out",
        )


def _uncounted_tokens(call: ProtectedCall) -> Iterator[Finding]:
    """Only a request to a model says how many tokens it uses."""
    limit, subject = call.policy.rate_limit, call.unit.about.subject
    if call.unit.about.asks is not None:
        return
    if limit is not None and limit.tokens_per_minute is not None:
        yield _finding(
            call,
            "never_acts",
            f"{subject} has RateLimit(tokens_per_minute={limit.tokens_per_minute:g}), which never "
            "acts: only calls of models use tokens",
            "set requests_per_minute=",
        )


def _shared_failure(call: ProtectedCall) -> Iterator[Finding]:
    """A fallback that needs whatever failed fails with it."""
    for fallback in call.fallbacks:
        targets = call.below.targets
        if targets <= fallback.below.targets:
            named = _listed(sorted(targets))
            yield _finding(
                fallback,
                "shared_failure",
                f"{fallback.unit.name!r} answers for {call.unit.name!r} and calls every target "
                f"that it calls ({named}): when one is down or its breaker is open, both fail",
                "let a fallback answer from a cache, from rules or from another target",
            )


def _idle_policy(call: ProtectedCall) -> Iterator[Finding]:
    about, declared = call.unit.about, call.policy.declared
    if about.kind == "inline":
        idle = [name for name in _IDLE_INLINE if name in declared]
        why = "runs on the event loop to its end: nothing there hangs, waits or is cut off"
        remedy = "leave them out, or declare it without inline=True"
    elif about.kind == "plan":
        idle = [name for name in ("breaker",) if call.policy.breaker and name in declared]
        why = "does not leave the process: its breaker would close all steps when one target fails"
        remedy = "declare the breaker on the tool or agent that reaches the target"
    else:
        return
    if idle:
        message = f"{about.subject} declares {', '.join(idle)} and {why}"
        yield _finding(call, "idle_policy", message, remedy)


def _conflicting_policies(conflict: Conflict) -> Finding:
    first, second = conflict.first, conflict.second
    return _finding(
        conflict.call,
        "conflicting_policies",
        f"{second.owner} and {first.owner} share the target {conflict.target!r} and declare "
        f"different policies for its {conflict.part}: whoever is called second is refused",
        f"declare {conflict.part}= once, or name two targets",
        "error",
    )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:3]))
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"  # noqa: PLR2004 -- as many as are shown
