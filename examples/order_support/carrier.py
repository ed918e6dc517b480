"""A small carrier: a real HTTP service on loopback, which can be told to misbehave.

    GET  /track/<tracking id>  the parcel as JSON (`delivery.Parcel`), or 404
    POST /fault                {"mode": "slow", "delay": 5} from now on

It speaks HTTP/1.0, one request a connection, so a client's idle connections do not hold it open.
"""

import re
import sys
import threading
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socket import socket
from socketserver import ThreadingTCPServer
from types import TracebackType
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from typing_extensions import override

from examples.order_support.delivery import Parcel

FaultMode: TypeAlias = Literal["healthy", "slow", "error", "down", "garbage"]
LONGEST_DELAY = 60.0
LARGEST_BODY_BYTES = 1024

_LENGTH = re.compile(r"[0-9]{1,9}")
_TRACK = re.compile(r"/track/([0-9]{12})")
_READ_TIMEOUT = 5.0
_JSON = "application/json"


class Fault(BaseModel):
    """How the carrier behaves towards whoever tracks a parcel.

    Attributes:
        mode: `healthy` answers; `slow` answers after `delay`; `error` answers 503; `down` closes
            the connection without an answer; `garbage` answers 200 with what is no JSON.
        delay: Seconds, 0 to 60; only `slow` waits.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: FaultMode
    delay: Annotated[float, Field(ge=0, le=LONGEST_DELAY)] = 5.0


class Carrier:
    """The service, running while it is open; a context manager.

    Example:
        with Carrier(known_parcels()) as carrier:
            answer = get(f"{carrier.url}/track/357962501027")
    """

    def __init__(self, parcels: Mapping[str, Parcel]) -> None:
        """Take the carrier's book: parcel by tracking id. Nothing runs yet."""
        self._parcels = parcels
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen on a free port of the loopback interface.

        Raises:
            RuntimeError: It has been started already.
        """
        if self._server is not None:
            raise RuntimeError(f"the carrier is running at {self.url}. Close it first.")
        self._server = _Server(self._parcels)
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.02},  # seconds; bounds how long close() waits
            name="carrier",
            daemon=True,
        )
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end, such as `http://127.0.0.1:49152`."""
        host, port, *_ = self._running().server_address
        return f"http://{host!s}:{port}"

    @property
    def requests(self) -> int:
        """How often a parcel has been asked for since the start, whatever the answer was."""
        return self._running().requests

    def set_mode(self, mode: FaultMode, *, delay: float = 5.0) -> None:
        """Behave so from the next request on; as `POST /fault`.

        Args:
            mode: See `Fault`.
            delay: Seconds that `slow` waits, 0 to 60.
        """
        self._running().fault = Fault(mode=mode, delay=delay)

    def close(self) -> None:
        """Stop listening, cut slow answers short, and wait for every thread; again does nothing."""
        if self._server is None or self._thread is None:
            return
        self._server.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._server = self._thread = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _running(self) -> "_Server":
        if self._server is None:
            raise RuntimeError("the carrier is not running. Call start(), or use it in a `with`.")
        return self._server


class _Server(ThreadingTCPServer):
    daemon_threads = False  # so that server_close() joins them
    request_queue_size = 128  # connections that wait to be accepted; 5 drops some of a burst

    def __init__(self, parcels: Mapping[str, Parcel]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.parcels = parcels
        self.closing = threading.Event()
        self.requests = 0
        self._counting = threading.Lock()  # protects `requests`, counted by every handler's thread
        # Replaced whole, never changed, so a handler that reads it needs no lock.
        self.fault = Fault(mode="healthy")

    def count(self) -> None:
        with self._counting:
            self.requests += 1

    @override
    def handle_error(self, request: socket | tuple[bytes, socket], client_address: object) -> None:
        """Report what goes wrong, but for a client that has gone: the slow mode is for that."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride] -- only a _Server makes one
    timeout = _READ_TIMEOUT  # a client that sends nothing holds a thread no longer
    server_version = "carrier"
    sys_version = ""

    def do_GET(self) -> None:
        asked = _TRACK.fullmatch(self.path)
        if asked is None:
            self._refuse(HTTPStatus.NOT_FOUND, "no such page; ask for /track/<12 digits>")
            return
        self.server.count()
        fault = self.server.fault
        if fault.mode == "down":
            return
        if fault.mode == "slow" and self.server.closing.wait(fault.delay):
            return
        if fault.mode == "error":
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "the carrier is not available")
        elif fault.mode == "garbage":
            self._answer(HTTPStatus.OK, b'<html>{"status": in_transit')
        else:
            self._track(asked[1])

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if self.path != "/fault":
            self._refuse(HTTPStatus.NOT_FOUND, "no such page; post to /fault")
        elif _LENGTH.fullmatch(length) is None:
            self._refuse(HTTPStatus.LENGTH_REQUIRED, "Content-Length is missing or no length")
        elif int(length) > LARGEST_BODY_BYTES:
            self._refuse(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {LARGEST_BODY_BYTES} bytes"
            )
        else:
            self._set_fault(self.rfile.read(int(length)))

    def _track(self, tracking_id: str) -> None:
        parcel = self.server.parcels.get(tracking_id)
        if parcel is None:
            self._refuse(HTTPStatus.NOT_FOUND, f"no parcel {tracking_id}")
        else:
            self._answer(HTTPStatus.OK, parcel.model_dump_json().encode())

    def _set_fault(self, body: bytes) -> None:
        try:
            fault = Fault.model_validate_json(body)
        except ValidationError as error:
            self._refuse(HTTPStatus.BAD_REQUEST, f"no fault: {error.errors()[0]['msg']}")
            return
        self.server.fault = fault
        self._answer(HTTPStatus.OK, fault.model_dump_json().encode())

    def _refuse(self, status: HTTPStatus, reason: str) -> None:
        self._answer(status, _Refusal(error=reason).model_dump_json().encode())

    def _answer(self, status: HTTPStatus, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", _JSON)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Stay silent: the one who calls has the trace."""


class _Refusal(BaseModel):
    error: str
