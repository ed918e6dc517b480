"""`Cassette`: what a real model said is said again without it, and nothing else is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fishplate import App, ErrorClass, FishplateError, TextPiece, UsageError
from fishplate.core.errors import JsonValue
from fishplate.models.model import (
    Features,
    Message,
    ModelAnswer,
    ModelRequest,
    ModelSettings,
    ToolCall,
    ToolSpec,
    Usage,
)
from fishplate.testing import Cassette, ScriptedModel, ScriptedText, run_in_virtual_time
from fishplate.testing.scripted_model import Scripted
from tests.agents.asked import Question, Refund, calling, refund, say

KEY: Final = "sk-live-0f1e2d3c4b5a69788796a5b4c3d2e1f0"
OWN: Final = "correct-horse-battery"
GOOD: Final[JsonValue] = {"kind": "refund", "amount": 5}
QUESTION: Final = ModelRequest(
    messages=(Message(role="system", text="Be short."), Message(role="user", text="Where is W1?")),
    schema={"type": "object"},
    mode="native",
    tools=(ToolSpec(name="look", description="Look.", schema={"type": "object"}),),
)
OTHER_TEXT = (QUESTION.messages[0], Message(role="user", text="Where is W2?"))


def ask(model: ScriptedModel | Cassette, *requests: ModelRequest) -> list[ModelAnswer]:
    """What a model answers to some requests."""

    async def all_of_them() -> list[ModelAnswer]:
        return [await model.request(one) for one in requests]

    return run_in_virtual_time(all_of_them())


def recorded(path: Path, *answers: Scripted, asked: ModelRequest = QUESTION) -> ScriptedModel:
    """Record one question that is asked as often as there are answers."""
    model = ScriptedModel(answers)
    ask(Cassette(path, model=model), *[asked] * len(answers))
    return model


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a cassette is kept; the folder is made with it."""
    return tmp_path / "cassettes" / "answers.jsonl"


ANSWERS = st.builds(
    ModelAnswer,
    text=st.text(max_size=20),
    calls=st.lists(
        st.builds(ToolCall, id=st.text(max_size=3), name=st.text(max_size=3), arguments=st.text()),
        max_size=2,
    ).map(tuple),
    finish_reason=st.sampled_from(["stop", "length", "tool_call"]),
    usage=st.builds(Usage, input_tokens=st.none() | st.integers(0, 9)),
    reasoning=st.lists(st.text(max_size=9), max_size=2).map(tuple),
)


