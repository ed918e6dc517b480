"""What counts as an answer of a model: it says something, can be read, and is within limits."""

from __future__ import annotations

from decimal import Decimal

import pytest
from pydantic import BaseModel

from fishplate import (
    Agent,
    App,
    ErrorClass,
    FishplateError,
    OutputError,
    Policy,
    Prompt,
    Retry,
    TextPiece,
    TextWithdrawn,
    model_agent,
)
from fishplate.agents.limits import Limits
from fishplate.core.errors import JsonValue
from fishplate.models.model import Features, ModelAnswer, ToolCall, Usage
from fishplate.models.prices import Price, PriceTable
from fishplate.testing import ScriptedModel, ScriptedText
from fishplate.testing.scripted_model import Scripted
from tests.agents.asked import Question, Refund, calling, intent, price_of, refund, say

ASKED = Question(text="?")
GOOD: JsonValue = {"kind": "refund", "amount": 5}
ONE_ATTEMPT = Policy(retry=Retry(attempts=1))
A_DOLLAR = PriceTable({"scripted": Price(input=Decimal(1), output=Decimal(1))})
"""Per million tokens: 1,000 nanos for each."""


class Note(BaseModel):
    """Words with a structure."""

    text: str


@model_agent("fast")
def note(question: Question) -> Prompt[Note]:
    """Write something down."""
    return Prompt(user=question.text)


@model_agent("fast", tools=[price_of])
def helper(question: Question) -> Prompt[str]:
    """Answer in words, with a tool."""
    return Prompt(user=question.text)


@model_agent("fast", limits=Limits(tokens=100))
def hundred(question: Question) -> Prompt[str]:
    """Answer with a hundred tokens."""
    return Prompt(user=question.text)


@model_agent("fast", limits=Limits(cost_nanos=100_000))
def cheap(question: Question) -> Prompt[str]:
    """Answer for a hundredth of a cent."""
    return Prompt(user=question.text)


async def answered(
    unit: Agent[[Question], object], *answers: Scripted
) -> tuple[object, ScriptedModel]:
    """What an agent gives, and the model that it asked."""
    model = ScriptedModel(answers)
    async with App(unit, models={"fast": model}):
        return await unit(ASKED), model


@pytest.mark.parametrize(
    ("nothing", "said"),
    [
        ("", "the answer is empty"),
        (" \n", "the answer is empty"),
        (ModelAnswer(reasoning=("hm",)), "thoughts came, and no answer"),
        (ModelAnswer(finish_reason="tool_call"), "calls none"),
        (ModelAnswer(text="Let me see.", finish_reason="tool_call"), "calls none"),
    ],
)
@pytest.mark.parametrize(
    ("unit", "answer", "output"),
    [(helper, "Yes.", "Yes."), (intent, GOOD, Refund(amount=5))],
    ids=["text", "structure"],
)
async def test_nothing_said_is_no_answer(
    unit: Agent[[Question], object], answer: Scripted, output: object, nothing: Scripted, said: str
) -> None:
    """An empty text, thoughts alone, and calls that did not come are mended like any breach."""
    found, model = await answered(unit, nothing, answer)

    assert found == output
    assert len(model.requests) == 2
    assert said in model.requests[1].messages[-1].text


async def test_an_empty_message_is_not_sent_back() -> None:
    """Providers refuse an assistant's message without a word, so none stands in the repair."""
    _, model = await answered(helper, "", "Yes.")

    assert [one.role for one in model.requests[1].messages] == ["user", "user"]


async def test_an_answer_that_stays_empty_is_a_failure() -> None:
    """No agent gives an empty text for a model that said nothing."""
    with pytest.raises(OutputError, match="empty") as failed:
        await answered(helper, "", "", "Yes.")

    assert failed.value.error_class is ErrorClass.CONTRACT_OUT


@pytest.mark.parametrize(
    ("reason", "code"), [("content_filter", "content_filter"), ("error", "model_error")]
)
async def test_an_end_that_explains_the_emptiness_keeps_its_own_class(
    reason: str, code: str
) -> None:
    """A refusal and an error of the provider are no breach of the contract, and not repaired."""
    ended = ModelAnswer.model_validate({"finish_reason": reason})
    with pytest.raises(FishplateError) as failed:
        await answered(helper.using(ONE_ATTEMPT), ended, "Yes.")

    assert failed.value.code == code


async def test_a_cut_off_answer_without_a_word_is_given_more_room() -> None:
    """A model that thought until its tokens were used up has made no mistake."""
    found, model = await answered(say, ModelAnswer(finish_reason="length"), "Yes.")

    assert found == "Yes."
    assert [one.settings.max_tokens for one in model.requests] == [10, 20]


