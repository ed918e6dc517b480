"""The queue before a store or an export: every item is kept, or counted as what became of it."""

import itertools
import logging
import threading
from collections.abc import Sequence

import pytest
from typing_extensions import override

from fishplate.core.events import SpanTuple
from fishplate.traces.feed import LOG_EVERY, Feed, Taken, Tally
from fishplate.traces.items import Item, is_span


def span(number: int) -> SpanTuple:
    """One of a run that nobody knows."""
    return (1, number, None, ("agent", "a", ""), "a", 0, 1, "ok", None)


def spans_of(items: Sequence[Item]) -> list[Item]:
    """Those of a batch that are spans."""
    return [item for item in items if is_span(item)]


class Receiver:
    """Does with each batch what the next of a list says; keeps it when the list is at its end.

    Attributes:
        missing: What it was told to be missing, batch by batch.
        gate: While it is clear, nothing is taken.
    """

    def __init__(self, *ends: Taken | Exception) -> None:
        self._ends = list(ends)
        self.missing: list[int] = []
        self.gate = threading.Event()
        self.gate.set()

    def take(self, items: Sequence[Item], dropped: int) -> Taken:
        """Keep a batch, or do not."""
        assert self.gate.wait(20)
        self.missing.append(dropped)
        end = self._ends.pop(0) if self._ends else Taken(len(spans_of(items)))
        if isinstance(end, Exception):
            raise end
        return end

    def rest(self) -> None:
        """Have nothing to do."""

    def close(self) -> None:
        """Have nothing to close."""


def nobody(_: SpanTuple) -> None:
    """Hear, and do nothing."""


def feed(receiver: Receiver, capacity: int = 100) -> Feed:
    """A feed at whose clock no time passes."""
    return Feed(receiver, nobody, capacity, lambda: 0.0)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged of traces."""
    return [one.getMessage() for one in caplog.records if one.name == "fishplate.traces"]


def test_what_a_receiver_no_longer_has_is_lost() -> None:
    """Spans that were kept and are gone count as lost, as those do that were not kept."""
    receiver = Receiver(Taken(3), Taken(1, gone=3, trouble="moved"))
    made = feed(receiver)
    for count in (3, 2):
        for number in range(count):
            made.tell(span(number))
        made.flush()

    assert (made.tally.kept, made.tally.lost, made.tally.failure) == (1, 4, "moved")
    made.close()
    assert receiver.missing == [0, 0], "what its own batches lack it knows"


def test_what_comes_while_a_batch_is_written_gathers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch is followed by the next one when more has gathered: one span costs what dozens do."""
    monkeypatch.setattr("fishplate.traces.feed.LINGER", 60)
    sizes: list[int] = []

    class Told(Receiver):
        """Somebody tells of a span while the first batch is written."""

        @override
        def take(self, items: Sequence[Item], dropped: int) -> Taken:
            sizes.append(len(items))
            if len(sizes) == 1:
                made.tell(span(2))
            return super().take(items, dropped)

    made = feed(Told())
    made.tell(span(1))
    made.flush()
    assert made.waiting == 1, "it was told after the flush had begun, and gathers"

    made.tell(span(3))
    made.flush()
    assert sizes == [1, 2]
    made.close()


