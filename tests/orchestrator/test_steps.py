"""One call: time limit, pool, thread, cache, contract, failure."""

import asyncio
import contextvars
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from pydantic import BaseModel

from fishplate import (
    Agent,
    App,
    Cache,
    DeclaredError,
    ErrorClass,
    Failure,
    OutputError,
    Policy,
    Principal,
    StepError,
    UsageError,
    agent,
    current,
    each,
    parallel,
    tool,
    workflow,
)
from fishplate.resilience.policy import Bulkhead, Retry
from fishplate.testing import FakeClock
from tests.engines.running import in_app, named, now


class Order(BaseModel):
    """An order."""

    number: str
    state: str = "open"


class Gone(DeclaredError):  # noqa: N818 -- an outcome
    """It is not there any more."""

    number: str


def failure_of(unit: Agent[..., Any], *arguments: object, **options: Any) -> Any:
    """The failure with which an agent ends."""

    async def scenario(app: App) -> Any:
        with pytest.raises((StepError, OutputError, UsageError, Failure, Gone)) as failure:
            await unit(*arguments)
        return failure.value

    return in_app(scenario, **options)


@agent
async def nap(seconds: float) -> float:
    """Sleep."""
    await asyncio.sleep(seconds)
    return seconds


# time limits


def test_a_step_that_takes_too_long_fails_in_time() -> None:
    """The failure names the step, the limit and what to do."""
    slow = nap.using(Policy(timeout=2))

    async def scenario(app: App) -> tuple[Any, float]:
        with pytest.raises(StepError) as failure:
            await slow(60.0)
        return failure.value, now()

    failure, ended = in_app(scenario)

    assert (failure.code, failure.error_class, failure.step) == (
        "step_timeout",
        ErrorClass.DEADLINE,
        "nap",
    )
    assert failure.details == {"timeout": 2}
    assert ended == 2.0


def test_a_call_that_does_not_wait_costs_no_timer() -> None:
    """Nothing is scheduled on the loop for a call that answers at once."""

    @agent(policy=Policy(timeout=2))
    async def at_once(number: int) -> int:
        return number

    async def scenario(app: App) -> int:
        await at_once(0)  # the first call of an agent reads its source
        loop = cast("Any", asyncio.get_running_loop())
        loop.call_at = loop.call_later = None
        try:
            return await at_once(1)
        finally:
            del loop.call_at, loop.call_later

    assert in_app(scenario) == 1


def test_a_fallback_answers_a_step_that_took_too_long() -> None:
    """A time limit is a failure that a fallback may answer."""

    @agent
    async def quick(seconds: float) -> float:
        return 0.0

    @workflow
    async def flow(seconds: float) -> float:
        return await nap.using(Policy(timeout=2)).or_else(quick)(seconds)

    async def scenario(app: App) -> tuple[float, str, float]:
        run = app.start(flow, 60.0)
        return await run.result(), run.degraded[0].reason, now()

    assert in_app(scenario) == (0.0, "step_timeout", 2.0)


@pytest.mark.parametrize(
    ("inner", "outer", "told"),
    [(1, 5, ("step_timeout", "nap", 1.0)), (5, 1, ("step_timeout", "flow", 1.0))],
)
def test_of_limits_within_limits_the_one_that_passed_is_told(
    inner: float, outer: float, told: tuple[str, str, float]
) -> None:
    """The failure names the step whose time was over."""

    @workflow
    async def flow(seconds: float) -> float:
        return await nap.using(Policy(timeout=inner))(seconds)

    async def scenario(app: App) -> tuple[str, str, float]:
        with pytest.raises(StepError) as failure:
            await flow.using(Policy(timeout=outer))(60.0)
        return failure.value.code, failure.value.step, now()

    assert in_app(scenario) == told


