"""Where traces go besides the buffer: a store, an export, or both, each at its own pace."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Literal, TypeAlias

from fishplate.core.events import Sink, WaitTold
from fishplate.core.run_context import RunContext
from fishplate.traces.export import OtlpExport
from fishplate.traces.feed import Feed, Receiver, Tally
from fishplate.traces.items import Observe
from fishplate.traces.metrics import Gauge, Gauges, gauge
from fishplate.traces.store import StoreWriter, TraceStore, check_store

Destination: TypeAlias = Literal["store", "export"]


class Feeds:
    """Hands on what is told; blocks while it is made.

    Args:
        store: Where traces are kept.
        export: Where spans are sent.
        also: Hears of every span at once.
        gauges: Tells what is now in the app, for metrics.

    Attributes:
        begin: Hears of a run that begins, or goes on here; see `Feed.begin`.
        tell: Hears of a span that has ended.
        observe: Hears of it with what its call was given and gave, or raised, in the stead of
            `tell`; `None`: nobody wants to know.

    Raises:
        StoreError: The store's file is something else, damaged, or of a later version.
        MissingExtraError: Spans are to be sent, and the extra `otel` is not installed.
    """

    def __init__(
        self, store: TraceStore | None, export: OtlpExport | None, also: Sink, gauges: Gauges
    ) -> None:
        self._feeds: dict[Destination, Feed] = {}
        self.tell = also
        self.observe: Observe | None = None
        if store is not None:
            check_store(store)
            self._add("store", StoreWriter(store), store.capacity, keeps_contents=True)
        if export is not None:
            # Only who sends spans needs the messages of OTLP, which an extra brings.
            from fishplate.traces.exporter import Exporter  # noqa: PLC0415 -- as said

            exporter = Exporter(export, lambda: chain(gauges(), self._gauges()))
            is_on = export.capture != "off"
            self._add("export", exporter, export.capacity, keeps_contents=is_on)
        self._all = tuple(self._feeds.values())
        # Every run begins: where there is one feed, nothing stands before it.
        self.begin = self._all[0].begin if len(self._all) == 1 else self._begin

    def halt(
        self,
        context: RunContext,
        state: Literal["waiting", "cancelled"],
        waits: Sequence[WaitTold],
    ) -> None:
        """Hear of a run that waits, or was cancelled while it waited; see `Feed.halt`."""
        for feed in self._all:
            feed.halt(context, state, waits)

    def flush(self) -> dict[Destination, Tally]:
        """Wait until what was told so far is kept and sent, or lost; blocks."""
        for feed in self._all:
            feed.flush()
        return {name: feed.tally for name, feed in self._feeds.items()}

    def close(self) -> None:
        """Keep and send what is left, and end; blocks for a few seconds at most."""
        for feed in self._all:
            feed.close()

    def _begin(self, context: RunContext, agent: str) -> None:
        for feed in self._all:
            feed.begin(context, agent)

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

    def _add(
        self, name: Destination, receiver: Receiver, capacity: int, *, keeps_contents: bool
    ) -> None:
        feed = Feed(
            receiver,
            self.tell,
            capacity,
            also_observe=self.observe,
            keeps_contents=keeps_contents,
        )
        self._feeds[name] = feed
        self.tell = feed.tell
        # If nobody wants contents, no step's arguments are held until it ends.
        if keeps_contents or self.observe is not None:
            self.observe = feed.observe
