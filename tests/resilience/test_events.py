"""Events are data: a name, and facts that are JSON."""

import json

from fishplate.core.errors import ErrorClass
from fishplate.resilience.events import AttemptEnded, BreakerHalfOpened, RetriesStopped


def test_an_event_is_told_as_json() -> None:
    """With the word of its class, not the object."""
    event = RetriesStopped(
        target="payments",
        subject="support/refund",
        attempt=3,
        error_class=ErrorClass.OVERLOAD,
        reason="attempts",
    )

    assert json.loads(json.dumps(event.to_json())) == {
        "event": "retry.stopped",
        "target": "payments",
        "subject": "support/refund",
        "attempt": 3,
        "error_class": "overload",
        "reason": "attempts",
    }


def test_what_is_not_known_is_null() -> None:
    """A success has no class, and some events have nothing but their target."""
    success = AttemptEnded(target="t", subject="s", attempt=2, seconds=0.5)

    assert success.to_json()["error_class"] is None
    assert BreakerHalfOpened(target="t").to_json() == {
        "event": "breaker.half_opened",
        "target": "t",
    }
