"""An agent that tells more than there is room for."""

from fishplate import App, agent, tool
from fishplate.traces.store import TraceStore


@tool(effect="readonly")
async def read(number: int) -> int:
    """Gives it back."""
    return number


@agent(tools=[read])
async def many(count: int) -> int:
    """Asks so many times, and fails after that."""
    for number in range(count):
        await read(number)
    raise KeyError(count)


app = App(many, traces=TraceStore(url="sqlite:///traces.db", capacity=20))
