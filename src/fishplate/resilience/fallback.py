"""What may answer in the place of a call that failed, and which failures it may answer.

| kind | answers |
|---|---|
| `agent` | another agent: a smaller model, a reduced context, other rules |
| `stale` | the last good answer to the same arguments, with its age |
| `static` | a fixed answer |
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from types import MappingProxyType
from typing import Final, Generic, Literal, TypeAlias, TypeVar

from fishplate.core.data import dataclass
from fishplate.core.errors import ErrorClass
from fishplate.resilience.checks import check_number
from fishplate.resilience.policy import Cache
from fishplate.resilience.settings import Settings

T_co = TypeVar("T_co", covariant=True)
AnswerKind: TypeAlias = Literal["agent", "stale", "static"]
NOTHING_REMEMBERED: Final = "nothing_remembered"
"""Code of the failure of a `Stale` that has no answer; the next entry of the chain is asked."""

# What costs nothing may answer where the budget is spent. What a policy has denied is answered by
# what was decided beforehand at most: anything that looks at the request could go around the rule.
_BESIDE_ALL: Final[Mapping[AnswerKind, AbstractSet[ErrorClass]]] = MappingProxyType(
    {
        "agent": frozenset[ErrorClass](),
        "stale": frozenset({ErrorClass.BUDGET_EXCEEDED}),
        "static": frozenset({ErrorClass.BUDGET_EXCEEDED, ErrorClass.POLICY_DENIED}),
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Stale(Settings):
    """Answer with what the agent answered last, if that is not too old; for `or_else`.

    What it answered to the same arguments counts, for the same tenant and by the same contract;
    a degraded answer is never remembered. The age stands on the answer's mark.

    Attributes:
        max_age: Seconds; an older answer is not given; above 0.
        scope: The data that the answer is about, e.g. `orders`; a write to it forgets the answers
            (see `Cache.scope`).
    """

    max_age: float
    scope: str

    def __post_init__(self) -> None:
        """Refuse impossible numbers and scopes."""
        check_number("Stale", "max_age", self.max_age, above=0)
        Cache(ttl=self.max_age, scope=self.scope)  # the rule of a scope is one


@dataclass(frozen=True, slots=True)
class Static(Generic[T_co]):
    """Answer with a fixed value; for `or_else`.

    Attributes:
        value: What is answered; it has to keep the contract of the agent that it stands in for.
    """

    value: T_co


def may_answer(
    kind: AnswerKind, error_class: ErrorClass, listed: AbstractSet[ErrorClass] = frozenset()
) -> bool:
    """Whether an answer of a kind may stand in for a failure of a class.

    Args:
        kind: What it is.
        error_class: How the call failed.
        listed: What its entry in the chain lists beside; see `may_list`.
    """
    return error_class.allows_fallback or error_class in _BESIDE_ALL[kind] or error_class in listed


def may_list(kind: AnswerKind, error_class: ErrorClass) -> bool:
    """Whether an entry of a kind may be declared to answer a class that not every entry answers.

    What was refused is answered by nobody who might be less guarded.
    """
    if error_class is ErrorClass.REFUSAL:
        return kind != "agent"
    return error_class is ErrorClass.PERMANENT
