"""How the mark of a degraded value follows it through every form."""

from typing import Literal

from pydantic import BaseModel

from fishplate import (
    Degraded,
    agent,
    each,
    graded,
    parallel,
    repeat,
    route,
    struct,
    switch,
    workflow,
)
from fishplate.orchestrator.effects import Marked
from tests.orchestrator.story import LATE, told


class Left(BaseModel):
    """One way."""

    way: Literal["left"] = "left"
    numbers: list[int]


class Right(BaseModel):
    """The other way."""

    way: Literal["right"] = "right"


class Count(BaseModel):
    """A number that grows."""

    number: int
    done: bool = False


@agent(inline=True)
def lookup(number: int) -> int:
    """Look something up."""
    return number


@agent(inline=True)
def spread(number: int) -> list[int]:
    """The numbers below a number."""
    return list(range(number))


@agent(inline=True)
def double(number: int) -> int:
    """Twice the number."""
    return 2 * number


@agent(inline=True)
def is_big(number: int) -> bool:
    """Whether the number is big."""
    return number > 10


@agent(inline=True)
def choose(number: int) -> Left | Right:
    """A way."""
    return Left(numbers=[number]) if number else Right()


@agent(inline=True)
def go_left(left: Left) -> int:
    """Go left."""
    return len(left.numbers)


@agent(inline=True)
def go_right(right: Right) -> int:
    """Go right."""
    return 0


@agent(inline=True)
def grow(count: Count) -> Count:
    """Grow by one, to three."""
    return Count(number=count.number + 1, done=count.number >= 2)


@agent(inline=True)
def amount(count: Count) -> int:
    """The number."""
    return count.number


def test_what_is_made_from_a_degraded_value_is_degraded() -> None:
    """The mark goes from argument to answer; a value made without it has none."""

    @workflow
    async def used(number: int) -> int:
        found = await lookup(number)
        return await double(found)

    @workflow
    async def unused(number: int) -> int:
        await lookup(number)
        return await double(number)

    degraded = Marked(7, (LATE,))

    assert told(used, 1, lookup=degraded).reasons == (LATE,)
    assert told(unused, 1, lookup=degraded).reasons == ()


def test_a_decision_on_a_degraded_value_degrades_its_outcome() -> None:
    """The other branch might have been taken."""

    @workflow
    async def switched(number: int) -> int:
        big = await is_big(number)
        return await switch((True, lookup(1)), (False, lookup(2)), on=big)

    @workflow
    async def routed(number: int) -> int:
        way = await choose(number)
        return await route(go_left, go_right, on=way)

    assert told(switched, 1, is_big=Marked(value=True, reasons=(LATE,))).reasons == (LATE,)
    assert told(routed, 0, choose=Marked(Right(), (LATE,))).reasons == (LATE,)


def test_a_degraded_branch_degrades_the_tuple() -> None:
    """The reasons of every branch come together, each once."""

    @workflow
    async def both(number: int) -> int:
        first, _ = await parallel(lookup(number), double(number))
        return await double(first)

    assert told(both, 1, lookup=Marked(1, (LATE,))).reasons == (LATE,)


def test_a_degraded_list_degrades_the_answers() -> None:
    """Each branch inherits from the list; a degraded branch degrades the list of answers."""

    @workflow
    async def flow(number: int) -> list[int]:
        numbers = await spread(number)
        return await each(double, numbers)

    def double_some(number: int) -> object:
        return Marked(2, (LATE,)) if number == 1 else 2 * number

    assert told(flow, 3, spread=Marked([0, 1, 2], (LATE,))).reasons == (LATE,)
    assert told(flow, 3, double=double_some).reasons == (LATE,)
    assert told(flow, 3).reasons == ()


def test_a_degraded_turn_degrades_the_turns_after_it() -> None:
    """Each turn is made from the one before, so the mark of the first one stays."""

    @workflow
    async def flow(count: Count) -> int:
        grown = await repeat(grow, count, until="done", at_most=9)
        return await amount(grown)

    def late_at_first(count: Count) -> object:
        grown = Count(number=count.number + 1, done=count.number >= 2)
        return Marked(grown, (LATE,)) if count.number == 0 else grown

    story = told(flow, Count(number=0), grow=late_at_first)

    assert (story.result, story.reasons) == (3, (LATE,))


def test_a_structure_inherits_from_its_parts() -> None:
    """What is built from several values has the reasons of each, once."""

    @workflow
    async def flow(number: int) -> int:
        found = await lookup(number)
        again = await double(found)
        return await amount(struct(Count, number=again, done=False))

    assert told(flow, 1, lookup=Marked(1, (LATE,))).reasons == (LATE,)


def test_a_mark_in_one_element_is_none_in_another() -> None:
    """Elements do not see each other: only the degraded one tells its next step."""
    seen: list[tuple[int, bool]] = []

    @agent(inline=True)
    def weigh(found: Degraded[int]) -> int:
        seen.append((found.value, bool(found.reasons)))
        return found.value

    @workflow
    async def one(number: int) -> int:
        found = await graded(lookup(number))
        return await weigh(found)

    def late_for_one(number: int) -> object:
        return Marked(number, (LATE,)) if number == 1 else number

    for number in range(3):
        told(one, number, lookup=late_for_one)

    assert seen == [(0, False), (1, True), (2, False)]
