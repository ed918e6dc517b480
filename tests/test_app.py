"""The app: its life, its resources, its names, its runs."""

import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator, Callable, Generator
from datetime import UTC, datetime
from typing import Any, Self

import pytest
from pydantic import BaseModel

from fishplate import (
    Agent,
    App,
    Cache,
    DeclarationError,
    DeclaredError,
    ErrorClass,
    InputError,
    Policy,
    Principal,
    Run,
    UsageError,
    agent,
    approval,
    current,
    each,
    parallel,
    sleep,
    tool,
    wait_for,
    workflow,
)
from fishplate.core.outcome import Rejected
from fishplate.testing import FakeClock, run_in_virtual_time
from tests.engines.running import in_app

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


class Query(BaseModel):
    """A question."""

    text: str


class NotFound(DeclaredError):  # noqa: N818 -- an outcome
    """Nothing there."""

    text: str


@agent(version="1.2.0")
async def echo(query: Query) -> str:
    """Say it again."""
    return query.text


@agent
async def echo_text(text: str) -> str:
    """Say it again, later."""
    await asyncio.sleep(1)
    return text


@agent(errors=[NotFound])
async def find(text: str) -> str:
    """Find nothing."""
    raise NotFound(text=text)


@agent
async def stale(text: str) -> str:
    """An old answer."""
    current().degrade("old", source="cache")
    return text


# its life


async def test_an_app_takes_calls_while_it_is_entered() -> None:
    """Not before, where its resources are not open, and not after."""
    app = App()
    codes: list[str] = []
    for _ in range(2):
        with pytest.raises(UsageError) as refusal:
            app.start(echo, Query(text="x"))
        codes.append(refusal.value.code)
        async with app:
            assert await app.start(echo, Query(text="x")).result() == "x"

    assert codes == ["app_not_entered"] * 2
    with pytest.raises(UsageError, match="async with app"):
        app.start_json(echo, {"text": "x"})


async def test_a_task_that_outlives_its_app_is_refused() -> None:
    """The app that it was started in is closed."""
    go_on = asyncio.Event()

    async def late() -> str:
        await go_on.wait()
        return await echo(Query(text="x"))

    async with App():
        task = asyncio.get_running_loop().create_task(late())
        await asyncio.sleep(0)
    go_on.set()

    with pytest.raises(UsageError) as refusal:
        await task
    assert refusal.value.code == "app_not_entered"


async def test_an_app_is_entered_once_at_a_time() -> None:
    """Two lives of one app would share its resources."""
    app = App()
    async with app:
        with pytest.raises(UsageError) as refusal:
            await app.__aenter__()

    assert refusal.value.code == "app_entered"


async def test_the_innermost_app_answers() -> None:
    """And the outer one again after it; outside of all there is an app in memory."""
    async with App() as outer:
        await echo(Query(text="1"))
        async with App() as inner:
            await echo(Query(text="2"))
        await echo(Query(text="3"))
    assert await echo(Query(text="4")) == "4"

    assert (len(outer.traces.spans()), len(inner.traces.spans())) == (2, 1)


async def test_an_exception_in_the_block_leaves_nothing_behind() -> None:
    """The next call outside is answered outside."""
    app = App()
    with pytest.raises(LookupError):
        async with app:
            raise LookupError
    await echo(Query(text="x"))

    assert app.traces.spans() == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"working_time": 0}, "working_time"),
        ({"working_time": float("nan")}, "working_time"),
        ({"threads": 0}, "threads"),
        ({"pools": {"tools": 0}}, "slots"),
    ],
)
def test_impossible_settings_are_refused(options: dict[str, Any], message: str) -> None:
    """An app that could run nothing is none."""
    with pytest.raises(ValueError, match=message):
        App(**options)


# its agents


@agent(name="echo")
async def other_echo(query: Query) -> str:
    """Another agent of the same name."""
    return query.text


