"""The row `guarded`: the row `chain` with every policy on at every step."""

from typing import Final

from bench.budgets import Budget
from bench.chain import STEPS, pass_barely
from bench.orders import ORDER, Order, check, pack, receive, ship
from bench.policies import EVERY_POLICY
from bench.row import step_row
from fishplate import workflow


@workflow
async def guarded(order: Order) -> Order:
    """Four agents that give what they were given, each behind all policies."""
    received = await receive.using(EVERY_POLICY)(order)
    checked = await check.using(EVERY_POLICY)(received)
    packed = await pack.using(EVERY_POLICY)(checked)
    return await ship.using(EVERY_POLICY)(packed)


async def pass_guarded(runs: int) -> None:
    """So many runs of `guarded`, one after the other."""
    for _ in range(runs):
        await guarded(ORDER)


GUARDED: Final = step_row(
    "guarded",
    guarded,
    limit=pass_barely,
    ours=pass_guarded,
    runs=500,
    operations=STEPS,
    unit="µs/step",
    # The budget of a step, and that of the whole pipeline on top of it.
    budget=Budget(most=5.0 + 1.5, limit_there=2.3),
)
