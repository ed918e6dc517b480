"""Reading along with model agents: what is told, what is withdrawn, and what it costs the run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fishplate import (
    Agent,
    App,
    Cache,
    ErrorClass,
    Failure,
    Policy,
    Prompt,
    Retry,
    StepError,
    TextPiece,
    TextWithdrawn,
    UsageError,
    agent,
    model_agent,
    parallel,
    tool,
    wait_for,
    workflow,
)
from fishplate.core.text import MOST_UNREAD, TextEvent
from fishplate.models.model import ModelAnswer, ToolCall
from fishplate.testing import ScriptedModel, ScriptedText, VirtualClock, run_in_virtual_time
from fishplate.testing.scripted_model import Scripted
from tests.agents.asked import Question, intent, say
from tests.core.test_text import not_withdrawn

ASKED = Question(text="?")
SOON = Policy(retry=Retry(attempts=4, base=0.001, cap=0.001))
HELLO = ScriptedText(pieces=("Good ", "day", "."))


@tool(effect="readonly")
async def parcel_of(order_id: str) -> str:
    """Where a parcel is."""
    return f"{order_id} is in Berlin"


@model_agent("fast", tools=[parcel_of], policy=SOON)
def helper(question: Question) -> Prompt[str]:
    """Help."""
    return Prompt(user=question.text)


@agent(agents=[helper])
async def careful(question: Question) -> str:
    """Send what is said only if it is polite."""
    text = await helper(question)
    if "day" not in text:
        raise Failure("rude", error_class=ErrorClass.CONTRACT_OUT, code="not_polite")
    return text


@agent(inline=True)
def template(question: Question) -> str:
    """Say what is always true."""
    return f"You asked {question.text}"


@workflow
async def replying(question: Question) -> str:
    """Reply carefully."""
    return await careful.or_else(template)(question)


@workflow
async def twice(question: Question) -> tuple[str, str]:
    """Say two things at a time."""
    return await parallel(say(question), helper(question))


@workflow
async def pausing(question: Question) -> str:
    """Say something, wait for another question, and say something more."""
    await say(question)
    other = await wait_for("question", Question)
    return await helper(other)


async def told(
    unit: Agent[[Question], Any], *answers: Scripted, **words: Any
) -> tuple[list[TextEvent], Any]:
    """What a reader of a run hears, and the run's output or failure."""
    async with App(unit, models={"fast": ScriptedModel(answers)}, **words) as app:
        run = app.start(unit, ASKED)
        heard = [event async for event in run.text()]
        try:
            return heard, await run.result()
        except Exception as failure:  # noqa: BLE001 -- how it fails is for the test to judge
            return heard, failure


async def some(reader: AsyncIterator[TextEvent], count: int) -> list[TextEvent]:
    """The next events of a run."""
    async with asyncio.timeout(5):
        return [await anext(reader) for _ in range(count)]


async def test_the_text_comes_while_the_model_speaks() -> None:
    """A reader is told its pieces in order, with their step and attempt, before the run ends."""
    async with App(say, models={"fast": ScriptedModel([HELLO])}) as app:
        run = app.start(say, ASKED)
        reader = run.text()
        (first,) = await some(reader, 1)
        assert run.state == "running"
        others = [event async for event in reader]
        assert await run.result() == "Good day."

    assert isinstance(first, TextPiece)
    assert first.text in {"Good ", "Good day"}, "the model has said no more by then"
    assert not_withdrawn([first, *others]) == {"say/0.say-model": "Good day."}


PIECES = st.lists(st.text(max_size=5), max_size=5).map(tuple)


# An answer without a word is none.
WORDS = PIECES.filter(lambda pieces: not "".join(pieces).isspace() and any(pieces))


@given(lost=st.lists(PIECES, max_size=3), whole=WORDS)
def test_what_is_not_withdrawn_is_the_output(
    lost: list[tuple[str, ...]], whole: tuple[str, ...]
) -> None:
    """However many attempts break off, and wherever: their text is never joined with another's."""
    attempts = [ScriptedText(pieces=pieces, fails=ErrorClass.TRANSIENT) for pieces in lost]
    answers = [*attempts, ScriptedText(pieces=whole)]

    heard, output = run_in_virtual_time(told(helper, *answers, clock=VirtualClock()))

    assert output == "".join(whole)
    assert "".join(not_withdrawn(heard).values()) == output


async def test_a_model_that_does_not_speak_in_pieces_is_told_whole() -> None:
    """So readers need not know which model answers."""
    heard, _ = await told(say, "Hello.")

    assert heard == [TextPiece(step="say/0.say-model", attempt=1, text="Hello.")]


async def test_what_is_said_before_a_tool_is_called_is_withdrawn() -> None:
    """Only the answer stays; each request is a step of its own."""
    call = ToolCall(id="1", name="parcel_of", arguments='{"order_id": "W1"}')
    looking = ModelAnswer(text="Let me look.", calls=(call,), finish_reason="tool_call")
    heard, output = await told(helper, looking, "In Berlin.")

    step = "helper/0.helper-model"
    assert TextWithdrawn(step=step, attempt=1, reason="tool_calls") in heard
    assert not_withdrawn(heard) == {"helper/2.helper-model": output}


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        (ModelAnswer(text="Good", finish_reason="length"), "lengthened"),
        (
            ModelAnswer(text="Hm", calls=(ToolCall(id="1", name="buy", arguments="{}"),)),
            "repaired",
        ),
    ],
)
async def test_an_answer_that_is_asked_for_again_is_withdrawn(
    first: ModelAnswer, reason: str
) -> None:
    """Cut off or broken, it is not what the agent gives."""
    heard, output = await told(say, first, HELLO)

    assert TextWithdrawn(step="say/0.say-model", attempt=1, reason=reason) in heard
    assert not_withdrawn(heard) == {"say/1.say-model": output}


