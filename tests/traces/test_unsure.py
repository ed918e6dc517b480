"""Decisions of low confidence: which are to blame, and which are in doubt at most."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

import pytest
from pydantic import BaseModel

from fishplate import App, agent, current, each, parallel, switch, workflow
from fishplate.traces.capture import Capture
from fishplate.traces.explain import Explanation, explain
from fishplate.traces.queries import runs_beside, whole_trace
from fishplate.traces.store import TraceStore, open_trace_reader

Kind: TypeAlias = Literal["refund", "status", "needs_review"]


class Guess(BaseModel):
    """What is meant, and how sure that is."""

    kind: Kind
    confidence: float


class Spam(BaseModel):
    """Whether it is spam, and how sure that is."""

    is_spam: bool
    confidence: float


class Percent(BaseModel):
    """How sure something is, in percent."""

    kind: str
    confidence: int


class Parts(BaseModel):
    """Several things that were read, each with its confidence."""

    name: Guess
    topic: Guess


class Case(BaseModel):
    """What is known of a case."""

    case_id: str
    guess: Guess


GUESSES: dict[str, tuple[Kind, float]] = {
    "low": ("refund", 0.312),
    "low too": ("status", 0.21),
    "sure": ("refund", 0.9),
    "a low": ("refund", 0.31),
    "slow": ("refund", 0.31),
    "nobody": ("needs_review", 0.3),
}


@agent
async def guess(text: str) -> Guess:
    """Guesses as `GUESSES` says."""
    kind, confidence = GUESSES[text]
    return Guess(kind=kind, confidence=confidence)


@agent
async def pay(text: str) -> str:
    """Acts upon a refund."""
    return f"paid for {text}"


@agent
async def look(text: str) -> str:
    """Acts upon a status."""
    return f"looked for {text}"


@agent(inline=True)
def log(found: Guess) -> str:
    """Is told how sure it is, and decides nothing."""
    return f"saw {len(found.kind)} letters"


@agent(inline=True)
def tidy(found: Guess) -> Guess:
    """Hands on what it is given."""
    return found


@agent(inline=True)
def is_enough(confidence: float) -> bool:
    """Is given the confidence alone."""
    return confidence >= 0.5


@workflow
async def by_label(text: str) -> str:
    """Goes by the label."""
    found = await guess(text)
    return await switch(("refund", pay(text)), default=look(text), on=found.kind)


@workflow
async def logged(text: str) -> str:
    """Goes by the label, and has told the confidence to somebody who decides nothing."""
    found = await guess(text)
    note = await log(found)
    return await switch(("refund", pay(note)), default=look(note), on=found.kind)


@agent
async def pay_whole(found: Guess) -> str:
    """Acts upon a refund, and is told how sure it is."""
    return f"paid after {len(found.kind)} letters"


@workflow
async def by_label_whole(text: str) -> str:
    """Goes by the label, and hands on the confidence to where the way leads."""
    found = await guess(text)
    return await switch(("refund", pay_whole(found)), default=look(text), on=found.kind)


@workflow
async def tidied(text: str) -> str:
    """Goes by a label that was handed on."""
    found = await tidy(await guess(text))
    return await switch(("refund", pay(text)), default=look(text), on=found.kind)


@workflow
async def by_confidence(text: str) -> str:
    """Goes by the confidence alone."""
    found = await guess(text)
    enough = await is_enough(found.confidence)
    return await switch((True, pay(found.kind)), (False, look(found.kind)), on=enough)


@agent
async def spam(text: str) -> Spam:
    """Is not sure whether it is spam."""
    return Spam(is_spam=True, confidence=len(text) / 100)


@workflow
async def by_truth(text: str) -> str:
    """Goes by a truth that is not sure."""
    found = await spam(text)
    return await switch((True, pay(text)), (False, look(text)), on=found.is_spam)


@workflow
async def only_guessed(text: str) -> Guess:
    """Hands on what was guessed."""
    return await guess(text)


@workflow
async def each_by_label(texts: list[str]) -> list[str]:
    """Goes by the label of every text."""
    return await each(by_label, texts)


@workflow
async def each_beside(texts: list[str]) -> list[Guess]:
    """Guesses about every text."""
    return await each(guess, texts)


@workflow
async def twice_at_once(text: str) -> tuple[Guess, Guess]:
    """Guesses twice about one text."""
    return await parallel(guess(text), guess(text))


@agent(agents=[only_guessed])
async def blind_to_a_workflow(text: str) -> str:
    """Does not look at what a workflow has handed on."""
    return (await only_guessed(text)).kind


@agent(agents=[guess])
async def guesses_for_each(texts: list[str]) -> list[str]:
    """Answers with each label."""
    return [(await guess(text)).kind for text in texts]


@agent(agents=[guess])
async def guesses_twice(text: str) -> str:
    """Asks about a text, and then about another one that it has made up."""
    earlier, _, later = text.partition("|")
    await guess(earlier)
    return (await guess(later)).kind


@agent(agents=[guess])
async def drops_it(text: str) -> str:
    """Answers without the label."""
    await guess(text)
    return "a colleague calls you"


@agent(agents=[guess])
async def notes_what_it_heard(text: str) -> str:
    """Notes how sure another one was, and does not follow it."""
    found = await guess(text)
    current().note(confidence=round(found.confidence, 2))
    return "a colleague calls you"


@agent(agents=[guess])
async def fails_over_it(text: str) -> str:
    """Is stopped by what is not sure."""
    found = await guess(text)
    raise ValueError(found.kind)


@agent
async def in_percent(text: str) -> Percent:
    """Says 20 of 100."""
    return Percent(kind=text, confidence=20)


@agent
async def in_parts(text: Kind) -> Parts:
    """Is sure of one part."""
    return Parts(name=Guess(kind=text, confidence=0.9), topic=Guess(kind="status", confidence=0.2))


@agent
async def in_one_part(text: Kind) -> Case:
    """Is unsure one level below its answer."""
    return Case(case_id="C-1", guess=Guess(kind=text, confidence=0.2))


@agent
async def noted(text: str) -> str:
    """Notes how sure it is, and answers what it is given."""
    current().note(label="refund", confidence=0.2)
    return text


def found_in(
    folder: Path, what: Any, given: str | Sequence[str], capture: Capture = "redacted"
) -> Explanation:
    """Run something, and say what is to blame."""
    url = f"sqlite:///{folder}/traces.db"

    async def main() -> str:
        async with App(what, traces=TraceStore(url=url, capture=capture)) as app:
            run = app.start(what, given)
            await run.ended()
            return run.id

    run_id = asyncio.run(main())
    connection = open_trace_reader(url)
    trace = whole_trace(connection, run_id)
    assert trace is not None
    found = explain(trace, runs_beside(connection, trace))
    connection.close()
    return found


def told(found: Explanation) -> tuple[list[str], list[str]]:
    """Which steps are blamed, and which are in doubt."""
    return [one.path for one in found.findings], [one.path for one in found.doubts]


@pytest.mark.parametrize(
    ("what", "given", "blamed", "doubted"),
    [
        (guess, "low", ["guess"], []),
        (guess, "nobody", [], ["guess"]),
        (only_guessed, "low", ["guess"], []),
        (by_label, "low", ["guess"], []),
        (by_label, "low too", [], ["guess"]),
        (by_label, "sure", [], []),
        (logged, "low", ["guess"], []),
        (by_label_whole, "low", ["guess"], []),
        (tidied, "low", [], ["guess"]),
        (by_confidence, "low", [], ["guess"]),
        (by_truth, "x", ["spam"], []),
        (drops_it, "low", [], ["drops_it/0.guess"]),
        (notes_what_it_heard, "low", [], ["notes_what_it_heard/0.guess"]),
        (blind_to_a_workflow, "low", ["blind_to_a_workflow/0.only_guessed/guess"], []),
        (in_percent, "refund", [], []),
        (in_one_part, "refund", ["in_one_part"], []),
        (in_parts, "refund", [], ["in_parts"]),
        (noted, "refund", ["noted"], []),
        (noted, "later", [], ["noted"]),
    ],
)
def test_a_low_confidence_is_blamed_where_it_was_followed(
    tmp_path: Path, what: Any, given: str, blamed: list[str], doubted: list[str]
) -> None:
    """It was the last word, or a label was acted upon; else it is in doubt at most."""
    assert told(found_in(tmp_path, what, given)) == (blamed, doubted)


def test_every_call_of_one_name_is_judged(tmp_path: Path) -> None:
    """A later call about another text of a list takes nothing back, though it holds the earlier."""
    found = found_in(tmp_path, guesses_for_each, ["low", "sure", "low too"])

    assert told(found) == (["guesses_for_each/0.guess", "guesses_for_each/2.guess"], [])


@pytest.mark.parametrize(("later", "retaken"), [("low", True), ("a low", True), ("slow", False)])
def test_the_same_decided_again_takes_the_earlier_call_back(
    tmp_path: Path, later: str, *, retaken: bool
) -> None:
    """The input is the same, or holds the earlier one as words and not within a word."""
    blamed, _ = told(found_in(tmp_path, guesses_twice, f"low|{later}"))

    assert ("guesses_twice/0.guess" in blamed) == (not retaken)
    assert "guesses_twice/1.guess" in blamed


def test_elements_beside_each_other_take_nothing_back(tmp_path: Path) -> None:
    """That one text of a list holds another one does not make it the same question."""
    found = found_in(tmp_path, each_by_label, ["low", "a low", "sure"])

    assert len(found.findings) == 2
    assert told(found)[1] == []


def test_one_text_decided_twice_at_once_is_judged_once(tmp_path: Path) -> None:
    """Two answers to the very same input are one decision."""
    blamed, doubted = told(found_in(tmp_path, twice_at_once, "low"))

    assert len([*blamed, *doubted]) == 1


def test_unsure_answers_in_a_list_are_in_doubt(tmp_path: Path) -> None:
    """Whoever is given them all is told of each how sure it is."""
    blamed, doubted = told(found_in(tmp_path, each_beside, ["low", "sure", "low too"]))

    assert (blamed, len(doubted)) == ([], 2)


def test_what_was_not_kept_is_no_evidence(tmp_path: Path) -> None:
    """Without contents nothing shows that an unsure answer was followed."""
    assert told(found_in(tmp_path, by_label, "low", "off")) == ([], [])
    (tmp_path / "other").mkdir()
    assert told(found_in(tmp_path / "other", fails_over_it, "low"))[1] == ["fails_over_it/0.guess"]


def test_the_evidence_says_what_was_done(tmp_path: Path) -> None:
    """The label, the confidence, and who followed it, in one sentence."""
    [found] = found_in(tmp_path, by_label, "low").findings

    text = "its confidence in 'refund' is 0.31, and 'switch → refund' went by it"
    assert found.evidence == f"agent 'guess': {text}"
