"""What every way of answering comes to, over HTTP: requests, tokens, cost, error class, fallback.

Each row is tried with OpenAI, Anthropic and Google, by a workflow that asks the model and has rules
behind it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, TypeAlias, cast

import pytest

from fishplate import Agent, App, ErrorClass, Policy, Prompt, Retry, agent, model_agent, workflow
from fishplate.models.prices import Price, PriceTable
from fishplate.models.providers import Provider, ProviderModel, StreamTimers
from fishplate.traces.queries import RunFilter, TracedRun, list_traces
from fishplate.traces.store import open_trace_reader
from tests.agents.asked import Question, Refund, price_of
from tests.models.fake_http import FakeProvider, Said, fake_provider
from tests.models.fake_providers import FakeProviders

Behavior: TypeAlias = Mapping[str, object]

NAMES: Final[Mapping[Provider, str]] = {
    "openai": "openai:gpt-4o-mini",
    "anthropic": "anthropic:claude-of-tomorrow",
    "google": "google:gemini-2.5-flash",
}
SPOKEN: Final[Mapping[Provider, str]] = {
    "openai": "openai",
    "anthropic": "anthropic",
    "google": "gemini",
}
IN, OUT = 150, 600  # nanos of a USD for a token
PRICES: Final = PriceTable(
    {name: Price(input=Decimal("0.15"), output=Decimal("0.60")) for name in NAMES.values()}
)
ATTEMPTS: Final = 3
POLICY: Final = Policy(retry=Retry(attempts=ATTEMPTS, base=0.001, cap=0.001))
TIMERS: Final = StreamTimers(first_event=2.0, progress=0.5, idle=0.4)
ASKED: Final = Question(text="I want my money back")  # five tokens, as the server counts
SYSTEM: Final = "Say how much is to be paid back, in EUR."  # ten

GOOD, BAD = (f'{{"kind": "refund", "amount": {amount}}}' for amount in (5, 0))
SAID: Final = 7  # tokens of each of the two
CUT, UNKNOWN = 2, 4  # of arguments that end in the middle, and of a call of no tool


@model_agent("fast", policy=POLICY)
def decide(question: Question) -> Prompt[Refund]:
    """Decide about a refund."""
    return Prompt(system=SYSTEM, user=question.text)


@model_agent("fast", policy=POLICY, tools=[price_of])
def look_and_decide(question: Question) -> Prompt[Refund]:
    """Look the price up if need be, and decide."""
    return Prompt(system=SYSTEM, user=question.text)


@agent
async def by_rules(question: Question) -> Refund:
    """Pay one cent, whatever is said."""
    assert question.text
    return Refund(amount=1)


@workflow
async def decided(question: Question) -> Refund:
    """Ask a model, or the rules."""
    return await decide.or_else(by_rules)(question)


@workflow
async def looked_up(question: Question) -> Refund:
    """Ask a model that has a tool, or the rules."""
    return await look_and_decide.or_else(by_rules)(question)


@dataclass(frozen=True, kw_only=True)
class Row:
    """What the server does, and what that comes to.

    Attributes:
        does: How it behaves, in order.
        requests: How many it gets.
        outputs: Tokens of each answer that came whole; these are the last requests.
        unpriced: Requests that may have cost something, and nobody says what.
        failure: Class and code of the model's failure, for which the rules answer; `None`: the
            model answers.
        unit: Who asks.
    """

    does: tuple[Behavior, ...]
    requests: int
    outputs: tuple[int, ...] = ()
    unpriced: int = 0
    failure: tuple[ErrorClass, str] | None = None
    unit: Agent[[Question], Refund] = decided


def says(text: str, times: int = 1) -> Behavior:
    """Answer so."""
    return {"type": "reply", "text": text, "times": times}


def fails(status: int, times: int = 1, **words: object) -> Behavior:
    """Answer with an error."""
    return {"type": "fail", "status": status, "times": times, **words}


def breaks(kind: Literal["truncate", "stall"], times: int = 1) -> Behavior:
    """Break a stream after its first part."""
    fault = {"type": "stream_fault", "kind": kind, "after_chunks": 1, "times": times}
    return {**fault, "stall_seconds": 0.8}


def calls(
    kind: Literal["malformed_arguments", "unknown_tool"], times: int = 1
) -> tuple[Behavior, Behavior]:
    """Ask for a call that cannot be made."""
    call = {"name": "price_of", "arguments": {"order_id": "W1"}}
    fault = {"type": "tool_fault", "kind": kind, "times": times}
    return {"type": "reply", "tool_calls": [call], "times": times}, fault


ROWS: Final[Mapping[str, Row]] = {
    "valid": Row(does=(says(GOOD),), requests=1, outputs=(SAID,)),
    "invalid, then valid": Row(does=(says(BAD), says(GOOD)), requests=2, outputs=(SAID, SAID)),
    "never valid": Row(
        does=(says(BAD, 9),),
        requests=2,
        outputs=(SAID, SAID),
        failure=(ErrorClass.CONTRACT_OUT, "invalid_output"),
    ),
    "429 that says when, then valid": Row(
        does=(fails(429, retry_after=0.1), says(GOOD)), requests=2, outputs=(SAID,)
    ),
    "429 that asks for too much": Row(
        does=(fails(429, 9, retry_after=300),),
        requests=1,
        failure=(ErrorClass.RATE_LIMITED, "model_rate_limit"),
    ),
    "500, then valid": Row(does=(fails(500), says(GOOD)), requests=2, outputs=(SAID,), unpriced=1),
    "500 for good": Row(
        does=(fails(500, 9),),
        requests=ATTEMPTS,
        unpriced=ATTEMPTS,
        failure=(ErrorClass.TRANSIENT, "model_server_error"),
    ),
    "timeout": Row(
        does=({"type": "delay", "seconds": 0.6, "times": 9},),
        requests=ATTEMPTS,
        unpriced=ATTEMPTS,
        failure=(ErrorClass.TRANSIENT, "model_timeout"),
    ),
    "stalled stream, then valid": Row(
        does=(breaks("stall"), says(GOOD, 2)), requests=2, outputs=(SAID,), unpriced=1
    ),
    "stalled stream": Row(
        does=(breaks("stall", 9), says(GOOD, 9)),
        requests=ATTEMPTS,
        unpriced=ATTEMPTS,
        failure=(ErrorClass.TRANSIENT, "model_timeout"),
    ),
    "truncated stream, then valid": Row(
        does=(breaks("truncate"), says(GOOD, 2)), requests=2, outputs=(SAID,), unpriced=1
    ),
    "truncated stream": Row(
        does=(breaks("truncate", 9), says(GOOD, 9)),
        requests=ATTEMPTS,
        unpriced=ATTEMPTS,
        failure=(ErrorClass.TRANSIENT, "model_stream_truncated"),
    ),
    "malformed arguments, then valid": Row(
        does=(*calls("malformed_arguments"), says(GOOD)),
        requests=2,
        outputs=(CUT, SAID),
        unit=looked_up,
    ),
    "malformed arguments": Row(
        does=calls("malformed_arguments", 9),
        requests=2,
        outputs=(CUT, CUT),
        failure=(ErrorClass.CONTRACT_OUT, "invalid_output"),
        unit=looked_up,
    ),
    "unknown tool, then valid": Row(
        does=(*calls("unknown_tool"), says(GOOD)),
        requests=2,
        outputs=(UNKNOWN, SAID),
        unit=looked_up,
    ),
    "unknown tool": Row(
        does=calls("unknown_tool", 9),
        requests=2,
        outputs=(UNKNOWN, UNKNOWN),
        failure=(ErrorClass.CONTRACT_OUT, "invalid_output"),
        unit=looked_up,
    ),
}
QUOTA: Final[Mapping[Provider, Behavior]] = {
    "openai": fails(429, code="insufficient_quota"),
    "anthropic": fails(402),
    "google": fails(429, code="insufficient_quota"),
}


class Ended(NamedTuple):
    """How a run ended.

    Attributes:
        output: What it gave.
        fallbacks: Each failure that was answered for: its class, and who answered.
        marks: Reason and source of each degradation.
        run: The run as its trace tells it.
        delays: Seconds before each further attempt.
    """

    output: Refund
    fallbacks: Sequence[tuple[object, object]]
    marks: list[tuple[str, str]]
    run: TracedRun
    delays: list[float]


async def run(unit: Agent[[Question], Refund], model: ProviderModel, url: str) -> Ended:
    """Run a workflow, with its trace kept at `url`."""
    try:
        async with App(unit, models={"fast": model}, prices=PRICES, traces=url) as app:
            found = app.start(unit, ASKED)
            output = await found.result()
            told = [span.attributes or {} for span in app.spans(found)]
    finally:
        await model.close()
    delays = [cast("float", one["delay"]) for one in told if "delay" in one]
    marks = [(one.reason, one.source) for one in found.degraded]
    fallbacks = [(one["class"], one["chosen"]) for one in told if one.get("kind") == "fallback"]
    return Ended(output, fallbacks, marks, await asyncio.to_thread(traced, url), delays)


def traced(url: str) -> TracedRun:
    """The one run of a trace store."""
    with contextlib.closing(open_trace_reader(url)) as connection:
        (found,) = list_traces(connection, RunFilter())
    return found


def run_all(row: Row, places: Mapping[Provider, str], folder: Path) -> Mapping[Provider, Ended]:
    """Run a row's workflow with a model of each provider, all at a time."""
    assert row.unit.release  # reads the sources once, and not in three threads at a time
    models: dict[Provider, ProviderModel] = {
        provider: ProviderModel(NAMES[provider], key="sk-secret", url=place, timers=TIMERS)
        for provider, place in places.items()
    }

    async def together() -> Mapping[Provider, Ended]:
        async with asyncio.TaskGroup() as tasks:
            found: dict[Provider, asyncio.Task[Ended]] = {
                provider: tasks.create_task(
                    run(row.unit, model, f"sqlite:///{folder / provider}.traces.db")
                )
                for provider, model in models.items()
            }
        # The libraries of the providers leave the end of their generators to the event loop.
        while left := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(left)
        return {one: found[one].result() for one in found}

    return asyncio.run(together())


