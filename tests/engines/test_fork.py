"""Branches side by side: order, bound, one failure, and no task left when it is over."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

from fishplate.engines.fork import Fork
from fishplate.testing import run_in_virtual_time
from tests.engines.running import now

T = TypeVar("T")
Branch = Callable[[int], Awaitable[object]]

_FACTORIES: list[Any] = [None, getattr(asyncio, "eager_task_factory", None)]
FACTORIES = _FACTORIES if _FACTORIES[1] else _FACTORIES[:1]  # eager tasks came with Python 3.12


def fork_of(size: int, concurrency: int | None, branch: Branch) -> Fork[int]:
    """A fork whose branches do not ask for their task."""

    async def drive(index: int, _task: object) -> object:
        return await branch(index)

    return Fork(size, concurrency, int, drive)


def run(scenario: Callable[[], Awaitable[T]], factory: Any = None) -> T:
    """Run a scenario in virtual time; it has to leave no task."""

    async def main() -> T:
        asyncio.get_running_loop().set_task_factory(factory)
        found = await scenario()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, f"tasks are left: {left}"
        return found

    return run_in_virtual_time(main())


@pytest.mark.parametrize("factory", FACTORIES)
@pytest.mark.parametrize("concurrency", [None, 1, 2, 5, 9])
def test_answers_come_in_the_order_of_the_branches(concurrency: int | None, factory: Any) -> None:
    """However long each takes, and however many run at a time; never more than allowed."""
    running, most = set[int](), 0

    async def branch(index: int) -> int:
        nonlocal most
        running.add(index)
        most = max(most, len(running))
        await asyncio.sleep(5 - index)
        running.discard(index)
        return index * 10

    async def scenario() -> list[object]:
        return await fork_of(5, concurrency, branch).join()

    assert run(scenario, factory) == [0, 10, 20, 30, 40]
    assert most == min(concurrency or 5, 5)


@pytest.mark.parametrize("factory", FACTORIES)
@pytest.mark.parametrize("concurrency", [None, 3])
def test_branches_that_never_suspend_need_no_deep_stack(
    concurrency: int | None, factory: Any
) -> None:
    """A thousand branches that end at once."""

    async def branch(index: int) -> int:
        return index

    async def scenario() -> list[object]:
        return await fork_of(1_000, concurrency, branch).join()

    assert run(scenario, factory) == list(range(1_000))


@pytest.mark.parametrize("factory", FACTORIES)
def test_each_branch_has_a_task_of_its_own(factory: Any) -> None:
    """From its first line, so that context variables and time limits are its own."""

    async def branch(_index: int) -> object:
        return asyncio.current_task()

    async def scenario() -> int:
        tasks = await fork_of(3, None, branch).join()
        return len({*tasks, asyncio.current_task()})

    assert run(scenario, factory) == 4


@pytest.mark.parametrize("factory", FACTORIES)
def test_the_first_failure_ends_the_others_and_is_raised(factory: Any) -> None:
    """The others are cancelled, clean up, and have ended when the failure is raised."""
    ended: list[str] = []

    async def branch(index: int) -> None:
        try:
            await asyncio.sleep(index + 1)
            if index == 1:
                raise LookupError(index)
        finally:
            ended.append(f"{index} at {now():g}")

    async def scenario() -> list[str]:
        with pytest.raises(LookupError):
            await fork_of(4, None, branch).join()
        return list(ended)

    assert run(scenario, factory) == ["0 at 1", "1 at 2", "2 at 2", "3 at 2"]


def test_of_failures_at_one_moment_the_lowest_branch_is_told() -> None:
    """Which task the loop runs first does not matter."""

    async def branch(index: int) -> None:
        await asyncio.sleep(2 if index == 0 else 1)
        raise LookupError(index)

    async def scenario() -> object:
        with pytest.raises(LookupError) as failure:
            await fork_of(4, None, branch).join()
        return failure.value.args[0]

    assert run(scenario) == 1


def test_what_a_branch_raises_while_it_is_ended_is_not_the_failure() -> None:
    """The root cause is what came first, even if a lower branch trips over its own clean-up."""

    async def branch(index: int) -> None:
        try:
            await asyncio.sleep(1 + 5 * (index == 0))
        except asyncio.CancelledError:
            raise RuntimeError(index) from None
        raise LookupError(index)

    async def scenario() -> object:
        with pytest.raises(LookupError) as failure:
            await fork_of(2, None, branch).join()
        return failure.value.args[0]

    assert run(scenario) == 1


@pytest.mark.parametrize("factory", FACTORIES)
def test_what_a_cancelled_branch_answers_regardless_is_dropped(factory: Any) -> None:
    """Whoever cancelled it is told that it is cancelled."""

    async def branch(_index: int) -> str:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        try:
            await asyncio.sleep(1)
        except asyncio.CancelledError:
            return "anyway"
        return "never"

    async def scenario() -> str:
        with pytest.raises(asyncio.CancelledError):
            await fork_of(1, None, branch).join()
        return "dropped"

    assert run(scenario, factory) == "dropped"


def test_no_branch_begins_after_a_failure() -> None:
    """What waits for its turn is not started, even if a branch ends well meanwhile."""
    begun: list[int] = []

    async def branch(index: int) -> None:
        begun.append(index)
        try:
            await asyncio.sleep(index + 1)
        except asyncio.CancelledError:
            return  # ends well regardless
        raise LookupError

    async def scenario() -> None:
        with pytest.raises(LookupError):
            await fork_of(9, 2, branch).join()

    run(scenario)

    assert begun == [0, 1]


@pytest.mark.parametrize("factory", FACTORIES)
def test_cancelling_the_one_who_waits_ends_every_branch(factory: Any) -> None:
    """The cancellation is raised when the last branch has cleaned up."""
    ended: list[str] = []

    async def branch(index: int) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(index)
            ended.append(f"{index} at {now():g}")

    async def scenario() -> float:
        waiting = asyncio.get_running_loop().create_task(fork_of(3, None, branch).join())
        await asyncio.sleep(1)
        waiting.cancel()
        await asyncio.wait([waiting])
        assert waiting.cancelled()
        return now()

    assert run(scenario, factory) == 3.0
    assert ended == ["0 at 1", "1 at 2", "2 at 3"]


def test_a_second_cancellation_reaches_the_branches_too() -> None:
    """Whoever does not want to wait for a long clean-up can say so again."""

    async def branch(_index: int) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(60)

    async def scenario() -> float:
        waiting = asyncio.get_running_loop().create_task(fork_of(2, None, branch).join())
        for _ in range(2):
            await asyncio.sleep(1)
            waiting.cancel()
        await asyncio.wait([waiting])
        assert waiting.cancelled()
        return now()

    assert run(scenario) == 2.0


def test_a_fork_that_is_cancelled_before_its_branches_begin_ends() -> None:
    """A task that never ran does not take itself out of the books."""

    async def branch(_index: int) -> None:
        await asyncio.sleep(60)

    async def scenario() -> bool:
        loop = asyncio.get_running_loop()
        waiting = loop.create_task(fork_of(3, None, branch).join())
        loop.call_soon(waiting.cancel)
        await asyncio.wait([waiting])
        return waiting.cancelled()

    assert run(scenario)


def test_a_branch_that_is_cancelled_alone_is_a_failure() -> None:
    """Something it awaits was cancelled, or somebody cancelled its task: nobody waits for ever."""

    async def branch(index: int) -> None:
        if index == 1:
            stray = asyncio.get_running_loop().create_future()
            stray.cancel()
            await stray
        await asyncio.sleep(60)

    async def scenario() -> float:
        with pytest.raises(asyncio.CancelledError):
            await fork_of(3, None, branch).join()
        return now()

    assert run(scenario) == 0.0


def test_a_fork_that_is_closed_asks_its_branches_to_end() -> None:
    """Where nothing can be awaited any more, they are cancelled and end on their own."""
    ended: list[int] = []

    async def branch(index: int) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(index)

    async def scenario() -> None:
        waiting = fork_of(2, None, branch).join()
        waiting.send(None)
        await asyncio.sleep(1)
        waiting.close()
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    run(scenario)

    assert ended == [0, 1]


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_what_ends_the_program_ends_the_fork(kind: type[BaseException]) -> None:
    """It is raised where the fork is awaited, when the other branches have ended."""
    ended: list[int] = []

    async def branch(index: int) -> None:
        try:
            await asyncio.sleep(index)
            raise kind
        finally:
            ended.append(index)

    async def scenario() -> list[int]:
        with pytest.raises(kind):
            await fork_of(3, None, branch).join()
        return list(ended)

    assert run(scenario) == [0, 1, 2]
