"""Log records that name the call they were written in, through the standard `logging`."""

from __future__ import annotations

import logging

from typing_extensions import override

from fishplate.core.call import SCOPE
from fishplate.core.current import Current
from fishplate.core.ids import span_hex, trace_hex


class TraceIds(logging.Filter):
    """Puts the ids of the running call on every record; lets all of them pass.

    Add it to a handler, and records have four attributes more, which a format may name: `trace_id`
    (32 hex digits) and `span_id` (16), as the spans have them, `run_id`, and `step`, the path of
    the step. They are empty texts where no call runs.

    A handler that works on another thread, such as a `QueueListener`'s, is too late: add the filter
    to the `QueueHandler`.

    Example: `handler.addFilter(TraceIds())` with the format `%(trace_id)s %(step)s %(message)s`

    Source: the names of OpenTelemetry's "Trace Context in non-OTLP Log Formats".
    """

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        call: object = SCOPE.get()  # a call answers its own calls, and is no scope by its class
        if isinstance(call, Current):
            record.trace_id = trace_hex(call.run.shown_trace_id)
            record.span_id = span_hex(call.span_id)
            record.run_id, record.step = call.run_id, call.path
        else:
            record.trace_id = record.span_id = record.run_id = record.step = ""
        return True
