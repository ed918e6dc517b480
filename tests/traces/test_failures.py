"""Where a failure began: the call that failed, and the repetition that was never done."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from fishplate import (
    App,
    DeclaredError,
    ErrorClass,
    Failure,
    agent,
    current,
    each,
    repeat,
    tool,
    workflow,
)
from fishplate.traces.capture import Capture
from fishplate.traces.explain import Explanation, explain
from fishplate.traces.store import TraceStore
from tests.traces.reading import only_trace

TRIED: list[str] = []


class NotFoundError(DeclaredError):
    """There is no such order."""

    order_id: str


class Draft(BaseModel):
    """What is made better again and again."""

    text: str
    is_done: bool
    is_short: bool


@tool(effect="readonly")
async def carrier(order_id: str) -> str:
    """A service that is down, or comes back when it is asked again."""
    TRIED.append(order_id)
    if TRIED.count(order_id) > 1 and order_id == "back":
        return "sent"
    raise Failure("503", error_class=ErrorClass.PERMANENT, code="down")


@tool(effect="readonly", errors=[NotFoundError])
async def archive(order_id: str) -> str:
    """Says honestly that there is no such order."""
    raise NotFoundError(order_id=order_id)


@agent(tools=[carrier])
async def partial(order_id: str) -> str:
    """Answers less than it should without the carrier."""
    try:
        return await carrier(order_id)
    except Failure:
        current().degrade("carrier_down", source="guess")
        return "perhaps sent"


@agent(tools=[carrier])
async def asks(order_id: str) -> str:
    """Hands on what the carrier says, or that it fails."""
    return await carrier(order_id)


@agent(agents=[asks])
async def partial_above(order_id: str) -> str:
    """Answers less than it should without an agent that asks the carrier."""
    try:
        return await asks(order_id)
    except Failure:
        current().degrade("carrier_down", source="guess")
        return "perhaps sent"


@agent(tools=[carrier])
async def old_after_two_tries(order_id: str) -> str:
    """Gets an answer when it asks again, and answers from old data for another reason."""
    for _ in range(2):
        try:
            await carrier(order_id)
        except Failure:
            continue
    current().degrade("rates are of yesterday", source="cache", age=5)
    return "sent"


@agent(tools=[archive])
async def old_of_none(order_id: str) -> str:
    """Takes it for an answer that there is none, and answers from old data."""
    try:
        return await archive(order_id)
    except NotFoundError:
        current().degrade("rates are of yesterday", source="cache", age=5)
        return "nothing"


@agent(tools=[carrier])
async def fails_after_two_tries(order_id: str) -> str:
    """Gets an answer when it asks again, and fails for a reason of its own."""
    for _ in range(2):
        try:
            await carrier(order_id)
        except Failure:
            continue
    raise Failure("no", error_class=ErrorClass.PERMANENT, code="own")


@workflow
async def partly(order_id: str) -> str:
    """One step, that gives less than it should."""
    return await partial_above(order_id)


@agent
async def improve(draft: Draft) -> Draft:
    """Is never done, and short at first."""
    return Draft(text=draft.text + "x", is_done=False, is_short=len(draft.text) < 1)


@agent
async def finish(draft: Draft) -> Draft:
    """Is done at once."""
    return draft.model_copy(update={"is_done": True})


@agent
async def unfinished(draft: Draft) -> Draft:
    """Begins anew."""
    return draft.model_copy(update={"is_done": False})


@workflow
async def one_round(draft: Draft) -> Draft:
    """A round of two steps."""
    return await unfinished(await improve(draft))


@workflow
async def polish(draft: Draft) -> Draft:
    """Gives up after its second round."""
    return await repeat(improve, draft, until="is_done", at_most=2)


@workflow
async def polish_twice(draft: Draft) -> Draft:
    """Is done with the first repetition, and not with the second."""
    finished = await repeat(finish, draft, until="is_done", at_most=2)
    return await repeat(one_round, finished, until="is_done", at_most=3)


@workflow
async def polish_all(drafts: list[Draft]) -> list[Draft]:
    """Polishes one after the other."""
    return await each(polish, drafts, concurrency=1)


def explained(
    folder: Path, what: Any, argument: Any, *, capture: Capture = "redacted"
) -> Explanation:
    """Run something, and say what is to blame."""
    url = f"sqlite:///{folder}/traces.db"

    async def main() -> None:
        async with App(what, traces=TraceStore(url=url, capture=capture)) as app:
            await app.start(what, argument).ended()

    TRIED.clear()
    asyncio.run(main())
    trace = only_trace(url)
    return explain(trace)


def told(found: Explanation) -> tuple[list[str], list[str]]:
    """Which steps are blamed, and which are in doubt."""
    return [one.path for one in found.findings], [one.path for one in found.doubts]


@pytest.mark.parametrize("capture", ["redacted", "off"])
@pytest.mark.parametrize(
    ("what", "step"),
    [(partial, "partial/0.carrier"), (partly, "partial_above/0.asks/0.carrier")],
)
def test_the_call_that_failed_is_blamed_and_not_who_made_do_without_it(
    tmp_path: Path, what: Any, step: str, capture: Capture
) -> None:
    """A body that catches a failure and says that its answer is worse for it is not the first."""
    found = explained(tmp_path, what, "W1", capture=capture)

    assert (found.verdict, told(found)) == ("tool", ([step], []))


def test_the_evidence_says_what_stood_in_for_the_failed_call(tmp_path: Path) -> None:
    """What the body has told of its answer is not lost."""
    [found] = explained(tmp_path, partly, "W1").findings

    text = "tool 'carrier': it failed with 'down': 503; 'partial_above' answered from guess"
    assert found.evidence == f"{text}: carrier_down"


@pytest.mark.parametrize(
    ("what", "argument", "blamed", "doubted"),
    [
        (old_after_two_tries, "back", "old_after_two_tries", "old_after_two_tries/0.carrier"),
        (fails_after_two_tries, "back", "fails_after_two_tries", "fails_after_two_tries/0.carrier"),
        (old_of_none, "W1", "old_of_none", "old_of_none/0.archive"),
    ],
)
def test_a_failure_that_was_made_up_for_is_a_doubt(
    tmp_path: Path, what: Any, argument: str, blamed: str, doubted: str
) -> None:
    """The same call answered when it was asked again, or its error was declared: an answer too."""
    assert told(explained(tmp_path, what, argument)) == ([blamed], [doubted])


@pytest.mark.parametrize(
    ("what", "argument", "step", "evidence"),
    [
        (
            polish,
            Draft(text="", is_done=False, is_short=True),
            "repeat.1/improve",
            "'repeat' ran it 2 times, and 'is_done' was never true; so 'polish' failed",
        ),
        (
            polish_twice,
            Draft(text="", is_done=False, is_short=True),
            "repeat~2.2/one_round",
            "'repeat~2' ran it 3 times, and 'is_done' was never true; so 'polish_twice' failed",
        ),
        (
            polish_all,
            [Draft(text="a", is_done=False, is_short=True)],
            "each.0/polish/repeat.1/improve",
            "ran it 2 times, and 'is_done' and 'is_short' were never true; so 'polish' failed",
        ),
    ],
)
def test_a_repetition_that_is_never_done_names_its_step(
    tmp_path: Path, what: Any, argument: Any, step: str, evidence: str
) -> None:
    """Its last round stands for it, with the condition that did not come true in any round."""
    found = explained(tmp_path, what, argument)

    assert (found.verdict, told(found)) == ("policy", ([step], []))
    assert evidence in found.findings[0].evidence


def test_a_repetition_is_named_without_contents(tmp_path: Path) -> None:
    """The paths of its rounds tell which it was, and how often it ran."""
    draft = Draft(text="", is_done=False, is_short=True)
    [found] = explained(tmp_path, polish_twice, draft, capture="off").findings

    text = "'repeat~2' ran it 3 times; so 'polish_twice' failed with 'limit_reached'"
    assert (found.path, found.evidence) == ("repeat~2.2/one_round", f"workflow 'one_round': {text}")