@agent(agents=[echo])
async def caller(query: Query) -> str:
    """Call the first."""
    return await echo(query)


@agent(agents=[other_echo])
async def other_caller(query: Query) -> str:
    """Call the second."""
    return await other_echo(query)


@workflow
async def flow(query: Query) -> str:
    """Call the first through a body."""
    return await caller(query)


@workflow
async def outer_flow(query: Query) -> str:
    """Call the first through a body and a workflow."""
    return await flow(query)


@pytest.mark.parametrize(
    "agents",
    [
        (echo, other_echo),
        (caller, other_echo),
        (caller, other_caller),
        (flow, other_caller),
        (outer_flow, other_echo),
        (other_echo, outer_flow),
        (flow, flow.replace(echo, other_echo)),
    ],
)
def test_names_are_unique_in_an_app(agents: tuple[Agent[..., Any], ...]) -> None:
    """Also those of agents that bodies and nested workflows call: a name means one agent."""
    with pytest.raises(DeclarationError) as refusal:
        App(*agents)

    assert refusal.value.code == "repeated_name"


def test_one_agent_may_be_reached_in_many_ways() -> None:
    """Given twice, called twice, configured differently: it is the same agent."""
    variant = flow.replace(echo, other_echo)

    assert set(App(echo, caller, flow, outer_flow, echo).agents) == {
        "echo",
        "caller",
        "flow",
        "outer_flow",
    }
    assert set(App(variant).agents) == {"flow"}


@agent(pool="carriers")
async def track(text: str) -> str:
    """Hold a slot."""
    return text


@agent(pool="carriers", agents=[track])
async def track_twice(text: str) -> str:
    """Hold a slot while another one is waited for."""
    return await track(text)


async def test_a_call_that_would_wait_for_its_own_pool_is_refused() -> None:
    """When every slot is held by one that waits for a slot, nobody goes on."""
    with pytest.raises(DeclarationError) as declared:
        App(track_twice)
    async with App():
        with pytest.raises(DeclarationError) as started:
            await track_twice("x")

    assert declared.value.code == started.value.code == "nested_pool"
    assert "'carriers'" in str(declared.value)


@tool(effect="keyed", key_ttl=60)
async def charge(text: str) -> str:
    """Charge money."""
    return text


@workflow(tools=[charge])
async def approved(text: str) -> str | Rejected:
    """Wait for somebody."""
    return await approval(charge(text), roles=["lead"], within=60)


@workflow
async def signalled(text: str) -> Query:
    """Wait for something."""
    return await wait_for("go", Query)


@workflow
async def slow(text: str) -> str:
    """Wait for nothing."""
    await sleep(5)
    return await stale(text)


@workflow
async def slow_below(text: str) -> str:
    """Wait below a step."""
    return await slow(text)


@agent(agents=[slow])
async def slow_body(text: str) -> str:
    """Wait below a body."""
    return await slow(text)


@pytest.mark.parametrize("unit", [approved, signalled, slow, slow_below, slow_body])
async def test_nothing_waits_in_memory(unit: Agent[[str], Any]) -> None:
    """What waits is refused when it is started, before any of its steps has done anything."""
    async with App() as app:
        with pytest.raises(UsageError) as refusal:
            app.start(unit, "x")
        with pytest.raises(UsageError):
            await unit("x")

    assert refusal.value.code == "no_store"
    assert app.traces.spans() == []


async def test_what_is_configured_for_a_step_is_no_run() -> None:
    """A fallback or a caught error belongs to a workflow or a body."""
    async with App() as app:
        with pytest.raises(UsageError) as refusal:
            app.start(find.catching(NotFound), "x")

    assert refusal.value.code == "configured_agent"


async def test_a_composition_outside_of_bodies_is_refused() -> None:
    """`parallel` and `each` compose steps."""
    async with App():
        for composition in (parallel(find("a"), find("b")), each(find, ["a"])):
            with pytest.raises(UsageError) as refusal:
                await composition
            assert refusal.value.code == "not_a_call"


