"""What is odd and proves nothing: a doubt, which blames nobody until the answer is called wrong."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from fishplate import (
    App,
    Cache,
    ErrorClass,
    Failure,
    Policy,
    Prompt,
    agent,
    current,
    model_agent,
    repeat,
    tool,
    workflow,
)
from fishplate.core.current import Passage
from fishplate.core.errors import JsonValue
from fishplate.models.classified import Classified
from fishplate.models.model import ModelAnswer, ToolCall
from fishplate.testing import ScriptedModel
from fishplate.traces.capture import Capture
from fishplate.traces.explain import Explanation, explain
from fishplate.traces.queries import runs_beside, whole_trace
from fishplate.traces.store import TraceStore, open_trace_reader


class Row(BaseModel):
    """An order."""

    order_id: str
    status: str


class Tried(BaseModel):
    """What is tried again and again."""

    is_done: bool


STATUS: dict[str, str] = {}
ROWS: dict[str, str] = {}


@tool(effect="readonly")
async def row_of(order_id: str) -> Row:
    """The row of an order, or of what `ROWS` says."""
    return Row(order_id=ROWS.get(order_id, order_id), status="sent")


@agent(tools=[row_of])
async def status_of(order_id: str) -> str:
    """Says how far an order is."""
    return (await row_of(order_id)).status


@agent
async def searched(given: dict[str, Any]) -> str:
    """Tells what a search has found."""
    passages = [Passage(**one) for one in given["passages"]]
    limits = {name: given.get(name) for name in ("at_least", "at_most")}
    current().retrieved("notes", passages, used=given["used"], query=given.get("query"), **limits)
    return str(given.get("answer", "28 days"))


@model_agent("clerk")
def clerk(question: str) -> Prompt[str]:
    """Answers."""
    return Prompt(system="A lamp costs 19.90 EUR. Order W1 is sent.", user=question)


@model_agent("clerk", tools=[row_of])
def desk(question: str) -> Prompt[str]:
    """Answers by asking for orders."""
    return Prompt(system="Look orders up.", user=question)


@tool(effect="readonly")
async def down(question: str) -> str:
    """A service that is down."""
    raise Failure("503", error_class=ErrorClass.OVERLOAD, code="down")


@agent(tools=[down])
async def careless(question: str) -> str:
    """Goes on without the service."""
    try:
        return await down(question)
    except Failure:
        return "nothing"


@agent
async def failing(question: str) -> str:
    """Fails for a reason of its own."""
    raise Failure("no", error_class=ErrorClass.OVERLOAD, code="own")


@workflow
async def two_failures(question: str) -> str:
    """Only the second of them ends the run."""
    return await failing(await careless(question))


@tool(effect="readonly", policy=Policy(cache=Cache(ttl=60, scope="orders")))
async def remembered(order_id: str) -> Row:
    """Remembers how far an order is."""
    return Row(order_id=order_id, status=STATUS.get(order_id, "sent"))


@agent(tools=[remembered])
async def told(order_id: str) -> str:
    """Says how far an order is."""
    return (await remembered(order_id)).status


class Payment(BaseModel):
    """Of an order: its status is another one."""

    order_id: str
    status: str
    amount: int


@tool(effect="readonly")
async def payment_of(order_id: str) -> Payment:
    """How far the payment is."""
    return Payment(order_id=order_id, status="captured", amount=5)


def last_of(
    folder: Path,
    *runs: tuple[Any, Any],
    said: Sequence[str | ModelAnswer] = (),
    wrong: str | None = None,
    capture: Capture = "redacted",
) -> Explanation:
    """Run some things one after the other, and say what is to blame for the last."""
    url = f"sqlite:///{folder}/traces.db"
    models = {"clerk": ScriptedModel(said)} if said else None

    async def main() -> str:
        agents = {what.name: what for what, _ in runs}
        store = TraceStore(url=url, capture=capture)
        async with App(*agents.values(), traces=store, models=models) as app:
            started = [app.start(what, given) for what, given in runs[:1]]
            for what, given in runs[1:]:
                await started[-1].ended()
                started.append(app.start(what, given))
            await started[-1].ended()
            return started[-1].id

    run_id = asyncio.run(main())
    connection = open_trace_reader(url)
    trace = whole_trace(connection, run_id)
    assert trace is not None
    found = explain(trace, runs_beside(connection, trace), wrong=wrong)
    connection.close()
    return found


@pytest.fixture(autouse=True)
def sound_rows() -> None:
    """Every test begins with rows that are right."""
    ROWS.clear()
    STATUS.clear()


def doubts_of(found: Explanation) -> list[str]:
    """The verdicts of what is in doubt, in a run that nobody is to blame for."""
    assert (found.verdict, found.findings) == ("none", ())
    return [one.verdict for one in found.doubts]


def test_another_thing_than_was_asked_for_is_a_doubt(tmp_path: Path) -> None:
    """A tool may lead from one thing to another, if nothing says that this one never does."""
    ROWS["W2"] = "W9"

    assert doubts_of(last_of(tmp_path, (status_of, "W1"), (status_of, "W2"))) == ["tool"]


def test_another_thing_is_blamed_on_a_tool_that_never_does_so(tmp_path: Path) -> None:
    """What the tool did in at least three other calls, and in all of them, tells what is usual."""
    ROWS["W2"] = "W9"
    usual = [(status_of, order_id) for order_id in ("W1", "W3", "W4")]

    found = last_of(tmp_path, *usual, (status_of, "W2"))
    assert (found.verdict, found.findings[0].is_sure) == ("tool", True)
    assert "as in none of 3 other calls" in found.findings[0].evidence


def test_another_thing_is_no_fault_of_a_tool_that_does_so_at_times(tmp_path: Path) -> None:
    """One other call in which it did so is enough: it is what the tool is for."""
    ROWS.update({"W2": "W9", "W4": "W8"})
    usual = [(status_of, order_id) for order_id in ("W1", "W3", "W4", "W5")]

    assert doubts_of(last_of(tmp_path, *usual, (status_of, "W2"))) == ["tool"]


def test_a_tool_that_knows_no_such_thing_is_not_blamed(tmp_path: Path) -> None:
    """An empty id, zero or `not found` is no other thing than was asked for."""
    for nobody in ("", "NOT_FOUND", "0"):
        ROWS["W9999"] = nobody
        found = last_of(tmp_path, *((status_of, one) for one in ("W1", "W3", "W4", "W9999")))

        assert (found.verdict, found.doubts) == ("none", ()), nobody


@pytest.mark.parametrize(
    ("limits", "score", "verdict"),
    [
        ({"at_least": 0.3}, 0.1, "retrieval"),
        ({"at_least": 0.3}, 0.3, "none"),
        ({"at_most": 0.3}, 0.9, "retrieval"),
        ({"at_most": 0.3}, 0.1, "none"),
        ({"at_most": -1.0}, -0.2, "retrieval"),
        ({}, 0.1, "none"),
        ({}, -3.0, "none"),
    ],
)
def test_a_score_is_judged_by_what_the_search_says(
    tmp_path: Path, limits: dict[str, float], score: float, verdict: str
) -> None:
    """A passage that was used and does not fit is a fault; without a limit no score is one."""
    given = {"passages": [{"id": "p1", "score": score}], "used": ["p1"], **limits}

    found = last_of(tmp_path, (searched, given))
    assert (found.verdict, found.doubts) == (verdict, ())


@pytest.mark.parametrize(
    "given",
    [
        {"passages": [], "used": []},
        {"passages": [{"id": "p1", "score": 0.9}], "used": []},
        {"passages": [{"id": "p1", "score": 0.1}], "used": [], "at_least": 0.3},
        {
            "passages": [{"id": "p1", "text": "Schuhe nehmen wir wieder."}],
            "used": ["p1"],
            "query": "May I return them?",
        },
    ],
    ids=["nothing found", "nothing used", "nothing fits", "other words"],
)
def test_an_honest_search_is_in_doubt_at_most(tmp_path: Path, given: dict[str, Any]) -> None:
    """There may be nothing to find, and a passage may be in other words than the question."""
    assert doubts_of(last_of(tmp_path, (searched, given))) == ["retrieval"]


@pytest.mark.parametrize(
    ("said", "verdict", "doubts"),
    [
        ("2 x 19.90 = 39.80 EUR.", "none", 0),
        ("2 x 19.90 = 41.80 EUR.", "reasoning", 1),
        ("Two cost 39.80 EUR.", "none", 0),
        ("Two cost 41.80 EUR.", "none", 1),
        ("Order W7 is sent.", "reasoning", 0),
        ("Order w-1 is sent.", "none", 0),
        ("Print it on A4.", "none", 1),
    ],
)
def test_the_words_of_a_model_are_judged_by_what_they_prove(
    tmp_path: Path, said: str, verdict: str, doubts: int
) -> None:
    """A calculation that is wrong proves itself, an unknown id of a known kind too; no number."""
    found = last_of(tmp_path, (clerk, "What do two cost?"), said=[said])

    assert (found.verdict, len(found.doubts)) == (verdict, doubts)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("Is 2 x 19.90 = 41.80?", "2 x 19.90 = 41.80 is wrong."),
        ("Is SHA-1 enough?", "No, take SHA-256."),
    ],
)
def test_what_others_have_written_is_no_proof(tmp_path: Path, asked: str, said: str) -> None:
    """A calculation may be quoted, and what the whole world numbers is nobody's invention."""
    found = last_of(tmp_path, (clerk, asked), said=[said])

    assert (found.verdict, {one.verdict for one in found.doubts}) == ("none", {"reasoning"})


