"""What may run in an app: looked at once, before anything of it runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fishplate.agents.agent import AnyAgent, Description
from fishplate.core.errors import UsageError
from fishplate.orchestrator.injection import Injector
from fishplate.orchestrator.roster import all_of, check_in_memory, check_models, check_runnable

MOST_ADMITTED: Final = 1_000
"""Agents that are known to be in order; one more, and all are looked at again."""


class Admission:
    """Refuses what could not come to its end.

    Args:
        agents: The app's, by name.
        models: The app's, by alias.

    Attributes:
        is_kept: Whether runs are kept in a store, which takes up only what the app names.
        may_wait: Whether somebody remembers what waits: a store, or a record.
        faults: What goes wrong on purpose.

    Raises:
        DeclarationError: One of the agents never could (see `roster`).
    """

    def __init__(self, agents: Mapping[str, AnyAgent], models: Mapping[str, object]) -> None:
        self.is_kept = False
        self.may_wait = False
        self._agents = agents
        self._models = models
        self.faults: Injector | None = None
        self._admitted: dict[int, Description] = {}
        for agent in agents.values():
            check_runnable(agent)
            check_models(agent, models)

    def enter(self) -> None:
        """Look at the app's own agents, now that it is known where runs are kept.

        Raises:
            UsageError: One waits, and the app has no store (code `no_store`).
        """
        if not self.may_wait:
            for agent in self._agents.values():
                check_in_memory(agent)

    def inject(self, faults: Injector) -> None:
        """Refuse from now on what the faults could never act on."""
        self.faults = faults
        self._admitted.clear()  # each agent is looked at again, with what is to go wrong

    def admit(self, agent: AnyAgent) -> None:
        """Refuse an agent that a run cannot begin with.

        Raises:
            DeclarationError: It nests too deeply, waits for itself, or asks a model that is not
                there.
            UsageError: It is configured for a step (code `configured_agent`), the app keeps its
                runs and does not name it (code `unknown_agent`), it waits, and the app has no store
                (code `no_store`), or a fault could never act on it.
        """
        if not agent.is_single:
            msg = (
                f"{agent!r} is configured for a step (or_else, catching): "
                "start the agent itself, or a workflow"
            )
            raise UsageError(msg, code="configured_agent")
        if self.is_kept and not self._names(agent):
            msg = (
                f"this app keeps its runs, and could not take up one of {agent.name!r} again: "
                "name it in App(...)"
            )
            raise UsageError(msg, code="unknown_agent")
        if id(agent.about) not in self._admitted:
            self._look_at(agent)

    def _names(self, agent: AnyAgent) -> bool:
        known = self._agents.get(agent.name)
        return known is not None and known.about is agent.about

    def _look_at(self, agent: AnyAgent) -> None:
        check_runnable(agent)
        if not self.may_wait:
            check_in_memory(agent)
        check_models(agent, self._models)
        if self.faults is not None:
            self.faults.check(all_of(agent, *self._agents.values()))
        if len(self._admitted) >= MOST_ADMITTED:
            self._admitted.clear()
        self._admitted[id(agent.about)] = agent.about  # kept, so that its id is not used anew
