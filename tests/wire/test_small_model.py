"""The adapter on a real wire: llama.cpp's server and a small model, of which no quality is asked.

They run by `python3 dev.py wire`, which installs both in an environment of their own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from examples.order_support.model_agents import ALIAS, ReadIntent, read_intent, support_by_model
from examples.order_support.models import Query
from fishplate import App, ErrorClass, Failure, FishplateError, Prompt, model_agent
from fishplate.models.model import (
    Features,
    Message,
    ModelRequest,
    ModelSettings,
    ToolCall,
    ToolSpec,
)
from fishplate.models.providers import ProviderModel, StreamTimers
from tests.examples.stage import (
    LIAMS_PROCESSED,
    all_parcels,
    make_stage,
    trained_classifier,
)
from tests.models.test_providers import closing
from tests.wire.server import MODEL, PYTHON, REMEDY, SmallModel, serving

pytestmark = [
    pytest.mark.wire,
    pytest.mark.timeout(300),  # on a busy machine
    pytest.mark.skipif(not PYTHON.exists(), reason=REMEDY),
]

GREEDY: Final = ModelSettings(max_tokens=40, temperature=0.0, seed=1)
LONG: Final = ModelSettings(max_tokens=400, temperature=0.8, seed=1)
TALE: Final = (Message(role="user", text="Tell a very long tale of a train. Do not end soon."),)
PRICE: Final = ToolSpec(
    name="price_of",
    description="The price of an order.",
    schema={"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]},
)


@model_agent("fast", settings=ModelSettings(max_tokens=3, temperature=0.0, seed=1))
def tale() -> Prompt[str]:
    """Tell a tale that is longer than there is room for."""
    return Prompt(user="Tell a very long tale of a train. Do not end soon.")


@pytest.fixture(scope="module")
def server() -> Iterator[SmallModel]:
    """One server for all tests that do not end it."""
    with serving() as found:
        yield found


def asking(text: str, settings: ModelSettings = GREEDY) -> ModelRequest:
    """A short conversation."""
    return ModelRequest(
        messages=(Message(role="system", text="Be brief."), Message(role="user", text=text)),
        settings=settings,
    )


async def failure_of(model: ProviderModel, request: ModelRequest) -> Failure:
    """How a request fails."""
    async with closing(model):
        with pytest.raises(Failure) as failed:
            await model.request(request)
    return failed.value


async def test_words_come_with_their_count(server: SmallModel) -> None:
    """Text, tokens both ways, the model's name and the reason to stop are the server's."""
    async with closing(server.asked()) as model:
        answer = await model.request(asking('What is "2 + 2"? \N{WINKING FACE}'))

    assert answer.text
    assert answer.finish_reason in {"stop", "length"}
    assert answer.snapshot == MODEL.partition(":")[2]
    assert answer.usage.input_tokens is not None
    assert answer.usage.input_tokens > 10
    assert answer.usage.output_tokens is not None
    assert 0 < answer.usage.output_tokens <= 40


async def test_an_answer_ends_at_its_most_tokens(server: SmallModel) -> None:
    """A long tale is cut off at exactly as many tokens as were asked for, and says so."""
    short = ModelSettings(max_tokens=7, temperature=0.8, seed=1)
    async with closing(server.asked()) as model:
        answer = await model.request(ModelRequest(messages=TALE, settings=short))

    assert answer.finish_reason == "length"
    assert answer.usage.output_tokens == 7


async def test_what_is_cut_off_is_no_answer(server: SmallModel) -> None:
    """An agent asks once more for a longer answer, and then says that it was cut off."""
    async with closing(server.asked()) as model, App(tale, models={"fast": model}) as app:
        run = app.start(tale)
        with pytest.raises(FishplateError) as failed:
            await run.result()
        requests = [span for span in app.spans(run) if span.kind == "model"]

    assert failed.value.code == "answer_cut_off"
    assert len(requests) == 2


async def test_seed_and_temperature_reach_the_model(server: SmallModel) -> None:
    """The same seed gives the same answer again, and another one another."""
    first, second = (ModelSettings(max_tokens=20, temperature=1.5, seed=seed) for seed in (1, 2))
    async with closing(server.asked()) as model:
        texts = [
            (await model.request(ModelRequest(messages=TALE, settings=settings))).text
            for settings in (first, first, second)
        ]

    assert texts[0] == texts[1] != texts[2]


async def test_a_contract_goes_out_as_a_schema(server: SmallModel) -> None:
    """A server that takes a schema answers by it at the first request."""
    async with closing(server.asked()) as model, App(read_intent, models={ALIAS: model}) as app:
        run = app.start(read_intent, Query(text="Where is my order #W6231698?"))
        answer = await run.result()
        requests = [span for span in app.spans(run) if span.kind == "model"]

    assert isinstance(answer, ReadIntent)
    assert len(requests) == 1


async def test_a_contract_in_words_is_kept_or_told(server: SmallModel) -> None:
    """Where the schema is only written in the prompt, what does not fit it is never handed on."""
    unable = server.asked(features=Features())
    async with closing(unable) as model, App(read_intent, models={ALIAS: model}) as app:
        run = app.start(read_intent, Query(text="Where is my order #W6231698?"))
        state = await run.ended_or_waiting()
        requests = [span for span in app.spans(run) if span.kind == "model"]
        if state == "succeeded":
            assert isinstance(await run.result(), ReadIntent)
        else:
            with pytest.raises(FishplateError):
                await run.result()

    assert 1 <= len(requests) <= 3


async def test_a_tool_is_asked_for(server: SmallModel) -> None:
    """A call goes out with its result, and the next call comes back whole."""
    call = ToolCall(id="call-1", name="price_of", arguments='{"id": "W1"}')
    request = ModelRequest(
        messages=(
            Message(role="system", text="Be brief."),
            Message(role="user", text="What does order W1 cost?"),
            Message(role="assistant", calls=(call,)),
            Message(role="tool", text="1250", answers="call-1"),
            Message(role="assistant", text="Order W1 costs 1250."),
            Message(role="user", text="What does order W7 cost?"),
        ),
        tools=(PRICE,),
        settings=ModelSettings(max_tokens=80, temperature=0.0, seed=1),
    )
    async with closing(server.asked()) as model:
        answer = await model.request(request)

    (asked,) = answer.calls
    assert (asked.name, asked.arguments.replace(" ", "")) == ("price_of", '{"id":"W7"}')
    assert asked.id
    assert answer.finish_reason == "tool_call"


async def test_questions_at_once_are_all_answered(server: SmallModel) -> None:
    """Requests that the server makes wait for each other do not get mixed up."""
    settings = ModelSettings(max_tokens=15, temperature=0.0, seed=1)
    questions = ("Name a colour.", "Count to three.", "Say hello.")
    async with closing(server.asked()) as model:
        alone = [(await model.request(asking(one, settings))).text for one in questions]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(model.request(asking(one, settings))) for one in questions]

    assert [task.result().text for task in tasks] == alone


@pytest.mark.parametrize(
    ("timers", "code"),
    [
        (StreamTimers(first_event=0.02), "model_stalled"),
        (StreamTimers(progress=0.000_001, first_event=50.0, idle=50.0), "model_stalled"),
        (StreamTimers(idle=0.02), "model_timeout"),
    ],
)
async def test_a_slow_model_is_given_up(
    server: SmallModel, timers: StreamTimers, code: str
) -> None:
    """Each timer ends a request, which is transient, and the server serves the next one."""
    story = "A train goes from town to town. " * 12
    failure = await failure_of(server.asked(timers=timers), asking(story, LONG))
    async with closing(server.asked()) as patient:
        answer = await patient.request(asking("Say hello."))

    assert (failure.error_class, failure.code) == (ErrorClass.TRANSIENT, code)
    assert answer.text


async def test_who_gives_up_leaves_the_server_to_others(server: SmallModel) -> None:
    """A request that nobody waits for any more is ended, so that the next is answered."""
    async with closing(server.asked()) as model:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await model.request(ModelRequest(messages=TALE, settings=LONG))
        answer = await model.request(asking("Say hello."))

    assert answer.text


async def test_a_strange_key_is_refused(server: SmallModel) -> None:
    """The server's no to a key is permanent, and does not show it."""
    failure = await failure_of(server.asked(key="sk-this-is-a-secret"), asking("Hello."))

    assert (failure.error_class, failure.code) == (ErrorClass.PERMANENT, "model_authentication")
    assert "secret" not in repr(failure.to_json())


