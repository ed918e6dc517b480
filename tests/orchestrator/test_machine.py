"""The laws that resuming and every engine rest on: same answers, same effects, unique keys."""

import random
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from fishplate import (
    ErrorClass,
    Failure,
    FishplateError,
    UsageError,
    agent,
    each,
    parallel,
    repeat,
    sleep,
    switch,
    wait_for,
    workflow,
)
from fishplate.core.outcome import DeclaredError
from fishplate.orchestrator.effects import Marked
from fishplate.orchestrator.machine import Issued, Machine, resume
from tests.orchestrator.story import LATE, answer_to, line_of, strand_of


class Word(BaseModel):
    """A word that grows."""

    text: str
    done: bool = False


class Words(BaseModel):
    """Some words."""

    words: list[Word]


class Both(BaseModel):
    """A word and how many there were."""

    word: Word
    count: int


@agent(inline=True)
def split(text: str) -> Words:
    """The words of a text."""
    return Words(words=[Word(text=found) for found in text.split()])


@agent(inline=True)
def grow(word: Word) -> Word:
    """One letter more, to three."""
    return Word(text=word.text + "x", done=len(word.text) >= 2)


@agent(inline=True)
def shrink(word: Word) -> Word:
    """One letter less."""
    return Word(text=word.text[1:], done=True)


@agent(inline=True)
def is_long(word: Word) -> bool:
    """Whether a word is long."""
    return len(word.text) > 2


@agent(inline=True)
def count(words: list[Word]) -> int:
    """How many words there are."""
    return len(words)


@agent(inline=True)
def lines(words: Words) -> list[Words]:
    """Two lines of the words."""
    return [words, Words(words=words.words[:1])]


@agent(inline=True)
def first(word: Word, number: int) -> Both:
    """A word and a number."""
    return Both(word=word, count=number)


@workflow
async def everything(text: str) -> Both:
    """Forks in forks, repetition, a switch, a fallback, a wait and a sleep."""
    words = await split(text)
    grown, shrunk = await parallel(
        each(grow.or_else(shrink), words.words, concurrency=2),
        each(shrink, words.words, key="text"),
    )
    number, last = await parallel(
        count(grown),
        repeat(grow, Word(text=""), until="done", at_most=4),
    )
    long = await is_long(last)
    await switch((True, grow(last)), (False, shrink(last)), on=long)
    await sleep(1.5)
    signal = await wait_for("go", Word)
    await count.named("rest")(shrunk)
    return await first(signal, number)


TEXTS = st.lists(st.sampled_from("abcdef"), max_size=4, unique=True).map(" ".join)


class Live:
    """A walk whose effects are answered in a random order, some of them by a failure."""

    def __init__(self, text: str, seed: int) -> None:
        self.machine = Machine(strand_of(everything, text))
        self.records: dict[str, object] = {}
        self.moments: list[tuple[dict[int, str], list[str]]] = []
        self.keys: list[str] = []
        choice = random.Random(seed)
        pending: dict[int, Issued] = {}
        while True:
            taken = self.machine.take()
            self.keys += [effect.key for _, effect in taken]
            pending.update(taken)
            for token in self.machine.cancelled:
                pending.pop(token, None)
            self.moments.append((_shown(pending), _decided(self.machine)))
            if not pending:
                break
            token = choice.choice(list(pending))
            effect = pending.pop(token)
            self.records[effect.key] = found = self._answer(effect, choice)
            _resolve(self.machine, token, found)

    def _answer(self, effect: Issued, choice: random.Random) -> object:
        luck = choice.random()
        if luck < 0.04:
            error_class = choice.choice([ErrorClass.TRANSIENT, ErrorClass.BUG])
            return Failure("bad luck", error_class=error_class)
        found = answer_to(effect, {"wait_for": Word(text="go")})
        return Marked(found, (LATE,)) if luck > 0.9 and found is not None else found


def _resolve(machine: Machine, token: int, found: object) -> None:
    if isinstance(found, (FishplateError, DeclaredError)):
        machine.resolve(token, failure=found)
    else:
        machine.resolve(token, found)


def _shown(pending: Mapping[int, Issued]) -> dict[int, str]:
    return {token: line_of(effect) for token, effect in pending.items()}


def _decided(machine: Machine) -> list[str]:
    return [line_of(decision) for decision in machine.decisions]


@settings(max_examples=60)
@given(text=TEXTS, seed=st.integers(0, 10_000))
def test_a_walk_resumed_at_any_point_asks_for_what_the_live_one_asked_for(
    text: str, seed: int
) -> None:
    """However branches interleave: the recorded answers, sent again, lead to the same place."""
    live = Live(text, seed)

    for answered in range(len(live.records) + 1):
        records = dict(list(live.records.items())[:answered])
        machine, pending = resume(strand_of(everything, text), records)

        assert (_shown(dict(pending)), _decided(machine)) == live.moments[answered]


@settings(max_examples=60)
@given(text=TEXTS, seed=st.integers(0, 10_000))
def test_no_two_effects_of_a_walk_have_one_key(text: str, seed: int) -> None:
    """A key names one effect, so that its record and its idempotency key are its own."""
    live = Live(text, seed)

    assert len(set(live.keys)) == len(live.keys)


@settings(max_examples=30)
@given(text=TEXTS, seed=st.integers(0, 10_000), other=st.integers(0, 10_000))
def test_keys_do_not_depend_on_the_order_of_answers(text: str, seed: int, other: int) -> None:
    """The same answers in another order ask for the same keys, if nothing fails on the way."""
    lives = [Live(text, seed), Live(text, other)]

    if all(live.machine.failure is None for live in lives):
        fallbacks = [{key for key in live.keys if "|" not in key} for live in lives]
        assert fallbacks[0] == fallbacks[1]


def test_the_first_failure_ends_the_siblings() -> None:
    """What runs beside a failed branch is not wanted any more, nor is what was not started."""

    @workflow
    async def flow(words: list[Word]) -> list[Word]:
        return await each(grow, words, concurrency=2)

    machine = Machine(strand_of(flow, [Word(text=letter) for letter in "abc"]))
    (first_token, _), (second_token, _) = machine.take()
    failure = Failure("no", error_class=ErrorClass.BUG)
    machine.resolve(second_token, failure=failure)
    machine.resolve(first_token, Word(text="late"))

    assert machine.cancelled == {first_token}
    assert machine.failure is failure
    assert machine.take() == []


def test_an_answer_that_nobody_asked_for_is_an_error() -> None:
    """A token is answered once."""
    machine = Machine(strand_of(everything, "a"))
    [(token, _)] = machine.take()
    machine.resolve(token, Words(words=[]))

    with pytest.raises(KeyError):
        machine.resolve(token, Words(words=[]))


def test_records_of_another_input_are_refused() -> None:
    """A record that the walk never asks for belongs to another run."""
    with pytest.raises(UsageError) as refusal:
        resume(strand_of(everything, "a"), {"split": Words(words=[]), "each.7/grow": Word(text="")})

    assert refusal.value.code == "diverged"
    assert "each.7/grow" in refusal.value.message
