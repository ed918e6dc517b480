"""A small payment service: a process of its own, with its own disk, which can misbehave.

    python -m examples.order_support.payments FILE     prints its URL; ends when its input ends

    POST /refunds  {"order_id": "#W1", "amount": "12.50", "method": "original_payment"},
                   `Idempotency-Key: <key>`: a receipt
    GET  /charges  every charge it has made, in order
    POST /fault    {"mode": "hang", "delay": 5} from now on

It refunds at once and is asked by its key later: the same key and the same body get the first
receipt again, the same key and another body are refused. Without a key each request is a refund.
Its faults come *after* the refund is on its disk, where the one who asked cannot know of it.
"""

import argparse
import sqlite3
import sys
import threading
from collections.abc import Sequence
from decimal import Decimal
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socket import SO_LINGER, SOL_SOCKET, socket
from socketserver import ThreadingTCPServer
from struct import pack
from typing import Annotated, Final, Literal, NamedTuple, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from typing_extensions import override

from examples.order_support.refund_rules import RefundMethod

PaymentFaultMode: TypeAlias = Literal["healthy", "hang", "reset", "error", "forgetful"]
Amount: TypeAlias = Annotated[Decimal, Field(gt=0, decimal_places=2)]
LARGEST_REQUEST_BYTES: Final = 1024
LONGEST_HANG: Final = 60.0

