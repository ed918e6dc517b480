"""How a model agent comes to its answer: repair, tools, limits, and what a kept run records."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from fishplate import (
    Agent,
    App,
    ErrorClass,
    Failure,
    FishplateError,
    OutputError,
    Policy,
    Prompt,
    Retry,
    current,
    model_agent,
    tool,
    workflow,
)
from fishplate.agents.limits import Limits
from fishplate.core.errors import JsonValue
from fishplate.models.model import ModelAnswer, Usage
from fishplate.testing import ScriptedModel, VirtualClock, run_in_virtual_time
from fishplate.testing.scripted_model import Scripted
from tests.agents.asked import Question, Refund, calling, intent, price_of, refund, say

GOOD: JsonValue = {"kind": "refund", "amount": 5}
BAD: JsonValue = {"kind": "refund", "amount": 0}
ASKED = Question(text="?")


class Gate:
    """Holds a tool in the middle of its work."""

    def __init__(self) -> None:
        self.began, self.may_answer = asyncio.Event(), asyncio.Event()


@model_agent("fast")
def wrong(question: Question) -> Prompt[str]:
    """No prompt comes of a question that nobody invents."""
    if question.text != "?":
        return Prompt(user=question.text)
    return question.text  # type: ignore[return-value]  # pyright: ignore[reportReturnType] -- what is tested


@tool(effect="readonly")
async def broken() -> int:
    """Fail."""
    raise Failure("no", error_class=ErrorClass.PERMANENT, code="no")


@model_agent("fast", tools=[broken])
def curious(question: Question) -> Prompt[str]:
    """Call what fails."""
    return Prompt(user=question.text)


@model_agent("fast", tools=[price_of], limits=Limits(tokens=90))
def long(question: Question) -> Prompt[str]:
    """Ask for more than is allowed."""
    return Prompt(user=question.text * 400)


@model_agent("fast", tools=[price_of], limits=Limits(requests=1))
def once(question: Question) -> Prompt[str]:
    """Ask, with one request for all."""
    return Prompt(user=question.text)


@model_agent("fast", tools=[price_of], limits=Limits(tokens=5))
def thrifty(question: Question) -> Prompt[str]:
    """Ask, with few tokens for all."""
    return Prompt(user=question.text)


@tool(effect="readonly")
async def slow(order_id: str) -> str:
    """Take long."""
    gate = current().resource(Gate)
    gate.began.set()
    await gate.may_answer.wait()
    return order_id


@model_agent("fast", tools=[slow])
def helper(question: Question) -> Prompt[str]:
    """Help."""
    return Prompt(user=question.text)


@workflow
async def helping(question: Question) -> str:
    """Have somebody help."""
    return await helper(question)


patient = intent.using(Policy(retry=Retry(attempts=2, base=0.001, cap=0.001)))


def kept(store: str, gate: Gate, model: ScriptedModel) -> App:
    """An app that keeps its runs."""
    return App(helping, models={"fast": model}, store=store, resources={Gate: lambda: gate})


async def asked(*answers: Scripted) -> tuple[object, ScriptedModel]:
    """What `intent` gives, and the model that it asked."""
    model = ScriptedModel(answers)
    async with App(intent, models={"fast": model}):
        return await intent(ASKED), model


async def test_a_broken_answer_is_asked_for_again_with_the_validators_pointers() -> None:
    """The model is told where its answer breaks which rule, and answers once more."""
    found, model = await asked(BAD, GOOD)

    assert found == Refund(amount=5)
    assert len(model.requests) == 2
    assert "/result/amount" in model.requests[1].messages[-1].text


async def test_an_answer_that_stays_broken_is_a_failure() -> None:
    """With one repair the model is asked twice, and what it said is never handed on."""
    model = ScriptedModel([BAD, {"kind": "status", "order_id": "7"}, GOOD])
    async with App(intent, models={"fast": model}):
        with pytest.raises(OutputError) as failed:
            await intent(ASKED)

    assert len(model.requests) == 2
    assert failed.value.error_class is ErrorClass.CONTRACT_OUT


async def test_the_same_mistake_twice_ends_the_repair() -> None:
    """Who repeats a mistake is not asked a third time, whatever repairs are left."""
    model = ScriptedModel([{"amount": 1}, {"amount": 1}, GOOD])
    async with App(refund, models={"fast": model}):
        with pytest.raises(OutputError):
            await refund(ASKED)

    assert len(model.requests) == 2


@pytest.mark.parametrize(
    "text",
    [
        '```json\n{"result": {"kind": "refund", "amount": 5}}\n```',
        'Here it is: {"result": {"kind": "refund", "amount": 5}}',
    ],
)
async def test_what_stands_around_the_json_is_taken_off(text: str) -> None:
    """A fence or a sentence around an answer costs no second request, and the span says so."""
    model = ScriptedModel([text])
    async with App(intent, models={"fast": model}) as app:
        run = app.start(intent, ASKED)

        assert await run.result() == Refund(amount=5)
        told = {span.name: span.attributes or {} for span in app.spans(run)}
    assert told["intent"]["repaired"] == "local"
    assert len(model.requests) == 1


async def test_an_answer_that_was_cut_off_is_given_more_room_once() -> None:
    """To be cut off is no mistake of the model: it gets twice as many tokens, once."""
    cut = ModelAnswer(text="I am", finish_reason="length")
    model = ScriptedModel([cut, "I am done."])
    async with App(say, models={"fast": model}):
        assert await say(ASKED) == "I am done."
    assert [request.settings.max_tokens for request in model.requests] == [10, 20]

    async with App(say, models={"fast": ScriptedModel([cut, cut])}):
        with pytest.raises(FishplateError) as failed:
            await say(ASKED)
    assert failed.value.code == "answer_cut_off"


async def test_a_refusal_of_the_model_is_final() -> None:
    """What a content filter stops is neither repaired nor tried again."""
    model = ScriptedModel([ModelAnswer(finish_reason="content_filter"), GOOD])
    async with App(intent, models={"fast": model}):
        with pytest.raises(FishplateError) as failed:
            await intent(ASKED)

    assert failed.value.error_class is ErrorClass.REFUSAL
    assert len(model.requests) == 1


async def test_a_transient_failure_is_retried_and_costs_no_repair() -> None:
    """Attempts belong to the request: the repair that comes after is still there."""
    model = ScriptedModel([ErrorClass.TRANSIENT, BAD, ErrorClass.TRANSIENT, GOOD])
    async with App(patient, models={"fast": model}):
        assert await patient(ASKED) == Refund(amount=5)
    assert len(model.requests) == 4


def test_a_request_without_a_declared_policy_is_retried() -> None:
    """It has the defaults of what leaves the process, in a run as in what a report says of it."""
    model = ScriptedModel([ErrorClass.TRANSIENT, ErrorClass.OVERLOAD, GOOD])

    async def scenario() -> object:
        async with App(intent, models={"fast": model}, clock=VirtualClock()):
            return await intent(ASKED)

    assert run_in_virtual_time(scenario()) == Refund(amount=5)
    assert len(model.requests) == 3


async def test_a_permanent_failure_is_the_agents() -> None:
    """What no retry helps keeps its class and code, and the model is asked once."""
    refused = Failure("no key", error_class=ErrorClass.PERMANENT, code="model_authentication")
    model = ScriptedModel([refused])
    async with App(intent, models={"fast": model}):
        with pytest.raises(FishplateError) as failed:
            await intent(ASKED)

    assert failed.value.error_class is ErrorClass.PERMANENT
    assert failed.value.code == "model_authentication"


async def test_spans_tell_model_usage_and_repairs() -> None:
    """Tokens stand on the requests alone, so that a sum over spans counts them once."""
    usage = Usage(input_tokens=10, output_tokens=2)
    model = ScriptedModel([BAD, GOOD], usage=usage, snapshot="m-1", name="m")
    async with App(intent, models={"fast": model}) as app:
        run = app.start(intent, ASKED)
        await run.result()
        spans = app.spans(run)

    requests = [span.attributes or {} for span in spans if span.kind == "model"]
    (agent,) = [span.attributes or {} for span in spans if span.kind == "agent"]
    assert [one["input_tokens"] for one in requests] == [10, 10]
    assert requests[0]["model"] == "m"
    assert requests[0]["snapshot"] == "m-1"
    assert requests[0]["finish_reason"] == "stop"
    assert agent["repairs"] == 1
    assert "input_tokens" not in agent


async def test_unknown_usage_is_not_told() -> None:
    """What a provider does not count stands on no span, since 0 would be a lie."""
    async with App(intent, models={"fast": ScriptedModel([GOOD])}) as app:
        run = app.start(intent, ASKED)
        await run.result()
        (request,) = [span for span in app.spans(run) if span.kind == "model"]

    assert not {"input_tokens", "output_tokens"} & set(request.attributes or {})


async def test_a_prompt_function_that_gives_something_else_is_a_bug() -> None:
    """What is no `Prompt` is never sent, also where only a real input shows it."""
    model = ScriptedModel(["x"])
    async with App(wrong, models={"fast": model}):
        with pytest.raises(FishplateError) as failed:
            await wrong(ASKED)

    assert failed.value.code == "bad_prompt"
    assert model.requests == []


async def test_the_model_calls_the_declared_tools() -> None:
    """A tool call is a step like any other, and its result is told to the model as JSON."""
    model = ScriptedModel([calling(("price_of", '{"order_id": "1"}')), GOOD])
    async with App(refund, models={"fast": model}) as app:
        run = app.start(refund, ASKED)

        assert await run.result() == Refund(amount=5)
        paths = [span.path for span in app.spans(run)]
    assert paths == [
        "refund/0.refund-model",
        "refund/1.price_of",
        "refund/2.refund-model",
        "refund",
    ]
    told = model.requests[1].messages[-1]
    assert (told.role, told.text, told.answers) == ("tool", "1250", "call-0")
    assert [one.name for one in model.requests[0].tools] == ["price_of"]


async def test_a_declared_error_of_a_tool_is_told_to_the_model() -> None:
    """An error that the contract declares is an answer, and the model goes on with it."""
    model = ScriptedModel([calling(("price_of", '{"order_id": "none"}')), GOOD])
    async with App(refund, models={"fast": model}):
        assert await refund(ASKED) == Refund(amount=5)

    assert '"error":"not_known_error"' in model.requests[1].messages[-1].text


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("prise_of", '{"order_id": "1"}'), "no tool 'prise_of'"),
        (("price_of", '{"order_id": 1}'), "/calls/1/arguments/order_id"),
        (("price_of", '{"order_id": '), "no JSON"),
        (("give_answer", "{}"), "alone"),
        (("price_of", '{"order_id": "1", "orders": 2}'), "no argument 'orders'"),
    ],
)
async def test_a_call_that_cannot_be_made_stops_all_of_its_message(
    wrong: tuple[str, str], said: str
) -> None:
    """Unknown tools and broken arguments are said to the model; no call of it is made."""
    right = ("price_of", '{"order_id": "1"}')
    model = ScriptedModel([calling(right, wrong), GOOD])
    async with App(refund, models={"fast": model}) as app:
        run = app.start(refund, ASKED)
        await run.result()
        names = [span.name for span in app.spans(run)]

    assert "price_of" not in names
    told = model.requests[1].messages[-2:]
    assert [message.answers for message in told] == ["call-0", "call-1"]
    assert said in told[0].text


async def test_calls_of_one_answer_have_ids_of_their_own() -> None:
    """Two calls under one id are said to the model, and neither of them is made."""
    one = calling(("price_of", '{"order_id": "1"}')).calls[0]
    twice = ModelAnswer(calls=(one, one), finish_reason="tool_call")
    model = ScriptedModel([twice, GOOD])
    async with App(refund, models={"fast": model}) as app:
        run = app.start(refund, ASKED)
        await run.result()
        names = [span.name for span in app.spans(run)]

    assert "price_of" not in names
    assert "the same id" in model.requests[1].messages[-1].text


@pytest.mark.parametrize("unit", [once, thrifty])
async def test_no_tool_runs_when_no_answer_may_follow(unit: Agent[[Question], str]) -> None:
    """What it did would be done for nothing: the limits are looked at before it is called."""
    spent = Usage(input_tokens=10, output_tokens=10)
    model = ScriptedModel([calling(("price_of", '{"order_id": "1"}')), "done"], usage=spent)
    async with App(unit, models={"fast": model}) as app:
        run = app.start(unit, ASKED)
        with pytest.raises(Failure) as failed:
            await run.result()
        names = [span.name for span in app.spans(run)]

    assert failed.value.code == "model_limit"
    assert "price_of" not in names


async def test_an_unknown_tool_to_the_end_is_a_failure() -> None:
    """A model that keeps on calling what is not there is not obeyed."""
    model = ScriptedModel([calling(("delete_all", "{}")), calling(("delete_all", "{}"))])
    async with App(refund, models={"fast": model}):
        with pytest.raises(OutputError, match="no tool 'delete_all'"):
            await refund(ASKED)


async def test_a_failed_tool_is_the_agents_failure() -> None:
    """What goes wrong in a tool, and is not declared, is not for the model to explain away."""
    async with App(curious, models={"fast": ScriptedModel([calling(("broken", "")), "x"])}):
        with pytest.raises(FishplateError) as failed:
            await curious(ASKED)
    assert failed.value.code == "no"


async def test_limits_end_a_loop() -> None:
    """A model that never comes to an answer is stopped by the limits of its agent."""
    call = calling(("price_of", '{"order_id": "1"}'))
    model = ScriptedModel([call] * 9)
    async with App(refund, models={"fast": model}):
        with pytest.raises(FishplateError, match=r"Limits\(tool_calls=\)") as failed:
            await refund(ASKED)
    assert failed.value.error_class is ErrorClass.BUDGET_EXCEEDED
    assert len(model.requests) == 3


@pytest.mark.parametrize("usage", [Usage(input_tokens=60, output_tokens=40), Usage()])
async def test_tokens_are_limited_also_where_nobody_counts_them(usage: Usage) -> None:
    """Tokens that a provider does not count are estimated, never taken for none."""
    model = ScriptedModel([calling(("price_of", '{"order_id": "1"}')), "x"], usage=usage)
    async with App(long, models={"fast": model}):
        with pytest.raises(FishplateError, match="90 tokens"):
            await long(ASKED)
    assert len(model.requests) == 1


async def test_a_run_that_goes_on_asks_no_model_twice(tmp_path: Path) -> None:
    """A recorded answer is answered from the record: the tool that it asked for is called."""
    store = f"sqlite:///{tmp_path / 'runs.db'}"
    gate = Gate()
    first = ScriptedModel([calling(("slow", '{"order_id": "7"}'))])
    async with kept(store, gate, first) as app:
        app.start(helping, ASKED)
        await gate.began.wait()
    gate.may_answer.set()
    second = ScriptedModel(["done"])
    async with kept(store, gate, second) as app:
        (run,) = app.resumed

        assert await run.result() == "done"
    assert (len(first.requests), len(second.requests)) == (1, 1)
    assert second.requests[0].messages[-1].text == '"7"'
