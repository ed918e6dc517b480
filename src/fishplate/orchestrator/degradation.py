"""Why an answer is degraded: what it says itself, whom it stands in for, what it was made from."""

from __future__ import annotations

from dataclasses import replace

from fishplate.agents.agent import AnyAgent
from fishplate.core.outcome import Reason

Reasons = tuple[Reason, ...]


def merged(first: Reasons, second: Reasons) -> Reasons:
    """All reasons, each once."""
    return first + tuple(reason for reason in second if reason not in first)


def reason_to_stand_in(fallback: AnyAgent, code: str, key: str) -> Reason:
    """Why a fallback answers in the step `key`: a failure of that code."""
    sources = {"agent": fallback.name, "stale": "cache", "static": "static"}
    return Reason(reason=code, source=sources[fallback.about.answer_kind], step=key)


def reasons_of_fallback(fallback: AnyAgent, own: Reasons, because: Reason) -> Reasons:
    """Why the answer of a fallback is degraded.

    Args:
        fallback: Who answers.
        own: What the answer says itself, last, behind the reasons of its arguments.
        because: What `reason_to_stand_in` gave.
    """
    if fallback.about.answer_kind == "agent":
        # A fallback that says itself how good its answer is knows better than we do.
        return own or (because,)
    age = next((one.age for one in reversed(own) if one.source == because.source), None)
    return (replace(because, age=age),)