# its resources


class Database:
    """A resource of one kind."""

    def __init__(self, name: str) -> None:
        self.name = name


class Cabinet:
    """A resource of another kind."""

    def __init__(self, name: str) -> None:
        self.name = name


class Session:
    """A resource that is its own context manager."""

    def __init__(self) -> None:
        self.is_open = False

    async def __aenter__(self) -> Self:
        self.is_open = True
        return self

    async def __aexit__(self, *ended: object) -> None:
        self.is_open = False


@agent
async def ask(text: str) -> str:
    """Ask both resources."""
    return f"{current().resource(Database).name} {current().resource(Cabinet).name}"


async def make_database() -> Database:
    """Make one, async."""
    await asyncio.sleep(0)
    return Database("async")


@contextlib.asynccontextmanager
async def open_database() -> AsyncGenerator[Database]:
    """Open one around the app's life, async."""
    yield Database("async manager")


@contextlib.contextmanager
def open_plain_database() -> Generator[Database]:
    """Open one around the app's life."""
    yield Database("manager")


@pytest.mark.parametrize(
    ("factory", "name"),
    [
        (lambda: Database("plain"), "plain"),
        (make_database, "async"),
        (open_database, "async manager"),
        (open_plain_database, "manager"),
    ],
)
async def test_a_resource_is_opened_however_it_is_given(
    factory: Callable[[], object], name: str
) -> None:
    """A function or a context manager, async or not."""
    async with App(resources={Database: factory, Cabinet: lambda: Cabinet("c")}):
        assert await ask("x") == f"{name} c"


async def test_a_resource_that_is_its_own_manager_is_open_in_bodies() -> None:
    """And closed after the app."""
    session = Session()
    app = App(resources={Session: lambda: session})
    async with app:
        assert await is_open("x")

    assert not session.is_open


@agent
async def is_open(text: str) -> bool:
    """Whether the session is open."""
    return current().resource(Session).is_open


async def test_a_resource_that_is_not_declared_is_named() -> None:
    """The error says what there is, and how to declare it."""
    async with App(resources={Database: lambda: Database("d")}):
        with pytest.raises(UsageError) as refusal:
            await ask("x")

    assert refusal.value.code == "no_resource"
    assert "'Cabinet', and the app has: Database" in str(refusal.value)


def managed(log: list[str], name: str, *, fails: bool = False) -> Callable[[], object]:
    """A factory that writes down what happens to it."""

    @contextlib.asynccontextmanager
    async def manage() -> AsyncGenerator[str]:
        if fails:
            raise LookupError(name)
        log.append(f"open {name}")
        try:
            yield name
        except ValueError:
            log.append(f"{name} hears of the error")
            raise
        finally:
            log.append(f"close {name}")

    return manage


async def test_resources_are_opened_in_order_and_closed_in_reverse() -> None:
    """And they hear how the app ended."""
    log: list[str] = []
    app = App(resources={Database: managed(log, "a"), Cabinet: managed(log, "b")})
    async with app:
        assert log == ["open a", "open b"]
    with pytest.raises(ValueError, match="oops"):
        async with app:
            raise ValueError("oops")

    assert log[2:] == [
        "close b",
        "close a",
        "open a",
        "open b",
        "b hears of the error",
        "close b",
        "a hears of the error",
        "close a",
    ]


async def test_a_resource_that_fails_closes_those_before_it() -> None:
    """The failure is typed, names the resource, and the app is not entered."""
    log: list[str] = []
    factories = {
        Database: managed(log, "a"),
        Cabinet: managed(log, "b", fails=True),
        Session: managed(log, "c"),
    }
    app = App(resources=factories)

    with pytest.raises(UsageError, match="'Cabinet' could not be opened: LookupError") as failure:
        await app.__aenter__()

    assert failure.value.code == "resource_failed"
    assert isinstance(failure.value.__cause__, LookupError)
    assert log == ["open a", "close a"]
    with pytest.raises(UsageError, match="not entered"):
        app.start(ask, "x")


