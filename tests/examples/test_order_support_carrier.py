"""The parcel's way to the customer: the carrier's answer, and what is said without one."""

import threading
from collections.abc import Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from examples.order_support.agents import cached_eta, logistics
from examples.order_support.carrier import Carrier, FaultMode
from examples.order_support.carrier_client import (
    CarrierClient,
    UnknownParcel,
)
from examples.order_support.delivery import Parcel
from examples.order_support.http_client import LARGEST_ANSWER_BYTES
from examples.order_support.models import ChatReply, DeliveryAnswer, NotFound, ShippingRequest
from examples.order_support.shop_rules import EmailIdentity
from examples.order_support.tools import track_parcel
from examples.order_support.workflow import support
from fishplate import ErrorClass, Failure, Policy
from tests.examples.stage import (
    EMMAS_PROCESSED,
    LIAM,
    LIAMS_PENDING,
    LIAMS_PROCESSED,
    NOON,
    Stage,
    make_stage,
)

WHERE_IS_IT = f"Where is my parcel? I would like to track order {LIAMS_PROCESSED}."
EMMA = EmailIdentity(email="emma.kim7876@example.com")
TRACKING_ID = "357962501027"
PARCEL = Parcel(
    tracking_id=TRACKING_ID,
    status="in_transit",
    eta=date(2026, 11, 3),
    delivered_on=None,
    location="Memphis, TN",
)

# The same workflow with less patience and one attempt, so that a test of a bad carrier is not slow.
impatient = support.replace(
    track_parcel, track_parcel.using(Policy(timeout=1, retry="off", breaker="off"))
)


@pytest.fixture
def stage(filled_database: Path) -> Stage:
    """An app over the filled database."""
    return make_stage(filled_database)


# A carrier that answers.


async def test_a_healthy_carrier_is_quoted(stage: Stage) -> None:
    """The reply says what the carrier says, and nothing is degraded."""
    async with stage.app:
        asked = await stage.ask(support, WHERE_IS_IT)

    assert (asked.state, asked.degraded) == ("succeeded", ())
    assert asked.reply == ChatReply(
        text=f"The carrier says: order {LIAMS_PROCESSED} is on its way and expected on 2026-11-05. "
        "Its last scan was in Ontario, CA."
    )


@pytest.mark.parametrize(
    ("order_id", "state"), [(LIAMS_PENDING, "not_sent"), ("#W4140680", "cancelled")]
)
async def test_the_carrier_is_asked_only_for_what_is_on_its_way(
    stage: Stage, order_id: str, state: str
) -> None:
    """What has not left or was cancelled is told by the shop, whatever the carrier does."""
    customer = (
        LIAM if order_id == LIAMS_PENDING else EmailIdentity(email="anya.garcia2061@example.com")
    )
    async with stage.app:
        stage.carrier.set_mode("down")
        answer = await logistics(ShippingRequest(order_id=order_id, customer=customer))

        assert stage.carrier.requests == 0

    assert isinstance(answer, DeliveryAnswer)
    assert (answer.state, answer.basis, answer.day) == (state, "shop", None)


async def test_a_parcel_without_a_record_is_an_answer(filled_database: Path) -> None:
    """A carrier that does not know the parcel is no failure: the customer is told just that."""
    stage = make_stage(filled_database, parcels={})
    async with stage.app:
        asked = await stage.ask(support, WHERE_IS_IT)

    assert asked.state == "succeeded"
    assert asked.reply == ChatReply(
        text=f"The carrier says: no record of order {LIAMS_PROCESSED} yet."
    )


# A carrier that does not.


@pytest.mark.parametrize(
    ("mode", "code"),
    [
        ("slow", "step_timeout"),
        ("error", "carrier_overloaded"),
        ("down", "carrier_unreachable"),
        ("garbage", "carrier_answer_invalid"),
    ],
)
async def test_without_the_carrier_an_estimate_is_called_one(
    filled_database: Path, mode: FaultMode, code: str
) -> None:
    """Slow, failing, down or talking nonsense: the run is degraded, and the reply says so."""
    stage = make_stage(filled_database, workflow=impatient)
    async with stage.app:
        stage.carrier.set_mode(mode)
        asked = await stage.ask(impatient, WHERE_IS_IT)

    (reason,) = asked.degraded
    assert asked.state == "degraded"
    assert (reason.reason, reason.source, reason.age) == ("carrier_unavailable", "estimate", None)
    assert [facts["error"] for facts in asked.facts("track_parcel")] == [code]
    assert asked.reply == ChatReply(
        text="The carrier does not answer right now. Our own estimate, of 2026-11-01 12:00 EST, "
        f"says: order {LIAMS_PROCESSED} is on its way and expected on 2026-11-05."
    )


async def test_what_the_carrier_said_last_is_told_with_its_time(stage: Stage) -> None:
    """After one good answer the fallback repeats it with its time, and the run with its age."""
    async with stage.app:
        await stage.ask(support, WHERE_IS_IT)
        stage.carrier.set_mode("down")
        stage.clock.advance(600)
        asked = await stage.ask(support, WHERE_IS_IT)

    (reason,) = asked.degraded
    assert (reason.reason, reason.source, reason.age) == ("carrier_unavailable", "cache", 600.0)
    assert asked.reply == ChatReply(
        text="The carrier does not answer right now. Its last answer, of 2026-11-01 12:00 EST, "
        f"cached 10 min ago, says: order {LIAMS_PROCESSED} is on its way and expected on "
        "2026-11-05. Its last scan was in Ontario, CA."
    )