async def test_calls_count_whatever_the_finish_reason_says() -> None:
    """Several providers end an answer that calls tools with `stop`."""
    call = calling(("price_of", '{"order_id": "1"}'))
    found, model = await answered(helper, call.model_copy(update={"finish_reason": "stop"}), "Yes.")

    assert found == "Yes."
    assert model.requests[1].messages[-1].text == "1250"


async def test_who_is_asked_for_words_has_no_tool_to_answer_by() -> None:
    """A call of the tool by which structures are given is no text: it is refused by its name."""
    found, model = await answered(helper, calling(("give_answer", '{"result": 7}')), "Yes.")

    assert found == "Yes."
    assert "no tool 'give_answer'" in model.requests[1].messages[-1].text


@pytest.mark.parametrize(
    ("unit", "word"), [(hundred, r"tokens"), (cheap, r"cost_nanos")], ids=["tokens", "money"]
)
@pytest.mark.parametrize(("more", "is_ok"), [(0, True), (1, False)])
async def test_an_answer_may_reach_a_limit_and_not_go_beyond(
    unit: Agent[[Question], str], word: str, more: int, is_ok: bool
) -> None:
    """What took too much fails, also by its last request, and the error says what it took."""
    took = Usage(input_tokens=60 + more, output_tokens=40)
    model = ScriptedModel(["Yes."], usage=took)
    async with App(unit, models={"fast": model}, prices=A_DOLLAR) as app:
        run = app.start(unit, ASKED)
        if is_ok:
            assert await run.result() == "Yes."
            return
        with pytest.raises(FishplateError, match=rf"Limits\({word}=\)") as failed:
            await run.result()
        (request,) = (span for span in app.spans(run) if span.kind == "model")

    assert (failed.value.code, failed.value.error_class.word) == ("model_limit", "budget_exceeded")
    assert "101" in failed.value.message
    assert (request.attributes or {})["cost_nanos"] == 101_000


async def test_a_cost_that_nobody_knows_is_above_every_limit() -> None:
    """Unknown is not nothing: who limits money is told that nobody counts it."""
    with pytest.raises(FishplateError, match="give the app prices=") as failed:
        await answered(cheap, "Yes.")

    assert failed.value.code == "model_limit"


async def test_words_that_took_too_much_are_withdrawn() -> None:
    """Who reads along does not keep what is no answer."""
    took = Usage(input_tokens=999, output_tokens=1)
    model = ScriptedModel([ScriptedText(pieces=("Ye", "s."))], usage=took)
    async with App(hundred, models={"fast": model}) as app:
        run = app.start(hundred, ASKED)
        heard = [event async for event in run.text()]
        with pytest.raises(FishplateError):
            await run.result()

    withdrawn = heard[-1]
    assert isinstance(withdrawn, TextWithdrawn)
    assert withdrawn.reason == "model_limit"


async def test_half_a_character_in_words_is_replaced() -> None:
    """Half an emoji costs no second answer: it is U+FFFD, the two halves of one are joined."""
    model = ScriptedModel([ScriptedText(pieces=("a\ud800b\ud83d", "\ude00", "c\ud83d"))])
    async with App(say, models={"fast": model}) as app:
        run = app.start(say, ASKED)
        pieces = [event async for event in run.text()]
        output = await run.result()
        told = next(span.attributes or {} for span in app.spans(run) if span.kind == "model")

    assert output == "a\ufffdb\U0001f600c\ufffd"
    assert all(isinstance(piece, TextPiece) for piece in pieces)
    assert "".join(piece.text for piece in pieces if isinstance(piece, TextPiece)) == output
    assert told["repaired"] == "local"


@pytest.mark.parametrize("has_schemas", [True, False])
@pytest.mark.parametrize("half", ["\ud800", "\\ud800"], ids=["as it is", "escaped"])
async def test_half_a_character_in_a_structure_is_mended_by_the_model(
    half: str, has_schemas: bool
) -> None:
    """Nobody else can say what stood there, which may have been part of an id."""
    broken = f'{{"text": "a{half}"}}'
    answer = (
        ModelAnswer(text=broken)
        if has_schemas
        else ModelAnswer(calls=(ToolCall(id="1", name="give_answer", arguments=broken),))
    )
    features = Features(has_schemas=has_schemas, has_tools=True)
    model = ScriptedModel([answer, {"text": "ab"}], features=features)
    async with App(note, models={"fast": model}):
        assert await note(ASKED) == Note(text="ab")

    assert len(model.requests) == 2
    assert "it is no JSON" in model.requests[1].messages[-1].text


@pytest.mark.parametrize("half", ["\ud800", "\\ud800"], ids=["as it is", "escaped"])
async def test_half_a_character_in_arguments_calls_no_tool(half: str) -> None:
    """The model is told, and the tool is not called with something in its place."""
    call = calling(("price_of", f'{{"order_id": "{half}"}}'))
    found, model = await answered(refund, call, GOOD)

    assert found == Refund(amount=5)
    assert "no JSON" in model.requests[1].messages[-1].text
