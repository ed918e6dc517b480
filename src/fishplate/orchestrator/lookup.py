"""What a `lookup=` says of a call whose answer was lost."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import NamedTuple, TypeAlias

from fishplate.core.errors import FishplateError
from fishplate.core.outcome import CannotSay, DeclaredError, NotDone
from fishplate.orchestrator.effects import Marked


class Done(NamedTuple):
    """An effect has happened, and gave this."""

    value: object


Finding: TypeAlias = Done | NotDone | CannotSay
"""What became of a call."""


async def finding_of(asked: Awaitable[object]) -> Finding:
    """What a lookup says. One that fails cannot say; its span tells why.

    Args:
        asked: Gives the answer of the tool.
    """
    try:
        answer = await asked
    except (FishplateError, DeclaredError):
        return CannotSay()
    if type(answer) is Marked:
        answer = answer.value
    return answer if isinstance(answer, (NotDone, CannotSay)) else Done(answer)
