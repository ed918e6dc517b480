"""The app: the composition root, which picks defaults and wires the parts."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import os
import random
from collections.abc import Callable, Coroutine, Generator, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeVar, overload
from weakref import WeakKeyDictionary

from fishplate.agents.agent import Agent, AnyAgent, Call
from fishplate.core.call import SCOPE, Deferred, Outside, Scope
from fishplate.core.clock import Clock, SystemClock, system_random
from fishplate.core.errors import JsonValue, UsageError
from fishplate.core.events import Span
from fishplate.core.ids import SPAN_BITS, timed_trace_id
from fishplate.core.run_context import CalledRun, Principal, RunContext, Surroundings
from fishplate.core.suspension import OutOfTimeError, finish_within
from fishplate.core.timers import TimerWheel
from fishplate.core.trace_context import Caller, caller_of
from fishplate.engines.local import LocalEngine
from fishplate.orchestrator.admission import Admission
from fishplate.orchestrator.effects import CallEffect, Marked
from fishplate.orchestrator.endings import out_of_time
from fishplate.orchestrator.injection import Injector
from fishplate.orchestrator.pools import Pools
from fishplate.orchestrator.releases import Releases
from fishplate.orchestrator.resources import Resources
from fishplate.orchestrator.roster import (
    all_of,
    by_name,
    check_prompts,
)
from fishplate.orchestrator.run import Run, RunState
from fishplate.orchestrator.run_tasks import RunTasks
from fishplate.orchestrator.steps import Steps
from fishplate.orchestrator.telling import tell
from fishplate.orchestrator.threads import Threads
from fishplate.orchestrator.tracing import Tracing
from fishplate.releases.fingerprint import Release
from fishplate.resilience.cache import AnswerCache
from fishplate.resilience.checks import check_count, check_number
from fishplate.resilience.target import Environment
from fishplate.resilience.targets import Targets
from fishplate.traces.recorder import SpanTree, TraceRecorder

if TYPE_CHECKING:
    from fishplate.journal.waits import Wait
    from fishplate.journal.writer import OpenWriter
    from fishplate.models.model import Model
    from fishplate.models.prices import PriceBook
    from fishplate.orchestrator.keeper import Keeper
    from fishplate.orchestrator.replay import Replay
    from fishplate.orchestrator.taking_up import TakenUp
    from fishplate.traces.export import OtlpExport
    from fishplate.traces.feed import Tally
    from fishplate.traces.metrics import Gauge
    from fishplate.traces.store import TraceStore

__all__ = ["App", "Run", "RunState"]

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
R_co = TypeVar("R_co", covariant=True)
R = TypeVar("R")
S = TypeVar("S", bound=Steps)

WORKING_TIME: Final = 300.0
POOL_SIZE: Final = 10
ANYBODY: Final = Principal()

IS_LOOKED_AT: Final = contextvars.ContextVar("fishplate_is_looked_at", default=False)
"""Whether modules are imported for their agents alone, so that no app of theirs may be entered."""


class App:
    """What agents run in.

    Args:
        agents: The app's agents; their names, and those of all they call, are unique.
        resources: How to open what bodies ask for by `current().resource(Type)`: a function that
            gives the resource, or an (async) context manager around it. Opened in order when the
            app is entered, closed in reverse order when it is left.
        pools: Slots by pool name; a pool that is not named here has 10.
        threads: Most plain functions that run at a time; at least 1.
        working_time: Seconds that a run may work before it fails with `deadline`; above 0.
        clock: Where the time comes from.
        randomness: Where ids and the randomness of runs come from.
        traces: Where traces are kept beside the buffer of the last 65,536 spans: the URL of a file
            of their own, e.g. `sqlite:///traces.db`; a `fishplate.traces.store.TraceStore`, which
            says how much of them; or a buffer in place of the usual one.
        export: Where spans are sent besides: a `fishplate.traces.export.OtlpExport`.
        debug: Compare every agent's inputs before and after its call.
        models: What agents mean by the aliases of models that their code names; see
            `fishplate.models.model.Model`.
        prices: What their requests cost; see `fishplate.models.prices`. Unknown without.
        faults: What goes wrong on purpose; `fishplate.testing.faults.Faults` is made for this.
        store: Where runs are kept, e.g. `sqlite:///runs.db`; without one they are in memory only.
        durability: What survives a loss of power: with `full` whatever was reported, with `normal`
            the effects of tools. The end of the process costs nothing with either.
        resume: Which runs of a former process go on here: `compatible` those whose agents still do
            at least what they did and at most what they might, `exact` those whose agents and
            plans are equal. The others need attention.

    Attributes:
        agents: Those that were given, by name.
        working_time: Seconds that a run may work.
        store: Where runs are kept; `None` if they are in memory only.
        durability: What survives a loss of power.
        resume: Which runs of a former process go on here.
        models: The models, by alias.
        resumed: The runs that a former process left open, and that go on here.

    Raises:
        DeclarationError: Two agents have one name, or wait for each other in a pool; or an agent
            asks a model that is not there (code `unknown_model`), or that cannot do what is asked
            (code `missing_feature`); or what stands behind an alias is no model (code
            `not_a_model`).
        UsageError: A fault could never act on any of the agents (codes `unknown_agent`,
            `impossible_fault`).
    """

    _keeper: Keeper | None = None
    _replay: Replay | None = None

    def __init__(  # noqa: PLR0913 -- the one place that takes every part
        self,
        *agents: AnyAgent,
        resources: Mapping[type, Callable[[], object]] | None = None,
        pools: Mapping[str, int] | None = None,
        threads: int | None = None,
        working_time: float = WORKING_TIME,
        clock: Clock | None = None,
        randomness: random.Random | None = None,
        traces: TraceRecorder | TraceStore | str | None = None,
        export: OtlpExport | None = None,
        debug: bool = False,
        models: Mapping[str, Model] | None = None,
        prices: PriceBook | None = None,
        faults: Injector | None = None,
        store: str | None = None,
        durability: Literal["full", "normal"] = "full",
        resume: Literal["compatible", "exact"] = "compatible",
    ) -> None:
        check_number("App", "working_time", working_time, above=0)
        if threads is not None:
            check_count("App", "threads", threads)
        self.agents = by_name(agents)
        self.resumed: tuple[Run[Any], ...] = ()
        self._tracing = Tracing(traces, export)
        self.traces = self._tracing.buffer
        self._resources = Resources(resources or {})
        self._random = randomness or system_random()
        self.working_time = working_time
        self._wheel = TimerWheel()  # hardly any run works to the end of its time
        self._threads = Threads(threads or min(32, (os.cpu_count() or 1) + 4))
        self._is_open = False
        self._tasks = RunTasks()
        self._outer: Scope | None = None
        self.models: Mapping[str, Model] = {}
        if models is not None:
            self.models = self._provide_models(models, prices)
        self._admission = Admission(self.agents, self.models)
        self._releases = Releases(self.models)
        self._around = Surroundings(
            clock=clock or SystemClock(),
            sink=self.traces.sink,
            resources=self._resources.opened,
            working_time=working_time,
            heads=self._releases,
        )
        random_id = functools.partial(self._random.getrandbits, SPAN_BITS)
        now_ns = self._around.now_ns
        self.targets = Targets(
            Environment(
                clock=lambda: now_ns() / 1e9,
                uniform=self._random.uniform,
                sleep=asyncio.sleep,
                emit=functools.partial(tell, random_id),
            )
        )
        self.pools = Pools(pools or {}, POOL_SIZE)
        self._cache = AnswerCache()
        self._debug = debug
        self.store = store
        self.durability: Literal["full", "normal"] = durability
        self.resume: Literal["compatible", "exact"] = resume
        if store is None:
            self._steps = self._made(Steps, random_id)
            self._engine = LocalEngine(self._steps, random_id)
        else:
            self._keep(store, durability, takes_up=True, open_writer=None)
        if faults is not None:
            if agents:  # else each agent that is started has to be one that they can act on
                faults.check(all_of(*agents))
            self.inject(faults)

    async def __aenter__(self) -> Self:
        """Open the resources and become the app of this task.

        Raises:
            DeclarationError: A prompt function of an agent returns no prompt (code `bad_prompt`).
            UsageError: The app is entered already, a resource cannot be opened, or an agent of it
                waits, and it has no store (code `no_store`).
        """
        if self._is_open:
            msg = "the app is entered already: use one 'async with' for its life"
            raise UsageError(msg, code="app_entered")
        if IS_LOOKED_AT.get():
            msg = (
                "an app was entered while its module was imported to replay a run, and would have "
                "effects: put that below if __name__ == '__main__'"
            )
            raise UsageError(msg, code="app_at_import")
        self._admission.enter()
        self._is_open = True
        try:
            await check_prompts(self.agents.values())
            await asyncio.to_thread(self._releases.read, tuple(self.agents.values()))
            await self._resources.open()
            try:
                self._begin_faults()
                await self._tracing.open(self._around, self._steps, self._gauges)
                await self._open_store()
            except BaseException:
                await self._tracing.close(self._around, self._steps)
                await self._resources.close(None, None, None)
                raise
        except BaseException:
            self._is_open = False
            raise
        self._outer = SCOPE.get()
        SCOPE.set(self)
        return self

    def _gauges(self) -> Iterator[Gauge]:
        # As `_keep`.
        from fishplate.orchestrator.gauges import gauges  # noqa: PLC0415 -- as said

        return gauges(self.targets, self.pools, len(self._tasks))

    async def _open_store(self) -> None:
        """Open the store, and let the runs go on that a former process left open."""
        keeper = self._keeper
        if keeper is None:
            return
        await keeper.open()
        try:
            taken = await keeper.take_up()
            await keeper.listen(self._go_on)
        except BaseException:
            await keeper.close()
            raise
        self.resumed = tuple(map(self._go_on, taken))

    async def settled(self) -> None:
        """Wait until nothing more can be done now: for no run, and for no effect of one.

        Unknown outcomes that can be looked up by now are, what is to be undone is, and runs that
        this has opened again have ended.
        """
        await self._tasks.settled(self._tended)

    async def _tended(self) -> None:
        if self._keeper is not None:
            await self._keeper.tended()

    def _go_on(self, taken: TakenUp) -> Run[Any]:
        """Let a run of a former life go on."""
        assert self._keeper is not None, "who has no store takes no run up"
        context, effect = taken
        return self._run(effect.unit, context, self._keeper.driver.go_on(context, effect))

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Cancel the runs that are left, close the resources in reverse order."""
        SCOPE.set(self._outer)
        self._is_open = False
        if self._keeper is not None:
            self._keeper.prepare_to_close()
        try:
            await self._tasks.cancel()
        finally:
            self._threads.close()
            if self._keeper is not None:
                await self._keeper.close()
            await self._tracing.close(self._around, self._steps)
            await self._resources.close(kind, error, trace)

    def open_in_memory(self, *, allows_effects: bool) -> Self:
        """Be open at once, for calls that nobody has entered an app for.

        Args:
            allows_effects: Whether tools that are not `readonly` may run.

        Raises:
            UsageError: The app has resources, which only `async with` opens (code `has_resources`).
        """
        if self._resources:
            msg = "the app has resources to open: enter it by 'async with'"
            raise UsageError(msg, code="has_resources")
        self._steps.allows_effects = allows_effects
        self._begin_faults()
        self._is_open = True
        return self

    def close_in_memory(self) -> None:
        """Take no more calls, and ask the runs that are left to end."""
        self._is_open = False
        self._tasks.ask_to_end()

    def inject(self, faults: Injector) -> None:
        """Let calls go wrong on purpose, in place of the faults that were given before.

        Every agent that is started then has to reach those that the faults name, unless the app's
        own agents do.

        Raises:
            UsageError: The app is entered already (code `app_entered`).
        """
        self._check_not_entered("inject faults")
        self._admission.inject(faults)

    def keep_in(
        self,
        store: str,
        *,
        durability: Literal["full", "normal"] = "full",
        resume: Literal["compatible", "exact"] | None = None,
        takes_up: bool = True,
        open_writer: OpenWriter | None = None,
    ) -> None:
        """Keep runs in a store, in place of the one that was given before.

        Args:
            store: Its URL, e.g. `sqlite:///runs.db`.
            durability: See `App`.
            resume: See `App`; as the app has it if it is `None`.
            takes_up: Whether runs that a former process left open go on here; they stay open else.
            open_writer: Makes what writes into the store, by default a thread; tools that prove
                what a crash leaves behind have others.

        Raises:
            UsageError: The app is entered already (code `app_entered`), or it is no URL of a store
                (code `bad_store`).
        """
        self._check_not_entered("choose its store")
        self.resume = resume or self.resume
        self._keep(store, durability, takes_up=takes_up, open_writer=open_writer)

    def replay(self, replay: Replay) -> None:
        """Run one recorded run again, whose record answers for what leaves the process.

        Nothing of it is kept, in no store and no trace. `fishplate.testing.replay` is made for
        this.

        Raises:
            UsageError: The app is entered already (code `app_entered`).
        """
        self._check_not_entered("replay")
        # As `_keep`.
        from fishplate.engines.replaying import ReplayEngine  # noqa: PLC0415 -- as said
        from fishplate.orchestrator.replay import ReplaySteps  # noqa: PLC0415 -- as said

        random_id = functools.partial(self._random.getrandbits, SPAN_BITS)
        steps = self._made(ReplaySteps, random_id)
        steps.replay = self._replay = replay
        self._steps, self._engine = steps, ReplayEngine(steps, random_id)
        self._around.kept_now = steps.told_now
        self._keeper = self.store = None
        self._admission.is_kept, self._admission.may_wait = False, True
        self._tracing.keep_none()

    def trace_to(self, traces: TraceStore | str) -> None:
        """Keep traces in a store, in place of the one that was given before.

        Args:
            traces: See `App`.

        Raises:
            UsageError: The app is entered already (code `app_entered`), or it is no URL of a store
                (code `bad_store`).
        """
        self._check_not_entered("choose where traces go")
        self._tracing.keep_in(traces)

    async def flush_traces(self) -> dict[Literal["store", "export"], Tally]:
        """Wait until what was told so far is kept and sent, or lost; what became of it.

        Returns:
            The counts since the app was entered, of those that there are; what could not be done
            within 5 seconds each is `waiting`.
        """
        return await self._tracing.flush()

    @overload
    def start(
        self,
        agent: Callable[[], Call[R]],
        /,
        *,
        principal: Principal = ANYBODY,
        traceparent: str | None = None,
        baggage: str | None = None,
    ) -> Run[R]: ...
    @overload
    def start(
        self,
        agent: Callable[[A], Call[R]],
        a: A,
        /,
        *,
        principal: Principal = ANYBODY,
        traceparent: str | None = None,
        baggage: str | None = None,
    ) -> Run[R]: ...
    @overload
    def start(
        self,
        agent: Callable[[A, B], Call[R]],
        a: A,
        b: B,
        /,
        *,
        principal: Principal = ANYBODY,
        traceparent: str | None = None,
        baggage: str | None = None,
    ) -> Run[R]: ...
    @overload
    def start(
        self,
        agent: Callable[[A, B, C], Call[R]],
        a: A,
        b: B,
        c: C,
        /,
        *,
        principal: Principal = ANYBODY,
        traceparent: str | None = None,
        baggage: str | None = None,
    ) -> Run[R]: ...
    def start(
        self,
        agent: Callable[..., Call[R]],
        /,
        *arguments: object,
        principal: Principal = ANYBODY,
        traceparent: str | None = None,
        baggage: str | None = None,
    ) -> Run[R]:
        """Start a run in a task of its own.

        Args:
            agent: What runs.
            arguments: Its arguments by position.
            principal: On whose behalf it runs.
            traceparent: The span of another process that it stands below, as the header of that
                name says it (W3C Trace Context); what is malformed is ignored.
            baggage: What the caller says to everybody below, as the header of that name (W3C
                Baggage); `current().baggage` gives it, also where there is no `traceparent`.

        Raises:
            InputError: The arguments break the agent's contract.
            UsageError: The app is not entered (code `app_not_entered`), the agent waits, and this
                app has no store (code `no_store`), or a header is no text (code `bad_header`).
        """
        return self._start(agent(*arguments), principal, caller_of(traceparent, baggage))

    def start_json(
        self,
        agent: Agent[..., R],
        document: JsonValue,
        *,
        principal: Principal = ANYBODY,
        traceparent: str | None = None,
        baggage: str | None = None,
    ) -> Run[R]:
        """Start a run with an input document from outside; see `start`.

        Raises:
            InputError: The document breaks the agent's contract; names the JSON pointer.
        """
        subject = f"the input of {agent.about.subject}"
        arguments = agent.signature.decode(document, subject=subject)
        call = Call(agent, arguments)
        return self._start(call, principal, caller_of(traceparent, baggage), is_judged=True)

    def issue(self, deferred: Deferred[R_co]) -> Generator[object, object, R_co]:
        """Answer a call that is awaited in this app, outside of every body, in the awaiting task.

        Raises:
            UsageError: It is no call of an agent (code `not_a_call`); else see `start`.
        """
        if not isinstance(deferred, Call):
            msg = (
                f"{deferred!r} was awaited outside of a workflow or a body: "
                "compose agents inside one of them"
            )
            raise UsageError(msg, code="not_a_call")
        context, effect = self._prepared(deferred, ANYBODY, None, is_judged=False)
        if self._keeper is None:
            found = self._bounded(context, effect, is_marked=False)
        else:
            found = self._keeper.value(context, effect)
        # The answer is of the call's own type, which no checker can follow through an engine.
        return found.__await__()  # type: ignore[return-value]  # pyright: ignore[reportReturnType] -- see above

    async def start_once(
        self,
        call: Call[R],
        /,
        *,
        key: str,
        principal: Principal = ANYBODY,
        traceparent: str | None = None,
        baggage: str | None = None,
    ) -> Run[R]:
        """Start a run, unless the principal has started one of the same agent under the same key.

        Args:
            call: Not awaited.
            key: What makes starts one start; also after the process has ended.
            principal: On whose behalf it runs.
            traceparent: See `start`.
            baggage: See `start`.

        Returns:
            The run that was started under the key, now or before; that one may have ended.

        Raises:
            InputError: The arguments break the agent's contract.
            StartConflictError: The run under the key has another input.
            UsageError: The app is not entered (code `app_not_entered`), or it has no store (code
                `no_store`).
        """
        caller = caller_of(traceparent, baggage)
        context, effect = self._prepared(call, principal, caller, is_judged=False)
        keeper = self._kept()
        # In a task of its own: a caller who leaves now must not leave a run that nobody drives.
        return await asyncio.shield(self._tasks.begin(self._started(keeper, context, effect, key)))

    async def _started(
        self, keeper: Keeper, context: RunContext, effect: CallEffect, key: str
    ) -> Run[Any]:
        earlier = await keeper.claim(context, effect, key)
        if earlier is not None:
            return await keeper.find(earlier)
        return self._run(effect.unit, context, keeper.driver.go_on(context, effect))

    async def run(self, run_id: str) -> Run[Any]:
        """A run that the store has, whether it runs, waits or has ended.

        Raises:
            UnknownRunError: There is none of that id.
            UsageError: The app does not name its agent (code `unknown_agent`), it was awaited and
                not started (code `awaited_run`), or the app has no store (code `no_store`).
        """
        return await self._kept().find(run_id)

    async def signal(
        self, run_id: str, name: str, value: object, *, principal: Principal = ANYBODY
    ) -> None:
        """Send a run what a `wait_for(name, ...)` of it waits for; returns when that is kept.

        The wait that is open longest is answered. A signal that comes before its wait is kept for
        it; several are taken in the order in which they came.

        Args:
            run_id: Of a run that has not ended.
            name: Of the signal.
            value: What it carries: JSON, or an object of the type that is waited for.
            principal: Who sends it; has to be of the run's tenant.

        Raises:
            InputError: The value breaks the contract of the wait; nothing was changed.
            UnknownRunError: The principal's tenant has no such run.
            NotWaitingError: The run has ended.
            UsageError: The run never waits for such a signal (code `unknown_signal`), the app does
                not name its agent (code `unknown_agent`), or has no store (code `no_store`).
        """
        await self._kept().signal(run_id, name, value, principal)

    async def approve(
        self, run_id: str, step: str | None = None, *, principal: Principal, note: str = ""
    ) -> None:
        """Approve the call that a step waits to make, once and with exactly these arguments.

        Args:
            run_id: Of the run that waits.
            step: Path of the `approval(...)`, e.g. `approval` or `each.2/approval`; `None` for the
                only one that the run waits for.
            principal: Who approves: has one of the roles, and has not started the run.
            note: Why; goes into the audit.

        Raises:
            UnknownRunError: The principal's tenant has no such run.
            NotWaitingError: The step waits for no decision.
            NotAllowedError: The principal may not decide this.
            UsageError: The app has no store (code `no_store`).
        """
        await self._kept().answers.decide(run_id, step, "approve", by=principal, note=note)

    async def reject(
        self, run_id: str, step: str | None = None, *, principal: Principal, note: str = ""
    ) -> None:
        """Reject the call that a step waits to make: it gives a `Rejected`; see `approve`."""
        await self._kept().answers.decide(run_id, step, "reject", by=principal, note=note)

    async def waits(self, run_id: str | None = None) -> list[Wait]:
        """What a run waits for, or all runs of the store, oldest first.

        Raises:
            UsageError: The app has no store (code `no_store`).
        """
        return await self._kept().answers.waits(run_id)

    def _kept(self) -> Keeper:
        if self._keeper is None:
            msg = "this app keeps no runs: give it a store, App(..., store='sqlite:///runs.db')"
            raise UsageError(msg, code="no_store")
        if not self._is_open:
            msg = "the app is not entered: use 'async with app:'"
            raise UsageError(msg, code="app_not_entered")
        return self._keeper

    def release(self, agent: AnyAgent) -> Release:
        """The release of an agent with the models that its aliases mean here, as runs tell it."""
        return self._releases.of(agent)

    def spans(self, run: Run[Any]) -> list[Span]:
        """The kept spans of a run, in the order in which they ended."""
        return self.traces.spans(run.key)

    def trace(self, run: Run[Any]) -> tuple[SpanTree, ...]:
        """The kept spans of a run as trees."""
        return self.traces.tree(run.key)

    def _start(
        self,
        call: Call[R],
        principal: Principal,
        caller: Caller | None,
        *,
        is_judged: bool = False,
    ) -> Run[R]:
        context, effect = self._prepared(call, principal, caller, is_judged=is_judged)
        if self._keeper is not None:
            coroutine = self._keeper.run(context, effect)
        else:
            coroutine = self._bounded(context, effect, is_marked=True)
        return self._run(call.agent, context, coroutine)

    def _run(
        self, agent: Agent[..., R], context: RunContext, coroutine: Coroutine[Any, Any, object]
    ) -> Run[R]:
        task = self._tasks.begin(coroutine)
        if self._keeper is not None:
            return self._keeper.runs.add(agent, context, task)
        return Run(agent, context, task)

    def _prepared(
        self, call: Call[Any], principal: Principal, caller: Caller | None, *, is_judged: bool
    ) -> tuple[RunContext, CallEffect]:
        agent, arguments = call.agent, call.arguments
        if not self._is_open:
            msg = f"{agent.name!r} was called in an app that is not entered: use 'async with app:'"
            raise UsageError(msg, code="app_not_entered")
        self._admission.admit(agent)
        if not is_judged and not agent.signature.is_exact(arguments):
            subject = f"the input of {agent.about.subject}"
            arguments = agent.signature.accept(arguments, subject=subject)
        trace_id = self._random.getrandbits(128)
        if self._tracing.feeds is not None:
            trace_id = timed_trace_id(self._around.wall.now_ms(), trace_id)
        if self._replay is not None:
            context = self._replay.context(self._around)
        elif caller is None:
            context = RunContext(self._around, principal, trace_id)
        else:
            context = CalledRun(self._around, principal, trace_id, caller=caller)
        return context, CallEffect(agent.name, agent, arguments, agent.about.where)

    def _provide_models(
        self, models: Mapping[str, Model], prices: PriceBook | None
    ) -> Mapping[str, Model]:
        # Only an app with models needs them, and their types cost every import of fishplate.
        from fishplate.models.registry import Models  # noqa: PLC0415 -- as said

        found = Models(models, prices)
        self._resources.provide(Models, found)
        return found.by_alias

    def _keep(
        self,
        store: str,
        durability: Literal["full", "normal"],
        *,
        takes_up: bool,
        open_writer: OpenWriter | None,
    ) -> None:
        # SQLite costs every import of fishplate, and only an app with a store needs it.
        from fishplate.engines.durable import DurableEngine  # noqa: PLC0415 -- as said
        from fishplate.journal.writer import Writer  # noqa: PLC0415 -- as said
        from fishplate.orchestrator.durable import DurableSteps  # noqa: PLC0415 -- as said
        from fishplate.orchestrator.keeper import Keeper  # noqa: PLC0415 -- as said

        random_id = functools.partial(self._random.getrandbits, SPAN_BITS)
        steps = self._made(DurableSteps, random_id)
        self.store = store
        self.durability = durability
        self._admission.is_kept = self._admission.may_wait = True
        self._steps, self._engine = steps, DurableEngine(steps, random_id)
        self._keeper = Keeper(
            store,
            durability,
            steps=steps,
            around=self._around,
            random_id=random_id,
            work=functools.partial(self._bounded, is_marked=True),
            takes_up=takes_up,
            agents=self.agents,
            begin=self._tasks.begin,
            resume=self.resume,
            open_writer=open_writer or Writer,
            releases=self._releases,
        )

    def _made(self, kind: type[S], random_id: Callable[[], int]) -> S:
        return kind(
            pools=self.pools,
            threads=self._threads.executor,
            cache=self._cache,
            targets=self.targets,
            random_id=random_id,
            debug=self._debug,
        )

    def _check_not_entered(self, instead: str) -> None:
        if self._is_open:
            msg = f"the app is entered already: {instead} before 'async with'"
            raise UsageError(msg, code="app_entered")

    def _begin_faults(self) -> None:
        if self._admission.faults is not None:
            self._steps.inject(self._admission.faults, self._around.now_ns())

    async def _bounded(self, context: RunContext, effect: CallEffect, *, is_marked: bool) -> object:
        """Run a call within the working time; its value, if asked with the marks of degradation."""
        unit = effect.unit
        if unit.span_head is None and not self._releases.knows(unit):
            await asyncio.to_thread(self._releases.read, (unit,))
        if self._around.begin is not None:
            self._around.begin(context, unit.name)
        outer = SCOPE.get()
        try:
            coroutine = self._engine.call(context, effect)
            del effect  # else its arguments would be held until the run ends
            try:
                yielded = coroutine.send(None)  # as `within`, which would be one more to be held
            except StopIteration as stop:
                found = stop.value
            else:
                left = self.working_time - (context.now_ns() - context.started_ns) / 1e9
                found = await finish_within(left, coroutine, yielded, self._wheel)
            return found if is_marked or type(found) is not Marked else found.value
        except OutOfTimeError as over:
            raise out_of_time(unit, self.working_time) from over.__cause__
        finally:
            SCOPE.set(outer)


class _Outside:
    """Answers calls that are made outside of every app: in memory, and without effects.

    Each event loop has an app of its own, since what an app holds belongs to one loop.
    """

    def __init__(self) -> None:
        self._apps: WeakKeyDictionary[asyncio.AbstractEventLoop, App] = WeakKeyDictionary()

    def issue(self, deferred: Deferred[R_co]) -> Generator[object, object, R_co]:
        """Run a call in the running loop's app."""
        loop = asyncio.get_running_loop()
        app = self._apps.get(loop)
        if app is None:
            app = self._apps[loop] = App().open_in_memory(allows_effects=False)
        return app.issue(deferred)


Outside.scope = _Outside()