def test_a_run_has_its_working_time() -> None:
    """When it is over the run fails with `deadline`, whatever it is doing."""

    @agent
    async def ask(seconds: float) -> list[float]:
        before = current().deadline
        await asyncio.sleep(seconds)
        return [before, current().deadline]

    async def scenario(app: App) -> tuple[list[float], str, float]:
        deadlines = await ask(2.0)
        with pytest.raises(StepError) as failure:
            await nap(60.0)
        return deadlines, failure.value.code, now()

    assert in_app(scenario, working_time=5) == ([5.0, 3.0], "deadline", 7.0)


# pools


def test_a_pool_runs_so_many_calls_at_a_time() -> None:
    """All agents of the pool share its slots, first come, first served."""
    begun: list[float] = []

    @agent(pool="carriers")
    async def track(number: int) -> int:
        begun.append(now())
        await asyncio.sleep(1)
        return number

    @agent(pool="carriers")
    async def locate(number: int) -> int:
        return await asyncio.sleep(1, number)

    @workflow
    async def flow(numbers: list[int]) -> tuple[list[int], list[int]]:
        return await parallel(each(track, numbers), each(locate, numbers))

    async def scenario(app: App) -> float:
        await flow([1, 2, 3])
        return now()

    assert in_app(scenario, pools={"carriers": 2}) == 3.0
    assert begun == [0.0, 0.0, 1.0]


def test_waiting_for_a_slot_counts_against_the_time_limit() -> None:
    """And a call that gave up in the queue takes no slot."""
    begun: list[int] = []

    @agent(pool="carriers", policy=Policy(timeout=3))
    async def track(number: int) -> int:
        begun.append(number)
        await asyncio.sleep(2)
        return number

    async def scenario(app: App) -> list[str]:
        runs = [app.start(track, number) for number in range(3)]
        states = [await run.ended() for run in runs]
        return [*states, str(await track(9))]

    assert in_app(scenario, pools={"carriers": 1}) == ["succeeded", "failed", "failed", "9"]
    assert begun == [0, 1, 9]


# threads


def test_a_plain_function_runs_beside_the_loop() -> None:
    """In a thread of the app, where `current()` works and no loop runs."""

    @agent
    def plain(text: str) -> str:
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        current().note(thread=threading.current_thread().name.partition("_")[0])
        current().degrade("rough", source="here")
        return current().path

    async def scenario() -> tuple[str, Any, Any]:
        async with App() as app:
            run = app.start(plain, "x")
            path = await run.result()
            [span] = app.spans(run)
            return path, (span.attributes or {})["thread"], run.state

    assert asyncio.run(scenario()) == ("plain", "fishplate", "degraded")


def test_a_thread_that_takes_too_long_keeps_its_slot() -> None:
    """A thread cannot be cancelled: the pool stays bounded by what really runs."""
    go_on, begun = threading.Event(), threading.Semaphore(0)

    @agent(pool="files", policy=Policy(timeout=0.05))
    def read(number: int) -> int:
        begun.release()
        if number == 0:
            assert go_on.wait(10)
        return number

    async def scenario() -> list[str]:
        codes: list[str] = []
        async with App(pools={"files": 1}):
            for number in (0, 1):
                with pytest.raises(StepError) as failure:
                    await read(number)
                codes.append(failure.value.code)
            go_on.set()
            while True:  # the slot comes back when the thread has ended
                try:
                    codes.append(str(await read(2)))
                    return codes
                except StepError:
                    continue

    assert asyncio.run(scenario()) == ["step_timeout", "step_timeout", "2"]


def test_a_call_that_gave_up_before_its_thread_began_gives_its_slot_back() -> None:
    """The function does not run later on, when nobody waits for it."""
    begun, go_on, ran = threading.Event(), threading.Event(), list[int]()

    @agent
    def block(number: int) -> int:
        begun.set()
        assert go_on.wait(10)
        return number

    @agent(pool="files", policy=Policy(timeout=0.05))
    def read(number: int) -> int:
        ran.append(number)
        return number

    async def scenario() -> tuple[str, int]:
        async with App(pools={"files": 1}, threads=1) as app:
            blocking = app.start(block, 0)
            assert await asyncio.to_thread(begun.wait, 10)
            with pytest.raises(StepError) as failure:
                await read(1)
            go_on.set()
            await blocking.result()
            return failure.value.code, await read(2)

    assert asyncio.run(scenario()) == ("step_timeout", 2)
    assert ran == [2]


