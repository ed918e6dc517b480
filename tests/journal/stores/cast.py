"""The agents whose runs stand in the stores of earlier versions; they never change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from fishplate import App, Rejected, agent, approval, current, route, tool, workflow
from fishplate.core.clock import FixedClock

WRITTEN: Final = datetime(2026, 1, 1, tzinfo=UTC)
CALLS: list[str] = []


class Gate:
    """What a step of a run waits for while its process ends.

    Args:
        is_open: Whether the step goes on.
    """

    def __init__(self, *, is_open: bool) -> None:
        self.is_open = is_open


@agent
async def find(order: str) -> str:
    """Find an order."""
    CALLS.append(f"find {order}")
    return f"{order} found"


@agent
async def pack(order: str) -> str:
    """Pack an order, once the gate is open."""
    CALLS.append(f"pack {order}")
    if not current().resource(Gate).is_open:
        raise KeyboardInterrupt
    return f"{order}, packed"


@tool(effect="at_most_once", scopes=["payments:write"])
async def pay(order: str) -> str:
    """Pay, by a service whose answer gets lost."""
    CALLS.append(f"pay {order}")
    raise ConnectionResetError


@tool(effect="keyed", key_ttl=3600, scopes=["payments:write"])
async def refund(order: str) -> str:
    """Refund."""
    CALLS.append(f"refund {order}")
    return f"{order}, refunded"


@agent
async def keep(rejected: Rejected) -> str:
    """Refund nothing."""
    return rejected.reason


@agent
async def same(text: str) -> str:
    """Say the same."""
    return text


@workflow
async def ship(order: str) -> str:
    """Find and pack."""
    return await pack(await find(order))


@workflow(tools=[pay])
async def charge(order: str) -> str:
    """Find and pay."""
    return await pay(await find(order))


@workflow(tools=[refund])
async def give_back(order: str) -> str:
    """Find, and refund when somebody has approved it."""
    found = await find(order)
    refunded = await approval(refund(found), roles=["lead"], within=86_400)
    return await route(same, keep, on=refunded)


def opened(path: Path, *, gate_is_open: bool, hours_later: int = 0) -> App:
    """An app over a store, at the time at which it was written or some hours later."""
    return App(
        ship,
        charge,
        give_back,
        store=f"sqlite:///{path}",
        clock=FixedClock(WRITTEN + timedelta(hours=hours_later)),
        resources={Gate: lambda: Gate(is_open=gate_is_open)},
    )