@agent
async def linger(seconds: float) -> float:
    """Take some time to be cancelled."""
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        await asyncio.sleep(seconds)
    return seconds


def test_resources_are_closed_when_leaving_is_cancelled() -> None:
    """Whoever cannot wait for the runs to end does not leave anything open."""
    log: list[str] = []

    async def scenario(outer: App) -> list[str]:
        async def live() -> None:
            async with App(resources={Database: managed(log, "a")}) as app:
                app.start(linger, 0.8)
                await asyncio.sleep(1)

        task = asyncio.get_running_loop().create_task(live())
        await asyncio.sleep(1.5)
        before = list(log)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        after = list(log)
        await asyncio.sleep(1)
        return [*before, "cancelled", *after]

    assert in_app(scenario) == ["open a", "cancelled", "open a", "close a"]


async def test_an_app_in_memory_opens_no_resources() -> None:
    """They would never be closed."""
    app = App(resources={Database: make_database})

    with pytest.raises(UsageError) as refusal:
        app.open_in_memory(allows_effects=True)

    assert refusal.value.code == "has_resources"


# its runs


def test_a_run_says_how_it_ended() -> None:
    """In one state, with its result or its failure, its release and its trace."""

    async def scenario(app: App) -> list[Any]:
        good = app.start(echo, Query(text="x"))
        states: list[Any] = [good.state, good.degraded]
        old = app.start(stale, "x")
        bad = app.start(find, "x")
        states += [await run.ended() for run in (good, old, bad)]
        with pytest.raises(NotFound):
            await bad.result()
        assert (await good.result(), await good.result()) == ("x", "x")
        assert good.release.startswith("1.2.0+fp.")
        assert good.trace_id == f"{app.spans(good)[0].trace_id:032x}"
        assert repr(old) == f"<run {old.id} of 'stale': degraded>"
        return [*states, [reason.source for reason in old.degraded], bad.degraded]

    assert in_app(scenario) == [
        "running",
        (),
        "succeeded",
        "degraded",
        "failed",
        ["cache"],
        (),
    ]


async def test_the_ids_of_runs_are_ordered_by_time() -> None:
    """Text order is the order in which they began, whenever somebody asks for them."""
    clock = FakeClock(NOON)
    async with App(clock=clock) as app:
        runs: list[Run[str]] = []
        while len(runs) < 5:
            runs.append(app.start(echo, Query(text="x")))
            clock.advance(0.001)
        ids = [run.id for run in reversed(runs)]
        for run in runs:
            await run.result()

    assert ids == sorted(ids, reverse=True)
    assert len(set(ids)) == 5
    assert all(len(found) == 26 for found in ids)


async def test_the_same_randomness_makes_the_same_run() -> None:
    """Ids, draws and keys of two apps with one seed are equal, call by call."""

    async def draws() -> list[str]:
        app = App(clock=FakeClock(NOON), randomness=random.Random(7))
        async with app:
            run = app.start(draw, "x")
            return [*(await run.result()), run.id, run.trace_id]

    first, second = await draws(), await draws()

    assert first == second
    assert len(set(first)) == len(first)


@agent
async def draw(text: str) -> list[str]:
    """What a call may know and draw."""
    me = current()
    return [str(me.uuid()), str(me.random.random()), me.idempotency_key, me.path, str(me.now())]


async def test_a_run_acts_on_somebodys_behalf() -> None:
    """Every call of it knows who, and keys of tenants cannot meet."""
    ann = Principal(name="ann", roles=frozenset({"lead"}), tenant="shop")
    async with App() as app:
        found = await app.start(who, "x", principal=ann).result()
        by_json = await app.start_json(who, {"text": "x"}, principal=ann).result()

    assert found == by_json == "ann of shop"
    assert await who("x") == "anonymous of default"


