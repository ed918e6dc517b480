"""Export: where spans and metrics go that are sent by OTLP over HTTP."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import field
from typing import Final, get_args
from urllib.parse import urlsplit

from fishplate.core.data import dataclass
from fishplate.core.errors import ErrorClass, FishplateError, UsageError
from fishplate.traces.capture import Capture
from fishplate.traces.redaction import check_secrets

PATHS: Final = "look at the path, which usually is /v1/traces, and /v1/metrics for metrics"
"""What is said to whoever does not reach a sink by the address that was given."""
_HEADER: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_OWN: Final = frozenset({"content-encoding", "content-length", "content-type", "transfer-encoding"})
_ADDRESS: Final = re.compile(r"[\x21-\x7e]+")


class ExportError(FishplateError):
    """Spans that whoever they were sent to did not take."""

    code = "export_failed"
    error_class = ErrorClass.TRANSIENT


@dataclass(frozen=True, kw_only=True, slots=True)
class OtlpExport:
    """Where an app sends its spans: `App(export=OtlpExport(endpoint=...))`.

    Attributes:
        endpoint: Takes OTLP/HTTP in protocol buffers, e.g. `http://127.0.0.1:4318/v1/traces`. A
            name and a password before the host are sent as HTTP's basic authentication.
        headers: Go with every request; names and values are ASCII.
        service: Name of the program, as readers group by it.
        capture: How much of inputs, outputs and errors goes out; see `Capture`.
        secrets: See `fishplate.traces.store.TraceStore`.
        timeout: Seconds that a request may take, with all its tries and its answer; above 0. What
            is not taken by then is lost.
        capacity: Most spans, with their contents, and beginnings of runs that wait; at least 1.
        metrics: Takes metrics by OTLP/HTTP, e.g. `http://127.0.0.1:4318/v1/metrics`; `None` sends
            none, since many readers of spans take none.
        metrics_every: Seconds between two requests with metrics; above 0.

    Raises:
        UsageError: A setting is out of its range (code `bad_setting`).
    """

    endpoint: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    service: str = "fishplate"
    capture: Capture = "off"
    secrets: tuple[str, ...] = ()
    timeout: float = 4.0
    capacity: int = 65_536
    metrics: str | None = None
    metrics_every: float = 10.0

    def __post_init__(self) -> None:
        _check_address("endpoint", self.endpoint)
        if self.metrics is not None:
            _check_address("metrics", self.metrics)
        for word in ("timeout", "metrics_every", "capacity", "service", "headers"):
            _check_setting(word, getattr(self, word))
        if self.capture not in get_args(Capture):  # a slip must not send what was to be kept back
            words = ", ".join(get_args(Capture))
            msg = f"OtlpExport(capture={self.capture!r}): write one of {words}"
            raise UsageError(msg, code="bad_setting")
        check_secrets("OtlpExport", self.secrets)
        for name, value in self.headers.items():
            flaw = _header_flaw(name, value)
            if flaw is not None:
                msg = f"OtlpExport(headers=): the header {name!r} {flaw}"
                raise UsageError(msg, code="bad_setting")


def _check_setting(word: str, value: object) -> None:
    match word:
        case "service":
            is_right, wanted = isinstance(value, str), "a text"
        case "headers":
            is_right, wanted = isinstance(value, Mapping), "texts by name"
        case "capacity":
            is_right, wanted = isinstance(value, int) and value > 0, "a whole number above 0"
        case _:
            is_right = isinstance(value, int | float) and 0 < value < math.inf
            wanted = "seconds above 0, and not without end"
    if not is_right:  # what is no number may be a key in the wrong place, and is not shown
        shown = repr(value) if isinstance(value, int | float) else f"a {type(value).__name__!r}"
        msg = f"OtlpExport({word}=) is {shown}: give {wanted}"
        raise UsageError(msg, code="bad_setting")


def _header_flaw(name: object, value: object) -> str | None:
    """What is wrong with a header; its value may be a key, and is not shown."""
    if not isinstance(name, str) or not _HEADER.fullmatch(name):
        return "has a name that no header can have"
    if name.lower() in _OWN:
        return "says how the body is written, which the export says itself: leave it out"
    if not isinstance(value, str):
        return f"is a {type(value).__name__!r}: give it as text"
    if not value.isprintable():
        return "holds a line break or another control character: strip what was read from a file"
    if not value.isascii():
        return "holds a character outside of ASCII: encode it as its reader wants it"
    return None


def _check_address(word: str, address: object) -> None:
    """Refuse what is no address; it may hold a password, and is not shown."""
    flaw = _address_flaw(address)
    if flaw is not None:
        example = "http://127.0.0.1:4318/v1/traces"
        msg = f"OtlpExport({word}=) is no address, it {flaw}: write it as {example!r}"
        raise UsageError(msg, code="bad_setting")


def _address_flaw(address: object) -> str | None:
    if not isinstance(address, str):
        return f"is a {type(address).__name__!r}"
    if not _ADDRESS.fullmatch(address):
        return "is empty, or has white space or a character outside of ASCII in it"
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:  # a port beyond 65535 or of letters, or half of a bracket
        return "has a host or a port that cannot be one"
    if parts.scheme not in {"http", "https"}:
        return "does not begin with http:// or https://"
    return None if host and port != 0 else "has no host, or the port 0"
