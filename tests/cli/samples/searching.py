"""Agents that look something up."""

from fishplate import agent, current
from fishplate.core.current import Passage

FOUND = [
    Passage(id="gift cards", score=0.91, text="Never refunded, <b>ever</b>."),
    Passage(id="delivery", score=0.4, text="Within 14 days."),
]


@agent
async def searching(order_id: str) -> str:
    """Tells what it used."""
    current().retrieved("policy", FOUND, used=["gift cards"], query="refunded?")
    return order_id


@agent
async def silent(order_id: str) -> str:
    """Does not tell what it used."""
    current().retrieved("policy", FOUND, query="refunded?")
    return order_id
