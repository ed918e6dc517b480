"""What is told of runs on its way to a store: a bounded queue and the thread that empties it.

Telling never waits and never fails. What does not fit is dropped and counted; what cannot be
written is lost and counted; the runs go on. As the queue fills up, inputs and outputs are dropped
first, since they are the largest and take the longest; then spans; and last of all what says that
a run has begun, stands still or has ended, without which nobody could say what became of it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Literal, NamedTuple, Protocol

from fishplate.contracts.signature import Signature
from fishplate.core.data import dataclass
from fishplate.core.errors import FishplateError
from fishplate.core.events import Sink, SpanTuple, WaitTold
from fishplate.core.ids import root_span_id
from fishplate.core.run_context import RunContext
from fishplate.traces.capture import ToldError
from fishplate.traces.items import Began, Halted, Item, Observe, bare
from fishplate.traces.missing import Missing

CAPACITY: Final = 65_536
BATCH: Final = 1_024
LINGER: Final = 0.1
"""Seconds for which what was told gathers."""
CLOSING_TIME: Final = 5.0
"""Seconds that the end of an app waits for the last batches."""
LOG_EVERY: Final = 60.0
"""Seconds between two lines in the log about what is lost; the first one comes at once."""

_LOG: Final = logging.getLogger("fishplate.traces")


class Taken(NamedTuple):
    """What became of a batch.

    Attributes:
        kept: How many spans of it were kept.
        gone: How many spans are gone that were kept before.
        trouble: What is to be told of it, without a secret; `None`: nothing.
    """

    kept: int
    gone: int = 0
    trouble: str | None = None


class Receiver(Protocol):
    """Takes batches; all of its methods are called on the feed's thread."""

    def take(self, items: Sequence[Item], dropped: int) -> Taken:
        """Keep a batch.

        Args:
            items: In the order in which they were told; may be empty.
            dropped: How many were dropped or lost before, since the last batch that was kept.

        Raises:
            Exception: None of it was kept.
        """
        ...

    def rest(self) -> float | None:
        """Do what is to be done from time to time: after a batch, and when nothing is waiting.

        Returns:
            Seconds after which it is to be done again though nothing has come; `None`: never.
        """
        ...

    def close(self) -> None:
        """Take no more."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Tally:
    """What became of what was told.

    Attributes:
        kept: Spans that were written.
        dropped: What the queue had no room for: spans, contents and beginnings of runs.
        lost: Spans that were taken from the queue and could not be written, were refused, or were
            written to a file that is there no more.
        waiting: What was told and is neither written nor lost so far, such as what a flush has not
            had the time for: spans with their contents, and beginnings of runs.
        failure: Why the last batch could not be written, or not all of it; `None` if it could.
    """

    kept: int
    dropped: int
    lost: int
    waiting: int
    failure: str | None


class Feed:
    """Hands on what is told, in batches, on a thread of its own.

    Args:
        receiver: Takes the batches.
        also: Hears of every span at once, whatever becomes of it here.
        also_observe: Hears of those with contents in its stead, if it is set.
        keeps_contents: Whether the receiver wants them.
        capacity: Most items that wait. Inputs and outputs have the first half of it; its last
            eighth is for what is told of a run as a whole, and half of that for how runs end.
        seconds: What tells when the log may be written to again, apart from the clock of the runs.
    """

    def __init__(  # noqa: PLR0913 -- the last two are for feeds of which one hands on to another
        self,
        receiver: Receiver,
        also: Sink,
        capacity: int = CAPACITY,
        seconds: Callable[[], float] = time.perf_counter,
        *,
        also_observe: Observe | None = None,
        keeps_contents: bool = True,
    ) -> None:
        self._receiver = receiver
        self._also = also
        self._also_observe = also_observe
        self._keeps_contents = keeps_contents
        self._capacity = capacity
        self._run_room = max(capacity - max(capacity // 16, 1), 1)  # what is left is for ends
        self._span_room = max(capacity - max(capacity // 8, 1), 1)
        self._content_room = max(capacity // 2, 1) if keeps_contents else 0
        self._missing = Missing()
        self._queue: deque[Item] = deque()
        self._dropped = 0
        self._told_missing: int = 0
        self._told_dropped: int = 0
        self._taking = 0
        self._seconds = seconds
        self._logs_at: float | None = None
        self._kept = 0
        self._lost = 0
        self._failure: str | None = None
        self._is_idle = False
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._hurry = threading.Event()  # somebody waits: nothing gathers any longer
        self._flushes: deque[threading.Event] = deque()
        self._thread = threading.Thread(target=self._run, name="fishplate-traces", daemon=True)
        self._thread.start()

    def tell(self, span: SpanTuple) -> None:
        """Hear of a span that has ended."""
        self._also(span)
        if len(self._queue) < self._span_room:
            self._queue.append((span, None, (), None))  # as `bare`, without a call
            if self._is_idle:
                self._rouse()
        else:
            self._hold(span)

    def observe(
        self,
        span: SpanTuple,
        signature: Signature,
        arguments: tuple[object, ...],
        outcome: object,
    ) -> None:
        """Hear of a span that has ended, and what its call was given and gave, or raised."""
        if self._also_observe is None:
            self._also(span)
        else:
            self._also_observe(span, signature, arguments, outcome)
        if len(self._queue) < self._content_room or (
            self._keeps_contents and _is_end(span) and len(self._queue) < self._run_room
        ):
            # Only what went wrong has raised; to look at every answer's class takes much longer.
            if span[7] != "ok" and isinstance(outcome, BaseException):
                outcome = ToldError.of(outcome)
            self._queue.append((span, signature, arguments, outcome))
            if self._is_idle:
                self._rouse()
            return
        if self._keeps_contents:
            self._dropped += 1
            self._missing.add(span[0], contents=1)
        self._hold(span)

    def begin(self, context: RunContext, agent: str) -> None:
        """Hear of a run that begins, or goes on here."""
        offset_ns = context.around.wall.offset_ns(context.now_ns())
        # Made here, on one thread, if nobody has asked for it before.
        context.begun((context.started_ns + offset_ns) // 1_000_000)
        if len(self._queue) < self._run_room:
            self._queue.append(Began(context, agent, offset_ns))
            if self._is_idle:
                self._rouse()
        else:
            self._dropped += 1

    def halt(
        self,
        context: RunContext,
        state: Literal["waiting", "cancelled"],
        waits: Sequence[WaitTold],
    ) -> None:
        """Hear of a run that waits, or was cancelled while it waited."""
        told = Halted(context.trace_id, state, context.now_ns(), tuple(waits))
        if not self._squeeze_in(told):
            self._dropped += 1

    @property
    def waiting(self) -> int:
        """How much waits to be taken."""
        return len(self._queue)

    @property
    def tally(self) -> Tally:
        """What became of what was told so far."""
        return Tally(
            kept=self._kept,
            dropped=self._dropped,
            lost=self._lost,
            waiting=len(self._queue) + self._taking,
            failure=self._failure,
        )

    def flush(self, seconds: float = CLOSING_TIME) -> bool:
        """Wait until what was told so far is written or lost; blocks.

        Returns:
            Whether that was so within `seconds`.
        """
        done = threading.Event()
        self._flushes.append(done)
        self._hurry.set()
        self._rouse()
        return done.wait(seconds)

    def close(self) -> None:
        """Write what is left and end; blocks, for a few seconds at most."""
        self._closing.set()
        self._hurry.set()
        self._rouse()
        self._thread.join(CLOSING_TIME)
        if self._thread.is_alive() or self._dropped or self._lost:
            left = len(self._queue) + self._taking
            _LOG.warning(
                "traces are not whole: %d items dropped, %d lost, %d not written in time",
                *(self._dropped, self._lost, left),
            )

    def _hold(self, span: SpanTuple) -> None:
        if len(self._queue) < self._span_room:
            self._queue.append(bare(span))
            if self._is_idle:
                self._rouse()
        elif not (_is_end(span) and self._squeeze_in(bare(span))):
            self._dropped += 1
            self._missing.add(span[0], spans=1)

    def _squeeze_in(self, item: Item) -> bool:
        """Take how a run ends or stands, as long as there is any room."""
        if len(self._queue) >= self._capacity:
            return False
        self._queue.append(item)
        if self._is_idle:
            self._rouse()
        return True

    def _rouse(self) -> None:
        self._is_idle = False
        self._wake.set()

    # on the thread

    def _run(self) -> None:
        while True:
            is_last = self._closing.is_set()
            if not is_last:
                self._hurry.clear()
            flushes = [self._flushes.popleft() for _ in range(len(self._flushes))]
            # What comes meanwhile gathers, and so does what makes no whole batch beside another:
            # a batch of one run costs as much as of dozens.
            left = len(self._queue)
            while left > 0:
                left -= self._take_batch()
                if left < BATCH and not (is_last or flushes):
                    break
            for done in flushes:
                done.set()
            if is_last and not self._queue:
                break
            if len(self._queue) < BATCH and not (is_last or self._flushes):
                self._sleep()
        self._close()

    def _sleep(self) -> None:
        self._wake.clear()
        self._is_idle = True
        if not (self._queue or self._flushes or self._closing.is_set()):
            self._wake.wait(self._rest())
        self._is_idle = False
        self._hurry.wait(LINGER)

    def _take_batch(self) -> int:
        """Hand on a batch; how much was taken from the queue."""
        queue = self._queue
        items = [queue.popleft() for _ in range(min(len(queue), BATCH))]
        self._taking = taken = len(items)  # what is said to be missing waits for nothing
        if self._missing:
            items += self._missing.take()
        spans = [*map(type, items)].count(tuple)  # as `is_span`, for all of them at once
        self._hand_over(items, spans)
        if self._dropped > self._told_dropped:
            self._log("the queue is full")
            self._told_dropped = self._dropped
        self._rest()
        return taken

    def _hand_over(self, items: Sequence[Item], spans: int) -> None:
        missing = self._dropped + self._lost - self._told_missing
        try:
            taken = self._receiver.take(items, missing)
        except Exception as error:  # noqa: BLE001 -- a trace is never worth more than the runs
            self._taking = 0
            self._lost += spans
            self._missing.add_all(items)  # and told with the next batch
            self._tell_failure(error)
            return
        self._taking = 0
        # Of its own batch, and of what it has no more, it knows by itself.
        self._told_missing += missing + spans - taken.kept + taken.gone
        self._kept += taken.kept - taken.gone
        self._lost += spans - taken.kept + taken.gone
        self._failure = taken.trouble
        if taken.trouble is not None:
            self._log(taken.trouble)

    def _rest(self) -> float | None:
        found: float | None = None
        try:
            found = self._receiver.rest()
        except Exception as error:  # noqa: BLE001 -- as above
            self._tell_failure(error)
        return found

    def _close(self) -> None:
        # What is told from now on is dropped, and counted.
        self._capacity = self._run_room = self._span_room = self._content_room = 0
        self._missing.add_all(self._queue)
        left = len(self._queue)
        self._queue.clear()
        self._dropped += left
        if self._dropped + self._lost > self._told_missing and self._failure is None:
            self._hand_over(self._missing.take(), 0)  # who keeps what is missing is told the rest
        try:
            self._receiver.close()
        except Exception as error:  # noqa: BLE001 -- as above
            self._tell_failure(error)

    def _tell_failure(self, error: Exception) -> None:
        # What others say in an exception may be content; what fishplate says is none.
        self._failure = str(error) if isinstance(error, FishplateError) else type(error).__name__
        self._log(self._failure)

    def _log(self, why: str) -> None:
        now = self._seconds()
        if self._logs_at is None or now >= self._logs_at:
            self._logs_at = now + LOG_EVERY
            counts = self._dropped, self._lost
            _LOG.warning("traces cannot be kept: %s; so far %d dropped and %d lost", why, *counts)


def _is_end(span: SpanTuple) -> bool:
    return span[2] is None and span[1] == root_span_id(span[0])
