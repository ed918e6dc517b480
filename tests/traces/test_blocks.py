"""A block of a trace store: whatever runs it holds, and however many blocks a run stands in."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeAlias

from hypothesis import given
from hypothesis import strategies as st

from fishplate import App, agent
from fishplate.core.clock import FixedClock
from fishplate.core.events import SpanKind, SpanStatus, SpanTuple
from fishplate.core.run_context import Principal, RunContext, Surroundings
from fishplate.orchestrator.releases import Releases
from fishplate.traces.blocks import MOST_CONTENT, NOTHING
from fishplate.traces.capture import Facts, Reader
from fishplate.traces.items import Began, Item
from fishplate.traces.packing import Packer
from fishplate.traces.queries import RunFilter, WholeTrace, list_traces, whole_trace
from fishplate.traces.redaction import Redactor
from fishplate.traces.rows import write, write_each
from fishplate.traces.store import TraceStore, open_trace_reader
from tests.traces.reading import empty_store

OFFSET_NS: Final = 1_700_000_000_000_000_000
"""What a run's number is added to: each has its own sense of the time."""


@agent
async def echo(text: str) -> str:
    """Says it again."""
    return text


Told: TypeAlias = tuple[SpanKind, str, SpanStatus, Facts | None, str | None]
"""Kind, name, status and attributes of a span, and what it was given; `None`: it has no content."""

SPANS: Final[st.SearchStrategy[Told]] = st.tuples(
    st.sampled_from(("agent", "tool", "model", "retrieval", "decision")),
    st.sampled_from(("first", "second")),
    st.sampled_from(("ok", "degraded", "error")),
    st.sampled_from((None, {}, {"age": 1.5, "why": "it was \u202e late"}, {"replayed": True})),
    st.sampled_from((None, "", "one", "two")),
)


def told(number: int, spans: list[Told]) -> Iterator[Item]:
    """A run that begins, and its spans, in the order in which they end; it goes on after them."""
    around = Surroundings(
        clock=FixedClock(datetime(2026, 1, 1, tzinfo=UTC)),
        sink=lambda _: None,
        resources={},
        working_time=300,
        heads=Releases({}),
    )
    context = RunContext(around, Principal(tenant=f"tenant {number % 2}"), number << 80 | number)
    context.begun(1_700_000_000_000 + number)
    yield Began(context, "flow", OFFSET_NS + number)
    for at, (kind, name, status, facts, text) in enumerate(spans):
        start_ns = at * 40_000_000_000
        span: SpanTuple = (
            context.trace_id,
            number * 100 + at,
            number * 100 + 99,
            (kind, name, "1"),
            f"flow/{at % 2}.{name}",
            start_ns,
            start_ns + at,
            status,
            facts,
        )
        signature = None if text is None else echo.signature
        yield span, signature, (text,), f"{text}!"


def together(runs: list[list[Item]], order: list[int]) -> list[Item]:
    """The items of runs, each in its own order, taken in turns as `order` says."""
    left = [[*items] for items in runs]
    found: list[Item] = []
    for which in [*order, *range(len(left))]:
        some = left[which % len(left)] if left else []
        taken, some[:] = (some[:1], some[1:]) if which < len(order) else (some[:], [])
        found += taken
    return found + [item for items in left for item in items]