@pytest.mark.parametrize(
    ("asked", "doubts"),
    [("Where is my parcel?", 1), ("Where is w-7?", 0), ("Where is order 7?", 1)],
)
def test_a_model_that_asks_for_what_nobody_named_is_doubted(
    tmp_path: Path, asked: str, doubts: int
) -> None:
    """The id in a call may be invented, though the answer is about a thing that there is."""
    call = ToolCall(id="c1", name="row_of", arguments='{"order_id": "W7"}')
    said = [ModelAnswer(calls=(call,), finish_reason="tool_call"), "It is sent."]
    found = last_of(tmp_path, (desk, asked), said=said)

    assert (found.verdict, len(found.doubts)) == ("none", doubts)
    assert all("'W7', which nothing before it holds" in one.evidence for one in found.doubts)


def test_an_id_may_be_spelled_out_of_a_number(tmp_path: Path) -> None:
    """Who asks about order 9999 may be told of W9999, which is in doubt at most."""
    found = last_of(tmp_path, (clerk, "Where is order 9999?"), said=["W9999 is not sent."])

    assert doubts_of(found) == ["reasoning"]


def test_a_doubt_is_evidence_once_the_answer_is_called_wrong(tmp_path: Path) -> None:
    """Behind the step that the text comes from, or before all if that is not to be found."""
    given: dict[str, list[str]] = {"passages": [], "used": []}
    (tmp_path / "other").mkdir()
    known = last_of(tmp_path, (searched, given), wrong="28")
    unknown = last_of(tmp_path / "other", (searched, given), wrong="30")

    assert [one.is_doubt for one in known.findings] == [False, True]
    assert [one.is_doubt for one in unknown.findings] == [True]
    assert (unknown.verdict, unknown.doubts) == ("retrieval", ())