async def test_one_parcels_last_answer_is_no_others(stage: Stage) -> None:
    """The memory is by parcel: for one that was never asked for there is only the estimate."""
    async with stage.app:
        await stage.ask(support, WHERE_IS_IT)
        stage.carrier.set_mode("down")
        asked = await stage.ask(
            support, f"Which day will the courier deliver order {EMMAS_PROCESSED}?", EMMA
        )

    assert [reason.source for reason in asked.degraded] == ["estimate"]


async def test_the_trace_tells_why_the_fallback_answered(stage: Stage) -> None:
    """The decision names the fallback, the agent that failed, the error and its class."""
    async with stage.app:
        stage.carrier.set_mode("down")
        asked = await stage.ask(support, WHERE_IS_IT)

    assert asked.facts("fallback → cached_eta") == [
        {
            "kind": "fallback",
            "chosen": "cached_eta",
            "reason": "carrier_unreachable",
            "failed": "logistics",
            "class": "transient",
        }
    ]


async def test_a_carrier_that_is_back_is_quoted_again(stage: Stage) -> None:
    """A failure leaves nothing behind."""
    async with stage.app:
        stage.carrier.set_mode("down")
        await stage.ask(support, WHERE_IS_IT)
        stage.carrier.set_mode("healthy")
        asked = await stage.ask(support, WHERE_IS_IT)

    assert asked.state == "succeeded"


async def test_the_fallback_keeps_to_the_customers_orders(stage: Stage) -> None:
    """Without the carrier, too, another's order is not found; nothing is degraded in that."""
    async with stage.app:
        run = stage.app.start(cached_eta, ShippingRequest(order_id=LIAMS_PROCESSED, customer=EMMA))

        assert await run.result() == NotFound()
        assert run.degraded == ()


async def test_a_delivered_parcel_is_estimated_as_delivered(stage: Stage) -> None:
    """That it was delivered is the shop's word; the day of it is our estimate."""
    async with stage.app:
        answer = await cached_eta(ShippingRequest(order_id="#W6397299", customer=LIAM))

    assert answer == DeliveryAnswer(
        order_id="#W6397299",
        state="delivered",
        day=date(2026, 10, 28),
        basis="estimate",
        as_of=NOON,
    )


# The HTTP client.


class _OddCarrier(ThreadingHTTPServer):
    """Answers every request with one status and body."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _OddHandler)
        self.status = status
        self.body = body

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _OddHandler(BaseHTTPRequestHandler):
    server: _OddCarrier  # pyright: ignore[reportIncompatibleVariableOverride] -- only an _OddCarrier makes one

    def do_GET(self) -> None:
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base's own name
        """Stay silent."""


@pytest.fixture
def odd_carrier() -> Iterator[_OddCarrier]:
    """A carrier whose answer the test chooses."""
    with _OddCarrier(200, b"") as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "body", "error_class"),
    [
        (200, b"", ErrorClass.CONTRACT_OUT),
        (200, b"{}", ErrorClass.CONTRACT_OUT),
        (200, b"\xff\xfe", ErrorClass.CONTRACT_OUT),
        (
            200,
            PARCEL.model_copy(update={"tracking_id": "000000000000"}).model_dump_json().encode(),
            ErrorClass.CONTRACT_OUT,
        ),
        (200, b" " * (LARGEST_ANSWER_BYTES + 1), ErrorClass.CONTRACT_OUT),
        (302, b"", ErrorClass.CONTRACT_OUT),
        (401, b"", ErrorClass.CONTRACT_OUT),
        (429, b"", ErrorClass.RATE_LIMITED),
        (500, b"", ErrorClass.OVERLOAD),
        (503, b"", ErrorClass.OVERLOAD),
    ],
)
async def test_an_odd_answer_gets_the_class_that_says_what_to_do(
    odd_carrier: _OddCarrier, status: int, body: bytes, error_class: ErrorClass
) -> None:
    """What is neither a parcel nor no record is a failure that a fallback may answer."""
    odd_carrier.status, odd_carrier.body = status, body

    async with CarrierClient() as client:
        with pytest.raises(Failure) as failure:
            await client.track(odd_carrier.url, TRACKING_ID)

    assert failure.value.error_class is error_class
    assert error_class.allows_fallback


async def test_a_parcel_is_read(odd_carrier: _OddCarrier) -> None:
    """A sound answer is the parcel."""
    odd_carrier.body = PARCEL.model_dump_json().encode()

    async with CarrierClient() as client:
        assert await client.track(odd_carrier.url, TRACKING_ID) == PARCEL


async def test_an_unknown_parcel_is_no_failure(odd_carrier: _OddCarrier) -> None:
    """404 is the carrier's answer that it has no record."""
    odd_carrier.status = 404

    async with CarrierClient() as client:
        with pytest.raises(UnknownParcel) as unknown:
            await client.track(odd_carrier.url, TRACKING_ID)

    assert unknown.value.tracking_id == TRACKING_ID


@pytest.fixture
def left_url() -> str:
    """An address at which a carrier was listening, and nobody is now."""
    with Carrier({}) as carrier:
        return carrier.url


async def test_nobody_listening_is_transient(left_url: str) -> None:
    """Where nothing listens, the connection is refused; another attempt may find it up."""
    async with CarrierClient() as client:
        with pytest.raises(Failure) as failure:
            await client.track(left_url, TRACKING_ID)

    assert failure.value.code == "carrier_unreachable"
    assert failure.value.error_class is ErrorClass.TRANSIENT
