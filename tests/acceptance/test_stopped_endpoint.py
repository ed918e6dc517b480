"""The endpoint of the model is killed while customers are being answered: all are answered."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from examples.order_support.model_agents import ALIAS, support_by_model
from examples.order_support.workflow import support
from fishplate.models.model import ModelAnswer, ModelRequest
from fishplate.models.providers import ProviderModel
from tests.examples.stage import (
    LIAMS_PENDING,
    LIAMS_PROCESSED,
    Asked,
    all_parcels,
    make_stage,
    trained_classifier,
)
from tests.models.fake_providers import FakeProviders, fake_providers

QUESTIONS = [
    f"What is the status of my order {order_id}?"
    for order_id in (LIAMS_PROCESSED, LIAMS_PENDING) * 4
]
SENT = f"Order {LIAMS_PROCESSED} is being sent."
AT_ONCE = 2  # customers who are served at a time
LAST_ANSWER = 7  # of the endpoint, before it is killed
BY_MODEL = {"intent_by_model", "read_intent", "read_intent-model"} | {
    "reply_by_model",
    "rewrite",
    "rewrite-model",
}


class Doomed(ProviderModel):
    """A model of a provider whose process dies when it has given so many answers."""

    def __init__(self, server: FakeProviders) -> None:
        super().__init__("openai:helper", key="none", url=server.url("openai"))
        self._server = server
        self.answers = 0

    async def request(self, request: ModelRequest) -> ModelAnswer:
        """Ask the provider, and kill it after its last answer."""
        answer = await super().request(request)
        self.answers += 1
        if self.answers == LAST_ANSWER:
            await asyncio.to_thread(self._server.kill)
        return answer


@pytest.fixture(autouse=True)
def _read() -> None:
    """Read the data before a loop runs; it is kept for all tests of a process."""
    all_parcels()
    trained_classifier()


async def batch(database: Path, server: FakeProviders) -> list[tuple[int, Asked]]:
    """Ask all questions, a few at a time; how many answers there were when each was begun.

    The first one is asked alone: its answers are said beforehand. The others are mock texts, which
    hold no fact, so that the template is sent.
    """
    server.behave(
        {"type": "reply", "text": '{"label":"order_status","is_certain":true}', "times": 1},
        {"type": "reply", "text": SENT, "times": 1},
    )
    model = Doomed(server)
    stage = make_stage(database, models={ALIAS: model})
    found: dict[int, tuple[int, Asked]] = {}
    left = iter(enumerate(QUESTIONS))

    async def serve() -> None:
        for number, question in left:
            before = model.answers
            found[number] = (before, await stage.ask(support_by_model, question))

    try:
        async with stage.app:
            number, question = next(left)
            found[number] = (0, await stage.ask(support_by_model, question))
            async with asyncio.TaskGroup() as tasks:
                for _ in range(AT_ONCE):
                    tasks.create_task(serve())
    finally:
        await model.close()
    assert model.answers >= LAST_ANSWER
    return [found[number] for number in range(len(QUESTIONS))]


async def expected(database: Path) -> list[Asked]:
    """What the same customers are told where there is no model at all."""
    stage = make_stage(database)
    async with stage.app:
        found = {one: await stage.ask(support, one) for one in set(QUESTIONS)}
    return [found[one] for one in QUESTIONS]


async def test_an_endpoint_that_dies_in_a_batch_costs_no_answer(tmp_path: Path) -> None:
    """Runs before it succeed; those after it are degraded, name the steps, and answer as ever."""
    with fake_providers("--response-style", "hello") as server:
        served = await batch(tmp_path / "shop.db", server)
    plain = await expected(tmp_path / "shop.db")

    first, *_ = served
    assert first[1].state == "succeeded"
    assert first[1].reply.text == SENT
    after = [
        (asked, without)
        for (answers, asked), without in zip(served, plain, strict=True)
        if answers >= LAST_ANSWER
    ]
    assert len(after) >= 3
    for asked, without in after:
        assert asked.state == "degraded"
        assert [(one.step, one.source) for one in asked.degraded] == [
            ("intent_by_model", "intent"),
            ("reply_by_model", "response_composer"),
        ]
        assert asked.reply == without.reply
    for _, asked in served:
        assert asked.reply.text
        steps = [span for span in asked.spans if span.kind != "decision"]
        failed = {span.name for span in steps if span.status in {"error", "cancelled"}}
        assert failed <= BY_MODEL
        assert (asked.state == "degraded") == bool(failed)


async def test_what_the_model_has_no_part_in_runs_as_ever(tmp_path: Path) -> None:
    """Between the two ends a run without an endpoint has the spans of a run without a model."""
    with fake_providers() as server:
        server.kill()
        model = ProviderModel("openai:helper", key="none", url=server.url("openai"))
        stage = make_stage(tmp_path / "shop.db", models={ALIAS: model})
        async with stage.app:
            asked = await stage.ask(support_by_model, QUESTIONS[0])
        await model.close()
    without = (await expected(tmp_path / "shop.db"))[0]

    def middle(found: Asked) -> list[str]:
        steps = [span for span in found.spans if span.kind != "decision"]
        assert not {span.status for span in steps if span.name not in BY_MODEL} - {
            "ok",
            "degraded",  # as what they were given
        }
        ends = BY_MODEL | {"intent", "response_composer", "support", "support_by_model"}
        kinds = {"agent", "tool", "workflow"}
        return [span.name for span in steps if span.kind in kinds and span.name not in ends]

    assert middle(asked) == middle(without) != []
    assert asked.reply == without.reply
