"""Asking the carrier over HTTP: the one file that knows the HTTP client.

Whatever goes wrong gets the class that says what a caller may do about it:

| what happens | error class |
|---|---|
| no connection, or it breaks | `TRANSIENT` |
| no answer in time | `DEADLINE` |
| 429 | `RATE_LIMITED` |
| 5xx | `OVERLOAD` |
| 404 | none: that is an answer, `UnknownParcel` |
| another status, an answer too long, no parcel in it, or another parcel | `CONTRACT_OUT` |
"""

import asyncio
from http import HTTPStatus
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from pydantic import ValidationError

from examples.order_support.delivery import Parcel
from fishplate import DeclaredError, ErrorClass, Failure
from fishplate.core.errors import MissingExtraError

if TYPE_CHECKING:
    import httpx2

LARGEST_ANSWER_BYTES: Final = 65_536

# Seconds for connecting, and between two pieces of an answer. The tool's own time limit is shorter
# and decides; this one is for whoever takes that limit away.
_PATIENCE: Final = 30.0


class UnknownParcel(DeclaredError):  # noqa: N818 -- an answer of the carrier, and no fault
    """The carrier has no record of the parcel."""

    tracking_id: str


class CarrierClient:
    """An HTTP client that connects at its first question; an async context manager."""

    def __init__(self) -> None:
        self._client: httpx2.AsyncClient | None = None
        # Protects `_client`: several first questions at a time make one client.
        self._making = asyncio.Lock()

    async def track(self, carrier_url: str, tracking_id: str) -> Parcel:
        """Ask where a parcel is.

        Args:
            carrier_url: Of the service, without a slash at the end.
            tracking_id: Twelve digits.

        Raises:
            UnknownParcel: The carrier has no record of it.
            Failure: There was no usable answer; see the table above.
            MissingExtraError: The HTTP client is not installed.
        """
        status, body = await self._get(f"{carrier_url}/track/{tracking_id}")
        if status == HTTPStatus.NOT_FOUND:
            raise UnknownParcel(tracking_id=tracking_id)
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            raise _failure("carrier_limits", "asks us to come less often", ErrorClass.RATE_LIMITED)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise _failure("carrier_overloaded", f"answered {status}", ErrorClass.OVERLOAD)
        if status != HTTPStatus.OK:
            raise _broken(f"answered {status}")
        try:
            parcel = Parcel.model_validate_json(body)
        except ValidationError as error:
            raise _broken(f"gave no parcel: {error.error_count()} violations") from error
        if parcel.tracking_id != tracking_id:
            raise _broken(f"gave parcel {parcel.tracking_id!r} for {tracking_id!r}")
        return parcel

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _get(self, url: str) -> tuple[int, bytes]:
        client = await self._connected()
        # After the client is there, so is its module.
        import httpx2  # noqa: PLC0415 -- an extra, imported in this adapter alone

        body = bytearray()
        try:
            async with client.stream("GET", url) as response:
                # Read to its end, since leaving early leaves the client's own generators open. What
                # is too much is not kept, and how long it may take is the tool's time limit.
                async for piece in response.aiter_raw():
                    if len(body) <= LARGEST_ANSWER_BYTES:
                        body += piece
        except httpx2.TimeoutException as error:
            raise _failure("carrier_slow", "did not answer in time", ErrorClass.DEADLINE) from error
        except httpx2.TransportError as error:
            why = f"cannot be reached ({type(error).__name__})"
            raise _failure("carrier_unreachable", why, ErrorClass.TRANSIENT) from error
        if len(body) > LARGEST_ANSWER_BYTES:
            raise _broken(f"gave more than {LARGEST_ANSWER_BYTES} bytes")
        return response.status_code, bytes(body)

    async def _connected(self) -> "httpx2.AsyncClient":
        async with self._making:
            if self._client is None:
                # Off the loop: it imports, and reads certificates, for a quarter of a second.
                self._client = await asyncio.to_thread(_make_client)
            return self._client


def _make_client() -> "httpx2.AsyncClient":
    try:
        import httpx2  # noqa: PLC0415 -- an extra, imported in this adapter alone
    except ImportError as error:
        raise MissingExtraError("httpx2", "http") from error
    return httpx2.AsyncClient(
        timeout=_PATIENCE,
        trust_env=False,  # the carrier is on this machine: no proxy of the environment
        headers={"Accept-Encoding": "identity"},  # so that the limit counts what is read
    )


def _failure(code: str, what: str, error_class: ErrorClass) -> Failure:
    return Failure(f"the carrier {what}", error_class=error_class, code=code)


def _broken(what: str) -> Failure:
    return _failure("carrier_answer_invalid", what, ErrorClass.CONTRACT_OUT)
