"""What an invariant is: a rule with a name, which watches a simulation and is asked at its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from fishplate.core.data import dataclass
from fishplate.testing.simulation.history import History

Broken: TypeAlias = Callable[[str], None]
AtEnd: TypeAlias = Callable[[], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Invariant:
    """A rule that holds in every simulation.

    Attributes:
        name: Its stable name.
        rule: What holds, in a sentence.
        watch: Called once before a simulation begins, with what will be observed and with what
            takes each way in which the rule is broken. It may add watchers to the history and to
            its world. What it gives back is called when every run has ended.
    """

    name: str
    rule: str
    watch: Callable[[History, Broken], AtEnd]


def invariant(watch: Callable[[History, Broken], AtEnd]) -> Invariant:
    """Make an invariant of a function: its name and the first line of its docstring say the rule.

    Raises:
        ValueError: The function has no docstring.
    """
    if not watch.__doc__:
        msg = f"the invariant {watch.__name__!r} has no docstring: say its rule there"
        raise ValueError(msg)
    return Invariant(name=watch.__name__, rule=watch.__doc__.partition("\n")[0], watch=watch)
