"""Chains of agents that answer for one another."""

from __future__ import annotations

from collections.abc import Iterable

from fishplate.agents.agent import AnyAgent
from fishplate.core.errors import ErrorClass


def in_order(fallbacks: Iterable[AnyAgent]) -> tuple[AnyAgent, ...]:
    """A chain in which each agent knows those that answer if it fails too: they need time."""
    found: tuple[AnyAgent, ...] = ()
    for fallback in reversed(tuple(fallbacks)):
        found = (with_fallbacks(fallback, found), *found)
    return found


def with_fallbacks(agent: AnyAgent, fallbacks: tuple[AnyAgent, ...]) -> AnyAgent:
    """The same agent with other fallbacks."""
    return agent if agent.fallbacks == fallbacks else agent.variant(fallbacks=fallbacks)


def answering(agent: AnyAgent, words: Iterable[str]) -> AnyAgent:
    """The same agent as a fallback that answers the classes of these names too."""
    known = set(words)
    answers = frozenset(found for found in ErrorClass if found.word in known)
    return agent if agent.answers == answers else agent.variant(answers=answers)
