"""The releases of agents as one app runs them: the models that it has configured are part of them.

An agent names its model by an alias, so what its release says depends on the app. Whatever asks no
model, at any depth, has one release everywhere, which it keeps itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple, TypeAlias

from fishplate.agents.agent import AnyAgent, Description, release_of
from fishplate.core.events import HeadTuple
from fishplate.orchestrator.roster import all_of
from fishplate.releases.fingerprint import Release
from fishplate.resilience.policy import Policy

MOST_KNOWN: Final = 1_000
"""Releases kept; a service that makes agents as it goes must not grow with them."""

_Use: TypeAlias = tuple[int, Policy, tuple[str, ...]]


class _Known(NamedTuple):
    """An agent, held so that its id is not used anew, and what is known of it."""

    unit: AnyAgent
    release: Release
    head: HeadTuple


class Releases:
    """Tells the releases of one app's agents.

    Args:
        models: The app's, by alias.
    """

    def __init__(self, models: Mapping[str, object]) -> None:
        self._models = models
        self._known: dict[int, _Known] = {}
        # A body may configure an agent at every call, and a fingerprint costs more than a call.
        self._uses: dict[_Use, tuple[Description, Release]] = {}

    def of(self, unit: AnyAgent) -> Release:
        """The release of an agent; reads its source when it is first asked for."""
        if unit.span_head is None:
            known = self._known.get(id(unit)) or self._look(unit)
            if known is not None:
                return known.release
        return unit.release

    def head(self, unit: AnyAgent) -> HeadTuple:
        """What all spans of an agent share in this app; reads its source at first, see `of`."""
        if unit.span_head is None:
            known = self._known.get(id(unit)) or self._look(unit)
            if known is not None:
                return known.head
        assert unit.span_head is not None, "it was made when the agent was looked at"
        return unit.span_head

    def knows(self, unit: AnyAgent) -> bool:
        """Whether the release of an agent is known, so that no source is read."""
        return unit.span_head is not None or id(unit) in self._known

    def read(self, agents: Iterable[AnyAgent]) -> None:
        """Make the releases of agents and of all they call, which reads their sources."""
        for agent in agents:
            for unit in all_of(agent):
                self.head(unit)

    def _look(self, unit: AnyAgent) -> _Known | None:
        """What is known of an agent that depends on a model; the others keep it themselves."""
        children = {child.name: self.of(child) for child in _below(unit)}
        asks = unit.about.asks
        if asks is None and all(children[child.name] == child.release for child in _below(unit)):
            unit.span_head = (unit.span_kind, unit.name, unit.release.label)
            return None
        model = None if asks is None else asks.model_name(self._models)
        release = self._release(unit, children, model)
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        head: HeadTuple = (unit.span_kind, unit.name, release.label)
        known = self._known[id(unit)] = _Known(unit, release, head)
        return known

    def _release(
        self, unit: AnyAgent, children: Mapping[str, Release], model: str | None
    ) -> Release:
        behind = tuple(
            f"{children[one.name].fingerprint} {sorted(map(str, one.answers))}"
            for one in unit.fallbacks
        )
        use = (id(unit.about), unit.policy, behind)
        if use not in self._uses:
            if len(self._uses) >= MOST_KNOWN:
                self._uses.clear()
            self._uses[use] = (unit.about, release_of(unit, children, model))
        return self._uses[use][1]


def _below(unit: AnyAgent) -> tuple[AnyAgent, ...]:
    return (*unit.granted, *unit.fallbacks, *unit.about.behind)
