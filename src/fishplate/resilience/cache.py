"""The memory behind `Cache`: bounded, per tenant and scope; a write to the scope empties it."""

from __future__ import annotations

from collections import OrderedDict

from fishplate.core.data import dataclass
from fishplate.core.errors import JsonValue


@dataclass(frozen=True, slots=True)
class Hit:
    """A remembered answer: its JSON form and its age in seconds."""

    value: JsonValue
    age: float


class AnswerCache:
    """Answers by (tenant, scope, key), the least recently used forgotten first.

    Args:
        capacity: Most answers kept over all tenants and scopes.
    """

    def __init__(self, capacity: int = 10_000) -> None:
        self._capacity = capacity
        self._answers: OrderedDict[tuple[str, str, str], tuple[JsonValue, int]] = OrderedDict()
        self._epochs: dict[tuple[str, str], int] = {}

    def get(self, tenant: str, scope: str, key: str, *, now_ns: int, ttl: float) -> Hit | None:
        """The answer, if it is remembered and younger than `ttl` seconds."""
        found = self._answers.get((tenant, scope, key))
        if found is None:
            return None
        age = (now_ns - found[1]) / 1e9
        if age >= ttl:
            return None
        self._answers.move_to_end((tenant, scope, key))
        return Hit(found[0], age)

    def epoch(self, tenant: str, scope: str) -> int:
        """How often the scope was written to; read it before a call whose answer will be kept."""
        return self._epochs.get((tenant, scope), 0)

    def put(  # noqa: PLR0913 -- the key of an answer has three parts
        self, tenant: str, scope: str, key: str, value: JsonValue, *, now_ns: int, epoch: int
    ) -> None:
        """Remember an answer, unless the scope was written to since `epoch` was read."""
        if epoch != self.epoch(tenant, scope):
            return
        self._answers[tenant, scope, key] = (value, now_ns)
        self._answers.move_to_end((tenant, scope, key))
        while len(self._answers) > self._capacity:
            self._answers.popitem(last=False)

    def forget(self, tenant: str, scope: str) -> None:
        """Forget every answer about a scope."""
        self._epochs[tenant, scope] = self.epoch(tenant, scope) + 1
        for key in [key for key in self._answers if key[:2] == (tenant, scope)]:
            del self._answers[key]
