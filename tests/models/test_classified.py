"""One agent that sorts texts, behind whose alias a language model or a classifier may stand."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from fishplate import (
    Agent,
    App,
    DeclarationError,
    Failure,
    OutputError,
    Prompt,
    model_agent,
    tool,
)
from fishplate.agents.limits import Limits
from fishplate.contracts.json import canonical_json
from fishplate.core.errors import JsonValue
from fishplate.models import TfidfClassifier
from fishplate.models.classified import Classified, ClassifierModel
from fishplate.models.model import Message, Model, ModelRequest
from fishplate.models.providers import ProviderModel
from fishplate.testing import ScriptedModel
from tests.models.conftest import FakeProviders
from tests.models.test_providers import closing
from tests.models.training import TRAINING

Kind: TypeAlias = Literal["greeting", "weather", "food"]
CLASSIFIER: Final = TfidfClassifier(TRAINING)
SAID: Final[JsonValue] = {
    "label": "weather",
    "confidence": 0.75,
    "alternatives": [{"label": "food", "confidence": 0.25}],
}
TEXT: Final = "will it snow"


class Nothing(BaseModel):
    """The text is of no kind."""

    why: str


@tool(effect="readonly")
async def forecast() -> str:
    """Tell the weather."""
    return "snow"


@model_agent("sorter")
def sort(text: str) -> Prompt[Classified[Kind]]:
    """Tell what a text is about."""
    return Prompt(system="Sort texts.", user=text, examples=(("hi", "greeting"),))


@model_agent("sorter", limits=Limits(requests=1, tokens=1, cost_nanos=1))
def strict(text: str) -> Prompt[Classified[Kind]]:
    """Ask once, for nothing."""
    return Prompt(user=text)


@model_agent("sorter")
def sort_if_any(text: str) -> Prompt[Classified[Kind] | Nothing]:
    """Tell what a text is about, if it is."""
    return Prompt(user=text)


@model_agent("sorter")
def two_kinds(text: str) -> Prompt[Classified[Literal["weather", "food"]]]:
    """Know two kinds only."""
    return Prompt(user=text)


@model_agent("sorter")
def words(text: str) -> Prompt[str]:
    """Answer in words."""
    return Prompt(user=text)


@model_agent("sorter", tools=[forecast])
def curious(text: str) -> Prompt[Classified[Kind]]:
    """Look things up."""
    return Prompt(user=text)


async def sorted_by(model: Model) -> Classified[Kind]:
    """What the agent gives with a model behind its alias."""
    async with App(sort, models={"sorter": model}):
        return await sort(TEXT)


async def test_the_same_agent_runs_on_a_classifier_and_on_a_language_model(
    providers: FakeProviders,
) -> None:
    """One line of configuration tells them apart, and each gives label, confidence and others."""
    providers.behave({"type": "reply", "text": canonical_json(SAID).decode()})
    provider = ProviderModel("openai:gpt-4o-mini", key="none", url=providers.url("openai"))
    async with closing(provider):
        by_provider = await sorted_by(provider)
    by_script = await sorted_by(ScriptedModel([SAID]))
    by_classifier = await sorted_by(ClassifierModel(CLASSIFIER))

    assert by_provider == by_script
    assert by_classifier.label == by_script.label == "weather"
    assert by_classifier.alternatives


def test_a_swap_changes_the_behaviour_of_a_release_and_nothing_else() -> None:
    """The contract is the agent's; the classifier's name holds the digest of its rows."""
    model = ClassifierModel(CLASSIFIER)
    before = App(sort, models={"sorter": ScriptedModel([])}).release(sort)
    after = App(sort, models={"sorter": model}).release(sort)

    assert before.contract == after.contract
    assert before.behaviour != after.behaviour
    assert CLASSIFIER.version in model.name


@given(text=st.text(max_size=40))
async def test_a_classifier_keeps_the_contract_whatever_it_reads(text: str) -> None:
    """Every label stands in it once, ranked, and the shares sum to one; nothing is repaired."""
    async with App(strict, models={"sorter": ClassifierModel(CLASSIFIER)}):
        found = await strict(text)

    ranked = [found.confidence, *(one.confidence for one in found.alternatives)]
    assert ranked == sorted(ranked, reverse=True)
    assert sum(ranked) == pytest.approx(1)
    labels = [found.label, *(one.label for one in found.alternatives)]
    assert sorted(labels) == sorted(TRAINING.labels)


SENSELESS: Final[dict[str, tuple[float, list[tuple[Kind, float]], str]]] = {
    "a likelier alternative": (0.4, [("food", 0.6)], "larger share than 'weather'"),
    "alternatives out of order": (
        0.5,
        [("food", 0.1), ("greeting", 0.3)],
        "the likeliest is first",
    ),
    "its label again": (0.5, [("weather", 0.2)], "'weather' stands in it twice"),
    "an alternative again": (0.5, [("food", 0.2), ("food", 0.2)], "'food' stands in it twice"),
    "more than the whole": (0.6, [("food", 0.5)], "sum to 1.1"),
}


def classification(confidence: float, others: list[tuple[Kind, float]]) -> JsonValue:
    """Weather, and what else it may be, as a model writes it."""
    alternatives: list[JsonValue] = [
        {"label": label, "confidence": share} for label, share in others
    ]
    return {"label": "weather", "confidence": confidence, "alternatives": alternatives}


@pytest.mark.parametrize(("confidence", "others", "said"), SENSELESS.values(), ids=SENSELESS)
async def test_a_senseless_classification_is_a_broken_answer(
    confidence: float, others: list[tuple[Kind, float]], said: str
) -> None:
    """A model is told what makes no sense, and where; nobody picks the label that it may mean."""
    model = ScriptedModel([classification(confidence, others), SAID])
    async with App(sort, models={"sorter": model}):
        assert (await sort(TEXT)).confidence == 0.75

    assert len(model.requests) == 2
    assert "at /alternatives: " in model.requests[1].messages[-1].text
    assert said in model.requests[1].messages[-1].text


async def test_a_classification_that_stays_senseless_is_a_failure() -> None:
    """It is never handed on, not even as the best there is."""
    broken = classification(0.4, [("food", 0.9)])
    async with App(sort, models={"sorter": ScriptedModel([broken, broken])}):
        with pytest.raises(OutputError) as failed:
            await sort(TEXT)

    assert failed.value.pointer == "/alternatives"


async def test_shares_of_two_digits_may_be_a_little_off() -> None:
    """Rounding is no mistake: three thirds of 0.34 pass, and so do equal shares."""
    said = classification(0.34, [("food", 0.34), ("greeting", 0.33)])
    found = await sorted_by(ScriptedModel([said]))

    assert found.confidence == 0.34


async def test_a_classification_may_be_one_of_several_outputs() -> None:
    """What is asked for as a member of an object is given as one."""
    async with App(sort_if_any, models={"sorter": ClassifierModel(CLASSIFIER)}):
        found = await sort_if_any(TEXT)

    assert isinstance(found, Classified)
    assert found.label == "weather"


@pytest.mark.parametrize("unit", [two_kinds, words, curious], ids=lambda unit: unit.name)
def test_an_agent_that_needs_more_than_a_classification_is_refused(
    unit: Agent[[str], object],
) -> None:
    """Before anything runs: other labels, other outputs, tools."""
    with pytest.raises(DeclarationError) as refused:
        App(unit, models={"sorter": ClassifierModel(CLASSIFIER)})

    assert refused.value.code == "missing_feature"


def test_a_label_that_the_agent_does_not_know_is_the_counterexample() -> None:
    """It is what the classifier might have said."""
    with pytest.raises(DeclarationError) as refused:
        App(two_kinds, models={"sorter": ClassifierModel(CLASSIFIER)})
    (problem,) = refused.value.problems

    assert isinstance(problem.counterexample, dict)
    assert problem.counterexample["label"] == "greeting"


async def test_a_classifier_takes_no_tokens_and_costs_nothing() -> None:
    """So that limits of tokens and cost never end what it answers."""
    request = ModelRequest(messages=(Message(role="user", text=TEXT),))
    answer = await ClassifierModel(CLASSIFIER).request(request)

    assert (answer.usage.total, answer.cost.nanos) == (0, 0)


async def test_nothing_said_is_nothing_to_classify() -> None:
    """A system's message is no text to sort."""
    request = ModelRequest(messages=(Message(role="system", text=TEXT),))
    with pytest.raises(Failure) as failed:
        await ClassifierModel(CLASSIFIER).request(request)

    assert failed.value.code == "nothing_to_classify"
