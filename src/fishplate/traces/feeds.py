"""Where traces go besides the buffer: a store, an export, or both, each at its own pace."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Literal, TypeAlias

from fishplate.contracts.signature import Signature
from fishplate.core.events import Sink, WaitTold
from fishplate.core.run_context import RunContext
from fishplate.traces.export import OtlpExport
from fishplate.traces.feed import Feed, Tally
from fishplate.traces.metrics import Gauge, Gauges, gauge
from fishplate.traces.store import StoreWriter, TraceStore, check_store

Observe: TypeAlias = Callable[[RunContext, int, Signature, tuple[object, ...], object], None]
Destination: TypeAlias = Literal["store", "export"]


class Feeds:
    """Hands on what is told; blocks while it is made.

    Args:
        store: Where traces are kept.
        export: Where spans are sent.
        also: Hears of every span at once.
        gauges: Tells what is now in the app, for metrics.

    Attributes:
        tell: Hears of a span that has ended.
        observe: Hears what a call was given and gave, or raised; `None`: nobody wants to know.

    Raises:
        StoreError: The store's file is something else, damaged, or of a later version.
        MissingExtraError: Spans are to be sent, and the extra `otel` is not installed.
    """

    def __init__(
        self, store: TraceStore | None, export: OtlpExport | None, also: Sink, gauges: Gauges
    ) -> None:
        self._feeds: dict[Destination, Feed] = {}
        self.tell = also
        if store is not None:
            check_store(store)
            self._add("store", Feed(StoreWriter(store), self.tell, store.capacity))
        if export is not None:
            # Only who sends spans needs the messages of OTLP, which an extra brings.
            from fishplate.traces.exporter import Exporter  # noqa: PLC0415 -- as said

            exporter = Exporter(export, lambda: chain(gauges(), self._gauges()))
            self._add("export", Feed(exporter, self.tell, export.capacity))
        self._all = tuple(self._feeds.values())
        # Who sends no contents is not told of them, and keeps no step's arguments until it ends.
        wants = {
            "store": store is not None,
            "export": export is not None and export.capture != "off",
        }
        observing = tuple(feed for name, feed in self._feeds.items() if wants[name])
        self._observing = observing
        self.observe: Observe | None = self._observe if observing else None
        if len(observing) == 1:  # as nearly always: one call less for every step
            self.observe = observing[0].observe

    def begin(self, context: RunContext, agent: str) -> None:
        """Hear of a run that begins, or goes on here; see `Feed.begin`."""
        for feed in self._all:
            feed.begin(context, agent)

    def halt(
        self,
        context: RunContext,
        state: Literal["waiting", "cancelled"],
        waits: Sequence[WaitTold],
    ) -> None:
        """Hear of a run that waits, or was cancelled while it waited; see `Feed.halt`."""
        for feed in self._all:
            feed.halt(context, state, waits)

    def _observe(
        self,
        run: RunContext,
        span_id: int,
        signature: Signature,
        arguments: tuple[object, ...],
        outcome: object,
    ) -> None:
        """Tell all that want contents; see `Feed.observe`."""
        for feed in self._observing:
            feed.observe(run, span_id, signature, arguments, outcome)

    def flush(self) -> dict[Destination, Tally]:
        """Wait until what was told so far is kept and sent, or lost; blocks."""
        for feed in self._all:
            feed.flush()
        return {name: feed.tally for name, feed in self._feeds.items()}

    def close(self) -> None:
        """Keep and send what is left, and end; blocks for a few seconds at most."""
        for feed in self._all:
            feed.close()

    def _gauges(self) -> Iterator[Gauge]:
        """How much waits on its way, and what was dropped or lost."""
        for name, feed in self._feeds.items():
            tally = feed.tally
            for word, value in (
                ("queued", feed.waiting),
                ("dropped", tally.dropped),
                ("lost", tally.lost),
            ):
                yield gauge(f"traces.{word}", value, destination=name)

    def _add(self, name: Destination, feed: Feed) -> None:
        self._feeds[name] = feed
        self.tell = feed.tell
