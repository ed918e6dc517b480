"""The compensator: undoes effects, each run's last completed first.

Each compensation is an effect of its own, reserved, marked and settled in the ledger: after a crash
it goes on under the same key, and it has an outcome that can be unknown.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from pydantic_core import from_json, to_json

from fishplate.agents.agent import AnyAgent
from fishplate.agents.behind import compensation_arguments
from fishplate.contracts.values import BrokenValueError
from fishplate.core.errors import FishplateError, InputError, NeedsAttention
from fishplate.core.outcome import DeclaredError
from fishplate.journal.effect_rows import Evidence
from fishplate.journal.ledger import Ledger
from fishplate.journal.store import StoreUnavailableError
from fishplate.orchestrator.effects import CallEffect


class Compensator:
    """Undoes what runs have done.

    Args:
        ledger: Where the effects are kept.
        tools: The app's, by name.
        perform: Makes the call that undoes an effect, through the ledger.
    """

    def __init__(
        self,
        ledger: Ledger,
        tools: Mapping[str, AnyAgent],
        perform: Callable[[Evidence, CallEffect], Awaitable[object]],
    ) -> None:
        self._ledger = ledger
        self._tools = tools
        self._perform = perform

    async def work_off(self) -> int:
        """Undo everything that is to be undone; how many effects that has brought to an end.

        Where a compensation fails, or its outcome is unknown, its run stops there: what was done
        before is undone after it.
        """
        ended = 0
        stopped: set[str] = set()
        for effect in await self._ledger.to_be_undone():
            if effect.run in stopped:
                continue
            try:
                error = await self._undo(effect)
            except NeedsAttention:
                stopped.add(effect.run)
                continue
            await self._ledger.end_undoing(effect, error)
            ended += 1
            if error is not None:
                stopped.add(effect.run)
        return ended

    async def _undo(self, effect: Evidence) -> bytes | None:
        """Undo one effect; JSON of why it could not be undone.

        Raises:
            NeedsAttention: Nobody knows whether it is undone.
            StoreUnavailableError: It is to be undone still.
        """
        tool = self._tools.get(effect.tool)
        compensating = None if tool is None else tool.about.compensate
        if tool is None or compensating is None:
            return _reason("no_compensation", f"this app has no compensate= of {effect.tool!r}")
        attempts = await self._ledger.attempts_to_undo(effect.key)
        # What certainly did nothing is tried anew: under its key the other side may repeat its no.
        number = len(attempts) + (not attempts or attempts[-1].state == "failed")
        try:
            arguments = tool.signature.decode(
                from_json(effect.arguments), subject="the recorded arguments"
            )
            result: object = tool.signature.output.decode(
                from_json(effect.outcome or b"null"), given=True
            )
            given = compensation_arguments(tool, arguments, result, compensating)
            path = f"{effect.call}:c{number}"
            await self._perform(
                effect, CallEffect(path, compensating, given, compensating.about.where)
            )
        except (StoreUnavailableError, NeedsAttention):
            raise
        except InputError as error:
            return _reason(error.code, error.message)
        except BrokenValueError as error:
            return _reason("bad_output", error.violations[0].message)
        except DeclaredError as error:
            return _reason(error.code, f"{compensating.name!r} has refused")
        except FishplateError as error:
            return _reason(error.code, error.message)
        return None


def _reason(code: str, message: str) -> bytes:
    return to_json({"code": code, "message": message})
