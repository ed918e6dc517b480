"""The exporter: batches of spans, and metrics from time to time, to whoever speaks OTLP."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from fishplate.contracts.signature import Signature
from fishplate.core.events import HeadTuple, Span, SpanTuple
from fishplate.traces.answers import refusal_of
from fishplate.traces.capture import TOLD_KINDS, Facts, Reader
from fishplate.traces.export import ExportError, OtlpExport
from fishplate.traces.feed import Taken
from fishplate.traces.items import Began, Item, Told, is_span
from fishplate.traces.metrics import Gauges, Metrics
from fishplate.traces.otlp import Refusal, SpanForm, SpanShape, metrics_body, traces_body
from fishplate.traces.packing import MOST_ENDED, MOST_OPEN
from fishplate.traces.posting import Posting
from fishplate.traces.redaction import Redactor
from fishplate.traces.text import printable
from fishplate.traces.vocabulary import content, described

_MOST_SAID: Final = 200
"""Characters of what a sink says."""


class _SentRun(NamedTuple):
    trace_id: bytes
    id: str
    caller_span: int | None
    offset_ns: int


class Exporter:
    """Sends batches; see `feed.Receiver`.

    Args:
        settings: Where to, and how much.
        gauges: Tells what is now, besides what is counted from spans.
        seconds: What tells when metrics are due, apart from the clock of the runs.

    Raises:
        MissingExtraError: The extra `otel` is not installed; when this file is imported.
    """

    def __init__(
        self,
        settings: OtlpExport,
        gauges: Gauges,
        seconds: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._settings = settings
        self._redactor = Redactor(settings.secrets, os.environ)
        self._reader = Reader(settings.capture, self._redactor)
        self._runs: dict[int, _SentRun] = {}
        self._spans = Posting(settings.endpoint, settings.headers, settings.timeout)
        self._metrics: _SentMetrics | None = None
        if settings.metrics is not None:
            self._metrics = _SentMetrics(settings, settings.metrics, gauges, seconds)

    def take(self, items: Sequence[Item], dropped: int) -> Taken:  # noqa: ARG002 -- the tally tells it
        """Send a batch; what became of its spans.

        Raises:
            ExportError: It was not taken.
        """
        reader = self._reader
        reader.begin()
        spans = self._ready(items)
        if not spans:
            return Taken(0)
        # Nothing is unpacked here: a list for each span, of what is left, would cost a tenth.
        ended = [told[0] for told in spans]
        heads = [
            reader.head(one[3], one[8]) if one[3][0] in TOLD_KINDS else one[3] for one in ended
        ]
        kept = reader.facts((head[0] for head in heads), [one[8] for one in ended])
        written: list[bytes] = []
        for told, head, facts in zip(spans, heads, kept, strict=True):
            try:
                written.append(self._written(told, head, facts))
                if self._metrics is not None:
                    self._metrics.count(told[0], head, facts)
            except Exception:  # noqa: BLE001, S112 -- one span must not cost the others
                continue  # it is not among those that are kept, so it is counted as lost
        if written:
            refused = refusal_of(self._spans.post(traces_body(self._settings.service, written)))
            if refused is not None:
                return self._refused(refused, len(written))
        return Taken(len(written))

    def rest(self) -> float | None:
        """Send metrics if they are due; seconds until they are due again.

        Raises:
            ExportError: They were not taken.
        """
        return None if self._metrics is None else self._metrics.rest()

    def close(self) -> None:
        """Send the last metrics, and close the connections.

        Raises:
            ExportError: They were not taken.
        """
        self._spans.close()
        if self._metrics is not None:
            self._metrics.close()

    def _refused(self, refused: Refusal, spans: int) -> Taken:
        said = printable(self._redactor.text(refused.message)[:_MOST_SAID])
        why = f"the sink has refused {refused.number} of {spans} spans: {said or 'it says not why'}"
        return Taken(spans - min(max(refused.number, 0), spans), trouble=why)

    def _ready(self, items: Sequence[Item]) -> list[Told]:
        found: list[Told] = []
        runs = self._runs
        for item in items:
            # Of a run there is nothing in OTLP but its spans.
            if is_span(item):
                if item[0][0] in runs:
                    found.append(item)
            elif isinstance(item, Began):
                context = item.context
                caller = context.caller
                runs[context.trace_id] = _SentRun(
                    context.shown_trace_id.to_bytes(16),
                    context.run_id,
                    None if caller is None else caller.span_id,
                    item.offset_ns,
                )
        while len(self._runs) > MOST_OPEN + MOST_ENDED:
            del self._runs[next(iter(self._runs))]
        return found

    def _written(self, told: Told, head: HeadTuple, facts: Facts | None) -> bytes:
        span, signature, given, gave = told
        key, span_id, parent_id, _, path, start_ns, end_ns, status, _ = span
        run = self._runs[key]
        is_root = parent_id is None and head[0] != "decision"
        shape: SpanShape | SpanForm
        if facts or status != "ok" or signature is not None:
            seen = Span.of((key, span_id, parent_id, head, path, start_ns, end_ns, status, facts))
            said = described(seen)
            more = said.attributes
            if signature is not None:
                contents = self._contents(signature, given, gave)
                for value, is_input in zip(contents, (True, False), strict=True):
                    more |= content(seen, value, is_input=is_input)
            shape = SpanShape(said.name, said.kind, more, is_error=said.is_error, is_root=is_root)
        else:
            shape = _plain(head, path, is_root)
        return shape.span(
            run.trace_id,
            run.id,
            span_id,
            run.caller_span if parent_id is None else parent_id,
            start_ns + run.offset_ns,
            end_ns + run.offset_ns,
        )

    def _contents(
        self, signature: Signature, arguments: tuple[object, ...], outcome: object
    ) -> list[bytes]:
        reader = self._reader
        return reader.clean(
            [reader.arguments(signature, arguments), reader.outcome(signature, outcome)]
        )


class _SentMetrics:
    """Metrics on their way.

    Args:
        settings: How often.
        address: Where to.
        gauges: As of `Exporter`.
        seconds: As of `Exporter`.
    """

    def __init__(
        self, settings: OtlpExport, address: str, gauges: Gauges, seconds: Callable[[], float]
    ) -> None:
        self._settings = settings
        self._posting = Posting(address, settings.headers, settings.timeout)
        self._gauges = gauges
        self._seconds = seconds
        self._metrics = Metrics()
        self._since_ns = time.time_ns()  # noqa: TID251 -- when this process counts is the machine's
        self._due = seconds() + settings.metrics_every

    def count(self, span: SpanTuple, head: HeadTuple, facts: Facts | None) -> None:
        """Count a call, by the name and the facts that may go out."""
        if head[0] != "decision" and not (facts and facts.get("replayed")):
            self._metrics.add(head, span[6] - span[5], facts)

    def rest(self) -> float:
        """Send what was counted if it is due; seconds until it is due again."""
        now = self._seconds()
        if now >= self._due:
            self._due = now + self._settings.metrics_every
            self._send()
        return self._due - now

    def close(self) -> None:
        """Send what was counted to the end."""
        try:
            self._send()
        finally:
            self._posting.close()

    def _send(self) -> None:
        body = metrics_body(
            self._settings.service,
            self._metrics,
            self._gauges(),
            since_ns=self._since_ns,
            now_ns=time.time_ns(),  # noqa: TID251 -- as above
        )
        refused = refusal_of(self._posting.post(body))
        if refused is not None and refused.number:
            msg = f"the sink has refused {refused.number} points of metrics"
            raise ExportError(msg)


@functools.lru_cache(maxsize=4_096)
def _plain(head: HeadTuple, path: str, is_root: bool) -> SpanForm:  # noqa: FBT001 -- the cache's key
    """What all spans of one step share that succeeded and have noted nothing."""
    said = described(Span.of((0, 0, None, head, path, 0, 0, "ok", None)))
    return SpanForm(
        SpanShape(said.name, said.kind, said.attributes, is_error=False, is_root=is_root)
    )
