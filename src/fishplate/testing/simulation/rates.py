"""How often things go wrong in a simulated world, and which things."""

from __future__ import annotations

import random
from dataclasses import fields
from typing import Final, Literal, TypeAlias

from fishplate.core.data import dataclass
from fishplate.core.errors import ErrorClass, Failure

# A world in which less goes wrong proves little, and one in which more does proves one thing only.
FEWEST_FAULTS: Final = 0.12
MOST_FAULTS: Final = 0.25
SHARE_OF_KINDS: Final = 0.7
MOST_GIVEN_UP: Final = 0.2

_Failure: TypeAlias = Literal["reset", "refused", "overload", "rate_limit", "permanent", "bug"]
# What is final is rare, since a run that has failed shows nothing more.
_WEIGHTS: Final[dict[_Failure, int]] = {
    "reset": 6,
    "refused": 4,
    "overload": 5,
    "rate_limit": 3,
    "permanent": 1,
    "bug": 1,
}
_FAILURES: Final[tuple[_Failure, ...]] = tuple(
    kind for kind, weight in _WEIGHTS.items() for _ in range(weight)
)


@dataclass(frozen=True, kw_only=True, slots=True)
class FaultRates:
    """How often what happens; each is a rate, 0 to 1.

    Attributes:
        fails: Calls that raise; most before anything has happened, some after.
        loses: Calls that act, and whose answer is lost.
        hangs: Calls that are never answered.
        slows: Calls that take seconds instead of milliseconds.
        garbles: Calls that act and answer what breaks their contract.
        lingers: Calls that do not end at once when they are cancelled, and may then still answer.
        down: Time for which a dependency is down.
        cancels: Runs that their caller cancels.
        expires: Runs that their caller awaits, and gives up at a deadline.
    """

    fails: float = 0.0
    loses: float = 0.0
    hangs: float = 0.0
    slows: float = 0.0
    garbles: float = 0.0
    lingers: float = 0.0
    down: float = 0.0
    cancels: float = 0.0
    expires: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what is no rate, and faults of calls that are more than all calls."""
        for field in fields(self):
            rate: float = getattr(self, field.name)
            if not 0 <= rate <= 1:
                msg = f"FaultRates({field.name}={rate!r}): a rate is 0 to 1"
                raise ValueError(msg)
        if self.of_calls > 1:
            msg = f"{self!r}: the faults of calls are more than all calls; their sum is at most 1"
            raise ValueError(msg)

    @property
    def of_calls(self) -> float:
        """Share of the calls that something happens to, outages aside."""
        return self.fails + self.loses + self.hangs + self.slows + self.garbles + self.lingers

    @classmethod
    def drawn(cls, randomness: random.Random) -> FaultRates:
        """Rates of a seed: some kinds of fault are left out, the others are frequent or rare.

        So each seed is a climate of its own, and what hides what in one of them does not in the
        next.

        Source: swarm testing, Groce et al., ISSTA 2012.
        """
        kinds = ("fails", "loses", "hangs", "slows", "garbles", "lingers")
        weights = {
            kind: randomness.uniform(0.1, 1.0)
            for kind in kinds
            if randomness.random() < SHARE_OF_KINDS
        } or {"fails": 1.0}
        share = randomness.uniform(FEWEST_FAULTS, MOST_FAULTS) / sum(weights.values())
        return cls(
            **{kind: weight * share for kind, weight in weights.items()},
            down=randomness.choice((0.0, 0.05, 0.1, 0.2)),
            cancels=randomness.uniform(0.0, MOST_GIVEN_UP),
            expires=randomness.uniform(0.0, MOST_GIVEN_UP),
        )


def drawn_failure(randomness: random.Random) -> tuple[Exception, bool]:
    """How a call fails, and whether it may have acted before that."""
    match randomness.choice(_FAILURES):
        case "reset":
            return ConnectionResetError("simulated: the connection was reset"), True
        case "refused":
            return ConnectionRefusedError("simulated: nobody listens"), False
        case "overload":
            wait = randomness.choice((None, 0.3, 2.0))
            return _refusal(ErrorClass.OVERLOAD, "simulated_overload", wait), False
        case "rate_limit":
            wait = randomness.uniform(0.1, 1.0)
            return _refusal(ErrorClass.RATE_LIMITED, "simulated_rate_limit", wait), False
        case "permanent":
            return _refusal(ErrorClass.PERMANENT, "simulated_refusal", None), False
        case "bug":
            return KeyError("simulated: a bug of the tool"), True


def _refusal(error_class: ErrorClass, code: str, retry_after: float | None) -> Failure:
    text = f"simulated: {error_class.word}"
    return Failure(text, error_class=error_class, code=code, retry_after=retry_after)
