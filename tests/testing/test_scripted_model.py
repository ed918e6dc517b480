"""`ScriptedModel`: it says what is written, and nothing else."""

from __future__ import annotations

import pytest

from fishplate.core.errors import ErrorClass, Failure, JsonValue, UsageError
from fishplate.models.model import Features, Message, ModelAnswer, ModelRequest, Usage
from fishplate.testing import ScriptedModel

TEXT = ModelRequest(messages=(Message(role="user", text="?"),))
SCHEMA: dict[str, JsonValue] = {
    "type": "object",
    "properties": {"result": {"enum": ["yes", "no"]}},
    "required": ["result"],
}
CHOICE = ModelRequest(messages=TEXT.messages, mode="native", schema=SCHEMA)


async def test_answers_come_in_order_and_end() -> None:
    """One answer for each request; when none is left nothing is made up."""
    model = ScriptedModel(["a", ModelAnswer(text="b")])

    assert (await model.request(TEXT)).text == "a"
    assert (await model.request(TEXT)).text == "b"
    with pytest.raises(UsageError, match="asked 3 times and has 2 answers") as ended:
        await model.request(TEXT)
    assert ended.value.code == "script_ended"
    assert model.requests == [TEXT, TEXT, TEXT]


async def test_an_output_goes_out_as_it_is_asked_for() -> None:
    """JSON stands in the object that the schema asks for, or in the arguments of a call."""
    model = ScriptedModel(["yes", "yes", "maybe"])
    by_tool = ModelRequest(messages=TEXT.messages, mode="tool", schema=SCHEMA)

    assert (await model.request(CHOICE)).text == '{"result":"yes"}'
    assert (await model.request(by_tool)).calls[0].arguments == '{"result":"yes"}'
    assert (await model.request(CHOICE)).text == "maybe"


async def test_failures_are_as_written() -> None:
    """A class alone is a failure of that class, and a failure is raised as it is."""
    own = Failure("busy", error_class=ErrorClass.RATE_LIMITED, retry_after=3)
    model = ScriptedModel([ErrorClass.OVERLOAD, own])

    with pytest.raises(Failure) as first:
        await model.request(TEXT)
    with pytest.raises(Failure) as second:
        await model.request(TEXT)
    assert first.value.error_class is ErrorClass.OVERLOAD
    assert second.value is own


async def test_usage_and_snapshot_are_unknown_unless_written() -> None:
    """What nobody wrote is `None`; what an answer says of itself wins."""
    own = ModelAnswer(usage=Usage(input_tokens=1), snapshot="own")
    model = ScriptedModel(["a", own], usage=Usage(input_tokens=9), pinned="p")
    first, second = await model.request(TEXT), await model.request(TEXT)

    assert (first.usage.input_tokens, first.snapshot) == (9, "p")
    assert (second.usage.input_tokens, second.snapshot) == (1, "own")
    assert (await ScriptedModel(["a"]).request(TEXT)).usage.total is None


def test_features_are_all_by_default() -> None:
    """A script can answer in every form."""
    assert ScriptedModel([]).features == Features(has_schemas=True, has_tools=True)
