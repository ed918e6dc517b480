"""Export: finished spans to whoever speaks OTLP over HTTP, in batches, on a thread of its own."""

from __future__ import annotations

import functools
import http.client
import os
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from fishplate.core.data import dataclass
from fishplate.core.errors import ErrorClass, FishplateError, UsageError
from fishplate.core.events import HeadTuple, Span, SpanTuple
from fishplate.traces import protobuf
from fishplate.traces.capture import Capture, Facts, Reader
from fishplate.traces.redaction import Redactor, secrets_of
from fishplate.traces.segments import (
    MOST_ENDED,
    MOST_OPEN,
    MOST_PENDING,
    SPAN_SIZE,
    Began,
    Content,
    Item,
)
from fishplate.traces.vocabulary import content, described

_ACCEPTED: Final = range(200, 300)


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
        timeout: Seconds that a request may take; above 0. What is not taken by then is lost.
        capacity: Most spans, contents and beginnings of runs that wait; at least 1.

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

    def __post_init__(self) -> None:
        parts = urlsplit(self.endpoint)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            msg = (
                f"OtlpExport(endpoint={self.endpoint!r}) is no address: "
                "write e.g. 'http://127.0.0.1:4318/v1/traces'"
            )
            raise UsageError(msg, code="bad_setting")
        if not self.timeout > 0 or self.capacity < 1:
            msg = "OtlpExport(timeout=, capacity=) are above 0"
            raise UsageError(msg, code="bad_setting")


class _SentRun(NamedTuple):
    part: bytes
    caller_span: int | None
    offset_ns: int


class Exporter:
    """Sends batches; see `feed.Receiver`.

    Args:
        settings: Where to, and how much.
    """

    def __init__(self, settings: OtlpExport) -> None:
        self._settings = settings
        redactor = Redactor((*settings.secrets, *secrets_of(os.environ)))
        self._reader = Reader(settings.capture, redactor)
        self._runs: dict[int, _SentRun] = {}
        self._pending: dict[tuple[int, int], Content] = {}
        self._connection: http.client.HTTPConnection | None = None

    def take(self, items: Sequence[Item], dropped: int) -> int:  # noqa: ARG002 -- the tally tells it
        """Send a batch; the number of its spans.

        Raises:
            ExportError: It was not taken.
        """
        spans = self._ready(items)
        if spans:
            kept = self._reader.facts([one[8] for one, _ in spans])
            encoded = [
                self._encoded(one, facts, told)
                for (one, told), facts in zip(spans, kept, strict=True)
            ]
            self._post(protobuf.request(self._settings.service, encoded))
        return len(spans)

    def rest(self) -> None:
        """Nothing is to be done."""

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _ready(self, items: Sequence[Item]) -> list[tuple[SpanTuple, Content | None]]:
        found: list[tuple[SpanTuple, Content | None]] = []
        for item in items:
            if isinstance(item, Began):
                context = item.context
                caller = context.caller
                self._runs[context.trace_id] = _SentRun(
                    protobuf.trace_part(
                        context.shown_trace_id, {"fishplate.run.id": context.run_id}
                    ),
                    None if caller is None else caller.span_id,
                    item.offset_ns,
                )
            elif len(item) != SPAN_SIZE:
                told: Content = item  # type: ignore[assignment]  # by its size
                if self._reader.is_on:
                    self._pending[told[0], told[1]] = told
            else:
                span: SpanTuple = item  # type: ignore[assignment]  # by its size
                if span[0] in self._runs:
                    found.append((span, self._pending.pop((span[0], span[1]), None)))
        while len(self._runs) > MOST_OPEN + MOST_ENDED:
            del self._runs[next(iter(self._runs))]
        if len(self._pending) > MOST_PENDING:
            self._pending.clear()
        return found

    def _encoded(self, span: SpanTuple, facts: Facts | None, told: Content | None) -> bytes:
        key, span_id, parent_id, head, path, start_ns, end_ns, status, _ = span
        run = self._runs[key]
        is_error = False
        if facts or status != "ok" or told is not None:
            seen = Span.of((key, span_id, parent_id, head, path, start_ns, end_ns, status, facts))
            said = described(seen)
            is_error, more = said.is_error, said.attributes
            if told is not None:
                for value, is_input in zip(self._contents(told), (True, False), strict=True):
                    more |= content(seen, value, is_input=is_input)
            step = protobuf.step_part(said.name, said.kind, more)
        else:
            step = _plain(head, path)
        return protobuf.span(
            trace=run.part,
            step=step,
            span_id=span_id,
            parent_id=run.caller_span if parent_id is None else parent_id,
            start_ns=start_ns + run.offset_ns,
            end_ns=end_ns + run.offset_ns,
            is_error=is_error,
            is_root=parent_id is None and head[0] != "decision",
        )

    def _contents(self, told: Content) -> list[bytes]:
        _, _, signature, arguments, outcome = told
        reader = self._reader
        return reader.clean(
            [reader.arguments(signature, arguments), reader.outcome(signature, outcome)]
        )

    def _post(self, body: bytes) -> None:
        settings = self._settings
        parts = urlsplit(settings.endpoint)
        host = f"{parts.scheme}://{parts.hostname}"
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = {**settings.headers, "Content-Type": "application/x-protobuf"}
        try:
            connection = self._connected()
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            msg = f"{host} does not take spans: {type(error).__name__}"
            raise ExportError(msg) from error
        if answer.status not in _ACCEPTED:
            self.close()
            msg = f"{host} does not take spans: it answers {answer.status}"
            raise ExportError(msg)

    def _connected(self) -> http.client.HTTPConnection:
        if self._connection is None:
            parts = urlsplit(self._settings.endpoint)
            is_safe = parts.scheme == "https"
            made = http.client.HTTPSConnection if is_safe else http.client.HTTPConnection
            assert parts.hostname is not None, "the settings were judged"
            self._connection = made(parts.hostname, parts.port, timeout=self._settings.timeout)
        return self._connection


@functools.lru_cache(maxsize=4_096)
def _plain(head: HeadTuple, path: str) -> bytes:
    """What all spans of one step share that succeeded and have noted nothing."""
    said = described(Span.of((0, 0, None, head, path, 0, 0, "ok", None)))
    return protobuf.step_part(said.name, said.kind, said.attributes)
