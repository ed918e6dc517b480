"""Where faults come in: what goes wrong with an attempt on purpose, in a test or at a rehearsal.

`fishplate.testing.faults` makes them. They act inside the real policies, around the behaviour: an
attempt has its permit and its slot when its fault begins, and whatever follows from the fault is
what follows from a real one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from fishplate.agents.agent import AnyAgent


class Injection(Protocol):
    """What goes wrong with one attempt."""

    async def before(self) -> None:
        """Act before the behaviour begins: wait, or fail the attempt, or never end."""
        ...

    async def after(self, answer: object) -> object:
        """Act once the behaviour has given an answer; what is returned arrives in its place."""
        ...


class Injector(Protocol):
    """What decides which attempts go wrong."""

    def check(self, units: Iterable[AnyAgent]) -> None:
        """Refuse what could never act on any of these agents, before anything of them runs."""
        ...

    def injection(
        self, unit: AnyAgent, elapsed: float, tell: Callable[[str], None]
    ) -> Injection | None:
        """What goes wrong with the agent's next attempt; `None`: nothing.

        Args:
            unit: Whose attempt begins.
            elapsed: Seconds since the app was opened, on its clock.
            tell: Puts a fault on the call's span; called when the fault acts.
        """
        ...
