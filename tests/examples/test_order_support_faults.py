"""The carrier's outage, injected: the customers of the example get the degraded reply."""

from pathlib import Path

import pytest

from examples.order_support.models import ChatReply
from examples.order_support.tools import track_parcel
from examples.order_support.workflow import support
from fishplate import ErrorClass, Policy
from fishplate.testing.faults import Error, Fault, Faults, Garbage, Hang, Partial, Schedule
from tests.examples.stage import LIAMS_PROCESSED, Stage, make_stage

WHERE_IS_IT = f"Where is my parcel? I would like to track order {LIAMS_PROCESSED}."

# The same workflow with one attempt and less patience, so that a hang does not make the test slow.
impatient = support.replace(
    track_parcel, track_parcel.using(Policy(timeout=1, retry="off", breaker="off"))
)


@pytest.fixture
def stage(filled_database: Path) -> Stage:
    """An app over the filled database, not entered yet."""
    return make_stage(filled_database, workflow=impatient)


@pytest.mark.parametrize(
    "fault",
    [
        Error(ErrorClass.OVERLOAD),
        Error(ErrorClass.TRANSIENT, answer_lost=True),
        Hang(),
        Garbage(),
        Partial(),
    ],
    ids=str,
)
async def test_an_injected_outage_gives_the_degraded_reply(stage: Stage, fault: Fault) -> None:
    """However the carrier fails, the estimate is called one, and the run says why."""
    faults = Faults({"track_parcel": [fault]})
    stage.app.inject(faults)
    async with stage.app:
        asked = await stage.ask(impatient, WHERE_IS_IT)

    (reason,) = asked.degraded
    assert asked.state == "degraded"
    assert (reason.reason, reason.source) == ("carrier_unavailable", "estimate")
    assert asked.reply == ChatReply(
        text="The carrier does not answer right now. Our own estimate, of 2026-11-01 12:00 EST, "
        f"says: order {LIAMS_PROCESSED} is on its way and expected on 2026-11-05."
    )
    assert faults.injected["track_parcel", fault.kind] == 1


async def test_an_outage_ends_with_its_window(stage: Stage) -> None:
    """The app's clock decides: before and behind the outage the carrier is quoted."""
    outage = Error(ErrorClass.OVERLOAD, when=Schedule(since=60, until=120))
    stage.app.inject(Faults({"track_parcel": [outage]}))
    states: list[str] = []
    async with stage.app:
        for _ in range(3):
            states.append((await stage.ask(impatient, WHERE_IS_IT)).state)
            stage.clock.advance(60)

    assert states == ["succeeded", "degraded", "succeeded"]
