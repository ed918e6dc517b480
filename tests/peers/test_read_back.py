"""What Arize Phoenix and MLflow show of our traces: the whole tree, kinds, tokens, cost, status."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from examples.order_support.app import make_app
from examples.order_support.model_agents import ALIAS, support_by_model
from examples.order_support.models import Query
from examples.order_support.outbox import Outbox
from examples.order_support.payment_process import PaymentProcess
from examples.order_support.shop import Shop
from examples.order_support.shop_clock import Calendar
from fishplate import Agent, FishplateError, Run
from fishplate.core.events import Span
from fishplate.core.ids import span_hex
from tests.examples.stage import LIAM, trained_classifier
from tests.peers.cast import (
    CLERK,
    HOSTILE,
    PRICES,
    REQUEST_NANOS,
    SNAPSHOT,
    Echo,
    app_of,
    decisions,
    degrading,
    failing,
    hostile,
    waiting,
)
from tests.peers.readers import Peer, ReadTrace

KINDS = {
    "workflow": "CHAIN",
    "decision": "CHAIN",
    "agent": "AGENT",
    "model": "LLM",
    "tool": "TOOL",
    "retrieval": "RETRIEVER",
}


def parents(spans: list[Span]) -> dict[str, tuple[str | None, str]]:
    """The parent and the kind of each span, as the app itself knows them."""
    return {
        span_hex(one.span_id): (
            None if one.parent_id is None else span_hex(one.parent_id),
            KINDS[one.kind],
        )
        for one in spans
    }


def read_parents(trace: ReadTrace) -> dict[str, tuple[str | None, str]]:
    """The same, as it was read back."""
    return {key: (one.parent_id, one.kind) for key, one in trace.spans.items()}


def test_order_support_is_read_back_whole(peer: Peer, tmp_path: Path) -> None:
    """A refund by real tools between two requests to a model: tree, kinds, tokens and cost."""
    trained_classifier()

    async def main() -> tuple[str, list[Span]]:
        app = make_app(
            store=f"sqlite:///{tmp_path}/runs.db",
            shop=lambda: Shop.open(str(tmp_path / "shop.db")),
            payments=lambda: PaymentProcess(file=tmp_path / "payments.db"),
            outbox=lambda: Outbox(tmp_path / "outbox"),
            classifier=trained_classifier,
            calendar=Calendar.of_the_data,
            models={ALIAS: Echo("refund_request")},
            prices=PRICES,
            export=peer.export(),
        )
        text = "Part of order #W6397299 arrived broken. I want my money back."
        async with app:
            run = app.start(support_by_model, Query(text=text, customer=LIAM))
            assert (await run.result()).text.endswith("We have sent it, as refund number 1.")
            tally = (await app.flush_traces())["export"]
            assert (tally.dropped, tally.lost) == (0, 0), tally.failure
            return run.trace_id, list(app.spans(run))

    trace_id, spans = asyncio.run(main())
    read = peer.read(trace_id, len(spans))

    assert read_parents(read) == parents(spans)
    assert read.tree() == [
        "CHAIN invoke_workflow support_by_model OK",
        "  AGENT invoke_agent extraction",
        "  AGENT invoke_agent intent_by_model",
        "    AGENT invoke_agent read_intent",
        "      LLM chat gpt-4o-mini",
        "  AGENT invoke_agent reply_by_model",
        "    AGENT invoke_agent rewrite",
        "      LLM chat gpt-4o-mini",
        "  CHAIN invoke_workflow refund",
        "    AGENT invoke_agent refund_decision",
        "      AGENT invoke_agent cited_rule",
        "        RETRIEVER retrieval",
        "      AGENT invoke_agent customer_order",
        "        TOOL execute_tool find_user_id_by_email",
        "        TOOL execute_tool get_order_details",
        "      AGENT invoke_agent refund_eligibility",
        "        TOOL execute_tool get_order_details",
        "        CHAIN rule",
        "    CHAIN invoke_workflow due_refund",
        "      AGENT invoke_agent pay_back",
        "        TOOL execute_tool issue_refund",
        "      AGENT invoke_agent refund_answer",
        "      CHAIN switch → False",
        "    CHAIN route → RefundDue",
        "  CHAIN route → RefundRequest",
    ]
    requests = [one for one in read.spans.values() if one.kind == "LLM"]
    assert [(one.tokens, one.cost_nanos) for one in requests] == 2 * [((321, 12), REQUEST_NANOS)]
    assert (read.tokens, read.cost_nanos) == (2 * 333, 2 * REQUEST_NANOS)
    assert (read.project, read.state) == (peer.project, "OK")


def test_a_step_with_a_payment_and_an_inference_is_read_back(peer: Peer) -> None:
    """Retrieval, validation, execution with its tool and its model, response: one below another."""

    async def main() -> str:
        async with app_of(decisions, peer.export("full")) as app:
            run = app.start(decisions, "W1")
            await run.result()
            await app.flush_traces()
            return run.trace_id

    read = peer.read(asyncio.run(main()), 9)

    assert read.tree() == [
        "CHAIN invoke_workflow decisions OK",
        "  AGENT invoke_agent execution",
        "    TOOL execute_tool payment_api",
        "    AGENT invoke_agent inference",
        "      LLM chat gpt-4o-mini",
        "  AGENT invoke_agent response",
        "  AGENT invoke_agent retrieval",
        "    RETRIEVER retrieval policies",
        "  AGENT invoke_agent validation",
    ]
    by_name = {one.name: one for one in read.spans.values()}
    request = by_name["chat gpt-4o-mini"]
    assert (request.tokens, request.cost_nanos) == ((321, 12), REQUEST_NANOS)
    assert (read.tokens, read.cost_nanos) == (333, REQUEST_NANOS)
    assert request.attributes["fishplate.cost.nanos"] == REQUEST_NANOS
    assert request.attributes["gen_ai.provider.name"] == "openai"
    assert request.attributes["gen_ai.response.model"] == SNAPSHOT
    assert request.given == [
        {
            "role": "system",
            "parts": [{"type": "text", "content": "You write to customers."}],
        },
        {"role": "user", "parts": [{"type": "text", "content": "W1: ['refunds']"}]},
    ]
    assert request.gave == [
        {
            "role": "assistant",
            "parts": [{"type": "text", "content": "Done."}],
            "finish_reason": "stop",
        }
    ]
    assert by_name["execute_tool payment_api"].given == {"order_id": "W1"}
    assert by_name["execute_tool payment_api"].gave == "receipt of W1"


@pytest.mark.parametrize(
    ("unit", "tree"),
    [
        (
            degrading,
            [
                "CHAIN invoke_workflow degrading OK",
                "  CHAIN fallback → estimate",
                "  AGENT invoke_agent carrier ERROR",
                "  AGENT invoke_agent estimate",
            ],
        ),
        (
            failing,
            ["CHAIN invoke_workflow failing ERROR", "  AGENT invoke_agent carrier ERROR"],
        ),
    ],
    ids=lambda found: getattr(found, "name", ""),
)
def test_what_went_wrong_is_shown_where_it_did(
    peer: Peer, unit: Agent[[str], str], tree: list[str]
) -> None:
    """A failed step is an error and says which; a run that was answered is none, but degraded."""

    async def main() -> str:
        async with app_of(unit, peer.export()) as app:
            run = app.start(unit, "W1")
            await _end_of(run)
            await app.flush_traces()
            return run.trace_id

    read = peer.read(asyncio.run(main()), len(tree))

    assert read.tree() == tree
    assert read.state == ("OK" if unit is degrading else "ERROR")
    told = {one.name: one.attributes for one in read.spans.values()}
    assert told["invoke_agent carrier"]["error.type"] == "carrier_down"
    root = told[f"invoke_workflow {unit.name}"]
    if unit is degrading:
        assert root["fishplate.degraded"] is True
    else:
        assert root["error.type"] == "carrier_down"


def test_a_resumed_run_is_one_trace(peer: Peer, tmp_path: Path) -> None:
    """What ran before a process ended and what ran after it stand below one root, once."""
    store = f"sqlite:///{tmp_path}/runs.db"

    async def begin() -> str:
        async with app_of(waiting, peer.export(), store) as app:
            run = app.start(waiting, "W1")
            assert await run.ended_or_waiting() == "waiting"
            await app.flush_traces()
            return run.id

    async def go_on(run_id: str) -> str:
        async with app_of(waiting, peer.export(), store) as app:
            run = await app.run(run_id)
            (wait,) = await app.waits(run_id)
            await app.approve(run_id, wait.key, principal=CLERK)
            assert await run.result() == "Done."
            await app.flush_traces()
            return run.trace_id

    read = peer.read(asyncio.run(go_on(asyncio.run(begin()))), 10)

    # A store's clock has milliseconds, so among steps that took less it stands anywhere.
    decided = "  CHAIN approval → approved"
    assert decided in read.tree()
    assert [line for line in read.tree() if line != decided] == [
        "CHAIN invoke_workflow waiting OK",
        "  AGENT invoke_agent execution",
        "    TOOL execute_tool payment_api",
        "    AGENT invoke_agent inference",
        "      LLM chat gpt-4o-mini",
        "  AGENT invoke_agent retrieval",
        "    RETRIEVER retrieval",
        "  AGENT invoke_agent retrieval replayed",
        "  AGENT invoke_agent verdict",
    ]
    assert (read.tokens, read.cost_nanos) == (333, REQUEST_NANOS)


def test_hostile_text_arrives_as_text_and_bounded(peer: Peer) -> None:
    """Nothing that an agent says keeps a batch from being taken, or stands for more than itself."""

    async def main() -> str:
        async with app_of(hostile, peer.export("full")) as app:
            run = app.start(hostile, "W1<b>")
            await run.result()
            assert (await app.flush_traces())["export"].lost == 0
            return run.trace_id

    read = peer.read(asyncio.run(main()), 2)

    told = {one.kind: one for one in read.spans.values()}
    assert told["AGENT"].given == {"order_id": "W1<b>"}
    assert len(told["AGENT"].gave) < 20_000
    assert told["AGENT"].attributes["fishplate.evil"] == HOSTILE.replace("\ud800", "?")
    assert len(json.dumps(dict(told["AGENT"].attributes))) < 60_000
    assert told["RETRIEVER"].name == f"retrieval {HOSTILE.replace(chr(0xD800), '?')}"


async def _end_of(run: Run[str]) -> None:
    try:
        await run.result()
    except FishplateError:
        assert run.state == "failed"
