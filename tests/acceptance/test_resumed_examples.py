"""Live and resumed runs see the same values: every workflow of the examples, cut everywhere."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from examples.order_support import app as order_support
from examples.order_support.model_agents import ALIAS, support_by_model
from examples.order_support.models import Query
from examples.order_support.payment_process import PaymentProcess
from examples.order_support.plain import support_plain
from examples.order_support.shop import Shop
from examples.order_support.shop_rules import NameZipIdentity
from examples.order_support.workflow import support
from fishplate import Reason, Workflow
from fishplate.agents.agent import AnyAgent
from fishplate.core.run_context import RunContext
from fishplate.models.model import Features, ModelAnswer, ModelRequest
from fishplate.orchestrator.durable import DurableSteps
from fishplate.orchestrator.effects import CallEffect
from fishplate.orchestrator.frame import Driver
from tests.examples.cuts import Cuts
from tests.examples.payment_service import charges
from tests.examples.recorded_calls import documents
from tests.examples.stage import LIAM, LIAMS_PROCESSED, Stage, make_stage
from tests.project import ROOT

EMMA = NameZipIdentity(first_name="Emma", last_name="Kim", zip="46214")


def _from_liam(text: str) -> Query:
    return Query(text=text, customer=LIAM)


QUESTIONS = {
    "status": _from_liam(f"What is the status of my order {LIAMS_PROCESSED}?"),
    "refund": _from_liam(f"I want my money back for order {LIAMS_PROCESSED}, it arrived damaged."),
    "paid": _from_liam("Part of order #W6397299 arrived broken. I want my money back."),
    "approved": Query(text="Please refund order W4646940, I changed my mind.", customer=EMMA),
    "parcel": _from_liam(f"Where is my parcel? I would like to track order {LIAMS_PROCESSED}."),
    "no carrier": _from_liam(f"Where is my parcel? I would like to track order {LIAMS_PROCESSED}."),
    "nothing": _from_liam("Hello, what a fine day it is."),
    "unknown order": _from_liam("What is the status of my order #W0000000?"),
}
UNITS: dict[str, AnyAgent] = {
    "support": support,
    "support_plain": support_plain,
    "support_by_model": support_by_model,
}


class Reader:
    """A fake model, which answers equal requests alike: replies come back as they are."""

    name = "reader"
    pinned = None
    features = Features(has_schemas=True)

    async def request(self, request: ModelRequest) -> ModelAnswer:
        """Read a message by its first telling word, or give a draft back."""
        said = request.messages[-1].text
        if request.schema is None or "label" not in json.dumps(request.schema):
            return ModelAnswer(text=said)
        labels = {
            "status": "order_status",
            "parcel": "shipping_question",
            "money": "refund_request",
        }
        labels["refund"] = labels["money"]
        found = next((label for word, label in labels.items() if word in said), "other")
        return ModelAnswer(text=json.dumps({"label": found, "is_certain": True}))


class Life(NamedTuple):
    """What came of a run in one life of its process.

    Attributes:
        state: In which it ended.
        output: JSON.
        reasons: Why it is degraded.
        seen: JSON of the arguments of each call, by path.
        records: What each step gave, by path, as it is kept.
        rows: Of the shop.
    """

    state: str
    output: bytes
    reasons: tuple[Reason, ...]
    seen: dict[str, bytes]
    records: dict[str, tuple[Any, ...]]
    rows: dict[str, str]


class Sight:
    """Sees the arguments of every call that a run asks for, whether it is made or answered."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.seen: dict[str, bytes] = {}
        perform = DurableSteps.perform

        async def seeing(  # noqa: PLR0917 -- as `perform`
            steps: DurableSteps,
            driver: Driver,
            run: RunContext,
            parent_id: int | None,
            effect: CallEffect,
            span_id: int = 0,
        ) -> object:
            self.seen[effect.key] = effect.unit.signature.to_json(effect.arguments)
            return await perform(steps, driver, run, parent_id, effect, span_id)

        patch.setattr(DurableSteps, "perform", seeing)


@pytest.fixture(scope="module")
def filled_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop's database, which is copied for each life."""
    path = tmp_path_factory.mktemp("shop") / "shop.db"
    Shop.open(str(path)).close()
    return path


