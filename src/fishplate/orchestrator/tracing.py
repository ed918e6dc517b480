"""Where the spans of an app go: into its buffer, and from there to a store and an export."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fishplate.core.run_context import Surroundings
from fishplate.orchestrator.steps import Steps
from fishplate.traces.recorder import TraceRecorder

if TYPE_CHECKING:
    from fishplate.traces.export import OtlpExport
    from fishplate.traces.feed import Tally
    from fishplate.traces.feeds import Destination, Feeds
    from fishplate.traces.metrics import Gauges
    from fishplate.traces.store import TraceStore


class Tracing:
    """The traces of one app.

    Args:
        traces: A buffer in place of the usual one, or where traces are kept beside it.
        export: Where spans are sent.

    Attributes:
        buffer: The last spans.
        feeds: What hands spans on, while the app is entered; `None` if nobody else hears of them.

    Raises:
        UsageError: It is no URL of a store (code `bad_store`).
    """

    def __init__(
        self, traces: TraceRecorder | TraceStore | str | None, export: OtlpExport | None
    ) -> None:
        self.buffer = traces if isinstance(traces, TraceRecorder) else TraceRecorder()
        self.feeds: Feeds | None = None
        self._store: TraceStore | None = None
        self._export = export
        if traces is not None and not isinstance(traces, TraceRecorder):
            self.keep_in(traces)

    def keep_in(self, traces: TraceStore | str) -> None:
        """Keep traces in a store, in place of the one that was given before.

        Raises:
            UsageError: It is no URL of a store (code `bad_store`).
        """
        # SQLite costs every import of fishplate, and only an app with a store needs it.
        from fishplate.traces.store import TraceStore  # noqa: PLC0415 -- as said

        self._store = TraceStore(url=traces) if isinstance(traces, str) else traces

    def keep_none(self) -> None:
        """Keep traces in the buffer alone."""
        self._store = self._export = None

    async def open(self, around: Surroundings, steps: Steps, gauges: Gauges) -> None:
        """Begin to hand on what is told.

        Args:
            around: Tells what happens.
            steps: Tell what calls were given and gave.
            gauges: Tells what is now in the app, for metrics.

        Raises:
            StoreError: The file is something else, damaged, or of a later version.
            MissingExtraError: Spans are to be sent, and the extra `otel` is not installed.
        """
        if self._store is None and self._export is None:
            return
        from fishplate.traces.feeds import Feeds  # noqa: PLC0415 -- as `keep_in`

        self.feeds = await asyncio.to_thread(
            Feeds, self._store, self._export, self.buffer.sink, gauges
        )
        around.sink = self.feeds.tell
        around.begin = self.feeds.begin
        around.halt = self.feeds.halt
        steps.observe = self.feeds.observe

    async def close(self, around: Surroundings, steps: Steps) -> None:
        """Hand on what is left, and end."""
        feeds, self.feeds = self.feeds, None
        if feeds is not None:
            around.sink = self.buffer.sink
            around.begin = around.halt = None
            steps.observe = None
            await asyncio.to_thread(feeds.close)

    async def flush(self) -> dict[Destination, Tally]:
        """Wait until what was told so far is kept and sent, or lost; what became of it."""
        return {} if self.feeds is None else await asyncio.to_thread(self.feeds.flush)