def test_a_thread_that_takes_too_long_keeps_its_place_in_the_bulkhead() -> None:
    """The bound of a target is one of what really runs, too."""
    go_on = threading.Event()

    @agent(policy=Policy(timeout=0.2, bulkhead=Bulkhead(1, queued=0)))
    def read(number: int) -> int:
        if number == 0:
            assert go_on.wait(10)
        return number

    async def scenario() -> list[str]:
        codes: list[str] = []
        async with App():
            for number in (0, 1):
                with pytest.raises((StepError, Failure)) as failure:
                    await read(number)
                assert isinstance(failure.value, (StepError, Failure))
                codes.append(failure.value.code)
            go_on.set()
            while True:  # the place comes back when the thread has ended
                try:
                    codes.append(str(await read(2)))
                    return codes
                except Failure:
                    await asyncio.sleep(0.001)

    assert asyncio.run(scenario()) == ["step_timeout", "bulkhead_full", "2"]


def test_every_attempt_of_a_body_has_the_same_keys() -> None:
    """The second attempt counts its calls anew, and is not degraded by what the first one said."""
    keys: list[str] = []

    @agent
    async def child(text: str) -> str:
        keys.append(current().idempotency_key)
        if len(keys) == 1:
            current().degrade("slow", source="here")
        return text

    @agent(agents=[child], policy=Policy(retry=Retry(attempts=3)))
    async def body(text: str) -> str:
        found = await child(text)
        if len(keys) < 3:
            raise ConnectionResetError
        return found

    async def scenario(app: App) -> str:
        return await app.start(body, "x").ended()

    assert in_app(scenario) == "succeeded"
    assert len(keys) == 3
    assert len(set(keys)) == 1


def test_an_inline_function_runs_on_the_loop() -> None:
    """A rule needs no thread."""

    @agent(inline=True)
    def rule(number: int) -> bool:
        return threading.current_thread() is threading.main_thread()

    async def scenario(app: App) -> bool:
        return await rule(1)

    assert in_app(scenario)


# contracts and failures


def test_an_output_that_breaks_the_contract_is_refused() -> None:
    """The error names the place in the output; nobody gets to see the value."""

    @agent
    async def wrong(number: str) -> list[Order]:
        return [Order(number=number), cast("Any", {"number": 5, "state": "open"})]

    failure = failure_of(wrong, "x")

    assert isinstance(failure, OutputError)
    assert (failure.pointer, failure.error_class) == ("/1/number", ErrorClass.CONTRACT_OUT)
    assert "agent 'wrong' in step 'wrong'" in str(failure)


def raise_stop(number: int) -> int:
    """Raise what ends a generator."""
    raise StopIteration(number)


async def raise_stop_async(number: int) -> int:
    """Raise what ends an async generator."""
    if number:
        raise StopAsyncIteration(number)
    raise StopIteration(number)


@pytest.mark.parametrize(
    ("unit", "number"),
    [
        (agent(raise_stop_async, name="stop"), 0),
        (agent(raise_stop_async, name="stop"), 1),
        (agent(raise_stop, name="stop"), 0),
        (agent(inline=True, name="stop")(raise_stop), 0),
    ],
    ids=["async", "async generator", "thread", "inline"],
)
def test_ending_an_iteration_is_no_end_of_a_workflow(unit: Agent[[int], int], number: int) -> None:
    """What generators end with is a bug like any other when a body raises it."""

    @agent
    async def unreached(number: int) -> int:
        raise AssertionError

    @workflow
    async def flow(number: int) -> int:
        found = await unit(number)
        return await unreached(found)

    failure = failure_of(flow, number)

    assert (failure.code, failure.step) == ("bug", "stop")


def test_ending_an_iteration_in_a_real_thread_is_told_too() -> None:
    """A future cannot carry that exception, and nobody waits for ever."""
    plain = agent(raise_stop, name="stop")

    async def scenario() -> str:
        async with App():
            with pytest.raises(StepError) as failure:
                await plain(1)
            return failure.value.code

    assert asyncio.run(scenario()) == "bug"


