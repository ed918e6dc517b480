"""The rows `chain` and `build`: what one step of four in a row costs."""

from typing import Final

from bench.budgets import Budget
from bench.orders import DOCUMENT, ORDER, Order, check, pack, pass_on, receive, ship
from bench.row import step_row
from fishplate import agent, workflow

STEPS: Final = 4


@workflow
async def passing(order: Order) -> Order:
    """Four agents that give what they were given."""
    received = await receive(order)
    checked = await check(received)
    packed = await pack(checked)
    return await ship(packed)


async def pass_barely(runs: int) -> None:
    """The same by hand: validate what comes in, await the step, validate what comes out."""
    document = DOCUMENT
    for _ in range(runs * STEPS):
        Order.model_validate(document)
        document = await pass_on(document)
        Order.model_validate(document)


async def pass_in_fishplate(runs: int) -> None:
    """So many runs of `passing`, one after the other."""
    for _ in range(runs):
        await passing(ORDER)


@agent
async def discount(order: Order) -> Order:
    """Build a new order, as most real agents build their answers."""
    return Order(
        order_id=order.order_id,
        customer=order.customer,
        quantity=order.quantity,
        amount_cents=order.amount_cents - 1,
    )


@workflow
async def building(order: Order) -> Order:
    """Four agents that build what they give."""
    first = await discount.named("first")(order)
    second = await discount.named("second")(first)
    third = await discount.named("third")(second)
    return await discount.named("fourth")(third)


async def discounted(order: Order) -> dict[str, object]:
    """The body of `discount` by hand: its answer is still to be validated."""
    return {
        "order_id": order.order_id,
        "customer": order.customer,
        "quantity": order.quantity,
        "amount_cents": order.amount_cents - 1,
    }


async def build_barely(runs: int) -> None:
    """The same by hand."""
    for _ in range(runs):
        document = DOCUMENT
        for _ in range(STEPS):
            document = await discounted(Order.model_validate(document))
            Order.model_validate(document)


async def build_in_fishplate(runs: int) -> None:
    """So many runs of `building`, one after the other."""
    for _ in range(runs):
        await building(ORDER)


CHAIN: Final = step_row(
    "chain",
    passing,
    limit=pass_barely,
    ours=pass_in_fishplate,
    runs=500,
    operations=STEPS,
    unit="µs/step",
    budget=Budget(most=5.0, limit_there=2.3, times=2.2),
)
BUILD: Final = step_row(
    "build",
    building,
    limit=build_barely,
    ours=build_in_fishplate,
    runs=500,
    operations=STEPS,
    unit="µs/step",
)