async def test_what_is_too_long_is_told_from_other_refusals(server: SmallModel) -> None:
    """A conversation longer than the model's memory has a code of its own."""
    failure = await failure_of(server.asked(), asking("word " * 5000))

    assert (failure.error_class, failure.code) == (ErrorClass.PERMANENT, "model_context_window")
    assert "exceed_context_size_error" in str(failure)


async def test_a_server_that_dies_in_an_answer_is_transient() -> None:
    """Half an answer is none, and the server that is gone is told from one that says no."""
    with serving() as server:
        async with closing(server.asked()) as model, asyncio.TaskGroup() as group:
            asked = group.create_task(_caught(model, ModelRequest(messages=TALE, settings=LONG)))
            while await asyncio.to_thread(server.tokens_written) < 5:
                assert not asked.done(), asked.result()
            await asyncio.to_thread(server.kill)
            broken = await asked
            gone = await _caught(model, asking("Say hello."))

    assert (broken.error_class, gone.error_class) == (ErrorClass.TRANSIENT,) * 2
    assert broken.code in {"model_connection", "model_stream_truncated"}
    assert gone.code == "model_connection"


async def _caught(model: ProviderModel, request: ModelRequest) -> Failure:
    with pytest.raises(Failure) as failed:
        await model.request(request)
    return failed.value


async def test_order_support_answers_whatever_the_model_does(tmp_path: Path) -> None:
    """With the model and after its end every run has an answer about the order that is grounded."""
    await asyncio.to_thread(all_parcels)
    await asyncio.to_thread(trained_classifier)
    question = f"What is the status of my order {LIAMS_PROCESSED}?"
    with serving() as server:
        async with closing(server.asked()) as model:
            stage = make_stage(tmp_path / "shop.db", models={ALIAS: model})
            async with stage.app:
                with_model = await stage.ask(support_by_model, question)
                await asyncio.to_thread(server.kill)
                without = [await stage.ask(support_by_model, question) for _ in range(2)]

    assert with_model.state in {"succeeded", "degraded"}
    assert with_model.reply.text
    assert [one.state for one in without] == ["degraded"] * 2
    assert all(LIAMS_PROCESSED in one.reply.text for one in without)
    for one in without:
        assert {reason.source for reason in one.degraded} == {"intent", "response_composer"}
