"""What readers of the text of a run are told, whatever the attempts do and however they read."""

from __future__ import annotations

import asyncio
import gc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fishplate.core.errors import UsageError
from fishplate.core.text import (
    MOST_UNREAD,
    TextEvent,
    TextFeed,
    TextFeeds,
    TextPiece,
    TextReader,
    TextWithdrawn,
)

RUN = 7


class Story:
    """A run whose end is told by hand."""

    def __init__(self) -> None:
        self.end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.feeds = TextFeeds()

    def read(self) -> TextReader:
        """A reader from now on."""
        return self.feeds.read(RUN, lambda: None if self.end.done() else self.end)

    @property
    def feed(self) -> TextFeed:
        """Of the run, which somebody reads."""
        found = self.feeds.get(RUN)
        assert found is not None
        return found


async def rest(reader: TextReader) -> list[TextEvent]:
    """What a reader has not read yet, of a run that has ended."""
    return [event async for event in reader]


def not_withdrawn(events: list[TextEvent]) -> dict[str, str]:
    """By step, the text that a reader keeps who forgets what is withdrawn."""
    found: dict[tuple[str, int], str] = {}
    for event in events:
        key = (event.step, event.attempt)
        match event:
            case TextPiece(text=text):
                found[key] = found.get(key, "") + text
            case TextWithdrawn():
                del found[key]
    steps = [step for step, _ in found]
    assert len(steps) == len(set(steps)), "two attempts of one step are never both kept"
    return {step: text for (step, _), text in found.items()}


TEXTS = st.lists(st.text(max_size=4), max_size=5)
ATTEMPTS = st.lists(st.tuples(TEXTS, st.booleans(), st.integers(0, 2)), min_size=1, max_size=5)


@given(steps=st.lists(ATTEMPTS, min_size=1, max_size=3), late=st.integers(0, 2))
async def test_what_is_not_withdrawn_is_the_text_of_the_last_attempt(
    steps: list[list[tuple[list[str], bool, int]]], late: int
) -> None:
    """Whoever reads from the beginning, at whatever pace, keeps whole texts and nothing else."""
    story = Story()
    reader = story.read()
    heard: list[TextEvent] = []
    wanted: dict[str, str] = {}
    for number, attempts in enumerate(steps):
        step = f"flow/{number}.say-model"
        for pieces, is_lost, pauses in attempts:
            wanted.pop(step, None)
            text = "".join(pieces)
            with story.feed.begin(step) as attempt:
                for piece in pieces[: len(pieces) - late]:
                    attempt.tell(piece)
                if pauses and pieces[0:1] not in ([], [""]) and len(pieces) > late:
                    heard.append(await anext(reader))
                attempt.finish(text)
            if is_lost:
                attempt.withdraw("model_stalled")
            elif text:
                wanted[step] = text
    story.end.set_result(None)
    heard += await rest(reader)

    assert not_withdrawn(heard) == wanted


async def test_a_failure_withdraws_what_was_told_and_what_comes_after() -> None:
    """An attempt that nobody waits for any more is heard no more."""
    story = Story()
    reader = story.read()
    attempt = story.feed.begin("say")

    async def speak() -> None:
        with attempt:
            attempt.tell("It is ")
            await asyncio.Event().wait()

    speaking = asyncio.ensure_future(speak())
    await asyncio.sleep(0)
    speaking.cancel()
    await asyncio.wait([speaking])
    attempt.tell("late")
    attempt.finish("It is late")
    story.end.set_result(None)

    assert await rest(reader) == [
        TextPiece(step="say", attempt=1, text="It is "),
        TextWithdrawn(step="say", attempt=1, reason="cancelled"),
    ]


async def test_what_a_model_tells_after_its_answer_is_not_heard() -> None:
    """The answer is whole; a failure around it withdraws it all the same."""
    story = Story()
    reader = story.read()
    attempt = story.feed.begin("say")
    attempt.finish("Hello.")
    attempt.tell(" And more.")
    attempt.withdraw("not_polite")
    story.end.set_result(None)

    assert await rest(reader) == [
        TextPiece(step="say", attempt=1, text="Hello."),
        TextWithdrawn(step="say", attempt=1, reason="not_polite"),
    ]


async def test_an_attempt_that_told_nothing_is_not_withdrawn() -> None:
    """There is nothing to forget."""
    story = Story()
    reader = story.read()
    story.feed.begin("say").withdraw("model_stalled")
    story.end.set_result(None)

    assert await rest(reader) == []


async def test_a_text_that_differs_from_what_was_told_is_withdrawn() -> None:
    """Two texts are never joined."""
    story = Story()
    reader = story.read()
    attempt = story.feed.begin("say")
    attempt.tell("<think>")
    attempt.finish("Hello.")
    story.end.set_result(None)

    assert [type(event) for event in await rest(reader)] == [TextPiece, TextWithdrawn]


async def test_a_failed_call_withdraws_what_is_at_or_below_it() -> None:
    """And nothing beside it, however similar its name is."""
    story = Story()
    reader = story.read()
    for step in ("a/0.say", "a", "ab", "b/0.say"):
        story.feed.begin(step).finish("x")
    story.feed.withdraw("a", "timeout")
    story.end.set_result(None)

    assert not_withdrawn(await rest(reader)) == {"ab": "x", "b/0.say": "x"}


async def test_a_late_reader_is_told_whole_texts_only() -> None:
    """What had begun before it came is not told, and neither is its end."""
    story = Story()
    first = story.read()
    attempt = story.feed.begin("say")
    attempt.tell("It is ")
    second = story.read()
    attempt.finish("It is late")
    story.feed.begin("say").finish("Hello.")
    story.end.set_result(None)

    assert await rest(second) == [TextPiece(step="say", attempt=2, text="Hello.")]
    assert not_withdrawn(await rest(first)) == {"say": "Hello."}


async def test_a_reader_that_falls_too_far_behind_is_cut_off_and_hears_why() -> None:
    """What it holds is bounded, in text and in events, and others read on."""
    for told in (["x" * 1000] * (MOST_UNREAD // 1000 + 1), ["x"] * (MOST_UNREAD // 64 + 1)):
        story = Story()
        slow, quick = story.read(), story.read()
        for number, text in enumerate(told):
            story.feed.begin("say").finish(text)
            if number > 0:
                assert isinstance(await anext(quick), TextWithdrawn)
            assert isinstance(await anext(quick), TextPiece)
        with pytest.raises(UsageError) as refused:
            await anext(slow)

        assert refused.value.code == "slow_reader"
        assert slow not in story.feed.readers


async def test_a_feed_lives_as_long_as_its_readers() -> None:
    """A reader that is dropped, read from or not, leaves nothing behind."""
    story = Story()
    reader = story.read()
    assert story.feeds.get(RUN) is not None
    del reader
    gc.collect()

    assert story.feeds.get(RUN) is None
