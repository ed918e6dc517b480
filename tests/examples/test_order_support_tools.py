"""The sixteen tools as fishplate runs them: recorded answers, declared effects, fresh reads."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import JsonValue

from examples.order_support import app as order_support
from examples.order_support.app import SHOP_TOOLS
from examples.order_support.shop import Shop
from examples.order_support.tools import (
    ORDERS_ARE_FRESH_FOR,
    Refused,
    cancel_pending_order,
    get_order_details,
    modify_user_address,
    track_parcel,
)
from fishplate import Agent, App, InputError, UsageError
from fishplate.core.clock import FixedClock
from tests.examples.recorded_calls import (
    TASK_NAMES,
    TASKS,
    Step,
    Task,
    changed_rows,
    comparable,
    corrected,
    documents,
    recorded_answer,
)
from tests.examples.stage import LIAMS_PENDING, NOON

TOOLS: dict[str, Agent[..., object]] = {tool.name: tool for tool in SHOP_TOOLS}

# Who changes what: all other tools of the shop read.
WRITES = {
    "cancel_pending_order": ("verifiable", {"orders:write", "users:write"}),
    "modify_pending_order_address": ("idempotent", {"orders:write"}),
    "modify_pending_order_items": ("verifiable", {"orders:write", "users:write"}),
    "modify_pending_order_payment": ("verifiable", {"orders:write", "users:write"}),
    "modify_user_address": ("idempotent", {"users:write"}),
    "return_delivered_order_items": ("verifiable", {"orders:write"}),
    "exchange_delivered_order_items": ("verifiable", {"orders:write"}),
}


def _app(database: Path) -> App:
    return App(
        *SHOP_TOOLS,
        resources={Shop: lambda: Shop.open(str(database))},
        clock=FixedClock(NOON),
    )


@pytest.mark.parametrize("task", TASKS, ids=TASK_NAMES)
def test_a_task_replays_as_recorded(task: Task, shop: Shop, database: Path) -> None:
    """A fresh app gives each recorded answer, and exactly the recorded rows have changed."""
    before = documents(database)
    expected = corrected(task)

    answers = asyncio.run(_answers(database, task))

    assert answers == [recorded_answer(step) for step in expected["steps"]]
    read = {"orders": shop.get_order_details, "users": shop.get_user_details}
    assert changed_rows(before, documents(database), read) == comparable(expected["db_changed"])


def test_there_are_exactly_the_shops_tools() -> None:
    """The sixteen tools are named as the shop's methods, and the app's file offers each by name."""
    assert len(TOOLS) == 16
    assert [name for name in TOOLS if not callable(getattr(Shop, name))] == []
    assert [name for name in TOOLS if getattr(order_support, name) is not TOOLS[name]] == []


@pytest.mark.parametrize("name", TOOLS)
def test_a_tool_declares_what_it_does(name: str) -> None:
    """A tool that changes something says so, and names the data that it changes; the rest reads."""
    declared = TOOLS[name].about.effect
    assert declared is not None

    effect, scopes = WRITES.get(name, ("readonly", set[str]()))

    assert declared.effect == effect
    assert {scope for scope in declared.scopes if scope.endswith(":write")} == scopes


@pytest.mark.parametrize("name", WRITES)
async def test_a_change_without_an_app_is_refused(name: str) -> None:
    """Outside of an app nothing that changes data runs."""
    tool = TOOLS[name]
    arguments = [["1"] if "ids" in each.name else "1" for each in tool.signature.parameters]

    with pytest.raises(UsageError) as refusal:
        await tool(*arguments)

    assert refusal.value.code == "no_app"


async def test_a_lookup_is_answered_by_the_cache_with_its_age(database: Path) -> None:
    """The second lookup of an order reads no row, and its trace says how old the answer is."""
    clock = FixedClock(NOON)
    app = App(resources={Shop: lambda: Shop.open(str(database))}, clock=clock)
    async with app:
        first = app.start(get_order_details, LIAMS_PENDING)
        order = await first.result()
        clock.advance(30)
        second = app.start(get_order_details, LIAMS_PENDING)

        assert await second.result() == order
        assert _facts(app.spans(first)[0].attributes) == {"cache_hit": False}
        assert _facts(app.spans(second)[0].attributes) == {"cache_hit": True, "cache_age": 30.0}


async def test_a_cached_lookup_grows_too_old(database: Path) -> None:
    """After its time an answer is read anew."""
    clock = FixedClock(NOON)
    app = App(resources={Shop: lambda: Shop.open(str(database))}, clock=clock)
    async with app:
        await get_order_details(LIAMS_PENDING)
        clock.advance(ORDERS_ARE_FRESH_FOR)
        run = app.start(get_order_details, LIAMS_PENDING)
        await run.result()

    assert _facts(app.spans(run)[0].attributes) == {"cache_hit": False}


async def test_a_change_makes_the_cache_forget(database: Path) -> None:
    """A lookup after a change of orders sees the change, however fresh the cached answer is."""
    async with _app(database) as app:
        before = await get_order_details(LIAMS_PENDING)
        await cancel_pending_order(LIAMS_PENDING, "no longer needed")
        run = app.start(get_order_details, LIAMS_PENDING)
        after = await run.result()

    assert (before.status, after.status) == ("pending", "cancelled")
    assert _facts(app.spans(run)[0].attributes) == {"cache_hit": False}


async def test_a_refused_change_leaves_the_cache(database: Path) -> None:
    """Nothing has changed, so the cached answer still holds."""
    async with _app(database) as app:
        await get_order_details(LIAMS_PENDING)
        with pytest.raises(Refused):
            await cancel_pending_order(LIAMS_PENDING, "it rains")
        run = app.start(get_order_details, LIAMS_PENDING)
        await run.result()

    assert _facts(app.spans(run)[0].attributes)["cache_hit"] is True


async def test_a_change_of_customers_leaves_cached_orders(database: Path) -> None:
    """The cache forgets by scope: an address of a customer is no order."""
    async with _app(database) as app:
        await get_order_details(LIAMS_PENDING)
        await modify_user_address("liam_thomas_7882", "1 Main St", "", "Reno", "NV", "USA", "89501")
        run = app.start(get_order_details, LIAMS_PENDING)
        await run.result()

    assert _facts(app.spans(run)[0].attributes)["cache_hit"] is True


async def test_a_refusal_is_no_cached_answer(database: Path) -> None:
    """What was not found may be there a moment later, so it is looked for again."""
    async with _app(database):
        for _ in range(2):
            with pytest.raises(Refused) as refusal:
                await get_order_details("#W0000001")

            assert refusal.value.to_model().model_dump() == {
                "error": "refused",
                "message": "Order not found",
            }


@pytest.mark.parametrize("tracking_id", ["", "1", "3579625010271", "../fault", "35796250102\n"])
async def test_only_a_tracking_id_goes_into_the_carriers_address(tracking_id: str) -> None:
    """Twelve digits, and nothing that could name another page of the carrier's service."""
    async with App() as app:
        with pytest.raises(InputError) as refusal:
            app.start(track_parcel, tracking_id)

    assert refusal.value.pointer == "/tracking_id"


async def _answers(database: Path, task: Task) -> list[JsonValue]:
    async with _app(database) as app:
        return [await _answer(app, step) for step in task["steps"]]


async def _answer(app: App, step: Step) -> JsonValue:
    tool = TOOLS[step["name"]]
    try:
        result = await app.start_json(tool, json.loads(json.dumps(step["arguments"]))).result()
    except Refused as refusal:
        return {"refused": refusal.message}
    return comparable(tool.signature.output.encode(result))


def _facts(attributes: Mapping[str, object] | None) -> dict[str, object]:
    return dict(attributes or {})
