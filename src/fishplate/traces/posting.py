"""Posting protocol buffers to one address, over a connection that is kept."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from fishplate.traces.export import ExportError

_ACCEPTED: Final = range(200, 300)


class Posting:
    """Requests to one address; used on one thread.

    Args:
        address: Of HTTP or HTTPS, with a host.
        headers: Go with every request.
        timeout: Seconds that a request may take.
    """

    def __init__(self, address: str, headers: Mapping[str, str], timeout: float) -> None:
        self._parts = urlsplit(address)
        self._headers = {**headers, "Content-Type": "application/x-protobuf"}
        self._timeout = timeout
        self._connection: http.client.HTTPConnection | None = None

    def post(self, body: bytes) -> None:
        """Send one request.

        Raises:
            ExportError: It was not taken.
        """
        parts = self._parts
        host = f"{parts.scheme}://{parts.hostname}"  # and no more: an address may hold a password
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            connection = self._connected()
            connection.request("POST", path, body, self._headers)
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            msg = f"{host} does not take what is sent: {type(error).__name__}"
            raise ExportError(msg) from error
        if answer.status not in _ACCEPTED:
            self.close()
            msg = f"{host} does not take what is sent: it answers {answer.status}"
            raise ExportError(msg)

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> http.client.HTTPConnection:
        if self._connection is None:
            parts = self._parts
            is_safe = parts.scheme == "https"
            made = http.client.HTTPSConnection if is_safe else http.client.HTTPConnection
            assert parts.hostname is not None, "the settings were judged"
            self._connection = made(parts.hostname, parts.port, timeout=self._timeout)
        return self._connection
