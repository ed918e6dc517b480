"""The agents that the tests of bodies call."""

import asyncio

from pydantic import BaseModel

from fishplate import DeclaredError, ErrorClass, Failure, agent, current


class Item(BaseModel):
    """Something with a name."""

    name: str


class Missing(DeclaredError):  # noqa: N818 -- an outcome
    """Nothing of that name."""

    name: str


@agent
async def echo(text: str) -> str:
    """Say it again."""
    await asyncio.sleep(1)
    return text


@agent
async def path_of(text: str) -> str:
    """Say where it is."""
    await asyncio.sleep(1)
    return current().path


@agent(errors=[Missing])
async def find(name: str) -> Item:
    """Find an item; those without a name are missing, and `down` is down."""
    if name == "down":
        raise Failure("down", error_class=ErrorClass.OVERLOAD, code="down")
    if not name:
        raise Missing(name=name)
    return Item(name=name)


@agent
async def guess(name: str) -> Item:
    """Make an item up."""
    return Item(name=f"guess of {name}")