def test_a_users_exception_is_a_typed_failure_with_its_place() -> None:
    """Code, class, cause, and a note for each step that it went through."""

    @agent
    async def broken(number: str) -> str:
        raise KeyError(number)

    @workflow
    async def flow(number: str) -> str:
        return await broken(number)

    failure = failure_of(flow, "x")

    assert (failure.code, failure.error_class, failure.step) == ("bug", ErrorClass.BUG, "broken")
    assert isinstance(failure.__cause__, KeyError)
    [inner, outer] = failure.__notes__
    assert inner.startswith("in step 'broken' (")
    assert f"{__file__.rpartition('/')[2]}:" in inner
    assert outer.startswith("in step 'flow' (")


@pytest.mark.parametrize(
    ("error", "code", "error_class"),
    [
        (ConnectionResetError(), "connection", ErrorClass.TRANSIENT),
        (TimeoutError(), "timeout", ErrorClass.TRANSIENT),
        (FileNotFoundError(), "bug", ErrorClass.BUG),
        (Gone(number="1"), "undeclared_error", ErrorClass.BUG),
        (ExceptionGroup("two", [ValueError(), TypeError()]), "bug", ErrorClass.BUG),
        (
            ExceptionGroup(
                "two",
                [
                    ValueError(),
                    ExceptionGroup("one", [Failure("x", error_class=ErrorClass.OVERLOAD)]),
                ],
            ),
            "failure",
            ErrorClass.OVERLOAD,
        ),
    ],
)
def test_exceptions_are_classified_by_their_type(
    error: Exception, code: str, error_class: ErrorClass
) -> None:
    """A group counts as the first typed failure in it; the exception itself is the cause."""

    @agent
    async def broken(number: str) -> str:
        raise error

    failure = failure_of(broken, "x")

    assert (failure.code, failure.error_class) == (code, error_class)
    assert failure.__cause__ is error


def test_typed_failures_and_declared_errors_stay_what_they_are() -> None:
    """A body that says how its failure is to be treated is taken at its word."""
    gone, full = Gone(number="1"), Failure("full", error_class=ErrorClass.OVERLOAD)

    @agent(errors=[Gone])
    async def broken(number: str) -> str:
        raise gone if number == "gone" else full

    assert failure_of(broken, "gone") is gone
    assert failure_of(broken, "full") is full
    assert gone == Gone(number="1")  # notes on the way make no other error of it


def test_a_failure_that_is_raised_again_is_noted_once_for_each_step() -> None:
    """An exception object that lives longer than a run does not grow."""
    failure = Failure("full", error_class=ErrorClass.OVERLOAD)

    @agent
    async def broken(number: str) -> str:
        raise failure

    for _ in range(3):
        failure_of(broken, "x")

    assert len(failure.__notes__) == 1


def test_debug_finds_an_agent_that_changes_its_input() -> None:
    """Without debug the change goes unseen, which is why agents do not do it."""

    @agent
    async def vandal(order: Order) -> str:
        order.state = "changed"
        return order.state

    async def scenario(app: App) -> str:
        return await vandal(Order(number="1"))

    failure = failure_of(vandal, Order(number="1"), debug=True)

    assert in_app(scenario) == "changed"
    assert (failure.code, failure.error_class) == ("input_changed", ErrorClass.BUG)
    assert "agent 'vandal' changed its input" in str(failure)


def test_debug_runs_everything_else_as_usual() -> None:
    """Workflows, plain functions and unchanged inputs pass."""

    @agent
    def plain(order: Order) -> Order:
        return Order(number=order.number, state="seen")

    @workflow
    async def flow(order: Order) -> str:
        seen = await plain(order)
        return seen.state

    async def scenario(app: App) -> str:
        return await flow(Order(number="1"))

    assert in_app(scenario, debug=True) == "seen"