def said(value: object) -> str:
    """The text of a message as the server reads it."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return " ".join(filter(None, map(said, cast("list[object]", value))))
    part = cast("dict[str, object]", value or {})
    return said(part.get("text") or part.get("content") or "")


def counted(body: dict[str, Any]) -> int:
    """Tokens of a request as the server counts them: one for four characters of each message."""
    if "contents" in body:  # Google's
        every = [*body["contents"], body["systemInstruction"]]
        return sum(len(said(part)) // 4 for one in every for part in one["parts"])
    system = said(body.get("system"))  # Anthropic's
    return len(system) // 4 + sum(len(said(one["content"])) // 4 for one in body["messages"])


def check(row: Row, ended: Ended, bodies: list[dict[str, Any]]) -> None:
    """Compare all that a row promises."""
    assert len(bodies) == row.requests
    answered = bodies[len(bodies) - len(row.outputs) :]
    tokens = sum(map(counted, answered)), sum(row.outputs)
    assert (ended.run.input_tokens, ended.run.output_tokens) == tokens
    cost = tokens[0] * IN + tokens[1] * OUT
    assert ended.run.costs == ({"USD": cost} if row.outputs else {})
    assert (ended.run.model_calls, ended.run.unpriced) == (row.requests, row.unpriced)
    assert ended.run.whole_costs == (None if row.unpriced else ended.run.costs)
    if row.failure is None:
        assert (ended.output, ended.fallbacks, ended.marks) == (Refund(amount=5), [], [])
    else:
        error_class, code = row.failure
        assert ended.fallbacks == [(error_class.word, "by_rules")]
        assert (ended.output, ended.marks) == (Refund(amount=1), [(code, "by_rules")])


def only(provider: Provider, behavior: Behavior) -> dict[str, object]:
    """Have a behaviour acted out to one provider's clients alone."""
    match: dict[str, object] = {"provider": SPOKEN[provider]}
    if behavior["type"] == "stream_fault":
        match["stream"] = True
    if behavior["type"] == "tool_fault":
        match["tools"] = True
    return {**behavior, "match": match}


