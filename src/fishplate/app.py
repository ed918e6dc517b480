"""The app: the composition root, which picks defaults and wires the parts."""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
import random
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Final, Generic, Literal, ParamSpec, Self, TypeAlias, TypeVar, cast

from fishplate.agents.agent import Agent, AnyAgent, Call
from fishplate.core.call import SCOPE, Deferred, Outside
from fishplate.core.clock import Clock, SystemClock, system_random
from fishplate.core.current import Principal, RunContext, Surroundings
from fishplate.core.errors import DeclarationError, ErrorClass, JsonValue, Problem, StepError, UsageError
from fishplate.core.events import Span
from fishplate.core.ids import trace_hex
from fishplate.core.outcome import Reason
from fishplate.engines.local import LocalEngine
from fishplate.orchestrator.effects import CallEffect, Marked
from fishplate.orchestrator.pools import Pools
from fishplate.orchestrator.steps import Steps
from fishplate.orchestrator.suspension import OutOfTimeError, within
from fishplate.resilience.cache import AnswerCache
from fishplate.traces.recorder import SpanTree, TraceRecorder
from fishplate.workflows.workflow import Workflow

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)
R = TypeVar("R")

RunState: TypeAlias = Literal["queued", "running", "succeeded", "degraded", "failed", "cancelled"]
WORKING_TIME: Final = 300.0
POOL_SIZE: Final = 10
ANYBODY: Final = Principal()


class Run(Generic[R_co]):
    """One execution of an agent.

    Attributes:
        agent: What runs.
    """

    def __init__(self, agent: Agent[..., R_co], context: RunContext, task: asyncio.Task[object]) -> None:
        self.agent = agent
        self._context = context
        self._task = task

    @property
    def id(self) -> str:
        """Time-ordered text."""
        return self._context.run_id

    @property
    def trace_id(self) -> str:
        """32 hex digits, as in W3C Trace Context."""
        return trace_hex(self._context.trace_id)

    @property
    def release(self) -> str:
        """Version and fingerprint of the agent: `1.2.0+fp.9c3e12ab34cd`."""
        return self.agent.label

    @property
    def state(self) -> RunState:
        """Where the run is."""
        if not self._task.done():
            return "running"
        if self._task.cancelled():
            return "cancelled"
        if self._task.exception() is not None:
            return "failed"
        return "degraded" if self.degraded else "succeeded"

    @property
    def degraded(self) -> tuple[Reason, ...]:
        """Why the output is degraded; empty if it is not, or not there yet."""
        if not self._task.done() or self._task.cancelled() or self._task.exception() is not None:
            return ()
        found = self._task.result()
        return found.reasons if type(found) is Marked else ()

    async def result(self) -> R_co:
        """Wait for the output. Cancelling the wait does not cancel the run.

        Raises:
            FishplateError: The run failed.
            DeclaredError: The agent raised an error that its contract declares.
            asyncio.CancelledError: The run was cancelled.
        """
        found = await asyncio.shield(self._task)
        return cast("R_co", found.value if type(found) is Marked else found)

    def cancel(self) -> None:
        """Ask the run to end; every step that runs is cancelled."""
        self._task.cancel()

    async def ended(self) -> RunState:
        """Wait for the end, whatever it is; the state."""
        await asyncio.wait([self._task])
        return self.state

    def __repr__(self) -> str:
        return f"<run {self.id} of {self.agent.name!r}: {self.state}>"