@given(answers=st.lists(ANSWERS, min_size=1, max_size=4))
def test_a_replay_gives_what_was_recorded(
    answers: list[ModelAnswer], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The same answers in the same order, whole, and the model's own name and features."""
    path = tmp_path_factory.mktemp("cassette") / "answers.jsonl"
    features = Features(has_tools=True, has_both_at_once=False, gives={"enum": [1, None]})
    model = ScriptedModel(answers, name="openai:m", pinned="m-1", features=features)
    told = ask(Cassette(path, model=model), *[QUESTION] * len(answers))
    replay = Cassette(path)

    assert ask(replay, *[QUESTION] * len(answers)) == told
    assert (replay.name, replay.pinned, replay.features) == ("openai:m", "m-1", features)


def test_an_agent_runs_on_a_cassette_as_on_its_model(path: Path) -> None:
    """Repairs and tool calls included: each request finds its own answer, and no model is asked."""
    said: list[Scripted] = [calling(("price_of", '{"order_id": "1"}')), {"amount": 0}, GOOD]

    async def run(model: ScriptedModel | Cassette) -> tuple[Refund, str]:
        async with App(refund, models={"fast": model}) as app:
            return await refund(Question(text="?")), app.release(refund).label

    first = run_in_virtual_time(run(Cassette(path, model=ScriptedModel(said))))

    assert run_in_virtual_time(run(Cassette(path))) == first
    assert run_in_virtual_time(run(ScriptedModel(said))) == first


def test_a_text_comes_in_its_pieces_again(path: Path) -> None:
    """So that what reads along is tested too; they are recorded also if nobody reads along."""
    pieces = ("Good ", "", "day", ".")

    async def read(model: ScriptedModel | Cassette) -> list[str]:
        told: list[str] = []
        await model.request(replace(QUESTION, tell=told.append))
        return told

    recorded(path, ScriptedText(pieces=pieces))
    assert run_in_virtual_time(read(Cassette(path))) == ["Good ", "day", "."]

    async def read_along(model: ScriptedModel | Cassette) -> str:
        async with App(say, models={"fast": model}) as app:
            run = app.start(say, Question(text="?"))
            heard = [event async for event in run.text()]
            assert await run.result() == "Good day."
        return "".join(event.text for event in heard if isinstance(event, TextPiece))

    live = Cassette(path, model=ScriptedModel([ScriptedText(pieces=pieces)]))
    assert run_in_virtual_time(read_along(live)) == "Good day."
    assert run_in_virtual_time(read_along(Cassette(path))) == "Good day."


@pytest.mark.parametrize(
    ("asked", "place"),
    [
        (replace(QUESTION, messages=OTHER_TEXT), "at /messages/1/text from character 11"),
        (replace(QUESTION, messages=(*QUESTION.messages, OTHER_TEXT[1])), "at /messages/2"),
        (replace(QUESTION, schema={"type": "array"}), "at /schema/type"),
        (replace(QUESTION, mode="prompted"), "at /mode"),
        (replace(QUESTION, tools=()), "at /tools/0"),
        (replace(QUESTION, settings=ModelSettings(seed=1)), "at /settings/seed"),
        (
            replace(QUESTION, messages=OTHER_TEXT, settings=ModelSettings(seed=1)),
            "at /messages/1/text from character 11, at /settings/seed",
        ),
    ],
)
def test_what_was_not_recorded_is_not_guessed(path: Path, asked: ModelRequest, place: str) -> None:
    """The error says where the nearest recorded request differs, and quotes no prompt."""
    far = replace(QUESTION, messages=(Message(role="user", text="Something else entirely"),))
    recorded(path, "far", asked=far)
    model = ScriptedModel(["far", "near"])
    ask(Cassette(path, model=model), far, QUESTION)
    with pytest.raises(UsageError) as refused:
        ask(Cassette(path), asked)

    assert refused.value.code == "not_recorded"
    assert f"of its 2 requests the nearest differs {place}: " in refused.value.message
    assert "Where is" not in refused.value.message


def test_who_reads_along_and_what_the_schema_is_called_make_no_other_request(path: Path) -> None:
    """A request is what the model is asked, not who asks."""
    recorded(path, "yes")
    told: list[str] = []
    asked = replace(QUESTION, tell=told.append, schema_name="another_agent")

    assert ask(Cassette(path), asked)[0].text == "yes"


def test_each_answer_is_given_once(path: Path) -> None:
    """Asking more often than was recorded is a change of the program, and shows."""
    recorded(path, "first", "second")
    replay = Cassette(path)
    assert [one.text for one in ask(replay, QUESTION, QUESTION)] == ["first", "second"]

    with pytest.raises(UsageError, match="answers this request 2 times") as refused:
        ask(replay, QUESTION)
    assert refused.value.code == "not_recorded"


def test_a_failure_is_not_recorded(path: Path) -> None:
    """A provider that was busy while somebody recorded is not busy for ever after."""
    live = Cassette(path, model=ScriptedModel([ErrorClass.OVERLOAD, "yes"]))
    with pytest.raises(FishplateError):
        ask(live, QUESTION)
    ask(live, QUESTION)

    assert ask(Cassette(path), QUESTION)[0].text == "yes"


def test_answers_that_come_at_a_time_are_all_kept(path: Path) -> None:
    """Writing goes in turns, so none of them is lost."""
    questions = [
        replace(QUESTION, messages=(Message(role="user", text=f"{number}"),)) for number in range(9)
    ]
    live = Cassette(path, model=ScriptedModel([f"answer {number}" for number in range(9)]))

    async def together() -> None:
        async with asyncio.TaskGroup() as tasks:
            for one in questions:
                tasks.create_task(live.request(one))

    run_in_virtual_time(together())

    assert len(ask(Cassette(path), *questions)) == 9
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_a_new_recording_replaces_the_old_one_with_its_first_answer(path: Path) -> None:
    """Until then, for instance while the key is wrong, the old one stays."""
    recorded(path, "old", "old")
    live = Cassette(path, model=ScriptedModel([ErrorClass.PERMANENT, "new"]))
    with pytest.raises(FishplateError):
        ask(live, QUESTION)
    assert ask(Cassette(path), QUESTION)[0].text == "old"

    ask(live, QUESTION)
    assert [line.count('"answer"') for line in path.read_text("utf-8").splitlines()] == [0, 1]
    assert ask(Cassette(path), QUESTION)[0].text == "new"


def test_a_recording_that_cannot_be_written_leaves_the_old_one(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file is replaced as a whole or not at all, and nothing is left beside it."""
    recorded(path, "old")

    def full(file: Path, data: bytes) -> int:
        with file.open("wb") as opened:
            opened.write(data[:10])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full)
        with pytest.raises(OSError, match="No space"):
            recorded(path, "new")

    assert ask(Cassette(path), QUESTION)[0].text == "old"
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_what_looks_like_a_secret_is_not_in_the_file(path: Path) -> None:
    """Neither of the prompt nor of the answer, whole or in pieces; the request is found again."""
    asked = replace(QUESTION, messages=(Message(role="user", text=f"My key is {KEY}."),))
    recorded(path, ScriptedText(pieces=(f"It is {KEY[:9]}", KEY[9:])), asked=asked)

    assert KEY[9:] not in path.read_text("utf-8")
    assert ask(Cassette(path), asked)[0].text == "It is [redacted]"


@pytest.mark.parametrize("is_asked", [True, False])
def test_a_secret_of_the_environment_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch, is_asked: bool
) -> None:
    """It looks like any other word, and another environment could not hide it again."""
    monkeypatch.setenv("SHOP_PASSWORD", OWN)
    text = f"It is {OWN}."
    asked = replace(QUESTION, messages=(Message(role="user", text=text if is_asked else "?"),))
    with pytest.raises(UsageError, match="take it out of the prompt") as refused:
        recorded(path, "yes" if is_asked else text, asked=asked)

    assert refused.value.code == "secret_in_cassette"
    assert OWN not in refused.value.message
    assert not path.exists()


def test_a_cassette_that_is_not_there_says_how_to_record_it(path: Path) -> None:
    """Nobody is asked in its place."""
    with pytest.raises(UsageError, match=r"record it, Cassette\(path, model=") as refused:
        Cassette(path)

    assert refused.value.code == "no_cassette"


def cut_off(text: str) -> str:
    """Lose the end."""
    return text[:-10]


def nothing(text: str) -> str:
    """Be empty."""
    return text[:0]


def of_another_version(text: str) -> str:
    """Be written by a fishplate to come."""
    first, rest = text.split("\n", 1)
    return f"{json.dumps({'cassette': 2, 'model': json.loads(first)})}\n{rest}"


def other_words(text: str) -> str:
    """Be some other file."""
    return text.replace('"answer"', '"answers"')


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (cut_off, "is damaged in line 2"),
        (other_words, "is damaged in line 2"),
        (nothing, "is damaged in line 1"),
        (of_another_version, "has version 2, and this fishplate reads version 1"),
    ],
)
def test_what_is_no_cassette_is_refused(path: Path, spoil: Callable[[str], str], said: str) -> None:
    """With the line, or with both versions; never read as far as it goes."""
    recorded(path, "yes")
    path.write_text(spoil(path.read_text("utf-8")), "utf-8")
    with pytest.raises(UsageError, match=said) as refused:
        Cassette(path)

    assert refused.value.code == "bad_cassette"


def test_a_cassette_of_today_is_read_for_good(tmp_path: Path) -> None:
    """The format of version 1, as it was written first."""
    path = tmp_path / "first.jsonl"
    path.write_text(
        '{"cassette":1,"gives":null,"has_both_at_once":true,"has_schemas":true,"has_tools":true,'
        '"name":"openai:m","pinned":"m-1"}\n'
        '{"answer":{"text":"Good day.","usage":{"input_tokens":9}},"asked":{"messages":'
        '[{"role":"user","text":"Hello."}],"mode":"text","schema":null,"settings":'
        '{"max_tokens":null,"seed":null,"temperature":null},"tools":[]},"pieces":[5,4]}\n',
        "utf-8",
    )
    told: list[str] = []
    asked = ModelRequest(messages=(Message(role="user", text="Hello."),), tell=told.append)
    (found,) = ask(Cassette(path), asked)

    assert found == ModelAnswer(text="Good day.", usage=Usage(input_tokens=9))
    assert told == ["Good ", "day."]
