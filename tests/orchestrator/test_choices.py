"""Replays compare why a run went as it went, and say what they could not compare."""

import asyncio
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from fishplate import App, agent, current, switch, tool, workflow
from fishplate.core.current import Passage
from fishplate.orchestrator.choices import compare_choices
from fishplate.orchestrator.recording import ABSENT, Choice
from fishplate.testing.replay import Replayed, recorded_run, replay
from fishplate.traces.capture import Capture
from fishplate.traces.store import TraceStore

CANARY = "canary-5ecre7-x9Zk42"


class Kind(BaseModel):
    """What somebody wants."""

    kind: Literal["refund", "status"]
    said: Literal["refund", "status"]


@tool(effect="readonly")
async def search(question: str) -> list[str]:
    """Ids of passages."""
    return ["p1", "p2"]


class Knows:
    """How a version of the agent decides; the answer is always the same.

    Attributes:
        row: Which row of its rules it applies.
        used: Which passages it says that it has used.
        doubts: What it finds implausible.
    """

    def __init__(self, row: str = "small", used: str = "p1", doubts: tuple[str, ...] = ()) -> None:
        self.row, self.used, self.doubts = row, used, doubts

    def agent(self) -> Any:
        """The agent that decides so."""

        @agent(name="decide", tools=[search])
        async def decide(question: str) -> str:
            found = await search(question)
            passages = [Passage(id=one, score=0.5, text="words") for one in found]
            current().retrieved("policies", passages, used=[self.used], query=question)
            current().decided("limits", self.row, given={"amount": 5, "score": float("nan")})
            for one in self.doubts:
                current().doubt(one, about="search")
            return "yes"

        return decide


def recorded(folder: Path, what: Any, *arguments: object, capture: Capture = "redacted") -> str:
    """Run something; its id."""

    async def main() -> str:
        traces = TraceStore(url=f"sqlite:///{folder}/traces.db", capture=capture)
        async with App(what, store=f"sqlite:///{folder}/runs.db", traces=traces) as app:
            run = app.start(what, *arguments)
            await run.ended()
            return run.id

    return asyncio.run(main())


def replayed(folder: Path, run_id: str, what: Any, *, by: str = "both", **more: Any) -> Replayed:
    """Replay it."""
    recording = recorded_run(
        run_id,
        store=None if by == "traces" else f"sqlite:///{folder}/runs.db",
        traces=None if by == "store" else f"sqlite:///{folder}/traces.db",
    )
    return asyncio.run(replay(App(what), what, recording, **more))


def test_equal_code_decides_the_same(tmp_path: Path) -> None:
    """Each decision, search and doubt is compared, and counted."""
    what = Knows(doubts=("odd", "late")).agent()
    run_id = recorded(tmp_path, what, "how much?")
    found = replayed(tmp_path, run_id, what)

    assert (found.verdict, found.choices) == ("same", 3)
    assert (found.inputs, found.outputs, found.answered) == (1, 1, 1)


@pytest.mark.parametrize(
    ("changed", "where", "before", "now"),
    [
        (Knows(row="large", doubts=("late",)), "decision /chosen", "small", "large"),
        (Knows(used="p2", doubts=("late",)), "retrieval /used/0", "p1", "p2"),
        (Knows(doubts=("odd",)), "doubt /doubts/0/reason", "late", "odd"),
        (Knows(), "doubt ", {"doubts": [{"about": ["search"], "reason": "late"}]}, ABSENT),
    ],
)
def test_another_decision_with_the_same_answer_is_a_difference(
    tmp_path: Path, changed: Knows, where: str, before: object, now: object
) -> None:
    """What an answer does not show is named too: a row of rules, a passage, a doubt."""
    run_id = recorded(tmp_path, Knows(doubts=("late",)).agent(), "how much?")
    found = replayed(tmp_path, run_id, changed.agent())

    assert found.verdict == "different"
    assert found.difference is not None
    assert found.difference.path == "decide"
    assert f"{found.difference.part} {found.difference.pointer}" == where
    assert (found.difference.before, found.difference.now) == (before, now)