def test_what_makes_no_whole_batch_beside_another_gathers(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left of much that was told is not written by itself at once: it takes as long."""
    monkeypatch.setattr("fishplate.traces.feed.BATCH", 4)
    monkeypatch.setattr("fishplate.traces.feed.LINGER", 0)
    sizes: list[int] = []
    third = threading.Event()

    class Told(Receiver):
        """Somebody tells of nine spans while the first batch is written."""

        @override
        def take(self, items: Sequence[Item], dropped: int) -> Taken:
            sizes.append(len(items))
            if len(sizes) == 1:
                monkeypatch.setattr("fishplate.traces.feed.LINGER", 60)
                for number in range(9):
                    made.tell(span(2 + number))
            if len(sizes) == 3:
                third.set()
            return super().take(items, dropped)

    made = feed(Told())
    made.tell(span(1))
    assert third.wait(20)
    made.tell(span(11))
    made.tell(span(12))
    assert made.flush()

    assert sizes == [1, 4, 4, 3]
    made.close()


def test_a_span_counts_once_whenever_somebody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be written is lost, and waits no longer: not even while that is logged."""
    monkeypatch.setattr("fishplate.traces.feed.LINGER", 60)
    tallies: list[Tally] = []

    class Asking(logging.Handler):
        """Asks for the tally in the middle of it."""

        @override
        def emit(self, record: logging.LogRecord) -> None:
            tallies.append(made.tally)

    receiver = Receiver(OSError("away"), Taken(1, trouble="refused"))
    made = Feed(receiver, nobody, 100, itertools.count(step=2 * LOG_EVERY).__next__)
    log, handler = logging.getLogger("fishplate.traces"), Asking()
    log.addHandler(handler)
    try:
        for number in range(3):
            made.tell(span(number))
        tallies.append(made.tally)
        made.flush()
        made.tell(span(3))
        made.tell(span(4))
        made.flush()
        made.close()
    finally:
        log.removeHandler(handler)

    told = [3, 3, 5, 5]  # before; when three are lost; when one of two is refused; at the end
    assert [one.kept + one.dropped + one.lost + one.waiting for one in tallies] == told
    assert [(one.lost, one.waiting) for one in tallies] == [(0, 3), (3, 0), (4, 0), (4, 0)]


def test_what_is_told_to_be_missing_waits_for_nothing() -> None:
    """A batch says which runs lost spans before it, and these do not wait again by that."""
    tallies: list[Tally] = []

    class Asking(Receiver):
        """Asks for the tally while a batch is on its way."""

        @override
        def take(self, items: Sequence[Item], dropped: int) -> Taken:
            tallies.append(made.tally)
            return super().take(items, dropped)

    made = feed(Asking(OSError("away")))
    for number in range(2):
        made.tell(span(number))
        made.flush()
    made.close()

    assert [(one.kept, one.lost, one.waiting) for one in tallies] == [(0, 0, 1), (0, 1, 1)]
    assert (made.tally.kept, made.tally.lost, made.tally.waiting) == (1, 1, 0)


def test_trouble_is_logged_once_in_a_while(caplog: pytest.LogCaptureFixture) -> None:
    """A sink that fails every other time fills no log: a line, and another after a minute."""
    now = 0.0
    receiver = Receiver(*[OSError("down"), Taken(1)] * 5, OSError("down"))
    made = Feed(receiver, nobody, 100, lambda: now)
    for number in range(10):
        made.tell(span(number))
        made.flush()
    assert len(lines(caplog)) == 1
    now = LOG_EVERY
    made.tell(span(10))
    made.flush()

    assert len(lines(caplog)) == 2
    assert "OSError" in lines(caplog)[1]
    assert "6 lost" in lines(caplog)[1]
    assert (made.tally.kept, made.tally.lost) == (5, 6)
    made.close()


def test_a_full_queue_is_logged_while_the_app_runs(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever watches the log hears of drops at once, and not when the app ends."""
    receiver = Receiver()
    made = feed(receiver, capacity=3)
    receiver.gate.clear()
    for number in range(50):
        made.tell(span(number))
    receiver.gate.set()
    made.flush()

    tally = made.tally
    assert tally.dropped >= 40
    assert tally.kept + tally.dropped == 50
    assert "the queue is full" in lines(caplog)[0]
    assert f"{tally.dropped} dropped" in lines(caplog)[0]
    made.close()
    assert sum(receiver.missing) == tally.dropped, "the last drops are told too"


def test_what_is_told_after_the_end_is_counted() -> None:
    """A thread that outlives its app adds to what is dropped, and holds no memory."""
    made = feed(Receiver())
    made.tell(span(1))
    made.close()
    made.tell(span(2))

    tally = made.tally
    assert (tally.kept, tally.dropped, made.waiting) == (1, 1, 0)


def test_a_batch_that_is_not_done_in_time_is_told(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is being taken when the app ends is not written, and is said not to be."""
    monkeypatch.setattr("fishplate.traces.feed.CLOSING_TIME", 0.01)
    caplog.set_level(logging.WARNING)
    receiver = Receiver()
    made = feed(receiver)
    receiver.gate.clear()
    for number in range(4):
        made.tell(span(number))
    made.close()
    receiver.gate.set()

    assert "4 not written in time" in lines(caplog)[-1]


def test_what_a_flush_had_no_time_for_is_waiting() -> None:
    """What is neither written nor lost when a flush ends is counted, wherever it stands."""
    receiver = Receiver()
    receiver.gate.clear()
    made = feed(receiver)
    for number in range(3):
        made.tell(span(number))
    is_done = made.flush(0)
    before = made.tally
    receiver.gate.set()
    made.flush()
    after = made.tally
    made.close()

    assert not is_done
    assert (before.kept, before.lost, before.waiting) == (0, 0, 3)
    assert (after.kept, after.lost, after.waiting) == (3, 0, 0)