@agent
async def name_it(text: str) -> str:
    """Say on whose behalf it runs."""
    return f"{current().principal.name} of {current().principal.tenant}"


@agent(agents=[name_it])
async def who(text: str) -> str:
    """Ask a child."""
    return await name_it(text)


async def test_an_input_from_outside_is_judged_by_the_contract() -> None:
    """The error names the place in the document; no run is started."""
    async with App() as app:
        with pytest.raises(InputError) as refusal:
            app.start_json(echo, {"text": 5})
        with pytest.raises(InputError):
            app.start(echo, {"text": 5})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] -- what is refused
        assert await app.start_json(echo, {"text": "x"}).result() == "x"

    assert (refusal.value.pointer, refusal.value.error_class) == ("/text", ErrorClass.CONTRACT_IN)
    assert len(app.traces.spans()) == 1


async def test_current_is_there_in_a_call_and_nowhere_else() -> None:
    """Neither before, nor between, nor after."""
    async with App():
        await stale("x")
        with pytest.raises(UsageError) as refusal:
            current()

    assert refusal.value.code == "no_call"


@agent
async def leave(text: str) -> str:
    """End the program."""
    raise SystemExit(text)


@workflow
async def leave_beside(text: str) -> tuple[str, str]:
    """End the program from one of two branches."""
    return await parallel(echo_text(text), leave(text))


def test_a_step_that_ends_the_program_ends_it() -> None:
    """Nobody takes it for a failure; what was opened is closed."""
    log: list[str] = []

    async def scenario() -> None:
        async with App(resources={Database: managed(log, "a")}):
            await leave_beside("bye")

    with pytest.raises(SystemExit, match="bye"):
        run_in_virtual_time(scenario())

    assert log == ["open a", "close a"]


def test_calls_outside_of_apps_belong_to_their_loop() -> None:
    """Each event loop has its own app in memory, since pools and threads belong to one loop."""
    results = [asyncio.run(hold()) for _ in range(3)]

    assert results == [["x"] * 12] * 3


@agent(pool="carriers", policy=Policy(timeout=5))
async def short(text: str) -> str:
    """Hold a slot for a moment."""
    await asyncio.sleep(0.001)
    return text


async def hold() -> list[str]:
    """More calls than the pool has slots."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(call()) for _ in range(12)]
    return [task.result() for task in tasks]


async def call() -> str:
    """One call."""
    return await short("x")


def nested(inner: Agent[[str], str], depth: int) -> Agent[[str], str]:
    """A workflow around an agent, so many times."""
    for level in range(depth):
        inner = around(inner, level)
    return inner


def around(inner: Agent[[str], str], level: int) -> Agent[[str], str]:
    """A workflow around an agent."""

    @workflow(name=f"flow{level}")
    async def deeper(text: str) -> str:
        return await inner(text)

    return deeper


def test_deep_nesting_is_refused_before_it_ends_pythons_stack() -> None:
    """A hundred levels run; what is deeper is told before any of it runs."""
    deep, too_deep = nested(stale, 99), nested(stale, 100)

    async def scenario(app: App) -> str:
        with pytest.raises(DeclarationError) as refusal:
            await too_deep("x")
        assert await deep("x") == "x"
        return refusal.value.code

    assert in_app(scenario) == "too_deep"


def test_a_cached_answer_is_one_apps_own() -> None:
    """What an app remembers ends with it."""
    calls: list[str] = []

    @agent(policy=Policy(cache=Cache(ttl=60, scope="texts")))
    async def count(text: str) -> str:
        calls.append(text)
        return text

    async def scenario(app: App) -> None:
        await count("x")
        await count("x")

    in_app(scenario)
    in_app(scenario)

    assert calls == ["x", "x"]
