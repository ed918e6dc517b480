"""The last good answers of an agent, for the time when it gives none."""

from __future__ import annotations

from fishplate.agents.agent import AnyAgent
from fishplate.contracts.json import canonical_json
from fishplate.orchestrator.frame import Frame
from fishplate.resilience.cache import AnswerCache, Hit
from fishplate.resilience.fallback import Stale


class LastAnswers:
    """What an agent answered last, as the call at hand may know it.

    The key holds name, contract and arguments, and neither behaviour nor policy: a new version of
    an agent may be answered for by the one before, as long as both keep one contract.

    Args:
        cache: Where answers are kept.
        frame: The call; its tenant's answers count. A write to their scope after this is made keeps
            its own answer from being kept.
        name: The agent's name.
        unit: The agent, or what answers in its place.
        stale: What may be remembered of it.
    """

    def __init__(
        self, cache: AnswerCache, frame: Frame, name: str, unit: AnyAgent, stale: Stale
    ) -> None:
        self._cache = cache
        self._frame = frame
        self._name = name
        self._unit = unit
        self._stale = stale
        self._tenant = frame.principal.tenant
        self._epoch = cache.epoch(self._tenant, stale.scope)

    def keep(self, arguments: tuple[object, ...], answer: object) -> None:
        """Remember a good answer in the place of the one before."""
        self._cache.put(
            self._tenant,
            self._stale.scope,
            self._key(arguments),
            self._unit.signature.output.encode(answer),
            now_ns=self._frame.run.now_ns(),
            epoch=self._epoch,
        )

    def recall(self, arguments: tuple[object, ...]) -> Hit | None:
        """The last answer to the same arguments, if it is young enough."""
        return self._cache.get(
            self._tenant,
            self._stale.scope,
            self._key(arguments),
            now_ns=self._frame.run.now_ns(),
            ttl=self._stale.max_age,
        )

    def _key(self, arguments: tuple[object, ...]) -> str:
        given = canonical_json(self._unit.signature.encode(arguments)).decode()
        return f"last answer/{self._name}/{self._unit.release.contract}/{given}"