@given(
    runs=st.lists(st.lists(SPANS, max_size=6), min_size=1, max_size=4),
    order=st.lists(st.integers(0, 3), max_size=20),
    batch=st.integers(1, 12),
)
def test_what_was_told_is_read_whatever_stands_beside_it(
    runs: list[list[Told]], order: list[int], batch: int
) -> None:
    """Of every run all spans with their contents, and none of another, however they are written."""
    connection = empty_store()
    packer = Packer(Reader("redacted", Redactor()))
    items = together([[*told(number, spans)] for number, spans in enumerate(runs, 1)], order)
    for start in range(0, len(items), batch):
        write(connection, packer.pack(items[start : start + batch]))
    kept = [whole_trace(connection, run.id) for run in list_traces(connection, RunFilter())]
    connection.close()

    assert len(kept) == len(runs)
    for number, (trace, spans) in enumerate(zip(reversed(kept), runs, strict=True), 1):
        assert trace is not None
        assert (trace.run.spans, trace.run.missing_spans) == (len(spans), 0)
        assert [
            (
                *(one.span.kind, one.span.name, one.span.status, one.span.attributes or None),
                *(one.span.span_id, one.span.parent_id, one.span.path, one.given, one.gave),
                *(one.span.start_ns, one.span.end_ns - one.span.start_ns),
            )
            for one in trace.spans
        ] == [
            (
                *(kind, name, status, facts or None, number * 100 + at, number * 100 + 99),
                f"flow/{at % 2}.{name}",
                NOTHING if text is None else {"text": text},
                NOTHING if text is None else f"{text}!",
                *(OFFSET_NS + number + at * 40_000_000_000, at),
            )
            for at, (kind, name, status, facts, text) in enumerate(spans)
        ]


def test_a_span_that_cannot_be_written_costs_no_other_its_place() -> None:
    """What no text can hold is missing of its run; what stands beside it is kept."""
    connection = empty_store()
    good: Told = ("agent", "first", "ok", None, "one")
    packer = Packer(Reader("redacted", Redactor()))
    items = [*told(1, [good, ("agent", "\ud800", "ok", None, None), good]), *told(2, [good])]
    packed = packer.pack(items)
    refused = write_each(connection, packed)
    kept = [whole_trace(connection, run.id) for run in list_traces(connection, RunFilter())]
    connection.close()

    assert (packed.spans, packed.lost, refused) == (3, 1, 0)
    assert [
        (one.run.spans, one.run.missing_spans, [span.given for span in one.spans])
        for one in reversed(kept)
        if one is not None
    ] == [(2, 1, [{"text": "one"}] * 2), (1, 0, [{"text": "one"}])]


def blocks(url: str) -> list[tuple[str, int]]:
    """Of each block the last run, and the bytes of its contents."""
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as store:
        return store.execute("SELECT last_run, length(content) FROM block ORDER BY n").fetchall()


def read(url: str) -> list[WholeTrace]:
    """All traces of a store, oldest first."""
    with closing(open_trace_reader(url)) as connection:
        found = [whole_trace(connection, run.id) for run in list_traces(connection, RunFilter())]
    return [one for one in reversed(found) if one is not None]


def test_large_contents_do_not_stand_together(tmp_path: Path) -> None:
    """Who reads one run does not read the large contents of a hundred others."""
    url = f"sqlite:///{tmp_path}/traces.db"
    texts = [f"{number:0>12000}" for number in range(40)]

    async def main() -> None:
        async with App(echo, traces=TraceStore(url=url, capture="full")) as app:
            for text in texts:
                await app.start(echo, text).result()

    asyncio.run(main())

    sizes = [size for _, size in blocks(url)]
    assert len(sizes) > 1
    assert max(sizes) < MOST_CONTENT + 2 * 16_384
    given_texts: list[Any] = [trace.spans[0].given for trace in read(url)]
    assert sorted(one["text"] for one in given_texts) == texts


def test_what_two_runs_say_alike_is_kept_once(tmp_path: Path) -> None:
    """A block has each content once, and a run that shares it has it all the same."""
    url = f"sqlite:///{tmp_path}/traces.db"

    async def main() -> None:
        async with App(echo, traces=url) as app:
            await asyncio.gather(*[app.start(echo, "same").result() for _ in range(10)])

    asyncio.run(main())

    assert [(one.given, one.gave) for trace in read(url) for one in trace.spans] == [
        ({"text": "same"}, "same")
    ] * 10
    assert sum(size for _, size in blocks(url)) <= 2 * len('{"text":"same"}"same"')