def test_a_context_variable_of_one_branch_is_not_seen_in_another() -> None:
    """Each branch of a fork has a context of its own."""
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")

    @agent
    async def set_and_see(text: str) -> str:
        before = variable.get()
        variable.set(text)
        await asyncio.sleep(1)
        return f"{before} {variable.get()}"

    @workflow
    async def flow(texts: list[str]) -> list[str]:
        return await each(set_and_see, texts)

    async def scenario(app: App) -> list[str]:
        return await flow(["a", "b"])

    assert in_app(scenario) == ["unset a", "unset b"]


# cache


class Shelf:
    """A shop's shelf with agents that read and write it; counts the reads."""

    def __init__(self, ttl: float = 10) -> None:
        self.state, self.reads = "open", 0
        fresh = Policy(cache=Cache(ttl=ttl, scope="orders"))

        async def read(number: str) -> Order:
            self.reads += 1
            found = Order(number=number, state=self.state)
            if number == "slow":
                await asyncio.sleep(1)
            if number == "stale":
                current().degrade("stale", source="shelf")
            return found

        async def write(number: str, state: str) -> str:
            if state == "refused":
                raise Gone(number=number)
            self.state = state
            if state == "lost":
                raise ConnectionResetError
            return state

        self.read = agent(read, name="read", policy=fresh)
        self.write = tool(effect="idempotent", scopes=["orders:write"], errors=[Gone])(write)
        self.elsewhere = tool(effect="idempotent", scopes=["payments:write"], name="pay")(write)


def test_an_answer_is_remembered_for_its_time() -> None:
    """The trace says whether memory answered, and how old the answer was."""
    shelf, clock = Shelf(), FakeClock(datetime(2026, 1, 1, tzinfo=UTC))

    async def scenario() -> list[Any]:
        facts: list[Any] = []
        async with App(clock=clock) as app:
            for seconds in (4, 5, 1, 0):
                run = app.start(shelf.read, "1")
                await run.result()
                facts.append(dict(app.spans(run)[0].attributes or {}))
                clock.advance(seconds)
        return facts

    assert asyncio.run(scenario()) == [
        {"cache_hit": False},
        {"cache_hit": True, "cache_age": 4.0},
        {"cache_hit": True, "cache_age": 9.0},
        {"cache_hit": False},
    ]
    assert shelf.reads == 2


def test_what_is_remembered_cannot_be_changed_by_its_reader() -> None:
    """Every hit is a fresh object."""
    shelf = Shelf()

    async def scenario(app: App) -> str:
        (await shelf.read("1")).state += "!"
        (await shelf.read("1")).state += "!"
        return (await shelf.read("1")).state

    assert in_app(scenario) == "open"


def test_tenants_do_not_share_answers() -> None:
    """What one tenant asked for is nobody else's."""
    shelf = Shelf()

    async def scenario(app: App) -> int:
        for tenant in ("a", "b", "a"):
            await app.start(shelf.read, "1", principal=Principal(tenant=tenant)).result()
        return shelf.reads

    assert in_app(scenario) == 2


@pytest.mark.parametrize(
    ("change", "reads"),
    [("closed", 2), ("lost", 2), ("refused", 1)],
    ids=["done", "outcome unknown", "refused"],
)
def test_a_change_makes_the_cache_forget(change: str, reads: int) -> None:
    """Also one whose outcome nobody knows; a declared refusal has changed nothing."""
    shelf = Shelf()

    async def scenario(app: App) -> int:
        await shelf.read("1")
        if change == "closed":
            await shelf.write("1", change)
        else:
            with pytest.raises((Gone, Failure)):
                await shelf.write("1", change)
        await shelf.read("1")
        return shelf.reads

    assert in_app(scenario) == reads


def test_a_change_of_something_else_leaves_the_cache() -> None:
    """By the first word of the scope."""
    shelf = Shelf()

    async def scenario(app: App) -> int:
        await shelf.read("1")
        await shelf.elsewhere("1", "paid")
        await shelf.read("1")
        return shelf.reads

    assert in_app(scenario) == 1