def test_a_wrong_number_is_found_in_another_form(tmp_path: Path) -> None:
    """What a reply writes as `1,999.00` comes from the step that gave 1999."""
    found = last_of(tmp_path, (searched, {"passages": [], "used": []}), wrong="28.00")

    assert found.findings[0].evidence.endswith("its answer is the first that holds '28.00'")


def test_a_failure_that_its_caller_answered_for_is_a_doubt(tmp_path: Path) -> None:
    """Whoever went on without an answer may have been right to, and ended well."""
    found = last_of(tmp_path, (careless, "x"))

    assert doubts_of(found) == ["tool"]
    assert "'careless' answered without it" in found.doubts[0].evidence


def test_the_failure_that_ended_the_run_is_blamed(tmp_path: Path) -> None:
    """An earlier one that was answered for does not come before it."""
    found = last_of(tmp_path, (two_failures, "x"))

    assert [one.path for one in found.findings] == ["failing"]
    assert [one.path for one in found.doubts] == ["careless/0.down"]


def test_another_kind_of_answer_does_not_date_a_remembered_one(tmp_path: Path) -> None:
    """The status of a payment is not that of its order, though both have the order's id."""
    found = last_of(tmp_path, (told, "W1"), (payment_of, "W1"), (told, "W1"))

    assert (found.verdict, found.doubts) == ("none", ())


@agent
async def ruled(given: dict[str, Any]) -> str:
    """Applies a row that is for a fortnight of a member, whatever it is told."""
    when: dict[str, JsonValue] = {
        "properties": {"days": {"maximum": 14}},
        "required": ["days", "is_member"],
    }
    current().decided("returns", "a fortnight", given=given, when=when)
    return "due"


def test_a_fact_that_was_not_told_is_a_doubt(tmp_path: Path) -> None:
    """The row may be for it all the same; a fact that the row is not for is a fault."""
    assert doubts_of(last_of(tmp_path, (ruled, {"days": 5}))) == ["policy"]
    (tmp_path / "other").mkdir()
    assert last_of(tmp_path / "other", (ruled, {"days": 15})).verdict == "policy"


