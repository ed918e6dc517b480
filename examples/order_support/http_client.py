"""Asking a service over HTTP: the one file that knows the HTTP client.

What breaks on the way gets the class that says what a caller may do about it:

| what happens | error class |
|---|---|
| no connection, or it breaks | `TRANSIENT` |
| no answer in time | `DEADLINE` |
| an answer too long | `CONTRACT_OUT` |

A connection that was refused stays the cause of its failure, since it proves that nothing was sent.
"""

import asyncio
from collections.abc import Mapping
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Self

from fishplate import ErrorClass, Failure
from fishplate.core.errors import MissingExtraError

if TYPE_CHECKING:
    import httpx2

LARGEST_ANSWER_BYTES: Final = 65_536

# Seconds for connecting, and between two pieces of an answer. The tool's own time limit is shorter
# and decides; this one is for whoever takes that limit away.
_PATIENCE: Final = 30.0
_NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})


class HttpAnswer(NamedTuple):
    """The status and the body of an answer."""

    status: int
    body: bytes


class HttpClient:
    """An HTTP client that connects at its first question; an async context manager.

    Args:
        service: Whom it asks, e.g. `carrier`; stands in messages and codes.
    """

    def __init__(self, service: str) -> None:
        self._service = service
        self._client: httpx2.AsyncClient | None = None
        # Protects `_client`: several first questions at a time make one client.
        self._making = asyncio.Lock()

    async def ask(
        self,
        method: Literal["GET", "POST"],
        url: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] = _NO_HEADERS,
    ) -> HttpAnswer:
        """Send a request, and read the answer to its end.

        Raises:
            Failure: There was none, or one that is too long; see the table above.
            MissingExtraError: The HTTP client is not installed.
        """
        client = await self._connected()
        # After the client is there, so is its module.
        import httpx2  # noqa: PLC0415 -- an extra, imported in this adapter alone

        found = bytearray()
        try:
            async with client.stream(method, url, content=body, headers=headers) as response:
                # Read to its end, since leaving early leaves the client's own generators open. What
                # is too much is not kept, and how long it may take is the tool's time limit.
                async for piece in response.aiter_raw():
                    if len(found) <= LARGEST_ANSWER_BYTES:
                        found += piece
        except httpx2.TimeoutException as error:
            raise self.failure("slow", "did not answer in time", ErrorClass.DEADLINE) from error
        except httpx2.TransportError as error:
            why = f"cannot be reached ({type(error).__name__})"
            raise self.failure("unreachable", why, ErrorClass.TRANSIENT) from _refusal(error)
        if len(found) > LARGEST_ANSWER_BYTES:
            raise self.broken(f"gave more than {LARGEST_ANSWER_BYTES} bytes")
        return HttpAnswer(response.status_code, bytes(found))

    def failure(self, code: str, what: str, error_class: ErrorClass) -> Failure:
        """A failure of the service, e.g. `carrier_slow`: the carrier did not answer in time."""
        code = f"{self._service}_{code}"
        return Failure(f"the {self._service} {what}", error_class=error_class, code=code)

    def broken(self, what: str) -> Failure:
        """A failure of an answer that does not say what it has to."""
        return self.failure("answer_invalid", what, ErrorClass.CONTRACT_OUT)

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
        trust_env=False,  # the services are on this machine: no proxy of the environment
        headers={"Accept-Encoding": "identity"},  # so that the limit counts what is read
    )


def _refusal(error: Exception) -> BaseException:
    """The refused connection that an error of the client came from, else the error itself."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, ConnectionRefusedError):
            return found
        found = found.__cause__ or found.__context__
    return error