_READ_TIMEOUT: Final = 5.0
_COLUMNS: Final = "n, order_id, amount, method"
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS charge (
  n INTEGER PRIMARY KEY,
  key TEXT,                       -- NULL: the request had none, or the key is forgotten
  order_id TEXT NOT NULL,
  amount TEXT NOT NULL,           -- decimal
  method TEXT NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS charge_key ON charge (key) WHERE key IS NOT NULL;
"""


class RefundOrder(BaseModel):
    """What the service is asked for: to give so much back for an order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    order_id: Annotated[str, Field(min_length=1, max_length=40)]
    amount: Annotated[Decimal, Field(gt=0, max_digits=12, decimal_places=2)]
    method: RefundMethod = "original_payment"


class Receipt(BaseModel):
    """A refund that has been made; its number is the service's own."""

    model_config = ConfigDict(frozen=True)

    refund: int
    order_id: str
    amount: Decimal
    method: RefundMethod = "original_payment"

    def is_of(self, asked: RefundOrder) -> bool:
        """Whether it is the receipt of what was asked for."""
        ours = (self.order_id, self.amount, self.method)
        return ours == (asked.order_id, asked.amount, asked.method)


class PaymentFault(BaseModel):
    """How the service behaves after a refund that it has just made.

    Attributes:
        mode: `healthy` answers; `hang` answers after `delay`, `reset` breaks the connection,
            `error` answers 500; `forgetful` answers, and knows no key from then on.
        delay: Seconds, 0 to 60; only `hang` waits.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: PaymentFaultMode
    delay: Annotated[float, Field(ge=0, le=LONGEST_HANG)] = 5.0


class Charges(BaseModel):
    """Every refund that was made, in order."""

    charges: list[Receipt]


class _Done(NamedTuple):
    """What became of a request: its receipt, and whether it was made just now."""

    receipt: Receipt
    is_new: bool


class Book:
    """The service's disk: what it has refunded, and under which keys.

    Args:
        path: Of its SQLite file; made if it is not there.
    """

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.executescript(_SCHEMA)
        self._lock = threading.Lock()  # protects the connection, used by every handler's thread

    def refund(self, asked: RefundOrder, key: str | None) -> _Done | None:
        """Refund once for each key; `None` if the key stands for another refund."""
        with self._lock:
            found = self._connection.execute(
                f"SELECT {_COLUMNS} FROM charge WHERE key = ?",  # noqa: S608 -- our own
                (key,),
            ).fetchone()
            if found is not None:
                receipt = _receipt(found)
                return _Done(receipt, is_new=False) if receipt.is_of(asked) else None
            made = self._connection.execute(
                "INSERT INTO charge (key, order_id, amount, method) VALUES (?, ?, ?, ?) "  # noqa: S608 -- our own
                f"RETURNING {_COLUMNS}",
                (key, asked.order_id, str(asked.amount), asked.method),
            ).fetchone()
        return _Done(_receipt(made), is_new=True)

    def forget_keys(self) -> None:
        """Know no key any more; what was refunded stays refunded."""
        with self._lock:
            self._connection.execute("UPDATE charge SET key = NULL")

    def charges(self) -> Charges:
        """Every refund that was made."""
        with self._lock:
            rows = self._connection.execute(f"SELECT {_COLUMNS} FROM charge ORDER BY n")  # noqa: S608 -- our own
            return Charges(charges=[_receipt(row) for row in rows])

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def _receipt(row: tuple[int, str, str, RefundMethod]) -> Receipt:
    number, order_id, amount, method = row
    return Receipt(refund=number, order_id=order_id, amount=Decimal(amount), method=method)


class PaymentServer(ThreadingTCPServer):
    """The service on a free port of the loopback interface.

    Args:
        book: Where it keeps what it does.
    """

    daemon_threads = True  # a hanging answer does not hold up the end of the process
    request_queue_size = 128

    def __init__(self, book: Book) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.book = book
        # Replaced whole, never changed, so a handler that reads it needs no lock.
        self.fault = PaymentFault(mode="healthy")
        self.closing = threading.Event()

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""
        host, port, *_ = self.server_address
        return f"http://{host!s}:{port}"

    @override
    def handle_error(self, request: socket | tuple[bytes, socket], client_address: object) -> None:
        """Report what goes wrong, but for a client that has gone."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: PaymentServer  # pyright: ignore[reportIncompatibleVariableOverride] -- only it makes one
    timeout = _READ_TIMEOUT
    server_version = "payments"
    sys_version = ""

    def do_GET(self) -> None:
        if self.path == "/charges":
            self._answer(HTTPStatus.OK, self.server.book.charges())
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "no such page; ask for /charges")

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal():
            self._refuse(HTTPStatus.LENGTH_REQUIRED, "Content-Length is missing or no length")
            return
        if int(length) > LARGEST_REQUEST_BYTES:
            reason = f"more than {LARGEST_REQUEST_BYTES} bytes"
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, reason)
            return
        body = self.rfile.read(int(length))
        try:
            if self.path == "/refunds":
                self._refund(RefundOrder.model_validate_json(body))
            elif self.path == "/fault":
                self.server.fault = PaymentFault.model_validate_json(body)
                self._answer(HTTPStatus.OK, self.server.fault)
            else:
                self._refuse(HTTPStatus.NOT_FOUND, "no such page; post to /refunds or /fault")
        except ValidationError as error:
            self._refuse(HTTPStatus.BAD_REQUEST, error.errors()[0]["msg"])

    def _refund(self, asked: RefundOrder) -> None:
        done = self.server.book.refund(asked, self.headers.get("Idempotency-Key"))
        if done is None:
            reason = "the idempotency key was used for another refund"
            self._refuse(HTTPStatus.UNPROCESSABLE_ENTITY, reason)
            return
        fault = self.server.fault
        mode = fault.mode if done.is_new else "healthy"
        if mode == "reset":
            # Closing with nothing to linger for sends a reset instead of an orderly end.
            self.connection.setsockopt(SOL_SOCKET, SO_LINGER, pack("ii", 1, 0))
            self.connection.close()
            return
        if mode == "hang" and self.server.closing.wait(fault.delay):
            return
        if mode == "error":
            self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, "something went wrong")
            return
        if mode == "forgetful":
            self.server.book.forget_keys()
        self._answer(HTTPStatus.CREATED, done.receipt)

    def _refuse(self, status: HTTPStatus, reason: str) -> None:
        self._answer(status, _Refusal(error=reason))

    def _answer(self, status: HTTPStatus, answer: BaseModel) -> None:
        body = answer.model_dump_json().encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Stay silent: the one who calls has the trace."""


class _Refusal(BaseModel):
    error: str


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until the input ends, which it does when whoever started this has gone."""
    parser = argparse.ArgumentParser(prog="payments", description="A payment service.")
    parser.add_argument("file", type=Path, help="SQLite file of the service")
    book = Book(parser.parse_args(arguments).file)
    with PaymentServer(book) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="payments")
        thread.start()
        print(server.url, flush=True)
        sys.stdin.read()
        server.closing.set()
        server.shutdown()
        thread.join()
    book.close()


if __name__ == "__main__":
    main()
