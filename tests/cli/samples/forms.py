"""A workflow with every form of composition, for the tests of its chart; nothing of it runs."""

from typing import Literal

from pydantic import BaseModel

from fishplate import (
    DeclaredError,
    Rejected,
    agent,
    approval,
    each,
    graded,
    parallel,
    repeat,
    route,
    sleep,
    switch,
    tool,
    wait_for,
    when,
    workflow,
)
from fishplate.core.outcome import Degraded


class Request(BaseModel):
    """What comes in."""

    channel: Literal["email", 'a "b" <c> & #d', "1. x", "- y", "`z`"]
    words: list[str]


class First(BaseModel):
    """One member of a union."""

    kind: Literal["first"] = "first"
    number: int


class Second(BaseModel):
    """Another one."""

    kind: Literal["second"] = "second"


class Draft(BaseModel):
    """What is done again until it is done."""

    done: bool


class NotFound(DeclaredError):  # noqa: N818 -- it is an outcome too
    """There is none."""

    name: str


@tool(effect="keyed", key_ttl=60)
async def pay(first: First) -> str:
    """Pay."""
    return str(first.number)


@agent
async def sort(request: Request) -> First | Second:
    """Tell what it is."""
    return Second() if request.words else First(number=1)


@agent(errors=[NotFound])
async def take_first(first: First) -> str:
    """Take the one member."""
    return str(first.number)


@agent
async def take_first_again(first: First) -> str:
    """Take it when the other agent fails."""
    return str(first.number)


@agent
async def take_second(second: Second) -> str:
    """Take the other member."""
    return second.kind


@agent
async def spell(word: str) -> str:
    """Give a word back."""
    return word


@agent
async def spell_best(word: Degraded[str]) -> str:
    """Take what may be degraded."""
    return word.value


@agent
async def excuse(error: NotFound) -> str:
    """Say that there is none."""
    return error.name


@agent
async def regret(rejected: Rejected) -> str:
    """Say that it was not approved."""
    return rejected.reason


@agent
async def begin(request: Request) -> Draft:
    """Make a first draft."""
    return Draft(done=bool(request.words))


@agent
async def improve(draft: Draft) -> Draft:
    """Make a better one."""
    return Draft(done=not draft.done)


@workflow
async def inner(word: str) -> str:
    """A workflow that is a step of another one."""
    return await spell(word)


@workflow(version="1.2.0", tools=[pay], errors=[NotFound])
async def forms(request: Request) -> str:
    """Use every form once."""
    what = await sort(request)
    text = await route(take_first.or_else(take_first_again), take_second, on=what)
    one, _two = await parallel(spell(text), inner(text))
    await repeat(improve, await begin(request), until="done", at_most=3)
    await each(spell, request.words, concurrency=4)
    chosen = await switch(
        ("email", spell(one)),
        ('a "b" <c> & #d', spell(text)),
        ("1. x", spell(one)),
        ("- y", spell(one)),
        default=spell(text),
        on=request.channel,
    )
    signal = await wait_for("go", First, within=60, default=First(number=2))
    approved = await approval(pay(signal), roles=["lead", "boss"], within=3600)
    await sleep(5)
    await route(when(str, lambda text: spell(word=text)), regret, on=approved)
    rated = await graded(spell.named("rated")(chosen))
    await spell_best(rated)
    looked = await take_first.catching(NotFound).named("looked")(signal)
    return await route(spell, excuse, on=looked)


@agent(agents=[inner, spell], tools=[pay])
async def dynamic(first: First) -> str:
    """Call others from a body."""
    return await spell(await pay(first))
