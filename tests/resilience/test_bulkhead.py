"""Slots are bounded, the queue is fair and bounded, and no slot is ever lost."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from typing_extensions import override

from fishplate.resilience.bulkhead import Slots
from fishplate.resilience.events import ResilienceEvent, ThreadAbandoned
from fishplate.resilience.policy import Bulkhead
from fishplate.testing.virtual_time import VirtualLoop, run_in_virtual_time


def slots(concurrent: int = 2, *, queued: int = 2, wait: float = 1.0) -> Slots:
    """Slots whose events nobody hears."""
    told: list[ResilienceEvent] = []
    settings = Bulkhead(concurrent, queued=queued, wait=wait)
    return Slots(settings, target="target", emit=told.append)


def test_calls_take_slots_until_none_is_left() -> None:
    """Without a queue the next one is rejected at once."""

    async def scenario() -> list[bool]:
        two = slots(2, queued=0)
        return [await two.acquire() for _ in range(3)]

    assert run_in_virtual_time(scenario()) == [True, True, False]


def test_the_one_who_waits_longest_comes_first() -> None:
    """And nobody overtakes the queue."""

    async def scenario() -> list[str]:
        one = slots(1)
        order: list[str] = []
        await one.acquire()

        async def wait(name: str) -> None:
            assert await one.acquire()
            order.append(name)

        async with asyncio.TaskGroup() as group:
            group.create_task(wait("first"))
            group.create_task(wait("second"))
            await asyncio.sleep(0)
            one.release()
            assert not one.try_acquire()
            await asyncio.sleep(0.5)
            one.release()
        return order

    assert run_in_virtual_time(scenario()) == ["first", "second"]


def test_a_full_queue_rejects_at_once() -> None:
    """Waiting is bounded in number as well as in time."""

    async def scenario() -> tuple[bool, float]:
        one = slots(1, queued=1)
        await one.acquire()
        async with asyncio.TaskGroup() as group:
            group.create_task(one.acquire())
            await asyncio.sleep(0)
            taken = await one.acquire()
            rejected_at = asyncio.get_running_loop().time()
            one.release()
        return taken, rejected_at

    assert run_in_virtual_time(scenario()) == (False, 0.0)


@pytest.mark.parametrize(("at_most", "waited"), [(None, 1.0), (0.25, 0.25), (5.0, 1.0), (-1.0, 0)])
def test_a_wait_ends_after_its_time(at_most: float | None, waited: float) -> None:
    """The bulkhead's own limit or what the caller has left, whichever is less."""

    async def scenario() -> tuple[bool, float, int]:
        one = slots(1)
        await one.acquire()
        taken = await one.acquire(at_most=at_most)
        return taken, asyncio.get_running_loop().time(), one.queued

    assert run_in_virtual_time(scenario()) == (False, pytest.approx(waited), 0)


@pytest.mark.parametrize("order", ["slot, cancel", "cancel, slot", "cancel, end, slot"])
def test_a_cancelled_wait_leaves_no_trace(order: str) -> None:
    """Also when the slot arrives in the very moment of the cancellation."""

    async def scenario() -> tuple[int, int, bool]:
        one = slots(1)
        await one.acquire()
        waiting = asyncio.create_task(one.acquire())
        await asyncio.sleep(0)
        for act in order.split(", "):
            match act:
                case "slot":
                    one.release()
                case "cancel":
                    waiting.cancel()
                case _:
                    await asyncio.wait([waiting])
        await asyncio.wait([waiting])
        assert waiting.cancelled()
        return one.in_flight, one.queued, one.try_acquire()

    assert run_in_virtual_time(scenario()) == (0, 0, True)


@pytest.mark.parametrize("act", ["release", "cancel"])
def test_a_wait_that_ends_in_the_moment_of_something_else_is_counted_once(act: str) -> None:
    """A slot or a cancellation may come in the same pass of the loop as the end of the wait."""

    async def scenario() -> tuple[bool | None, int, int]:
        loop = asyncio.get_running_loop()
        one = slots(1, wait=1.0)
        await one.acquire()
        waiting = asyncio.create_task(one.acquire())
        acts = {"release": one.release, "cancel": waiting.cancel}
        for at in (1.0 - 1e-10, 1.0 + 1e-10):  # nearer than the loop tells apart
            loop.call_at(at, acts[act] if at < 1 or act == "cancel" else int)
        await asyncio.wait([waiting])
        result = None if waiting.cancelled() else waiting.result()
        return result, one.in_flight, one.queued

    expected = (True, 1, 0) if act == "release" else (None, 1, 0)
    assert run_in_virtual_time(scenario()) == expected


def test_a_thread_that_outlives_its_attempt_keeps_its_slot() -> None:
    """A thread cannot be cancelled, so its slot is free when it has really ended."""
    told: list[ResilienceEvent] = []

    async def scenario() -> None:
        one = Slots(Bulkhead(1, wait=5), target="carrier", emit=told.append)
        may_end = threading.Event()
        with ThreadPoolExecutor(1) as pool:
            await one.acquire()
            thread = pool.submit(may_end.wait, 10)
            one.hold_until(thread)
            one.release()  # the attempt is over
            assert (one.in_flight, one.abandoned, one.try_acquire()) == (1, 1, False)

            may_end.set()
            assert await one.acquire()  # the thread's slot, once it has ended
        assert (one.in_flight, one.abandoned) == (1, 0)

    asyncio.run(scenario())
    assert told == [ThreadAbandoned(target="carrier", abandoned=1)]


