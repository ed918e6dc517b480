"""Which policies a call gets: what is declared, and the defaults of what leaves the process."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, Literal, TypeAlias, TypeVar

from fishplate.core.data import dataclass
from fishplate.core.errors import JsonValue
from fishplate.resilience.breaker import LEASE_MARGIN
from fishplate.resilience.budget import SHARE_OF_CALLS, SPAN, UNASKED_PER_SECOND
from fishplate.resilience.checks import check_number
from fishplate.resilience.deadline import LEAST_USEFUL, least_useful
from fishplate.resilience.policy import Breaker, Bulkhead, Cache, Off, Policy, RateLimit, Retry
from fishplate.resilience.retry import longest_delays

Kind: TypeAlias = Literal["agent", "workflow", "tool", "model", "remote"]
Source: TypeAlias = Literal["declared", "default"]
Repeats: TypeAlias = Literal["always", "unless_answered", "without_effect"]

# A tool of another effect may have done its work although the answer was lost.
REPEATABLE: Final = frozenset({"readonly", "idempotent", "keyed"})
STEP_TIMEOUT: Final[Mapping[Kind, float]] = {"model": 120.0, "remote": 120.0, "tool": 10.0}
MAX_WAIT: Final = 1.0

S = TypeVar("S", Retry, Breaker, Bulkhead)


@dataclass(frozen=True, kw_only=True, slots=True)
class ResolvedPolicy:
    """The policies of one call; what is `None` is off.

    Attributes:
        timeout: Seconds for the whole call.
        attempt_timeout: Seconds for one attempt.
        reserve: Seconds that the attempts leave of the call's time, if that is declared.
        retry: Try again.
        breaker: Stop calling a target that fails.
        bulkhead: Bound how many calls run at a time.
        rate_limit: Stay below what the target grants.
        cache: Answer from memory.
        max_wait: Seconds for which a call waits in all for local rejections to pass.
        repeats: Whether an attempt may be repeated at any time, or not when the other side has
            answered, since it would give the same answer, or only when it certainly had no effect.
        declared: Names of the settings that somebody wrote; the others are defaults.
    """

    timeout: float | None = None
    attempt_timeout: float | None = None
    reserve: float | None = None
    retry: Retry | None = None
    breaker: Breaker | None = None
    bulkhead: Bulkhead | None = None
    rate_limit: RateLimit | None = None
    cache: Cache | None = None
    max_wait: float = MAX_WAIT
    repeats: Repeats = "always"
    declared: frozenset[str] = frozenset()

    @property
    def needs_pipeline(self) -> bool:
        """Whether the attempts are protected by anything; else the call needs no `Pipeline`."""
        parts = (self.attempt_timeout, self.retry, self.breaker, self.bulkhead, self.rate_limit)
        return any(part is not None for part in parts)

    @property
    def least_useful(self) -> float:
        """Below how many seconds that are left an attempt is not started."""
        return least_useful(self.timeout)

    def source(self, name: str) -> Source:
        """Who set the field of that name."""
        return "declared" if name in self.declared else "default"


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """One stage of a call, as it is printed.

    Attributes:
        name: What it is, e.g. `bulkhead`.
        settings: Its numbers, durations in seconds.
        source: Whether somebody wrote it.
    """

    name: str
    settings: Mapping[str, JsonValue]
    source: Source


@lru_cache(maxsize=1_024)  # a body may configure an agent anew at every call
def resolve(
    policy: Policy,
    kind: Kind,
    effect: str | None = None,
    *,
    named_target: bool = False,
    caches_failures: bool = False,
) -> ResolvedPolicy:
    """Fill a policy up with the defaults of what is called.

    Models and remote agents leave the process and get all defaults. A tool gets retries if its
    effect may be repeated, and the rest if it names a policy or a target. Agents and workflows get
    what they declare. What is declared always wins, and `"off"` is declared too.

    Args:
        policy: What is declared.
        kind: What is called.
        effect: The declared effect of a tool.
        named_target: Whether a tool names its `target=`.
        caches_failures: Whether the other side answers a key of a keyed effect as it did before,
            even if that was a failure.

    Raises:
        ValueError: A tool without an effect, a reserve that leaves no time to the call, or less
            time than an attempt needs to be started.
    """
    if kind == "tool" and effect is None:
        msg = "resolve(kind='tool', effect=None): a tool has a declared effect"
        raise ValueError(msg)
    leaves = kind in {"model", "remote"}
    is_guarded = leaves or (kind == "tool" and (named_target or policy != Policy()))
    is_repeatable = effect is None or effect in REPEATABLE
    retry = _chosen(policy.retry, Retry(), is_default=is_repeatable and (leaves or kind == "tool"))
    timeout = policy.timeout
    if timeout is None and is_guarded:
        timeout = max(STEP_TIMEOUT[kind], _time_of_attempts(policy, retry))
    if policy.reserve is not None and timeout is not None:
        check_number("Policy", "reserve", policy.reserve, at_least=0, below=timeout)
    resolved = ResolvedPolicy(
        timeout=timeout,
        attempt_timeout=policy.attempt_timeout,
        reserve=policy.reserve,
        retry=retry,
        breaker=_chosen(policy.breaker, Breaker(), is_default=is_guarded),
        bulkhead=_chosen(policy.bulkhead, Bulkhead(), is_default=is_guarded),
        rate_limit=policy.rate_limit,
        cache=policy.cache,
        max_wait=MAX_WAIT if retry is None else retry.max_wait,
        repeats=_repeats(effect, is_repeatable=is_repeatable, caches_failures=caches_failures),
        declared=frozenset(policy.to_json()),
    )
    _check_time(resolved)
    return resolved


def _repeats(effect: str | None, *, is_repeatable: bool, caches_failures: bool) -> Repeats:
    if not is_repeatable:
        return "without_effect"
    return "unless_answered" if effect == "keyed" and caches_failures else "always"


def pipeline_of(resolved: ResolvedPolicy) -> tuple[Stage, ...]:  # noqa: C901 -- a table of stages
    """The stages of a call from the outermost to the innermost; the order is the same for all.

    The breaker stands twice: a call looks at it before it queues, and takes its permit after.
    """
    found: list[Stage] = []

    def add(name: str, part: str, settings: Mapping[str, JsonValue]) -> None:
        found.append(Stage(name=name, settings=settings, source=resolved.source(part)))

    if resolved.cache is not None:
        add("cache", "cache", resolved.cache.to_json())
    if resolved.timeout is not None:
        kept = {} if resolved.reserve is None else {"reserve": resolved.reserve}
        add("timeout", "timeout", {"seconds": resolved.timeout, **kept})
    elif resolved.reserve is not None:
        add("reserve", "reserve", {"seconds": resolved.reserve})
    if resolved.retry is not None:
        settings = resolved.retry.to_json()
        has_budget = settings.pop("budget")
        add("retry", "retry", {**settings, "repeats": resolved.repeats})
        if has_budget:
            shape = {"share": SHARE_OF_CALLS, "per_second": UNASKED_PER_SECOND, "window": SPAN}
            add("retry_budget", "retry", shape)
    if resolved.breaker is not None:
        add("breaker", "breaker", resolved.breaker.to_json())
    if resolved.rate_limit is not None:
        add("rate_limit", "rate_limit", resolved.rate_limit.to_json())
    if resolved.bulkhead is not None:
        add("bulkhead", "bulkhead", resolved.bulkhead.to_json())
    if resolved.breaker is not None:
        add("breaker_permit", "breaker", {"lease_beyond_attempt": LEASE_MARGIN})
    if resolved.attempt_timeout is not None:
        add("attempt_timeout", "attempt_timeout", {"seconds": resolved.attempt_timeout})
    return tuple(found)


def _chosen(declared: S | Off | None, default: S, *, is_default: bool) -> S | None:
    if declared is None:
        return default if is_default else None
    return None if declared == "off" else declared


def _check_time(resolved: ResolvedPolicy) -> None:
    """Refuse a timeout under which no attempt would ever be started."""
    timeout, reserve = resolved.timeout, resolved.reserve or 0.0
    if timeout is None or not resolved.needs_pipeline or timeout - reserve > LEAST_USEFUL:
        return
    less = f", less reserve={reserve!r}," if reserve else ""
    msg = (
        f"Policy(timeout={timeout!r}): timeout{less} is above {LEAST_USEFUL:g} seconds where "
        "attempts are retried, limited or watched by a breaker: no attempt is started with less"
    )
    raise ValueError(msg)


def _time_of_attempts(policy: Policy, retry: Retry | None) -> float:
    """How long the declared attempts may take with the longest delays of our own."""
    if policy.attempt_timeout is None:
        return 0.0
    if retry is None:
        return policy.attempt_timeout
    return retry.attempts * policy.attempt_timeout + longest_delays(retry)
