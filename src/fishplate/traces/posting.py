"""Posting protocol buffers to one address, over a connection that is kept.

A request has one deadline, its further tries included: whoever answers a byte at a time, and never
ends, holds up what waits behind it no longer than whoever does not answer at all.
"""

from __future__ import annotations

import http.client
import io
import random
import socket
import ssl
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Final, NamedTuple, cast
from urllib.parse import unquote, urlsplit

from typing_extensions import Buffer, override

from fishplate.core.data import dataclass
from fishplate.traces.export import PATHS, ExportError

MOST_ANSWERED: Final = 64 * 1024
"""Bytes of an answer that are read; what is longer is no answer of OTLP, and is cut off."""
LONGEST_REST: Final = 60.0
"""Seconds for which a sink is left alone at most, whatever it asks for."""
_ACCEPTED: Final = range(200, 300)
_AGAIN: Final = frozenset({429, 502, 503, 504})
_FIRST_PAUSE: Final = 0.25
_LONGEST_PAUSE: Final = 5.0
_REDIRECTS: Final = range(300, 400)
_REMEDIES: Final[Mapping[int, str]] = {
    401: "look at headers=",
    403: "look at headers=",
    404: PATHS,
    405: PATHS,
    415: "it takes no protocol buffers",
}


class Answer(NamedTuple):
    """What whoever was sent something has answered, when it says that it has taken it.

    Attributes:
        sink: Scheme and host.
        kind: The media type in small letters, e.g. `application/x-protobuf`; empty if it is not
            said.
        body: At most `MOST_ANSWERED` bytes.
    """

    sink: str
    kind: str
    body: bytes


class _Reply(NamedTuple):
    status: int
    after: str | None  # `Retry-After`
    kind: str
    body: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Times:
    """What time a posting goes by; not that of the runs.

    Attributes:
        seconds: Monotonic.
        wall: Seconds since 1970.
        wait: Waits for seconds.
    """

    seconds: Callable[[], float] = time.perf_counter
    wall: Callable[[], float] = time.time  # noqa: TID251 -- `Retry-After` may be a date
    wait: Callable[[float], None] = time.sleep