@pytest.fixture
def first(filled_shop: Path, tmp_path: Path) -> Path:
    """The folder of a run's first life, with a shop of its own."""
    folder = tmp_path / "first"
    folder.mkdir()
    shutil.copy(filled_shop, folder / "shop.db")
    return folder


@pytest.fixture
def service(tmp_path: Path) -> Iterator[str]:
    """The URL of a payment service that outlives the lives of a run."""
    process = PaymentProcess(file=tmp_path / "payments.db")
    yield asyncio.run(process.url())
    process.close()


async def _live(stage: Stage, question: str, unit: AnyAgent | None) -> tuple[str, Any, Any]:
    """Start a run of an agent, or let the one that is open go on; how it ended."""
    async with stage.app as app:
        if question == "no carrier":
            stage.carrier.set_mode("down")
        if unit is not None:
            run = app.start(unit, QUESTIONS[question])
        elif app.resumed:
            (run,) = app.resumed
        else:
            (wait,) = await app.waits()
            run = await app.run(wait.run)
        while await run.ended_or_waiting() == "waiting":
            await stage.attend(run)
        output = await run.result()
        return run.state, run.agent.signature.output.to_json(output), run.degraded


def _lived(folder: Path, service: str, question: str, unit: AnyAgent | None, sight: Sight) -> Life:
    sight.seen = {}
    stage = make_stage(
        folder / "shop.db",
        folder=folder,
        payments=PaymentProcess(url=service),
        models={ALIAS: Reader()},
    )
    state, output, reasons = asyncio.run(_live(stage, question, unit))
    with closing(sqlite3.connect(folder / "runs.db")) as store:
        records = store.execute("SELECT key, kind, arguments, data, reasons FROM step").fetchall()
    return Life(
        state,
        output,
        reasons,
        sight.seen,
        {key: tuple(found) for key, *found in records},
        documents(folder / "shop.db"),
    )


@pytest.mark.parametrize(
    "question",
    # Each life of a run whose carrier is down waits for its retries.
    [pytest.param(one, marks=pytest.mark.long if one == "no carrier" else ()) for one in QUESTIONS],
)
@pytest.mark.parametrize("name", UNITS)
def test_a_run_that_is_cut_anywhere_ends_as_if_it_had_not_been(
    name: str,
    question: str,
    first: Path,
    service: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After each record: the same end, values, records and rows, and no refund is made again."""
    sight = Sight(monkeypatch)
    with monkeypatch.context() as patch:
        cuts = Cuts(patch, first / "shop.db")
        whole = _lived(first, service, question, UNITS[name], sight)
    resumed = 0
    for number, cut in enumerate(_open_ones(cuts)):
        folder = first.with_name(str(number))
        folder.mkdir()
        cut.leave_in(folder)
        life = _lived(folder, service, question, None, sight)
        assert life.output == whole.output, f"cut {number}, after {cut.steps} steps"
        assert (life.state, life.reasons) == (whole.state, whole.reasons)
        assert life.seen.items() <= whole.seen.items(), "a step saw another value"
        assert life.records == whole.records
        assert life.rows == whole.rows
        resumed += 1
        shutil.rmtree(folder)
    assert resumed >= len(whole.records), "each record has its cut"
    assert set(charges(service).values()) <= {1}


def _open_ones(cuts: Cuts) -> Iterator[Any]:
    """The cuts at which a run had begun and not ended, whether it was waiting or not."""
    for cut in cuts.found:
        with closing(sqlite3.connect(":memory:")) as store:
            store.deserialize(_not_in_wal(cut.store))
            if store.execute("SELECT 1 FROM run WHERE ended_ms IS NULL").fetchall():
                yield cut


def _not_in_wal(store: bytes) -> bytes:
    """A store that can be opened in memory, where there is no log beside it."""
    return store[:18] + b"\x01\x01" + store[20:]


def test_every_workflow_of_the_examples_is_cut() -> None:
    """A workflow that an example app has is one of those above, or a part of one."""
    workflows = {one.name for one in order_support.app.agents.values() if isinstance(one, Workflow)}

    assert workflows <= UNITS.keys() | support.reachable().keys()
    folders = {path.parent.name for path in (ROOT / "examples").glob("*/app.py")}
    assert folders == {"order_support"}, "a new example has its workflows cut, too"