def test_a_route_is_named_before_what_came_of_it(tmp_path: Path) -> None:
    """The decision is the difference, and not the step that is called because of it."""

    @agent(name="classify")
    async def classify(text: str) -> Kind:
        return Kind(kind="refund", said="status")

    @agent(name="refund")
    async def refund(kind: Kind) -> str:
        return kind.kind

    @agent(name="status")
    async def status(kind: Kind) -> str:
        return kind.kind

    @workflow(name="flow")
    async def one(text: str) -> str:
        kind = await classify(text)
        return await switch(("refund", refund(kind)), ("status", status(kind)), on=kind.kind)

    @workflow(name="flow")
    async def other(text: str) -> str:
        kind = await classify(text)
        return await switch(("refund", refund(kind)), ("status", status(kind)), on=kind.said)

    run_id = recorded(tmp_path, one, "back")

    assert replayed(tmp_path, run_id, one).choices == 1
    found = replayed(tmp_path, run_id, other).difference
    assert found is not None
    assert (found.part, found.pointer) == ("decision", "/chosen")
    assert found.before != found.now


@pytest.mark.parametrize("capture", ["off", "metadata"])
def test_without_contents_decisions_are_not_compared(tmp_path: Path, capture: Capture) -> None:
    """What a trace has not kept is neither the same nor different, and it says so."""
    run_id = recorded(tmp_path, Knows().agent(), "how much?", capture=capture)
    found = replayed(tmp_path, run_id, Knows(row="large").agent())

    assert (found.verdict, found.choices, found.outputs) == ("same", None, 1)
    assert replayed(tmp_path, run_id, Knows().agent(), by="store").choices is None


def test_what_was_redacted_of_a_decision_is_left_out(tmp_path: Path) -> None:
    """A reason with a secret is not compared, the rest of its decision is."""

    def decides(row: str, why: str) -> Any:
        @agent(name="decide")
        async def decide(question: str) -> str:
            current().decided("limits", row, given={"password": CANARY, "why": why})
            return question

        return decide

    run_id = recorded(tmp_path, decides("small", "a"), "how much?")

    assert replayed(tmp_path, run_id, decides("small", "b")).verdict == "same"
    assert replayed(tmp_path, run_id, decides("large", "a")).verdict == "different"


def test_an_agent_that_is_answered_decides_nothing(tmp_path: Path) -> None:
    """What it told below its step has no counterpart, and is no difference."""
    decide = Knows().agent()

    @workflow(name="flow")
    async def flow(question: str) -> str:
        return await decide(question)

    run_id = recorded(tmp_path, flow, "how much?")
    found = replayed(tmp_path, run_id, flow, recorded=("decide",))

    assert (found.verdict, found.choices, found.answered) == ("same", 0, 1)


def test_nothing_that_could_be_compared_is_not_the_same(tmp_path: Path) -> None:
    """Where neither inputs nor outputs nor decisions are recorded, nobody can say."""

    @agent(name="leak")
    async def leak(text: str) -> str:
        return f"password={text}-hunter2"

    @agent(name="leak")
    async def other(text: str) -> str:
        return "something else"

    run_id = recorded(tmp_path, leak, "17")
    found = replayed(tmp_path, run_id, other, by="traces")

    assert found.verdict == "nothing_compared"
    assert (found.inputs, found.outputs, found.choices, found.unchecked) == (0, 0, 0, ("",))
    assert replayed(tmp_path, run_id, leak, by="store").verdict == "same"


def test_a_new_failure_is_shown_with_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Class, code and message, without secrets: a code alone tells nobody what to mend."""
    monkeypatch.setenv("SHOP_API_KEY", CANARY)

    @agent(name="count")
    async def count(text: str) -> int:
        return len(text)

    @agent(name="count")
    async def broken(text: str) -> int:
        raise ValueError(f"no such key {CANARY} in {text}")

    run_id = recorded(tmp_path, count, "abc")
    found = replayed(tmp_path, run_id, broken).difference
    again = replayed(tmp_path, recorded(tmp_path, broken, "abc"), count, by="store").difference

    assert found is not None
    assert again is not None
    error: Any = found.now
    assert (found.part, found.before, error["error"]["class"]) == ("output", 3, "bug")
    assert "ValueError" in error["error"]["message"]
    assert (again.now, again.explanation) == (3, "it fails no longer")
    assert CANARY not in str(found) + str(again)


def test_what_is_told_twice_or_in_another_order_is_the_same() -> None:
    """A resumed run tells some of it again, and branches in any order."""
    one, other = Choice("a", "decision", {"n": 1}), Choice("a", "decision", {"n": 2})

    found = compare_choices([one, other, one], [other, one], answered=(), is_ended=True)
    assert (found.same, found.difference) == (2, None)
    lacking = compare_choices([one, other], [one], answered=(), is_ended=False)
    assert lacking.difference is None, "it may not have come to that"
    missed = compare_choices([one, other], [one], answered=(), is_ended=True).difference
    assert missed is not None
    assert (missed.before, missed.now) == ({"n": 2}, ABSENT)
