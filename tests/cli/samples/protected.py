"""Agents under policies, good and doubtful, for the tests of `fishplate policy`."""

from fishplate import (
    App,
    Breaker,
    Bulkhead,
    Cache,
    Policy,
    RateLimit,
    Retry,
    agent,
    tool,
    workflow,
)


@tool(
    effect="readonly",
    scopes=["orders:read"],
    target="shop",
    pool="tools",
    policy=Policy(
        timeout=9,
        attempt_timeout=2,
        reserve=1,
        retry=Retry(attempts=2, base=0.2, cap=4),
        breaker=Breaker(slow_call=1.5),
        bulkhead=Bulkhead(3, queued=5, wait=0.5),
        rate_limit=RateLimit(requests_per_minute=60),
        cache=Cache(ttl=30, scope="orders"),
    ),
)
async def find_order(order_id: str) -> str:
    """Look an order up."""
    return order_id


@tool(effect="readonly", target="shop")
async def find_user(order_id: str) -> str:
    """Look a user up, at the same target."""
    return order_id


@agent(tools=[find_order])
async def lookup(order_id: str) -> str:
    """Call the tool."""
    return await find_order(order_id)


@agent
async def guess(order_id: str) -> str:
    """Do without."""
    return order_id


@workflow(version="1.0.0")
async def support(order_id: str) -> str:
    """Look it up, or guess."""
    return await lookup.or_else(guess)(order_id)


@workflow
async def eager(order_id: str) -> str:
    """Try again what is tried again below."""
    return await lookup.using(Policy(retry=Retry()))(order_id)


@workflow(policy=Policy(timeout=2))
async def hurried(order_id: str) -> str:
    """Give a tool less time than it wants."""
    return await lookup(order_id)


@tool(effect="at_most_once", policy=Policy(retry=Retry(attempts=1)))
async def send_mail(order_id: str) -> str:
    """Send a mail, once."""
    return order_id


app = App(support, find_user, working_time=60)
