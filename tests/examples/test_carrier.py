"""The carrier service: answers, faults, and an end without threads left behind."""

import http.client
import json
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from urllib.parse import urlsplit

import pytest

from examples.order_support.carrier import Carrier, FaultMode
from examples.order_support.delivery import DERIVED, Parcel

PARCEL = Parcel(
    tracking_id="357962501027",
    status="in_transit",
    eta=date(2026, 11, 3),
    delivered_on=None,
    location="Memphis, TN",
)
TRACK = "/track/357962501027"


@pytest.fixture
def carrier() -> Iterator[Carrier]:
    """Run a carrier that knows one parcel."""
    with Carrier({PARCEL.tracking_id: PARCEL}) as carrier:
        yield carrier


def _request(carrier: Carrier, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
    address = urlsplit(carrier.url).netloc
    with closing(http.client.HTTPConnection(address, timeout=10)) as connection:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.read()


def test_a_parcel_is_tracked(carrier: Carrier) -> None:
    """The answer is the parcel as JSON, dates as ISO days, labelled as derived."""
    status, body = _request(carrier, "GET", TRACK)

    assert status == 200
    assert json.loads(body) == {
        "tracking_id": "357962501027",
        "status": "in_transit",
        "eta": "2026-11-03",
        "delivered_on": None,
        "location": "Memphis, TN",
        "source": DERIVED,
    }
    assert Parcel.model_validate_json(body) == PARCEL


@pytest.mark.parametrize(
    "path", ["/track/000000000000", "/track/1", "/track/357962501027/x", "/track/../fault", "/"]
)
def test_what_is_no_known_parcel_is_not_found(carrier: Carrier, path: str) -> None:
    """An unknown tracking id and a wrong path are 404, with a reason."""
    status, body = _request(carrier, "GET", path)

    assert status == 404
    assert "error" in json.loads(body)


def test_every_question_for_a_parcel_is_counted(carrier: Carrier) -> None:
    """The counter counts questions for parcels in every mode, and nothing else."""
    carrier.set_mode("error")
    _request(carrier, "GET", TRACK)
    carrier.set_mode("healthy")
    _request(carrier, "GET", TRACK)
    _request(carrier, "GET", "/track/000000000000")
    _request(carrier, "GET", "/")
    _request(carrier, "POST", "/fault", b'{"mode": "healthy"}')

    assert carrier.requests == 3


def test_error_answers_503(carrier: Carrier) -> None:
    """An erring carrier says that it is not available."""
    carrier.set_mode("error")

    assert _request(carrier, "GET", TRACK)[0] == 503


def test_down_gives_no_answer_at_all(carrier: Carrier) -> None:
    """A carrier that is down closes the connection."""
    carrier.set_mode("down")

    with pytest.raises(http.client.RemoteDisconnected):
        _request(carrier, "GET", TRACK)


def test_garbage_is_no_json_although_it_is_200(carrier: Carrier) -> None:
    """A confused carrier answers with success and nonsense."""
    carrier.set_mode("garbage")

    status, body = _request(carrier, "GET", TRACK)

    assert status == 200
    with pytest.raises(json.JSONDecodeError):
        json.loads(body)


def test_slow_answers_after_the_delay(carrier: Carrier) -> None:
    """A slow carrier still gives the right answer."""
    carrier.set_mode("slow", delay=0.01)

    status, body = _request(carrier, "GET", TRACK)

    assert status == 200
    assert Parcel.model_validate_json(body) == PARCEL


def test_a_client_that_stops_waiting_does_no_harm(carrier: Carrier) -> None:
    """After a client's timeout the carrier answers the next one."""
    carrier.set_mode("slow", delay=60)
    address = urlsplit(carrier.url).netloc
    with closing(http.client.HTTPConnection(address, timeout=0.05)) as connection:
        connection.request("GET", TRACK)
        with pytest.raises(TimeoutError):
            connection.getresponse()

    carrier.set_mode("healthy")

    assert _request(carrier, "GET", TRACK)[0] == 200


def test_a_client_that_has_gone_is_no_error(
    carrier: Carrier, capfd: pytest.CaptureFixture[str]
) -> None:
    """A connection that the client has reset ends its thread without a word."""
    before = set(threading.enumerate())
    carrier.set_mode("slow", delay=0.05)
    address = urlsplit(carrier.url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.sendall(f"GET {TRACK} HTTP/1.0\r\n\r\n".encode())

    # Connections are accepted in order, so the first one has its thread when this one is answered.
    assert _request(carrier, "GET", TRACK)[0] == 200
    for thread in set(threading.enumerate()) - before:
        thread.join(timeout=10)
        assert not thread.is_alive()
    assert capfd.readouterr().err == ""


def test_closing_cuts_slow_answers_short_and_leaves_no_thread() -> None:
    """A close ends answers that would take a minute, and every thread of the service."""
    before = set(threading.enumerate())
    carrier = Carrier({PARCEL.tracking_id: PARCEL})
    carrier.start()
    carrier.set_mode("slow", delay=60)
    address = urlsplit(carrier.url).netloc
    connections = [http.client.HTTPConnection(address, timeout=10) for _ in range(4)]
    for connection in connections:
        connection.request("GET", TRACK)

    carrier.close()

    assert set(threading.enumerate()) <= before
    for connection in connections:
        connection.close()


@pytest.mark.parametrize("mode", ["healthy", "slow", "error", "down", "garbage"])
def test_a_fault_is_switched_over_http(carrier: Carrier, mode: FaultMode) -> None:
    """Every mode can be posted and is confirmed, also from within another fault."""
    carrier.set_mode("down")

    status, body = _request(carrier, "POST", "/fault", json.dumps({"mode": mode}).encode())

    assert status == 200
    assert json.loads(body)["mode"] == mode


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"mode": "angry"}', 400),
        (b'{"mode": "slow", "delay": 61}', 400),
        (b'{"mode": "slow", "delay": -1}', 400),
        (b'{"mode": "healthy", "more": 1}', 400),
        (b"slow", 400),
        (b"\xff", 400),
        (b" " * 1025, 413),
    ],
)
def test_a_wrong_fault_is_refused_and_changes_nothing(
    carrier: Carrier, body: bytes, status: int
) -> None:
    """An unknown mode, a delay out of bounds, more than 1,024 bytes: refused with a reason."""
    answer, reason = _request(carrier, "POST", "/fault", body)

    assert answer == status
    assert "error" in json.loads(reason)
    assert _request(carrier, "GET", TRACK)[0] == 200


def test_a_fault_goes_to_its_own_address_with_its_length(carrier: Carrier) -> None:
    """A post elsewhere is 404; one that does not say how long it is, 411."""
    assert _request(carrier, "POST", "/track", b"{}")[0] == 404

    address = urlsplit(carrier.url).netloc
    with closing(http.client.HTTPConnection(address, timeout=10)) as connection:
        connection.putrequest("POST", "/fault")
        connection.endheaders()
        assert connection.getresponse().status == 411


def test_a_carrier_starts_and_ends_once() -> None:
    """Not before the start, not twice, and again after the end; closing twice does nothing."""
    carrier = Carrier({})
    with pytest.raises(RuntimeError, match="not running"):
        _ = carrier.url

    carrier.start()
    with pytest.raises(RuntimeError, match="is running at http://127"):
        carrier.start()
    carrier.close()
    carrier.close()

    with carrier:
        assert _request(carrier, "GET", TRACK)[0] == 404
    with pytest.raises(RuntimeError, match="not running"):
        carrier.set_mode("slow")
