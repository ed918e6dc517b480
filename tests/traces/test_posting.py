"""Requests to a sink: one deadline for all of a request, and which of them are sent again."""

import socket
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from email.utils import formatdate

import pytest

from fishplate.traces.export import ExportError
from fishplate.traces.posting import LONGEST_REST, MOST_ANSWERED, Posting, Times

Answer = Callable[[socket.socket], None]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
WALL = 1_790_000_000.0


class Sink:
    """Answers the requests that it gets, one script for each; then it closes the connection.

    Attributes:
        bodies: What it was sent.
        connections: How many were made.
    """

    def __init__(self, *answers: bytes | Answer | None) -> None:
        self.bodies: list[bytes] = []
        self.connections = 0
        self._answers = list(answers)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/v1/traces"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take no more."""
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                connected, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            with connected:
                self._answer(connected)

    def _answer(self, connected: socket.socket) -> None:
        while self._answers and (body := _request(connected)) is not None:
            self.bodies.append(body)
            answer = self._answers.pop(0)
            if answer is None:
                return
            if isinstance(answer, bytes):
                connected.sendall(answer)
            else:
                answer(connected)


def _request(connected: socket.socket) -> bytes | None:
    got = b""
    while b"\r\n\r\n" not in got:
        piece = connected.recv(65_536)
        if not piece:
            return None
        got += piece
    head, _, body = got.partition(b"\r\n\r\n")
    size = next(int(line[15:]) for line in head.split(b"\r\n") if line[:15] == b"Content-Length:")
    while len(body) < size:
        body += connected.recv(65_536)
    return body


def refusing(status: int, after: str | None = None) -> bytes:
    """An answer that takes nothing."""
    more = "" if after is None else f"Retry-After: {after}\r\n"
    return f"HTTP/1.1 {status} No\r\n{more}Content-Length: 0\r\n\r\n".encode("latin-1")


class Clock:
    """Time that passes while somebody waits, and a little at every look."""

    def __init__(self, step: float = 0.0) -> None:
        self.now = 100.0
        self.step = step
        self.waits: list[float] = []

    def seconds(self) -> float:
        """What it shows."""
        self.now += self.step
        return self.now

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.waits.append(seconds)
        self.now += seconds

    @property
    def times(self) -> Times:
        """For a posting."""
        return Times(seconds=self.seconds, wall=lambda: WALL, wait=self.wait)


def drip(connected: socket.socket) -> None:
    """Begin an answer, and go on with it for as long as anybody listens."""
    connected.sendall(b"HTTP/1.1 200 OK\r\n")
    try:
        while True:
            connected.sendall(b"x")
    except OSError:
        return


def drip_body(connected: socket.socket) -> None:
    """Promise a body that comes a byte at a time."""
    connected.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n")
    try:
        while True:
            connected.sendall(b"x")
    except OSError:
        return


@contextmanager
def posting(
    *answers: bytes | Answer | None, timeout: float = 20.0, clock: Clock | None = None
) -> Generator[tuple[Posting, Sink]]:
    """One to a sink with a script."""
    sink = Sink(*answers)
    made = Posting(sink.url, {}, timeout, None if clock is None else clock.times)
    yield made, sink
    made.close()
    sink.close()


def test_a_dripping_head_does_not_outlast_the_deadline() -> None:
    """The time limit is for the whole request, however often something comes."""
    clock = Clock(step=2.0)
    with (
        posting(drip, timeout=8.0, clock=clock) as (made, _),
        pytest.raises(ExportError, match="in time"),
    ):
        made.post(b"spans")
    assert clock.now < 120


def test_a_dripping_body_does_not_outlast_the_deadline() -> None:
    """So it is for what comes behind the head."""
    clock = Clock(step=2.0)
    with (
        posting(drip_body, timeout=8.0, clock=clock) as (made, _),
        pytest.raises(ExportError, match="in time"),
    ):
        made.post(b"spans")
    assert clock.now < 120


def test_a_sink_that_says_nothing_is_given_up() -> None:
    """Nothing at all within the time is a loss too, by the machine's own clock."""
    held = threading.Event()
    with posting(lambda _: hold(held), timeout=0.05) as (made, _):
        with pytest.raises(ExportError, match="in time"):
            made.post(b"spans")
        held.set()