class App:
    """What agents run in.

    Args:
        agents: The app's agents; their names, and those of all they call, are unique.
        resources: How to open what bodies ask for by `current().resource(Type)`: a function that gives the
            resource or an (async) context manager around it. Opened when the app is entered, in order.
        pools: Slots by pool name; a pool that is not named here has 10.
        threads: Most plain functions that run at a time.
        working_time: Seconds that a run may work before it fails with `deadline`.
        clock: Where the time comes from.
        randomness: Where ids and the randomness of runs come from.
        debug: Compare every agent's inputs before and after its call.
    """

    def __init__(  # noqa: PLR0913 -- the one place that takes every part
        self,
        *agents: AnyAgent,
        resources: Mapping[type, Callable[[], object]] | None = None,
        pools: Mapping[str, int] | None = None,
        threads: int | None = None,
        working_time: float = WORKING_TIME,
        clock: Clock | None = None,
        randomness: random.Random | None = None,
        debug: bool = False,
    ) -> None:
        self.agents = _unique(agents)
        self.traces = TraceRecorder()
        self._factories = dict(resources or {})
        self._resources: dict[type, object] = {}
        self._random = randomness or system_random()
        self._working_time = working_time
        self._thread_count = threads or min(32, (os.cpu_count() or 1) + 4)
        self._executor: ThreadPoolExecutor | None = None
        self._stack: AsyncExitStack | None = None
        self._runs: set[asyncio.Task[object]] = set()
        self._outer: object = None
        self._allows_effects = True

        random_id = functools.partial(self._random.getrandbits, 64)
        self._around = Surroundings(
            clock=clock or SystemClock(),
            sink=self.traces.sink,
            resources=self._resources,
            working_time=working_time,
        )
        steps = Steps(
            pools=Pools(pools or {}, POOL_SIZE),
            threads=self._threads,
            cache=AnswerCache(),
            random_id=random_id,
            allows_effects=lambda: self._allows_effects,
            debug=debug,
        )
        self._engine = LocalEngine(steps, random_id)

    async def __aenter__(self) -> Self:
        """Open the resources and become the app of this task."""
        if self._stack is not None:
            msg = "the app is entered already: use one 'async with' for its life"
            raise UsageError(msg, code="app_entered")
        stack = AsyncExitStack()
        try:
            for kind, factory in self._factories.items():
                self._resources[kind] = await _opened(factory, stack)
        except BaseException:
            await stack.aclose()
            self._resources.clear()
            raise
        self._stack = stack
        self._outer = SCOPE.get()
        SCOPE.set(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Cancel what still runs, close the resources in reverse order."""
        SCOPE.set(cast("Any", self._outer))
        for task in tuple(self._runs):
            task.cancel()
        if self._runs:
            await asyncio.wait(tuple(self._runs))
        stack, self._stack = self._stack, None
        try:
            if stack is not None:
                await stack.aclose()
        finally:
            self._resources.clear()
            if self._executor is not None:
                self._executor.shutdown(wait=False, cancel_futures=True)
                self._executor = None

    def start(self, agent: Agent[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Run[R]:
        """Start a run in a task of its own.

        Raises:
            InputError: The arguments break the agent's contract.
            UsageError: The agent waits, and this app has no store (code `no_store`).
        """
        return self.start_as(ANYBODY, agent, *args, **kwargs)

    def start_as(
        self, principal: Principal, agent: Agent[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> Run[R]:
        """Start a run on somebody's behalf; see `start`."""
        call = agent(*args, **kwargs)
        return self._start(call, principal)

    def start_json(self, agent: Agent[..., R], document: JsonValue, *, principal: Principal = ANYBODY) -> Run[R]:
        """Start a run with an input document from outside.

        Raises:
            InputError: The document breaks the agent's contract; names the JSON pointer.
        """
        arguments = agent.signature.decode(document, subject=f"the input of {agent.about.subject}")
        return self._start(Call(agent, arguments), principal, is_judged=True)

    def issue(self, deferred: Deferred[R_co]) -> Generator[object, object, R_co]:
        """Answer a call that is awaited in this app, outside of every body: run it in the task that awaits."""
        if not isinstance(deferred, Call):
            msg = f"{deferred!r} was awaited outside of a workflow or a body: compose agents inside one of them"
            raise UsageError(msg, code="not_a_call")
        call = cast("Call[R_co]", deferred)
        context, effect = self._prepared(call, ANYBODY, is_judged=False)
        return self._awaited(context, effect).__await__()  # type: ignore[return-value]  # of the call's own type

    def forbid_effects(self) -> None:
        """Let only `readonly` tools run from now on."""
        self._allows_effects = False

    def spans(self, run: Run[Any]) -> list[Span]:
        """The kept spans of a run, in the order in which they ended."""
        return self.traces.spans(int(run.trace_id, 16))

    def trace(self, run: Run[Any]) -> tuple[SpanTree, ...]:
        """The kept spans of a run as trees."""
        return self.traces.tree(int(run.trace_id, 16))

    def _start(self, call: Call[R], principal: Principal, *, is_judged: bool = False) -> Run[R]:
        context, effect = self._prepared(call, principal, is_judged=is_judged)
        task = asyncio.get_running_loop().create_task(self._bounded(context, effect))
        self._runs.add(task)
        task.add_done_callback(self._forget)
        return Run(call.agent, context, task)

    def _forget(self, task: asyncio.Task[object]) -> None:
        self._runs.discard(task)
        if not task.cancelled():
            task.exception()  # who wants it asks the run; nobody asking is no warning

    def _prepared(
        self, call: Call[Any], principal: Principal, *, is_judged: bool
    ) -> tuple[RunContext, CallEffect]:
        agent, arguments = call.agent, call.arguments
        if agent.fallbacks or agent.caught:
            msg = f"{agent!r} is configured for a step (or_else, catching): start the agent itself, or a workflow"
            raise UsageError(msg, code="configured_agent")
        if isinstance(agent, Workflow) and agent.waiting:
            msg = f"{agent.name!r} waits in step {agent.waiting[0]!r}, and runs in memory do not: give the app a store"
            raise UsageError(msg, code="no_store")
        if not is_judged and not agent.signature.is_exact(arguments):
            arguments = agent.signature.accept(arguments, subject=f"the input of {agent.about.subject}")
        context = RunContext(self._around, principal, self._random.getrandbits(128))
        return context, CallEffect(agent.name, agent, arguments, agent.about.where)

    async def _awaited(self, context: RunContext, effect: CallEffect) -> object:
        found = await self._bounded(context, effect)
        return found.value if type(found) is Marked else found

    async def _bounded(self, context: RunContext, effect: CallEffect) -> object:
        outer = SCOPE.get()
        try:
            return await within(self._working_time, self._engine.call(context, effect))
        except OutOfTimeError:
            raise StepError(
                f"the run of {effect.unit.name!r} worked longer than its {self._working_time:g} seconds",
                step=effect.key,
                code="deadline",
                error_class=ErrorClass.DEADLINE,
                where=effect.where,
            ) from None
        finally:
            SCOPE.set(outer)

    def _threads(self) -> ThreadPoolExecutor:
        if self._executor is None:
            self._executor = ThreadPoolExecutor(self._thread_count, thread_name_prefix="fishplate")
        return self._executor


async def _opened(factory: Callable[[], object], stack: AsyncExitStack) -> object:
    """Open one resource; a slow plain function runs in a thread, so that the loop stays free."""
    found = factory() if inspect.iscoroutinefunction(factory) else await asyncio.to_thread(factory)
    if inspect.isawaitable(found):
        found = await found
    if hasattr(found, "__aenter__"):
        return await stack.enter_async_context(cast("Any", found))
    if hasattr(found, "__enter__"):
        opened = await asyncio.to_thread(cast("Any", found).__enter__)
        stack.push_async_callback(asyncio.to_thread, cast("Any", found).__exit__, None, None, None)
        return opened
    return found


def _unique(agents: Sequence[AnyAgent]) -> dict[str, AnyAgent]:
    found: dict[str, AnyAgent] = {}
    for agent in agents:
        reachable = agent.reachable() if isinstance(agent, Workflow) else {}
        for name, unit in {agent.name: agent, **reachable}.items():
            known = found.setdefault(name, unit)
            if known.about is not unit.about:
                message = f"two agents are called {name!r} ({known.about.where} and {unit.about.where}): give one another name="
                raise DeclarationError("the app", [Problem(code="repeated_name", message=message)])
    return found



class _Outside:
    """Answers calls that are made outside of every app: in memory, and without effects."""

    def __init__(self) -> None:
        self._app: App | None = None

    def issue(self, deferred: Deferred[R_co]) -> Generator[object, object, R_co]:
        """Run a call in an app of our own that holds no resources and opens none."""
        if self._app is None:
            self._app = App()
            self._app.forbid_effects()
        return self._app.issue(deferred)


Outside.scope = _Outside()