async def test_a_failure_of_a_call_around_it_withdraws_a_text() -> None:
    """As where an agent judges the wording: what answers instead is in the result alone."""
    heard, output = await told(replying, "Go away.")

    step = "careful/0.helper/0.helper-model"
    assert heard == [
        TextPiece(step=step, attempt=1, text="Go away."),
        TextWithdrawn(step=step, attempt=1, reason="not_polite"),
    ]
    assert output == "You asked ?"


async def test_texts_that_come_side_by_side_name_their_steps() -> None:
    """A reader can tell them apart, in whatever order their pieces come."""
    heard, output = await told(twice, HELLO, HELLO)

    assert len(not_withdrawn(heard)) == 2
    assert tuple(not_withdrawn(heard).values()) == output


async def test_half_an_object_is_no_text() -> None:
    """Of an output with a structure nothing is told: a part of it could not have been judged."""
    heard, _ = await told(intent, {"kind": "refund", "amount": 5})

    assert heard == []


async def test_a_cancelled_run_withdraws_its_text_and_ends_the_reading() -> None:
    """A reader is not left waiting."""
    async with App(say, models={"fast": ScriptedModel([HELLO])}) as app:
        run = app.start(say, ASKED)
        reader = run.text()
        await some(reader, 1)
        run.cancel()
        heard = [event async for event in reader]

    assert run.state == "cancelled"
    assert heard[-1] == TextWithdrawn(step="say/0.say-model", attempt=1, reason="cancelled")


async def test_a_model_is_asked_for_pieces_only_while_somebody_reads() -> None:
    """Whoever does not read along pays nothing for it, and neither does who has stopped."""
    model = ScriptedModel([HELLO] * 3)
    async with App(say, models={"fast": model}) as app:
        await app.start(say, ASKED).result()
        run = app.start(say, ASKED)
        async for _ in run.text():
            pass
        await app.start(say, ASKED).result()

    assert [request.tell is not None for request in model.requests] == [False, True, False]


async def test_a_reader_that_does_not_read_fails_no_run() -> None:
    """It is cut off, and the output is there all the same."""
    pieces = ("x" * 1000,) * (MOST_UNREAD // 1000 + 1)
    async with App(say, models={"fast": ScriptedModel([ScriptedText(pieces=pieces)])}) as app:
        run = app.start(say, ASKED)
        reader = run.text()
        assert await run.result() == "".join(pieces)
        with pytest.raises(UsageError) as refused:
            await anext(reader)

    assert refused.value.code == "slow_reader"


async def test_a_remembered_answer_is_not_told() -> None:
    """No model speaks; the output is in the result."""
    unit = say.using(Policy(cache=Cache(ttl=60, scope="words")))
    async with App(unit, models={"fast": ScriptedModel([HELLO])}) as app:
        assert await app.start(unit, ASKED).result() == "Good day."
        run = app.start(unit, ASKED)
        assert [event async for event in run.text()] == []
        assert await run.result() == "Good day."


async def test_reading_goes_on_while_a_run_waits(tmp_path: Path) -> None:
    """It ends with the run, in however many tasks that works."""
    store = f"sqlite:///{tmp_path / 'runs.db'}"
    async with App(pausing, models={"fast": ScriptedModel(["One.", "Two."])}, store=store) as app:
        run = app.start(pausing, ASKED)
        reader = run.text()
        first = await some(reader, 1)
        assert await run.ended_or_waiting() == "waiting"
        await app.signal(run.id, "question", ASKED)
        heard = [*first, *[event async for event in reader]]

    assert list(not_withdrawn(heard).values()) == ["One.", "Two."]


async def test_what_is_recorded_is_not_told_again(tmp_path: Path) -> None:
    """A run that goes on in another process tells what its models say there."""
    store = f"sqlite:///{tmp_path / 'runs.db'}"
    async with App(pausing, models={"fast": ScriptedModel(["One."])}, store=store) as app:
        run = app.start(pausing, ASKED)
        assert await run.ended_or_waiting() == "waiting"
    async with App(pausing, models={"fast": ScriptedModel(["Two."])}, store=store) as app:
        found = await app.run(run.id)
        reader = found.text()
        await app.signal(run.id, "question", ASKED)
        heard = [event async for event in reader]

    assert not_withdrawn(heard) == {"helper/0.helper-model": "Two."}


async def test_the_end_of_a_run_that_fails_is_the_end_of_its_text() -> None:
    """What was said is withdrawn with the code of the failure."""
    broken = ScriptedText(pieces=("Good",), fails=ErrorClass.PERMANENT)
    heard, failure = await told(say, broken)

    assert isinstance(failure, Failure | StepError)
    assert heard[-1] == TextWithdrawn(step="say/0.say-model", attempt=1, reason="permanent")


@agent(inline=True)
def refuse(text: str) -> str:
    """Refuse what was said."""
    raise Failure(text, error_class=ErrorClass.PERMANENT, code="refused")


@workflow
async def said_and_refused(question: Question) -> str:
    """Say something that a later step refuses."""
    return await refuse(await say(question))


@pytest.mark.parametrize("is_kept", [False, True], ids=["in memory", "kept"])
async def test_a_run_that_fails_withdraws_all_that_was_said_in_it(
    tmp_path: Path, *, is_kept: bool
) -> None:
    """Also what earlier steps have said that succeeded: it is part of no answer."""
    store = f"sqlite:///{tmp_path / 'runs.db'}" if is_kept else None
    heard, _ = await told(said_and_refused, HELLO, store=store)

    assert heard[-1] == TextWithdrawn(step="say/0.say-model", attempt=1, reason="refused")
    assert not_withdrawn(heard) == {}