def hold(held: threading.Event) -> None:
    """Hold a request until a test is over."""
    assert held.wait(20)


def test_a_long_answer_is_cut() -> None:
    """What no sink has a reason to say is not read, and its connection is not used again."""

    def talk(connected: socket.socket) -> None:
        connected.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 90000000\r\n\r\n")
        with suppress(ConnectionError):  # nobody listens to the end
            connected.sendall(b"x" * 90_000_000)

    with posting(talk, OK) as (made, sink):
        assert made.post(b"1").body == b"x" * MOST_ANSWERED
        assert made.post(b"2").body == b"ok"
        assert (sink.bodies, sink.connections) == ([b"1", b"2"], 2)


def test_one_connection_serves_many_requests() -> None:
    """A sink that keeps it is not connected to again."""
    with posting(OK, OK, OK) as (made, sink):
        assert [made.post(body).body for body in (b"1", b"2", b"3")] == [b"ok"] * 3
        assert (sink.bodies, sink.connections) == ([b"1", b"2", b"3"], 1)


def test_what_an_idle_connection_has_not_answered_is_sent_again() -> None:
    """A server that closes what was idle costs no batch; one that always closes costs it."""
    with posting(OK, None, OK) as (made, sink):
        made.post(b"1")
        assert made.post(b"2").body == b"ok"
        assert sink.bodies == [b"1", b"2", b"2"]

    with posting(None, OK) as (made, sink):
        with pytest.raises(ExportError, match="RemoteDisconnected"):
            made.post(b"1")
        assert sink.bodies == [b"1"]


def test_a_connection_that_is_closed_by_the_answer_is_not_used_again() -> None:
    """A sink may say that it closes."""
    closing = OK.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)

    def close(connected: socket.socket) -> None:
        connected.sendall(closing)
        connected.shutdown(socket.SHUT_RDWR)

    with posting(close, OK) as (made, sink):
        assert (made.post(b"1").body, made.post(b"2").body) == (b"ok", b"ok")
        assert sink.bodies == [b"1", b"2"]


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_sink_that_is_busy_is_asked_again(status: int) -> None:
    """Within its time a request is sent again, after pauses that grow."""
    clock = Clock()
    with posting(*[refusing(status)] * 3, OK, clock=clock) as (made, sink):
        assert made.post(b"spans").body == b"ok"
        assert sink.bodies == [b"spans"] * 4
    first, second, third = clock.waits
    assert 0.125 <= first <= 0.25 <= second <= 0.5 <= third <= 1


@pytest.mark.parametrize("status", [301, 302, 400, 401, 404, 413, 500, 501])
def test_a_refusal_for_good_is_not_sent_again(status: int) -> None:
    """What would be refused again is lost at once."""
    clock = Clock()
    with posting(refusing(status), OK, clock=clock) as (made, sink):
        with pytest.raises(ExportError, match=str(status)):
            made.post(b"spans")
        assert (sink.bodies, clock.waits) == ([b"spans"], [])


@pytest.mark.parametrize("after", ["3", formatdate(WALL + 3, usegmt=True)])
def test_a_sink_says_when_it_is_asked_again(after: str) -> None:
    """`Retry-After`, in seconds or as a date, decides how long the pause is."""
    clock = Clock()
    with posting(refusing(429, after), OK, clock=clock) as (made, _):
        made.post(b"spans")
    assert clock.waits == [3.0]


@pytest.mark.parametrize("after", ["", "soon", "-1", "1.5", "\xb2"])
def test_a_malformed_pause_is_as_none(after: str) -> None:
    """A `Retry-After` that nobody can read decides nothing."""
    clock = Clock()
    with posting(refusing(503, after), OK, clock=clock) as (made, _):
        made.post(b"spans")
    assert clock.waits[0] < 1


def test_a_sink_that_wants_to_be_left_alone_is_not_asked() -> None:
    """Longer than a request may take: it is lost, and so is the next one, unsent; not for ever."""
    clock = Clock()
    with posting(refusing(503, "999999999999"), OK, timeout=4.0, clock=clock) as (made, sink):
        for _ in range(2):
            with pytest.raises(ExportError, match="alone for 60 s"):
                made.post(b"1")
        assert (sink.bodies, clock.waits) == ([b"1"], [])
        clock.now += LONGEST_REST
        assert made.post(b"2").body == b"ok"