def test_a_thread_that_has_ended_holds_nothing() -> None:
    """It may end between its attempt's cancellation and the call."""
    done: Future[None] = Future()
    done.set_result(None)

    async def scenario() -> int:
        one = slots(1)
        one.hold_until(done)
        return one.in_flight + one.abandoned

    assert run_in_virtual_time(scenario()) == 0


def test_a_thread_may_end_after_its_loop() -> None:
    """A closed loop needs no slots any more, and the thread does not fail."""
    thread: Future[None] = Future()

    async def scenario() -> None:
        slots(1).hold_until(thread)

    run_in_virtual_time(scenario())
    thread.set_result(None)


def test_more_slots_admit_those_who_wait() -> None:
    """A limit that is raised holds for the queue too."""

    async def scenario() -> tuple[bool, dict[str, object]]:
        one = slots(1)
        await one.acquire()
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(one.acquire())
            await asyncio.sleep(0)
            one.configure(Bulkhead(2))
        return waiting.result(), dict(one.to_json())

    assert run_in_virtual_time(scenario()) == (
        True,
        {"in_flight": 2, "concurrent": 2, "queued": 0, "queue": 20, "abandoned": 0},
    )


class Crowd(RuleBasedStateMachine):
    """Any order of calls, ends, cancellations, abandoned threads and pauses."""

    LIMIT = 3
    QUEUE = 2

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        told: list[ResilienceEvent] = []
        numbers = Bulkhead(self.LIMIT, queued=self.QUEUE, wait=1.0)
        self.slots = Slots(numbers, target="target", emit=told.append)
        self.asking: list[asyncio.Task[bool]] = []
        self.held = 0
        self.threads: list[Future[None]] = []

    def run(self, act: Callable[[], object], seconds: float = 0.0) -> None:
        """Act on the loop, let time pass, and see who has been answered."""

        async def step() -> None:
            act()
            await asyncio.sleep(seconds)
            await asyncio.sleep(0)

        self.loop.run_until_complete(step())
        done = [task for task in self.asking if task.done()]
        self.asking = [task for task in self.asking if not task.done()]
        self.held += sum(not task.cancelled() and task.result() for task in done)

    @rule(times=st.integers(1, 4))
    def ask(self, times: int) -> None:
        """Let calls ask for a slot."""
        for _ in range(times):
            self.run(
                lambda: self.asking.append(self.loop.create_task(self.slots.acquire(at_most=5.0)))
            )

    @precondition(lambda self: self.held)
    @rule(asks=st.booleans())
    def end(self, asks: bool) -> None:
        """End a call; the one who waits longest gets its slot, not one who asks just now."""
        self.held -= 1

        def act() -> None:
            self.slots.release()
            if asks:
                self.asking.append(self.loop.create_task(self.slots.acquire()))

        self.run(act)

    @precondition(lambda self: self.asking)
    @rule(choice=st.integers(0, 10), releases=st.booleans())
    def cancel(self, choice: int, releases: bool) -> None:
        """Cancel a wait, perhaps in the moment in which a slot comes free."""
        task = self.asking[choice % len(self.asking)]
        releases = releases and self.held > 0
        self.held -= releases

        def act() -> None:
            if releases:
                self.slots.release()
            task.cancel()

        self.run(act)

    @precondition(lambda self: self.held)
    @rule()
    def abandon(self) -> None:
        """End a call whose thread goes on."""
        thread: Future[None] = Future()
        self.threads.append(thread)
        self.held -= 1

        def act() -> None:
            self.slots.hold_until(thread)
            self.slots.release()

        self.run(act)

    @precondition(lambda self: self.threads)
    @rule()
    def thread_ends(self) -> None:
        """Let a thread end."""
        thread = self.threads.pop(0)
        self.run(lambda: thread.set_result(None))

    @rule(seconds=st.sampled_from([0.1, 0.6, 1.5]))
    def wait(self, seconds: float) -> None:
        """Let time pass; whoever has waited a second gives up."""
        self.run(lambda: None, seconds)

    @invariant()
    def every_slot_is_accounted_for(self) -> None:
        """A slot belongs to a call or to a thread, and there are never too many."""
        assert self.slots.in_flight == self.held + len(self.threads)
        assert self.slots.abandoned == len(self.threads)
        assert 0 <= self.slots.in_flight <= self.LIMIT

    @invariant()
    def nobody_waits_beside_a_free_slot(self) -> None:
        """The queue is bounded, and empty while a slot is free."""
        assert self.slots.queued == len(self.asking) <= self.QUEUE
        assert not self.asking or self.slots.in_flight == self.LIMIT

    @override
    def teardown(self) -> None:
        """When everybody has ended, everything is free."""
        self.run(lambda: None, 2.0)
        while self.threads:
            self.thread_ends()
        while self.held:
            self.end(asks=False)
        assert (self.slots.in_flight, self.slots.queued, self.slots.abandoned) == (0, 0, 0)
        self.loop.close()


TestCrowd = Crowd.TestCase
TestCrowd.settings = settings(max_examples=60, stateful_step_count=30)