def try_out(
    row: Row,
    does: Mapping[Provider, tuple[Behavior, ...]],
    providers: FakeProviders,
    folder: Path,
    subtests: pytest.Subtests,
) -> None:
    """Run a row with every provider, and compare all that it promises."""
    providers.behave(*(only(one, behavior) for one in does for behavior in does[one]))
    found = run_all(row, {one: providers.url(one) for one in does}, folder)
    requests = providers.requests()
    for provider, ended in found.items():
        with subtests.test(provider):
            bodies = [one["body"] for one in requests if one["provider"] == SPOKEN[provider]]
            check(row, ended, bodies)


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_every_answer_comes_to_what_its_row_says(
    row: Row, providers: FakeProviders, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    """Requests, tokens, cost, error class and fallback are exact; an unknown cost is never zero."""
    try_out(row, dict.fromkeys(NAMES, row.does), providers, tmp_path, subtests)


def test_an_exhausted_quota_is_asked_for_once(
    providers: FakeProviders, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    """Waiting would bring no quota back, so nothing is tried again, and the rules answer."""
    row = Row(
        does=(),
        requests=1,
        failure=(ErrorClass.QUOTA_EXHAUSTED, "model_quota"),
    )
    does: dict[Provider, tuple[Behavior]] = {one: (QUOTA[one],) for one in QUOTA}
    try_out(row, does, providers, tmp_path, subtests)


def test_a_provider_that_says_when_is_not_asked_before(
    providers: FakeProviders, tmp_path: Path
) -> None:
    """The delay before the next attempt is never shorter than Retry-After."""
    row = ROWS["429 that says when, then valid"]
    providers.behave(*row.does)
    ended = run_all(row, {"openai": providers.url("openai")}, tmp_path)["openai"]

    assert len(ended.delays) == 1
    assert ended.delays[0] >= 0.1


BUSY: Final = Said(
    429, b'{"error": {"type": "rate_limit_error", "message": "slow down", "code": 429}}'
)


@pytest.fixture
def busy() -> Iterator[FakeProvider]:
    """A provider that is always asked too often, and does not say when to come back."""
    with fake_provider(lambda _: BUSY) as server:
        yield server


@pytest.mark.parametrize("provider", NAMES)
def test_a_429_that_does_not_say_when_is_tried_again_by_the_policy(
    provider: Provider, busy: FakeProvider, tmp_path: Path
) -> None:
    """Without Retry-After the delays are the policy's own, and so is the number of attempts."""
    row = Row(
        does=(),
        requests=ATTEMPTS,
        failure=(ErrorClass.RATE_LIMITED, "model_rate_limit"),
    )
    ended = run_all(row, {provider: busy.url}, tmp_path)[provider]

    check(row, ended, [json.loads(one.body) for one in busy.heard])
    assert len(ended.delays) == ATTEMPTS - 1
    assert max(ended.delays) <= 0.001
