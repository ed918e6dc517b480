"""What a walk asks for side by side, and again and again."""

from typing_extensions import TypedDict

from fishplate import (
    agent,
    each,
    parallel,
    repeat,
    workflow,
)
from fishplate.core.errors import UsageError
from fishplate.orchestrator.compile import compile_workflow
from fishplate.orchestrator.effects import CallEffect, ForkEffect, Strand
from fishplate.orchestrator.machine import Machine
from fishplate.orchestrator.walker import walk
from tests.orchestrator.cast import (
    Basket,
    Draft,
    Order,
    add,
    double,
    improve,
    ship,
    show,
)
from tests.orchestrator.story import strand_of, told


def test_parallel_asks_for_every_branch_at_once() -> None:
    """Branches are issued in order, before any is answered, and give a tuple."""

    @workflow
    async def both(number: int) -> str:
        first, second = await parallel(double(number), double(1))
        total = await add(first, second)
        return await show(total)

    story = told(both, 5)

    assert story.lines == [
        "parallel/double: double(5)",
        "parallel/double~2: double(1)",
        "add: add(10, 2)",
        "show: show(12)",
    ]


def test_each_names_its_elements_by_position_or_by_key() -> None:
    """A key keeps an element's name when the list is ordered anew; what a path means is escaped."""

    @workflow
    async def by_position(basket: Basket) -> list[str]:
        return await each(ship, basket.orders)

    @workflow
    async def by_key(basket: Basket) -> list[str]:
        return await each(lambda order: ship(order=order), basket.orders, key="number")

    basket = Basket(orders=[Order(number="a/b.c"), Order(number="d e")])

    assert [line.partition(":")[0] for line in told(by_position, basket).lines] == [
        "each.0/ship",
        "each.1/ship",
    ]
    assert [line.partition(":")[0] for line in told(by_key, basket).lines] == [
        "each.a%2Fb%2Ec/ship",
        "each.d%20e/ship",
    ]


def test_a_branch_of_one_plain_call_is_that_call() -> None:
    """It needs no strand of its own; one that does more, or answers for a failure, has one."""

    @workflow
    async def mixed(number: int) -> tuple[int, int, int]:
        return await parallel(double(number), double.or_else(double.named("again"))(1), add(1, 2))

    @workflow
    async def plain(basket: Basket) -> list[str]:
        return await each(ship, basket.orders)

    fork = strand_of(mixed, 5).send(None)
    assert isinstance(fork, ForkEffect)
    single = strand_of(plain, Basket(orders=[Order(number="a"), Order(number="b")])).send(None)
    assert isinstance(single, ForkEffect)
    first, second = single.open_branch(0), single.open_branch(1)

    assert [isinstance(fork.open_branch(at), CallEffect) for at in range(3)] == [True, False, True]
    assert isinstance(first, CallEffect)
    assert isinstance(second, CallEffect)
    assert (first.key, first.arguments) == ("each.0/ship", (Order(number="a"),))
    assert (second.key, second.arguments) == ("each.1/ship", (Order(number="b"),))


def test_a_branch_that_cannot_be_opened_has_failed() -> None:
    """The arguments of a call are read when its branch begins, and may not be what it takes."""
    failure = UsageError("no", code="no")

    def refuse(_index: int) -> CallEffect:
        raise failure

    def forking() -> Strand:
        return (yield ForkEffect("each", 2, refuse, None, "each"))

    machine = Machine(forking())

    assert machine.failure is failure
    assert machine.take() == []


def test_elements_of_plain_json_have_keys_too() -> None:
    """A typed dictionary is named by one of its keys."""

    class Row(TypedDict):
        name: str

    @agent(inline=True)
    def read(row: Row) -> str:
        return row["name"]

    @workflow
    async def flow(rows: list[Row]) -> list[str]:
        return await each(read, rows, key="name")

    assert told(flow, [{"name": "a"}, {"name": "b"}]).lines == [
        "each.a/read: read({'name': 'a'})",
        "each.b/read: read({'name': 'b'})",
    ]


def test_each_refuses_two_elements_of_one_key() -> None:
    """Two elements of one name would share their keys, and so their effects."""

    @workflow
    async def by_key(basket: Basket) -> list[str]:
        return await each(ship, basket.orders, key="number")

    story = told(by_key, Basket(orders=[Order(number="1"), Order(number="1")]))

    assert story.lines == []
    assert (story.failure.code, story.failure.step) == ("repeated_key", "each")


def test_each_refuses_a_list_that_is_too_long() -> None:
    """Ten thousand elements are the most."""

    @workflow
    async def all_of(numbers: list[int]) -> list[int]:
        return await each(double, numbers)

    assert told(all_of, list(range(10_001))).failure.code == "too_wide"


def test_each_of_nothing_gives_an_empty_list() -> None:
    """No element, no effect."""

    @workflow
    async def all_of(numbers: list[int]) -> list[int]:
        return await each(double, numbers)

    story = told(all_of, [])

    assert (story.lines, story.result) == ([], [])


def test_each_keeps_its_bound() -> None:
    """With `concurrency=2` the third element is issued when one of the first two is answered."""

    @workflow
    async def all_of(numbers: list[int]) -> list[int]:
        return await each(double, numbers, concurrency=2)

    story = told(all_of, [1, 2, 3, 4, 5])

    assert [line.partition("/")[0] for line in story.lines] == [f"each.{n}" for n in range(5)]
    assert story.result == [2, 4, 6, 8, 10]


def test_an_each_of_empty_lists_needs_no_deep_stack() -> None:
    """Elements that end at once do not pile up, however many they are."""

    @workflow
    async def inner(numbers: list[int]) -> list[int]:
        return await each(double, numbers)

    @workflow
    async def outer(lists: list[list[int]]) -> list[list[int]]:
        return await each(lambda numbers: inner(numbers=numbers), lists)

    lists: list[list[int]] = [[]] * 3_000

    assert told(outer, lists, inner=[]).result == lists


def test_repeat_runs_on_its_own_output_until_it_is_done() -> None:
    """Each turn has a key of its own; the decision says how many it took."""

    @workflow
    async def polish(draft: Draft) -> Draft:
        return await repeat(improve, draft, until="done", at_most=5)

    story = told(polish, Draft(text="x"))

    assert story.lines == [
        "repeat.0/improve: improve(Draft(text='x', done=False))",
        "repeat.1/improve: improve(Draft(text='xx', done=False))",
        "repeat: repeat -> done",
    ]
    assert story.result == Draft(text="xxx", done=True)


def test_repeat_that_never_ends_fails_with_the_last_value() -> None:
    """Reaching the limit is a failure, which shows how far it came."""

    @workflow
    async def polish(draft: Draft) -> Draft:
        return await repeat(improve, draft, until="done", at_most=2)

    failure = told(polish, Draft(text="")).failure

    assert (failure.code, failure.step) == ("limit_reached", "repeat")
    assert failure.details == {"at_most": 2, "last": {"text": "xx", "done": False}}


def test_the_keys_of_a_nested_workflow_stand_below_its_step() -> None:
    """Whoever runs the nested workflow gives its walk the step's key as a prefix."""

    @workflow
    async def lists(numbers: list[int]) -> list[int]:
        return await each(double, numbers, key=None)

    machine = Machine(walk(compile_workflow(lists), ([7],), "outer/each.3/inner/"))

    assert [effect.key for _, effect in machine.take()] == ["outer/each.3/inner/each.0/double"]