class Posting:
    """Requests to one address; used on one thread.

    A request that is answered with 429, 502, 503 or 504 is sent again within its time, after what
    `Retry-After` says or after a pause that doubles; until then nothing else is sent either. One
    that a kept connection did not answer at all is sent again on another. Nothing else is.

    Args:
        address: Of HTTP or HTTPS, with a host.
        headers: Go with every request.
        timeout: Seconds that a request may take, with all its tries.
        times: What it goes by.

    Source: OTLP 1.x, "OTLP/HTTP Response" and "OTLP/HTTP Throttling"; RFC 9110, section 10.2.3.
    """

    def __init__(
        self, address: str, headers: Mapping[str, str], timeout: float, times: Times | None = None
    ) -> None:
        parts = urlsplit(address)
        assert parts.hostname is not None, "the settings were judged"
        self._host = f"{parts.scheme}://{parts.hostname}"  # and no more: it may hold a password
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._headers = {**headers, "Content-Type": "application/x-protobuf"}
        if parts.username is not None and "authorization" not in map(str.lower, headers):
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self._headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        self._timeout = timeout
        self._times = times or Times()
        self._not_before = self._deadline = 0.0
        self._stream: _Stream | None = None
        if parts.scheme == "https":
            self._connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                parts.hostname, parts.port
            )
        else:
            self._connection = http.client.HTTPConnection(parts.hostname, parts.port)

    def post(self, body: bytes) -> Answer:
        """Send one request; what it is answered. Redirects are not followed: headers may be keys.

        Raises:
            ExportError: It was not taken.
        """
        times, pause = self._times, _FIRST_PAUSE
        self._deadline = times.seconds() + self._timeout
        while True:
            self._wait_until(self._not_before)
            status, after, kind, answer = self._answer(body)
            if status in _ACCEPTED:
                return Answer(self._host, kind, answer)
            if status not in _AGAIN:
                told = _remedy(status)
                msg = f"{self._host} does not take what is sent: it answers {status}{told}"
                raise ExportError(msg)
            rest = self._rest_of(after)
            if rest is None:
                rest = pause * random.uniform(0.5, 1.0)  # noqa: S311 -- it hides nothing, and belongs to no run
                pause = min(pause * 2, _LONGEST_PAUSE)
            self._not_before = times.seconds() + rest
            if self._not_before >= self._deadline:
                msg = (
                    f"{self._host} does not take what is sent: it answers {status}, and is left "
                    f"alone for {rest:.2g} s"
                )
                raise ExportError(msg)

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        self._connection.close()
        self._stream = None

    def _wait_until(self, moment: float) -> None:
        now = self._times.seconds()
        if moment >= self._deadline:
            msg = f"{self._host} has asked to be left alone for {moment - now:.2g} s more"
            raise ExportError(msg)
        if moment > now:
            self._times.wait(moment - now)

    def _rest_of(self, after: str | None) -> float | None:
        """Seconds for which the sink wants to be left alone; `None` if it does not say."""
        if after is None:
            return None
        if after.isascii() and after.isdigit():
            return min(float(after[:9]), LONGEST_REST)
        try:
            moment = parsedate_to_datetime(after).timestamp()
        except ValueError:
            return None
        return min(max(moment - self._times.wall(), 0.0), LONGEST_REST)

    def _answer(self, body: bytes) -> _Reply:
        """The answer to one try, or to two.

        Raises:
            ExportError: There was none in time.
        """
        was_kept = self._stream is not None
        try:
            return self._asked(body)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            # Many servers close what was idle for a while, and it is not seen until it is used.
            if was_kept and isinstance(error, ConnectionError):
                return self._answer(body)
            msg = f"{self._host} does not take what is sent: {_why(error)}"
            raise ExportError(msg) from error

    def _asked(self, body: bytes) -> _Reply:
        connection = self._connection
        stream = self._connected()
        stream.deadline = self._deadline
        connection.request("POST", self._path, body, self._headers)
        with connection.getresponse() as answer:
            found = answer.read(MOST_ANSWERED + 1)
            if not answer.isclosed():  # the rest is not waited for, and spoils the connection
                self.close()
            if answer.will_close:
                self.close()
            kind = answer.getheader("Content-Type", "").partition(";")[0].strip().lower()
            after = answer.getheader("Retry-After")
            return _Reply(answer.status, after, kind, found[:MOST_ANSWERED])

    def _connected(self) -> _Stream:
        if self._stream is None:
            self._connection.timeout = max(self._deadline - self._times.seconds(), 0.001)
            self._connection.connect()
            self._stream = _Stream(self._connection.sock, self._times.seconds)
            # All that `http.client` does with a socket once it is connected is done by ours.
            self._connection.sock = cast("socket.socket", self._stream)
        return self._stream


def _remedy(status: int) -> str:
    if status in _REDIRECTS:
        return ", a redirect, which is not followed: give the address that it leads to"
    return f": {_REMEDIES[status]}" if status in _REMEDIES else ""


def _why(error: Exception) -> str:
    """What went wrong on the way, and what to do where that is no secret of the network's."""
    name = type(error).__name__
    match error:
        case TimeoutError():
            return "no whole answer in time"
        case ssl.SSLCertVerificationError():
            return f"{name}: its certificate is not trusted here, SSL_CERT_FILE names more that are"
        case ssl.SSLError():
            return f"{name}: does it speak TLS at this port, or is it http:// ?"
        case socket.gaierror():
            return f"{name}: nobody knows an address of that name"
        case _:
            return name


class _Stream:
    """A connected socket with a deadline for all that is done with it.

    A time limit of a socket is for each piece that comes, and begins anew with the next one.

    Attributes:
        deadline: In the seconds that it goes by.
    """

    def __init__(self, connected: socket.socket, seconds: Callable[[], float]) -> None:
        self._socket = connected
        self._seconds = seconds
        self.deadline = 0.0

    def sendall(self, data: Buffer) -> None:
        """Send all of it."""
        left = memoryview(data)
        while left:
            self.limit()
            left = left[self._socket.send(left) :]

    def makefile(self, mode: str) -> io.BufferedReader:
        """A file to read from."""
        assert mode == "rb", "answers are read"
        return io.BufferedReader(_Incoming(self, self._socket.makefile("rb", buffering=0)))

    def limit(self) -> None:
        """Let the next piece take no longer than is left.

        Raises:
            TimeoutError: Nothing is left.
        """
        left = self.deadline - self._seconds()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


class _Incoming(io.RawIOBase):
    """What comes by a stream."""

    def __init__(self, stream: _Stream, raw: socket.SocketIO) -> None:
        self._stream = stream
        self._raw = raw

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: Buffer) -> int | None:
        self._stream.limit()
        return self._raw.readinto(buffer)

    @override
    def close(self) -> None:
        self._raw.close()
        super().close()