def test_a_change_while_an_answer_is_made_keeps_it_from_being_remembered() -> None:
    """It may be from before the change."""
    shelf = Shelf()

    async def scenario(app: App) -> list[str]:
        reading = app.start(shelf.read, "slow")
        await asyncio.sleep(0.5)
        await shelf.write("slow", "closed")
        return [(await reading.result()).state, (await shelf.read("slow")).state]

    assert in_app(scenario) == ["open", "closed"]


def test_a_degraded_answer_is_not_remembered() -> None:
    """The next call may get a better one."""
    shelf = Shelf()

    async def scenario(app: App) -> int:
        await shelf.read("stale")
        await shelf.read("stale")
        return shelf.reads

    assert in_app(scenario) == 2


def test_a_replacement_does_not_get_the_answers_of_what_it_replaces() -> None:
    """The same name and contract, but other code."""
    shelf = Shelf()
    read = shelf.read

    @agent
    async def fake(number: str) -> Order:
        return Order(number=number, state="fake")

    @workflow
    async def flow(number: str) -> str:
        order = await read(number)
        return order.state

    cached_fake = fake.using(Policy(cache=Cache(ttl=10, scope="orders")))

    async def scenario(app: App) -> list[str]:
        variant = flow.replace(read, cached_fake)
        return [await flow("1"), await variant("1"), await flow("1")]

    assert in_app(scenario) == ["open", "fake", "open"]


def test_a_call_with_an_effect_is_never_answered_from_memory() -> None:
    """Neither a tool nor what calls one: the second call would be left out."""
    shelf = Shelf()
    cached = Policy(cache=Cache(ttl=10, scope="orders"))

    @agent(tools=[shelf.write], policy=cached)
    async def closer(number: str) -> str:
        return await shelf.write(number, "closed")

    units: list[Callable[..., Any]] = [shelf.write.using(cached), closer]
    arguments = [("1", "closed"), ("1",)]

    for unit, given in zip(units, arguments, strict=True):
        failure = failure_of(cast("Any", unit), *given)
        assert failure.code == "cached_effect"
        assert "'write'" in str(failure)


# spans


def test_every_call_has_one_span_below_its_caller() -> None:
    """Ids, parents, paths, kinds, statuses and releases of a whole run."""

    @tool(effect="readonly")
    async def look(number: str) -> str:
        current().note(row=7)
        return number

    @agent(version="1.2.0", tools=[look])
    async def body(number: str) -> str:
        return await look(number)

    @agent
    async def broken(number: str) -> str:
        raise Failure("down", error_class=ErrorClass.OVERLOAD, code="down")

    @agent
    async def spare(number: str) -> str:
        return number

    @workflow
    async def inner(number: str) -> str:
        return await body(number)

    @workflow
    async def flow(number: str) -> str:
        first, _ = await parallel(inner(number), broken.or_else(spare)(number))
        return first

    async def scenario(app: App) -> tuple[list[tuple[int, str]], list[Any]]:
        run = app.start(flow, "1")
        await run.result()
        lines: list[tuple[int, str]] = []
        for tree in app.trace(run):
            for depth, span in tree.walk():
                assert f"{span.trace_id:032x}" == run.trace_id
                assert span.kind == "decision" or "+fp." in span.release
                lines.append((depth, f"{span.kind} {span.name} {span.path} {span.status}"))
        spans = app.spans(run)
        assert len({span.span_id for span in spans}) == len(spans)
        facts = [named(spans, name)[0].attributes for name in ("look", "broken", "flow")]
        return lines, facts

    lines, facts = in_app(scenario)

    assert sorted(lines) == [
        (0, "workflow flow flow degraded"),
        (1, "agent broken parallel/broken error"),
        (1, "agent spare parallel/broken|spare ok"),
        (1, "decision fallback → spare parallel/broken ok"),
        (1, "workflow inner parallel/inner ok"),
        (2, "agent body parallel/inner/body ok"),
        (3, "tool look parallel/inner/body/0.look ok"),
    ]
    reason = {"reason": "down", "source": "spare", "step": "parallel/broken", "age": None}
    assert facts == [{"row": 7}, {"error": "down"}, {"degraded": [reason]}]
