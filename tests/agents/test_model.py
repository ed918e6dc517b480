"""`@model_agent`: what is refused when it is declared or started, and what its parts are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from typing_extensions import override

from fishplate import (
    App,
    Breaker,
    DeclarationError,
    Policy,
    Prompt,
    Retry,
    model_agent,
    tool,
    workflow,
)
from fishplate.agents.policies import policy_of, target_of
from fishplate.core.errors import JsonValue
from fishplate.models.model import Features, Message, ModelAnswer, ModelRequest, OutputMode
from fishplate.testing import ScriptedModel
from tests.agents.asked import Question, Refund, Status, intent, refund, say


@workflow
async def asking(question: Question) -> Status | Refund:
    """Ask once."""
    return await intent(question)


@model_agent("small")
def guess(question: Question) -> Prompt[Status | Refund]:
    """Guess."""
    return Prompt(user=question.text)


@workflow
async def safe(question: Question) -> Status | Refund:
    """Ask, or guess."""
    return await intent.or_else(guess)(question)


def test_a_prompt_is_tested_without_a_model() -> None:
    """A prompt function is pure: it gives the messages of a question, and nobody is asked."""
    assert say.prompt(Question(text="2 + 2")).messages() == (
        Message(role="user", text="1 + 1"),
        Message(role="assistant", text="2"),
        Message(role="user", text="2 + 2"),
    )


async def test_a_model_agent_answers_with_the_type_of_its_prompt() -> None:
    """The output is an object of the contract, made of what the model said."""
    model = ScriptedModel([{"kind": "refund", "amount": 5}])
    async with App(asking, models={"fast": model}):
        assert await asking(Question(text="money back")) == Refund(amount=5)

    assert model.requests[0].messages[-1].text == "money back"


@pytest.mark.parametrize(
    ("features", "mode"),
    [
        (Features(has_schemas=True, has_tools=True), "native"),
        (Features(has_tools=True), "tool"),
        (Features(), "prompted"),
    ],
)
async def test_the_contract_goes_out_as_the_model_takes_it(
    features: Features, mode: OutputMode
) -> None:
    """Natively if it can, else as the arguments of a tool, else in words."""
    model = ScriptedModel([{"kind": "refund", "amount": 5}], features=features)
    async with App(intent, models={"fast": model}):
        assert await intent(Question(text="")) == Refund(amount=5)

    (request,) = model.requests
    assert request.mode == mode
    assert [tool.name for tool in request.tools] == (["give_answer"] if mode == "tool" else [])
    assert ("JSON Schema" in request.messages[0].text) == (mode == "prompted")


def test_an_unknown_alias_is_refused_at_the_start() -> None:
    """An app without the model that an agent asks is not made; the error says what to write."""
    with pytest.raises(DeclarationError, match=r"App\(models=\{'fast': model\}\)") as refused:
        App(asking, models={"slow": ScriptedModel([])})

    assert refused.value.code == "unknown_model"
    assert "it has: slow" in refused.value.message


def test_a_model_without_tools_is_refused_for_an_agent_that_has_some() -> None:
    """A model that lacks a needed feature is named with the agent, before anything runs."""
    with pytest.raises(DeclarationError, match="takes none") as refused:
        App(refund, models={"fast": ScriptedModel([], features=Features(has_schemas=True))})

    assert refused.value.code == "missing_feature"


async def test_a_call_outside_of_every_app_says_that_there_is_no_model() -> None:
    """Who asks without an app is told to configure one."""
    with pytest.raises(DeclarationError, match="configure it"):
        await intent(Question(text=""))


def returns_text(question: Question) -> str:
    """No prompt."""
    return question.text


async def waits(question: Question) -> Prompt[str]:
    """No plain function."""
    return Prompt(user=question.text)


def anything(question: Question) -> Prompt[Any]:
    """No contract."""
    return Prompt(user=question.text)


def calls(question: Question) -> Prompt[str]:
    """Not pure."""
    say(question)
    return Prompt(user=question.text)


@pytest.mark.parametrize(
    ("function", "code"),
    [
        (returns_text, "no_contract"),
        (waits, "bad_prompt"),
        (anything, "inexpressible_output"),
        (calls, "not_granted"),
    ],
)
def test_what_is_no_prompt_function_is_refused(function: Callable[..., Any], code: str) -> None:
    """A prompt function is plain, returns a `Prompt` of an expressible type, and calls nobody."""
    with pytest.raises(DeclarationError) as refused:
        model_agent("fast")(function)

    assert code in {problem.code for problem in refused.value.problems}


def test_impossible_words_are_refused() -> None:
    """An alias is a name, and repairs are few."""
    bare: Any = model_agent
    with pytest.raises(DeclarationError, match=r"@model_agent\('fast'\)"):
        bare(returns_text)
    with pytest.raises(DeclarationError, match="0 to 2"):
        model_agent("fast", repairs=3)


def test_a_tool_may_not_be_called_as_answers_are() -> None:
    """The name of the tool by which models answer is taken."""

    @tool(effect="readonly", inline=True)
    def give_answer() -> int:
        """Confuse."""
        return 1

    with pytest.raises(DeclarationError, match="another name"):
        model_agent("fast", tools=[give_answer], name="x")(lambda_free)


def lambda_free(question: Question) -> Prompt[str]:
    """A prompt."""
    return Prompt(user=question.text)


def test_the_policy_of_attempts_protects_each_request() -> None:
    """Retries and breakers are about requests to the model, the timeout about the answer."""
    unit = intent.using(Policy(timeout=20, retry=Retry(attempts=2), breaker=Breaker()))
    (request,) = unit.granted

    assert policy_of(unit).retry is None
    assert policy_of(unit).timeout == 20
    assert policy_of(request).retry == Retry(attempts=2)
    assert target_of(request) == "model/fast"


def test_a_model_has_the_defaults_of_what_leaves_the_process() -> None:
    """Without a declared policy a request is retried, watched and bounded."""
    (request,) = intent.granted
    found = policy_of(request)

    assert found.retry is not None
    assert found.breaker is not None
    assert found.bulkhead is not None
    assert found.timeout == 120


def test_swapping_the_model_changes_only_the_behaviour_of_who_asks_it() -> None:
    """One configuration line moves the behaviour part of the fingerprints that hold the agent."""
    old = App(asking, say, models={"fast": ScriptedModel([], name="a")})
    new = App(asking, say, models={"fast": ScriptedModel([], name="b")})
    before, after = old.release(intent), new.release(intent)

    assert before.contract == after.contract
    assert before.policy == after.policy
    assert before.behaviour != after.behaviour
    assert old.release(asking).behaviour != new.release(asking).behaviour


def test_a_prompt_is_part_of_the_behaviour() -> None:
    """Two prompts that differ by a word are two behaviours under one contract."""

    @model_agent("fast", name="one")
    def first(question: Question) -> Prompt[str]:
        return Prompt(user=f"Please: {question.text}")

    @model_agent("fast", name="one")
    def second(question: Question) -> Prompt[str]:
        return Prompt(user=f"Now: {question.text}")

    assert first.release.contract == second.release.contract
    assert first.release.behaviour != second.release.behaviour


async def test_another_snapshot_than_the_pinned_one_marks_the_run() -> None:
    """A provider that moves a model under its name makes the answer degraded, once."""
    pinned = ScriptedModel(
        ["not JSON", {"kind": "refund", "amount": 5}], pinned="m-1", snapshot="m-2"
    )
    async with App(asking, models={"fast": pinned}) as app:
        run = app.start(asking, Question(text=""))
        await run.result()

    assert run.state == "degraded"
    assert [(found.reason, found.source) for found in run.degraded] == [("other_snapshot", "m-2")]


class Nameless(ScriptedModel):
    """A model whose provider does not say which one has answered."""

    @override
    async def request(self, request: ModelRequest) -> ModelAnswer:
        """Give the next answer, of nobody."""
        return (await super().request(request)).model_copy(update={"snapshot": None})


async def test_a_pinned_snapshot_that_nobody_names_is_not_confirmed() -> None:
    """That the pinned model was asked for says nothing about which one answered."""
    pinned = Nameless(["not JSON", {"kind": "refund", "amount": 5}], pinned="m-1")
    async with App(asking, models={"fast": pinned}) as app:
        run = app.start(asking, Question(text=""))
        await run.result()

    assert run.state == "degraded"
    assert [(found.reason, found.source) for found in run.degraded] == [
        ("unconfirmed_snapshot", "unknown")
    ]


async def test_an_answer_of_nobody_is_as_good_as_any_where_none_is_pinned() -> None:
    """Who asks for no snapshot misses none."""
    async with App(asking, models={"fast": Nameless([{"kind": "refund", "amount": 5}])}) as app:
        run = app.start(asking, Question(text=""))
        await run.result()

    assert run.state == "succeeded"


async def test_a_fallback_answers_when_the_model_does_not_keep_the_contract() -> None:
    """An answer that stays broken is a failure that another agent may answer for."""
    small: JsonValue = {"kind": "refund", "amount": 1}
    models = {"fast": ScriptedModel(["no", "no"]), "small": ScriptedModel([small])}
    async with App(safe, models=models) as app:
        run = app.start(safe, Question(text="?"))

        assert await run.result() == Refund(amount=1)
        assert run.state == "degraded"
