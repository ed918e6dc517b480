"""The workflow with a language model at both ends: it helps, and nothing rests on it."""

from pathlib import Path

import pytest

from examples.order_support.model_agents import (
    ALIAS,
    Draft,
    ReadIntent,
    read_intent,
    rewrite,
    support_by_model,
)
from examples.order_support.models import Query
from examples.order_support.workflow import support
from fishplate import App, DeclarationError, ErrorClass
from fishplate.testing import ScriptedModel
from fishplate.testing.scripted_model import Scripted
from tests.examples.stage import (
    LIAM,
    LIAMS_PROCESSED,
    Stage,
    all_parcels,
    make_stage,
    trained_classifier,
)

STATUS: Scripted = {"label": "order_status", "is_certain": True}
QUESTION = f"What is the status of my order {LIAMS_PROCESSED}?"


def staged(database: Path, *answers: Scripted) -> tuple[Stage, ScriptedModel]:
    """The example with a model that answers so."""
    model = ScriptedModel(answers)
    return make_stage(database, models={ALIAS: model}), model


@pytest.fixture(autouse=True)
def _read() -> None:
    """Read the data before a loop runs; it is kept for all tests of a process."""
    all_parcels()
    trained_classifier()


def test_prompts_hold_the_message_and_the_draft() -> None:
    """What the model is asked is tested without one."""
    assert read_intent.prompt(Query(text="hello")).user == "hello"
    assert "160 characters" in rewrite.prompt(Draft(text="x", longest=160)).system


async def test_a_model_reads_and_words(filled_database: Path) -> None:
    """Both ends are the model's, and the run is as good as any."""
    words = f"Good news: order {LIAMS_PROCESSED} is being sent."
    stage, model = staged(filled_database, STATUS, words)
    async with stage.app:
        asked = await stage.ask(support_by_model, QUESTION)

    assert asked.reply.text == words
    assert asked.state == "succeeded"
    assert len(model.requests) == 2


async def test_words_beyond_the_facts_are_not_sent(filled_database: Path) -> None:
    """The customer gets the template, and the run says which step is degraded and why."""
    stage, _ = staged(filled_database, STATUS, f"Order {LIAMS_PROCESSED} was delivered today.")
    plain = make_stage(filled_database)
    async with stage.app:
        asked = await stage.ask(support_by_model, QUESTION)
    async with plain.app:
        expected = await plain.ask(support, QUESTION)

    assert asked.reply == expected.reply
    assert asked.state == "degraded"
    assert [(one.reason, one.source) for one in asked.degraded] == [
        ("not_grounded", "response_composer")
    ]


async def test_a_model_that_stops_in_a_batch_costs_no_answer(filled_database: Path) -> None:
    """From the moment on at which it is gone, runs are degraded, name the steps, and answer."""
    words = f"Order {LIAMS_PROCESSED} is being sent."
    gone = [ErrorClass.QUOTA_EXHAUSTED] * 20
    stage, _ = staged(filled_database, STATUS, words, STATUS, *gone)
    async with stage.app:
        batch = [await stage.ask(support_by_model, QUESTION) for _ in range(4)]

    assert [one.state for one in batch] == ["succeeded", "degraded", "degraded", "degraded"]
    assert all(LIAMS_PROCESSED in one.reply.text for one in batch)
    assert {reason.source for reason in batch[1].degraded} == {"response_composer"}
    assert {reason.source for reason in batch[3].degraded} == {"intent", "response_composer"}


async def test_an_uncertain_model_leads_to_a_question(filled_database: Path) -> None:
    """What the model is not sure of is asked, as with the classifier."""
    unsure: Scripted = {"label": "other", "is_certain": False}
    stage, _ = staged(filled_database, unsure, "nonsense 99")
    async with stage.app:
        asked = await stage.ask(support_by_model, QUESTION, LIAM)

    assert "question" in asked.agents


def test_without_an_alias_there_is_no_such_workflow() -> None:
    """The example runs without any model, and an app that lacks one says so."""
    with pytest.raises(DeclarationError, match="no model 'fast'"):
        App(support_by_model)
    assert ReadIntent(label="other", is_certain=False).label == "other"
