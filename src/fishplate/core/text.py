"""The text of models on its way to whoever reads along with a run.

What is told here is not judged yet: it may break a contract, or belong to an attempt that fails. So
each piece names its attempt, and whatever does not become part of an answer is withdrawn by name.
Nobody reads along with most runs: nothing is made before somebody asks, and then the slowest reader
costs its own buffer and never the run.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self, TypeAlias
from weakref import WeakSet, WeakValueDictionary

from fishplate.core.data import dataclass
from fishplate.core.errors import FishplateError, UsageError
from fishplate.core.outcome import DeclaredError

MOST_UNREAD: Final = 262_144
"""Characters that a reader may be behind; each event counts for some besides its text."""
_OF_EVENT: Final = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class TextPiece:
    """The next piece of what a model says; not judged yet.

    Attributes:
        step: Path of the request to the model, e.g. `support/0.reply-model`.
        attempt: Which attempt of the request it belongs to, from 1; others count of their own.
        text: What comes behind the pieces before of the same step and attempt; not empty.
    """

    step: str
    attempt: int
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TextWithdrawn:
    """All pieces of an attempt are void: they are part of no answer.

    Attributes:
        step: Of the pieces.
        attempt: Of the pieces.
        reason: A stable word: `tool_calls`, `repaired` or `lengthened` if the model is asked on,
            `attempted_again`, `cancelled`, `retold` if the model's answer has another text than it
            told, else the code of the failure of the request or of a call around it.
    """

    step: str
    attempt: int
    reason: str


TextEvent: TypeAlias = TextPiece | TextWithdrawn
_Ahead: TypeAlias = Callable[[], "asyncio.Future[object] | asyncio.Future[None] | None"]


class TextReader:
    """What one reader has not read yet; an async iterator that ends with the run.

    Args:
        feed: Of the run.
        ahead: Gives what ends next of the run; `None` if it has ended.
    """

    def __init__(self, feed: TextFeed, ahead: _Ahead) -> None:
        self._feed = feed  # which is kept by its readers alone
        self._ahead = ahead
        self._unread: deque[TextWithdrawn | tuple[TextAttempt, list[str]]] = deque()
        self._size = 0
        self._is_cut_off = False
        self._told: asyncio.Future[None] | None = None
        feed.readers.add(self)

    def __aiter__(self) -> TextReader:
        """The reader itself: what is read is gone."""
        return self

    async def __anext__(self) -> TextEvent:
        """Wait for the next event; pieces of one attempt that are unread come as one.

        Raises:
            UsageError: The reader was too slow, and is told no more (code `slow_reader`).
            StopAsyncIteration: The run has ended.
        """
        while not self._unread:
            if self._is_cut_off:
                msg = (
                    f"a reader of the text of a run is {MOST_UNREAD} characters behind and is told "
                    "no more: read without waiting for others, or take the result"
                )
                raise UsageError(msg, code="slow_reader")
            ahead = self._ahead()
            if ahead is None:
                raise StopAsyncIteration
            self._told = asyncio.get_running_loop().create_future()
            await asyncio.wait([ahead, self._told], return_when=asyncio.FIRST_COMPLETED)
        found = self._unread.popleft()
        self._size -= _OF_EVENT
        if isinstance(found, TextWithdrawn):
            return found
        attempt, parts = found
        text = "".join(parts)
        self._size -= len(text)
        return TextPiece(step=attempt.step, attempt=attempt.number, text=text)

    def add_piece(self, attempt: TextAttempt, text: str) -> None:
        """Hear of a piece."""
        last = self._unread[-1] if self._unread else None
        if isinstance(last, tuple) and last[0] is attempt:
            last[1].append(text)
            self._grow(len(text))
        else:
            self._unread.append((attempt, [text]))
            self._grow(len(text) + _OF_EVENT)

    def add_withdrawal(self, event: TextWithdrawn) -> None:
        """Hear that the pieces of an attempt are void."""
        self._unread.append(event)
        self._grow(_OF_EVENT)

    def _grow(self, size: int) -> None:
        self._size += size
        if self._size > MOST_UNREAD:
            self._is_cut_off = True
            self._unread.clear()
            self._feed.readers.discard(self)
        if self._told is not None and not self._told.done():
            self._told.set_result(None)


class TextAttempt:
    """One attempt of one request, as those are told of it who read along when it began.

    In a `with` statement it is withdrawn when the block fails.

    Args:
        feed: Of the run.
        step: Path of the request.
        number: Of the attempt, from 1.
    """

    def __init__(self, feed: TextFeed, step: str, number: int) -> None:
        self.step = step
        self.number = number
        # Who comes later would read a text without its beginning.
        self._audience = WeakSet(feed.readers)
        self._told: list[str] = []
        self._is_told_more = True
        self._is_withdrawn = False

    def __enter__(self) -> Self:
        """The attempt itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Withdraw what was told, if the block failed."""
        if error is not None:
            self.withdraw(reason_of(error))

    def tell(self, text: str) -> None:
        """Tell the next piece; what an attempt tells that is over is not heard."""
        if not self._is_told_more or not text:
            return
        self._told.append(text)
        for reader in tuple(self._audience):
            reader.add_piece(self, text)

    def finish(self, text: str) -> None:
        """Tell what is missing of the whole text."""
        told = "".join(self._told)
        if text.startswith(told):
            self.tell(text[len(told) :])
        else:
            self.withdraw("retold")
        self._is_told_more = False
        self._told = self._told[:1]  # that there was something is all that is asked from now on

    def withdraw(self, reason: str) -> None:
        """Tell that all of it is void, once."""
        if self._is_withdrawn:
            return
        self._is_withdrawn, self._is_told_more = True, False
        if self._told:
            event = TextWithdrawn(step=self.step, attempt=self.number, reason=reason)
            for reader in tuple(self._audience):
                reader.add_withdrawal(event)


class TextFeed:
    """The attempts of one run, while somebody reads along.

    Attributes:
        readers: Who reads.
    """

    def __init__(self) -> None:
        self.readers: WeakSet[TextReader] = WeakSet()
        self._attempts: dict[str, TextAttempt] = {}

    def begin(self, step: str) -> TextAttempt:
        """Begin an attempt of a request; one before of the same request is withdrawn."""
        number = 1
        before = self._attempts.get(step)
        if before is not None:
            before.withdraw("attempted_again")
            number += before.number
        found = self._attempts[step] = TextAttempt(self, step, number)
        return found

    def withdraw(self, path: str | None, reason: str) -> None:
        """Withdraw what was told at a path or below it; with `None` all of the run."""
        for step, attempt in self._attempts.items():
            if path is None or step == path or step.startswith(f"{path}/"):
                attempt.withdraw(reason)


class TextFeeds:
    """The feeds of one app, by the trace ids of the runs that somebody reads along with."""

    def __init__(self) -> None:
        self._feeds: WeakValueDictionary[int, TextFeed] = WeakValueDictionary()

    def read(self, run: int, ahead: _Ahead) -> TextReader:
        """A new reader of a run."""
        feed = self._feeds.get(run)
        if feed is None:
            feed = self._feeds[run] = TextFeed()
        return TextReader(feed, ahead)

    def get(self, run: int) -> TextFeed | None:
        """The feed of a run; `None` if nobody reads along."""
        return self._feeds.get(run)


def reason_of(error: BaseException) -> str:
    """The word for what ended in an error."""
    if isinstance(error, (FishplateError, DeclaredError)):
        return error.code
    return "bug" if isinstance(error, Exception) else "cancelled"