class Opinion(BaseModel):
    """An answer that says how sure it is."""

    label: str
    confidence: float


@agent
async def opinion(confidence: float) -> Opinion:
    """Is as sure as it is told to be, and notes nothing."""
    return Opinion(label="refund", confidence=confidence)


@agent
async def asks_a_person(found: Opinion) -> str:
    """Sees how sure the other one was."""
    return f"please look: {found.label}"


@workflow
async def escalated(confidence: float) -> str:
    """Hands on an answer with its confidence."""
    return await asks_a_person(await opinion(confidence))


@model_agent("clerk")
def sorter(text: str) -> Prompt[Classified[Literal["refund", "other"]]]:
    """Sorts a text."""
    return Prompt(user=text)


@pytest.mark.parametrize(("confidence", "verdict"), [(0.2, "reasoning"), (0.5, "none")])
def test_a_low_confidence_in_an_output_is_told_by_itself(
    tmp_path: Path, confidence: float, verdict: str
) -> None:
    """Nobody has to note it; the half is not low."""
    assert last_of(tmp_path, (opinion, confidence)).verdict == verdict


def test_a_low_confidence_that_is_handed_on_is_a_doubt(tmp_path: Path) -> None:
    """Who is given it may act upon it."""
    assert doubts_of(last_of(tmp_path, (escalated, 0.2))) == ["reasoning"]


def test_a_classification_of_low_confidence_is_told_without_contents(tmp_path: Path) -> None:
    """A model's `Classified` leaves its confidence on the span of the agent."""
    said = '{"label": "refund", "confidence": 0.3, "alternatives": []}'
    found = last_of(tmp_path, (sorter, "zzz"), said=[said], capture="off")

    assert (found.verdict, found.findings[0].path) == ("reasoning", "sorter")


@pytest.mark.parametrize(
    ("said", "limits", "verdict"),
    [
        ("Leave is 30 days.", {"at_least": 0.5}, "retrieval"),
        ("Leave is 28 days.", {"at_least": 0.5}, "none"),
        ("Leave is 30 days.", {}, "none"),
        ("Leave is 30 days.", {"at_least": 0.95}, "none"),
        ("Your parcel arrives within 9 days.", {"at_least": 0.5}, "none"),
        ("30 days.", {"at_least": 0.5}, "retrieval"),
    ],
)
def test_an_answer_against_a_fitting_passage_is_blamed(
    tmp_path: Path, said: str, limits: dict[str, float], verdict: str
) -> None:
    """No passage was used, though one fits by its score and says another number of the same."""
    passages = [{"id": "p1", "score": 0.9, "text": "Leave is 28 days."}]
    asked = "How much leave have I got?"
    given = {"passages": passages, "used": [], "query": asked, "answer": said, **limits}

    assert last_of(tmp_path, (searched, given)).verdict == verdict


def test_what_was_cut_when_it_was_kept_is_no_proof(tmp_path: Path) -> None:
    """An id that a model may have read in a part that was cut is in doubt, else blamed."""

    def asked_about(number: int) -> Explanation:
        question = " ".join(f"TCK-{one:05} is open, says the desk." for one in range(number))
        said = [f"The oldest is TCK-{number:05}."]
        return last_of(tmp_path, (clerk, question), said=said)

    assert asked_about(40).verdict == "reasoning"
    assert doubts_of(asked_about(100)) == ["reasoning"]


@pytest.mark.parametrize("capture", ["metadata", "off"])
def test_what_was_not_kept_is_no_evidence(tmp_path: Path, capture: Capture) -> None:
    """Neither the digest of an answer nor a list of passages that is not there says anything."""
    passages = [{"id": "p1", "score": 0.9, "text": "Leave is 28 days."}]
    searches = (searched, {"passages": passages, "used": ["p1"]})

    for run, said in ((searches, ()), ((clerk, "Where is W1?"), ("W1 is sent.",))):
        found = last_of(tmp_path, run, said=said, capture=capture)
        assert (found.verdict, doubts_of(found)) == ("none", [])


@agent
async def try_again(tried: Tried) -> Tried:
    """Is never done."""
    return tried


@workflow
async def tries(tried: Tried) -> Tried:
    """Gives up after its third try."""
    return await repeat(try_again, tried, until="is_done", at_most=3)


def test_a_repetition_that_is_never_done_has_reached_its_limit(tmp_path: Path) -> None:
    """No tool is at fault in a workflow that has none."""
    assert last_of(tmp_path, (tries, Tried(is_done=False))).verdict == "policy"
