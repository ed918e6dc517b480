"""Spans that had no room: which are dropped first, and that their run says so."""

import asyncio
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fishplate import App, agent, tool
from fishplate.core.clock import FixedClock
from fishplate.core.events import SpanTuple
from fishplate.core.ids import root_span_id
from fishplate.core.run_context import Principal, RunContext, Surroundings
from fishplate.orchestrator.releases import Releases
from fishplate.traces.capture import Reader
from fishplate.traces.feed import Feed, Taken
from fishplate.traces.items import Began, Item, Missed, is_span
from fishplate.traces.missing import Missing
from fishplate.traces.packing import Packer
from fishplate.traces.redaction import Redactor
from fishplate.traces.store import TraceStore
from tests.traces.reading import only_trace


@tool(effect="readonly")
async def read(number: int) -> int:
    """Gives it back."""
    return number


@agent(tools=[read])
async def many(count: int) -> int:
    """Asks the tool so many times."""
    for number in range(count):
        await read(number)
    return count


def span(trace_id: int, span_id: int, parent_id: int | None) -> SpanTuple:
    """A span of a run."""
    return (trace_id, span_id, parent_id, ("agent", "a", ""), "a", 0, 1, "ok", None)


def context(number: int) -> RunContext:
    """Of a run, at a clock of its own."""
    clock = FixedClock(datetime(2026, 11, 23, tzinfo=UTC))
    around = Surroundings(
        clock=clock, sink=lambda _: None, resources={}, working_time=60, heads=Releases({})
    )
    return RunContext(around, Principal(), number << 64 | number)


class Gate:
    """Takes batches while it is open, and keeps what they hold."""

    def __init__(self) -> None:
        self.is_open = threading.Event()
        self.items: list[Item] = []

    def take(self, items: Sequence[Item], dropped: int) -> Taken:  # noqa: ARG002 -- of the protocol
        """Wait for the gate, and keep a batch."""
        assert self.is_open.wait(20)
        self.items += items
        return Taken(sum(map(is_span, items)))

    def rest(self) -> None:
        """Have nothing to do."""

    def close(self) -> None:
        """Have nothing to close."""


class Broken(Gate):
    """Keeps nothing of its first batch."""

    def take(self, items: Sequence[Item], dropped: int) -> Taken:
        """Fail once."""
        if not self.is_open.is_set():
            self.is_open.set()
            raise OSError
        return super().take(items, dropped)


def nobody(_: SpanTuple) -> None:
    """Hear, and do nothing."""


def test_contents_are_dropped_before_spans_and_the_end_of_a_run_last() -> None:
    """Of what does not fit, inputs and outputs go first; a run's own span and contents stay."""
    gate = Gate()
    feed = Feed(gate, nobody, 80, lambda: 0.0)
    around = context(1)
    feed.begin(around, "a")
    for number in range(2, 200):
        feed.observe(span(around.trace_id, number, 1), many.signature, (number,), number)
    root = root_span_id(around.trace_id)
    feed.observe(span(around.trace_id, root, None), many.signature, (1,), 1)
    gate.is_open.set()
    feed.flush()
    feed.close()

    spans = [item for item in gate.items if is_span(item)]
    contents = [signature for _, signature, *_ in spans if signature is not None]
    assert len(spans) > len(contents) + 10
    *_, end, missed = gate.items
    assert is_span(end)
    assert end[0][1] == root
    assert end[1] is many.signature
    assert isinstance(missed, Missed)
    assert missed.spans + len(spans) == 199
    assert missed.contents + len(contents) == 199


def test_what_a_batch_loses_is_told_with_the_next() -> None:
    """A run of which the store could not take some says so when the store takes again."""
    broken = Broken()
    feed = Feed(broken, nobody, 80, lambda: 0.0)
    feed.tell(span(1, 2, 1))
    feed.tell(span(1, 3, 1))
    feed.flush()
    feed.tell(span(1, 4, 1))
    feed.flush()
    feed.close()

    missed = [item for item in broken.items if isinstance(item, Missed)]
    kept = [item for item in broken.items if is_span(item)]
    assert [one.trace_id for one in missed] == [1]
    assert missed[0].spans == feed.tally.lost >= 1
    assert missed[0].spans + len(kept) == 3


def test_what_is_missing_of_very_many_runs_is_bounded() -> None:
    """Runs of which nothing ever arrives hold a bounded amount of memory."""
    missing = Missing()
    for number in range(20_000):
        missing.add(number, spans=1)

    assert len(missing.take()) == 10_000
    assert not missing


def test_what_is_missing_is_kept_for_a_run_whose_beginning_comes_later() -> None:
    """What was dropped overtakes what waits in the queue, the run's beginning too."""
    packer = Packer(Reader("off", Redactor((), {})))
    around = context(7)
    early = packer.pack([Missed(around.trace_id, 2, 1), Missed(around.trace_id, 1, 0)])
    packed = packer.pack([Began(around, "a", 0)])

    assert (early.gaps, packed.gaps) == ([], [(around.run_id, 3, 1)])


@pytest.mark.parametrize("capacity", [3, 8, 100])
def test_a_run_says_how_much_of_it_is_missing(tmp_path: Path, capacity: int) -> None:
    """What is kept of a run and what it says to be missing are all that it told; it has ended."""
    url = f"sqlite:///{tmp_path}/traces.db"

    async def main() -> tuple[int, int]:
        async with App(many, traces=TraceStore(url=url, capacity=capacity)) as app:
            run = app.start(many, 2_000)
            await run.result()
            return len(app.spans(run)), (await app.flush_traces())["store"].dropped

    told, dropped = asyncio.run(main())
    trace = only_trace(url)
    run = trace.run
    assert (run.state, run.duration_ns is None) == ("succeeded", False)
    assert run.missing_spans > 0
    assert len(trace.spans) + run.missing_spans == told
    assert run.missing_spans + run.missing_contents == dropped
