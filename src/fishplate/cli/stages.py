"""The stages of a call in words: what each does, with its numbers and their units."""

from collections.abc import Callable, Mapping
from typing import Final

from fishplate.core.errors import JsonValue
from fishplate.resilience.resolve import Stage


def in_words(stage: Stage) -> str:
    """What a stage does, on one line."""
    return _WORDS[stage.name](_Numbers(stage.settings))


class _Numbers:
    """The settings of a stage, spelled."""

    def __init__(self, settings: Mapping[str, JsonValue]) -> None:
        self._settings = settings

    def __contains__(self, name: str) -> bool:
        return name in self._settings

    def number(self, name: str) -> str:
        value = self._settings[name]
        return f"{value:g}" if isinstance(value, (int, float)) else str(value)

    def seconds(self, name: str) -> str:
        return f"{self.number(name)} s"

    def share(self, name: str) -> str:
        value = self._settings[name]
        assert isinstance(value, (int, float)), "a share is a number"
        return f"{value:.0%}"


def _cache(of: _Numbers) -> str:
    return f"an answer about {of.number('scope')!r} holds for {of.seconds('ttl')}"


_WHEN_REPEATED: Final = {
    "always": "",
    "unless_answered": ", unless the other side has answered with its failure",
    "without_effect": ", only if the last one did nothing",
}


def _timeout(of: _Numbers) -> str:
    kept = f", {of.seconds('reserve')} of them kept" if "reserve" in of else ""
    return f"{of.seconds('seconds')} for the whole call{kept}"


def _reserve(of: _Numbers) -> str:
    return f"{of.seconds('seconds')} of the time around it are kept for its fallback"


def _retry(of: _Numbers) -> str:
    if of.number("attempts") == "1":
        return "1 attempt"
    when = _WHEN_REPEATED[of.number("repeats")]
    return (
        f"{of.number('attempts')} attempts in all{when}; delays from 0 to {of.seconds('base')}, "
        f"doubling to {of.seconds('cap')}; the target may ask for "
        f"{of.seconds('max_server_delay')}; rejections here are waited for {of.seconds('max_wait')}"
    )


def _retry_budget(of: _Numbers) -> str:
    return (
        f"retries are {of.share('share')} of the calls and {of.number('per_second')} a second, "
        f"over {of.seconds('window')}"
    )


def _breaker(of: _Numbers) -> str:
    slow = (
        f", or {of.share('slow_rate')} of them slower than {of.seconds('slow_call')}"
        if "slow_call" in of
        else ""
    )
    return (
        f"opens at {of.share('failure_rate')} failures of {of.number('calls')} calls or more in "
        f"{of.seconds('window')}, or {of.number('consecutive')} in a row{slow}; open for "
        f"{of.seconds('open_for')} to {of.seconds('open_cap')}, +-{of.share('jitter')}; "
        f"{of.number('successes')} probes close it"
    )


def _rate_limit(of: _Numbers) -> str:
    units = {"requests_per_minute": "requests", "tokens_per_minute": "tokens"}
    limits = [f"{of.number(name)} {unit}" for name, unit in units.items() if name in of]
    return f"{' and '.join(limits)} a minute"


def _bulkhead(of: _Numbers) -> str:
    return (
        f"{of.number('concurrent')} calls at a time; {of.number('queued')} wait for "
        f"{of.seconds('wait')}"
    )


def _breaker_permit(of: _Numbers) -> str:
    return f"one probe at a time, its permit ends {of.seconds('lease_beyond_attempt')} after it"


def _attempt_timeout(of: _Numbers) -> str:
    return f"{of.seconds('seconds')} for each attempt"


_WORDS: Final[Mapping[str, Callable[[_Numbers], str]]] = {
    "cache": _cache,
    "timeout": _timeout,
    "reserve": _reserve,
    "retry": _retry,
    "retry_budget": _retry_budget,
    "breaker": _breaker,
    "rate_limit": _rate_limit,
    "bulkhead": _bulkhead,
    "breaker_permit": _breaker_permit,
    "attempt_timeout": _attempt_timeout,
}
