"""A process whose run asks a model, and which may be killed in the step after it."""

import asyncio
import os
import signal
import sqlite3
import sys
from decimal import Decimal

from fishplate import App, Prompt, Run, model_agent, tool, workflow
from fishplate.models.model import Usage
from fishplate.models.prices import Price, PriceTable
from fishplate.testing import ScriptedModel

TOKENS = Usage(input_tokens=1_000, output_tokens=100)
PRICES = PriceTable({"scripted": Price(input=Decimal(250), output=Decimal(2_000))})


_DIES = sys.argv[2:] == ["die"]


@model_agent("fast")
def ask(text: str) -> Prompt[str]:
    """Ask."""
    return Prompt(user=text)


@tool(effect="keyed", key_ttl=86_400)
async def slow(text: str) -> str:
    """Kills its process, if it is to."""
    if _DIES:
        os.kill(os.getpid(), signal.SIGKILL)
    return text


@workflow(tools=[slow])
async def flow(text: str) -> str:
    """Pays, and goes on."""
    return await slow(await ask(text))


async def live(folder: str) -> Run[str]:
    """Begin the run, or take it up, and end it."""
    store, traces = (f"sqlite:///{folder}/{name}.db" for name in ("runs", "traces"))
    model = ScriptedModel(["good"], usage=TOKENS)
    models = {"fast": model}
    async with App(flow, models=models, prices=PRICES, store=store, traces=traces) as app:
        if _DIES:  # what it tells is not written until it is killed
            sqlite3.connect(f"{folder}/traces.db").execute("BEGIN IMMEDIATE")
        (run,) = app.resumed or [app.start(flow, "x")]
        assert await run.result() == "good"
        return run


if __name__ == "__main__":
    asyncio.run(live(sys.argv[1]))
