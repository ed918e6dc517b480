"""Export: where spans and metrics go that are sent by OTLP over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import get_args
from urllib.parse import urlsplit

from fishplate.core.data import dataclass
from fishplate.core.errors import ErrorClass, FishplateError, UsageError
from fishplate.traces.capture import Capture
from fishplate.traces.redaction import check_secrets


class ExportError(FishplateError):
    """Spans that whoever they were sent to did not take."""

    code = "export_failed"
    error_class = ErrorClass.TRANSIENT


@dataclass(frozen=True, kw_only=True, slots=True)
class OtlpExport:
    """Where an app sends its spans: `App(export=OtlpExport(endpoint=...))`.

    Attributes:
        endpoint: Takes OTLP/HTTP in protocol buffers, e.g. `http://127.0.0.1:4318/v1/traces`.
        headers: Go with every request.
        service: Name of the program, as readers group by it.
        capture: How much of inputs, outputs and errors goes out; see `Capture`.
        secrets: See `fishplate.traces.store.TraceStore`.
        timeout: Seconds that a request may take, with all its tries and its answer; above 0. What
            is not taken by then is lost.
        capacity: Most spans, contents and beginnings of runs that wait; at least 1.
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
        if not (self.timeout > 0 and self.metrics_every > 0) or self.capacity < 1:
            msg = "OtlpExport(timeout=, metrics_every=, capacity=) are above 0"
            raise UsageError(msg, code="bad_setting")
        if self.capture not in get_args(Capture):  # a slip must not send what was to be kept back
            words = ", ".join(get_args(Capture))
            msg = f"OtlpExport(capture={self.capture!r}): write one of {words}"
            raise UsageError(msg, code="bad_setting")
        check_secrets("OtlpExport", self.secrets)
        for name, value in self.headers.items():
            if not (name + value).isprintable():  # its value may be a key, and is not shown
                msg = (
                    f"OtlpExport(headers=): the header {name!r} holds a line break or another "
                    "control character: strip what was read from a file"
                )
                raise UsageError(msg, code="bad_setting")


def _check_address(word: str, address: str) -> None:
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        msg = (
            f"OtlpExport({word}={address!r}) is no address: "
            "write e.g. 'http://127.0.0.1:4318/v1/traces'"
        )
        raise UsageError(msg, code="bad_setting")
