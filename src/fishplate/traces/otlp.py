"""The messages of OTLP, by the official definitions; the one file that knows them.

Making a message with its attributes takes 10 µs, writing one 1 µs. The spans of one step differ in
a few fields alone: those are put into a message that is kept, and is written once for each span;
or, for what comes again and again, into the bytes of one that was written.

Source: opentelemetry-proto 1.x, `trace/v1`, `metrics/v1`, `common/v1` and `collector`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from struct import Struct
from typing import Final, NamedTuple

from fishplate.core.errors import MissingExtraError
from fishplate.traces.metrics import Gauge, Histogram, Metrics
from fishplate.traces.vocabulary import (
    INSTRUMENTATION,
    SCHEMA_URL,
    Attribute,
    OtelKind,
    resource,
)

try:
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
        ExportMetricsServiceRequest,
    )
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
        ExportTraceServiceRequest,
        ExportTraceServiceResponse,
    )
    from opentelemetry.proto.common.v1.common_pb2 import (
        AnyValue,
        ArrayValue,
        InstrumentationScope,
        KeyValue,
    )
    from opentelemetry.proto.metrics.v1 import metrics_pb2 as wire
    from opentelemetry.proto.resource.v1.resource_pb2 import Resource
    from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status
except ImportError as error:
    raise MissingExtraError("opentelemetry.proto", "otel") from error

_KINDS: Final[Mapping[OtelKind, Span.SpanKind.ValueType]] = {
    "INTERNAL": Span.SPAN_KIND_INTERNAL,
    "CLIENT": Span.SPAN_KIND_CLIENT,
}
_MOST: Final = 1 << 63
_RESOURCE_SPANS: Final = ExportTraceServiceRequest.RESOURCE_SPANS_FIELD_NUMBER
_SCOPE_SPANS: Final = ResourceSpans.SCOPE_SPANS_FIELD_NUMBER

# Marks in a span that was written, which stand for its trace, its run, and its ids and times.
_TRACE: Final = b"\xf0the trace's id\xf0"
_RUN: Final = "~ the id of the span's run"
_NUMBERS: Final = (*(0xF1F1_0000_F1F1_0000 + number for number in range(4)),)


class SpanShape:
    """What the spans of one step share, as a message into which the rest of each is put.

    Args:
        name: Of the spans.
        kind: Whether they leave the process.
        attributes: All but the run's id.
        is_error: They failed.
        is_root: They are runs: their status is always set, since some readers take that of a child
            for the whole.
    """

    __slots__ = ("_run", "_scoped", "_span")

    def __init__(
        self,
        name: str,
        kind: OtelKind,
        attributes: Mapping[str, Attribute],
        *,
        is_error: bool,
        is_root: bool,
    ) -> None:
        self._scoped = ScopeSpans()
        self._span = self._scoped.spans.add(
            name=_text(name), kind=_KINDS[kind], attributes=_pairs(attributes)
        )
        if is_error:
            self._span.status.code = Status.STATUS_CODE_ERROR
        elif is_root:
            self._span.status.code = Status.STATUS_CODE_OK
        self._run = self._span.attributes.add(key="fishplate.run.id").value

    def span(  # noqa: PLR0913, PLR0917 -- the fields of the message; by name they cost a tenth
        self,
        trace_id: bytes,
        run_id: str,
        span_id: int,
        parent_id: int | None,
        start_ns: int,
        end_ns: int,
    ) -> bytes:
        """A span as it is written: as the only one of its scope.

        Args:
            trace_id: 16 bytes.
            run_id: Of the run.
            span_id: Of the span.
            parent_id: Of the span above it, here or in another process.
            start_ns: Nanoseconds since 1970.
            end_ns: Nanoseconds since 1970.
        """
        span = self._span
        span.trace_id = trace_id
        span.span_id = span_id.to_bytes(8)
        span.parent_span_id = b"" if parent_id is None else parent_id.to_bytes(8)
        span.start_time_unix_nano = start_ns
        span.end_time_unix_nano = end_ns
        self._run.string_value = run_id
        return self._scoped.SerializeToString()


class SpanForm:
    """What the spans of one step share, as bytes into which the rest of each is put.

    What differs always takes the same room: ids and times. So the library writes one span, with a
    mark in each of those places, and of the others only the marks are written, in a third of the
    time.

    Args:
        shape: Writes the one span, and those for which there is no such place.
    """

    __slots__ = ("_between", "_pack", "_shape")

    def __init__(self, shape: SpanShape) -> None:
        self._shape = shape
        written = shape.span(_TRACE, _RUN, *_NUMBERS)
        span_id, parent_id, *times = _NUMBERS
        marks = [
            *(_TRACE, span_id.to_bytes(8), parent_id.to_bytes(8)),
            *(time.to_bytes(8, "little") for time in times),
            _RUN.encode(),
        ]
        self._between: list[bytes] = []
        self._pack: Callable[..., bytes] | None = None
        if any(written.count(mark) != 1 for mark in marks):
            return  # the step's own words hold one
        rest = written
        for mark in marks:
            before, _, rest = rest.partition(mark)
            self._between.append(before)
        self._between.append(rest)
        rooms = zip(self._between, ("16s", "8s", "8s", "Q", "Q", f"{len(_RUN)}s", ""), strict=True)
        self._pack = Struct("<" + "".join(f"{len(one)}s{room}" for one, room in rooms)).pack

    def span(  # noqa: PLR0913, PLR0917 -- as `SpanShape.span`
        self,
        trace_id: bytes,
        run_id: str,
        span_id: int,
        parent_id: int | None,
        start_ns: int,
        end_ns: int,
    ) -> bytes:
        """A span as it is written; see `SpanShape.span`."""
        run = run_id.encode()
        if self._pack is None or parent_id is None or len(run) != len(_RUN):
            return self._shape.span(trace_id, run_id, span_id, parent_id, start_ns, end_ns)
        first, second, third, fourth, fifth, sixth, last = self._between
        return self._pack(
            *(first, trace_id, second, span_id.to_bytes(8), third, parent_id.to_bytes(8)),
            *(fourth, start_ns, fifth, end_ns, sixth, run, last),
        )


def traces_body(service: str, spans: Iterable[bytes]) -> bytes:
    """The body of a request to `/v1/traces`.

    Args:
        service: Name of the program, as readers group by it.
        spans: From `SpanShape.span`.
    """
    # What stands one after another is one message, and its lists are those of all of them: so the
    # bytes of the spans are copied once. To have the library put one message into another takes
    # 1 µs more for each span, since it copies them several times.
    # Source: "Last One Wins" in "Encoding" of the protocol buffers' documentation.
    written = list(spans)
    scope = ScopeSpans(scope=_scope(), schema_url=SCHEMA_URL).SerializeToString()
    scoped = len(scope) + sum(map(len, written))
    before = ResourceSpans(resource=_resource(service)).SerializeToString()
    before += _prefix(_SCOPE_SPANS, scoped)
    return b"".join([_prefix(_RESOURCE_SPANS, len(before) + scoped), before, scope, *written])


def _prefix(number: int, length: int) -> bytes:
    """What stands before a message of so many bytes that is the field of another.

    Source: "Encoding" of the protocol buffers' documentation: a field's number and its wire type,
    which is 2, then its length, seven bits a byte, the lowest first.
    """
    found = [number << 3 | 2]
    while length > 0x7F:  # noqa: PLR2004 -- seven bits
        found.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes([*found, length])


class Refusal(NamedTuple):
    """What a sink says of a request that it has accepted.

    Attributes:
        number: How many spans, or points of metrics, it has not taken; 0 if it only warns.
        message: What it says; may be empty.
    """

    number: int
    message: str


def refusal_in(answer: bytes) -> Refusal | None:
    """What the answer to a request says against it; `None`: nothing.

    Those to traces and to metrics are written alike.

    Raises:
        ValueError: It is none of OTLP.

    Source: OTLP 1.x, "Partial Success" of OTLP/HTTP.
    """
    try:
        found = ExportTraceServiceResponse.FromString(answer).partial_success
    except DecodeError as error:
        msg = "no answer of OTLP in protocol buffers"
        raise ValueError(msg) from error
    if not found.rejected_spans and not found.error_message:
        return None
    return Refusal(found.rejected_spans, found.error_message)


def metrics_body(
    service: str, metrics: Metrics, gauges: Iterable[Gauge], *, since_ns: int, now_ns: int
) -> bytes:
    """The body of a request to `/v1/metrics`.

    Args:
        service: As of `SpanRequest`.
        metrics: What was counted since `since_ns`.
        gauges: What is now.
        since_ns: Nanoseconds since 1970.
        now_ns: The same.
    """
    found: dict[str, wire.Metric] = {}
    for name, unit, attributes, histogram in metrics.histograms():
        one = found.setdefault(name, wire.Metric(name=name, unit=unit))
        one.histogram.aggregation_temporality = wire.AGGREGATION_TEMPORALITY_CUMULATIVE
        one.histogram.data_points.append(
            _histogram_point(histogram, attributes, since_ns=since_ns, now_ns=now_ns)
        )
    for name, unit, attributes, value in metrics.sums():
        one = found.setdefault(name, wire.Metric(name=name, unit=unit))
        one.sum.aggregation_temporality = wire.AGGREGATION_TEMPORALITY_CUMULATIVE
        one.sum.is_monotonic = True
        one.sum.data_points.append(
            wire.NumberDataPoint(
                attributes=_pairs(attributes),
                start_time_unix_nano=since_ns,
                time_unix_nano=now_ns,
                as_int=min(value, _MOST - 1),
            )
        )
    for gauge in gauges:
        one = found.setdefault(gauge.name, wire.Metric(name=gauge.name, unit=gauge.unit))
        one.gauge.data_points.append(
            wire.NumberDataPoint(
                attributes=_pairs(gauge.attributes), time_unix_nano=now_ns, as_int=gauge.value
            )
        )
    scoped = wire.ScopeMetrics(scope=_scope(), schema_url=SCHEMA_URL, metrics=found.values())
    resource = wire.ResourceMetrics(resource=_resource(service), scope_metrics=[scoped])
    return ExportMetricsServiceRequest(resource_metrics=[resource]).SerializeToString()


def _histogram_point(
    histogram: Histogram, attributes: Mapping[str, Attribute], *, since_ns: int, now_ns: int
) -> wire.HistogramDataPoint:
    return wire.HistogramDataPoint(
        attributes=_pairs(attributes),
        start_time_unix_nano=since_ns,
        time_unix_nano=now_ns,
        count=sum(histogram.counts),
        sum=histogram.total,
        bucket_counts=histogram.counts,
        explicit_bounds=histogram.bounds,
    )


def _resource(service: str) -> Resource:
    return Resource(attributes=_pairs(resource(service)))


def _scope() -> InstrumentationScope:
    return InstrumentationScope(name=INSTRUMENTATION)


def _pairs(attributes: Mapping[str, Attribute]) -> Sequence[KeyValue]:
    return list(_each_pair(attributes))


def _each_pair(attributes: Mapping[str, Attribute]) -> Iterator[KeyValue]:
    for name, value in attributes.items():
        yield KeyValue(key=_text(name), value=_any(value))


def _any(value: Attribute) -> AnyValue:
    match value:
        case bool():
            return AnyValue(bool_value=value)
        case int() if -_MOST <= value < _MOST:
            return AnyValue(int_value=value)
        case int():
            return AnyValue(string_value=str(value))
        case float():
            return AnyValue(double_value=value)
        case str():
            return AnyValue(string_value=_text(value))
        case list():
            values = [AnyValue(string_value=_text(one)) for one in value]
            return AnyValue(array_value=ArrayValue(values=values))


def _text(text: str) -> str:
    """A text that has a UTF-8 form; lone surrogates, which have none, become `?`."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
