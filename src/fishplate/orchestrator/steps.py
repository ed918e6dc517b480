"""Running one call: cache, time limit, pool, behaviour, output contract, span."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Executor
from dataclasses import asdict
from typing import Any, Final, cast

from fishplate.agents.agent import AnyAgent
from fishplate.contracts.json import canonical_json
from fishplate.contracts.values import BrokenValueError
from fishplate.core.call import SCOPE, Deferred
from fishplate.core.errors import (
    ErrorClass,
    Failure,
    OutputError,
    StepError,
    UsageError,
)
from fishplate.core.events import SpanTuple
from fishplate.core.run_context import RunContext
from fishplate.core.suspension import OutOfTimeError, within
from fishplate.orchestrator.behaviour import Behaviours
from fishplate.orchestrator.compile import compile_workflow
from fishplate.orchestrator.effects import CallEffect, Marked
from fishplate.orchestrator.endings import Observe, tell_failed
from fishplate.orchestrator.frame import Driver, Frame
from fishplate.orchestrator.injection import Injector
from fishplate.orchestrator.last_answers import LastAnswers
from fishplate.orchestrator.pools import Pools
from fishplate.orchestrator.program import Program
from fishplate.orchestrator.protection import Protection, Protections
from fishplate.orchestrator.time_limits import Allowance, allowance, timed_out
from fishplate.orchestrator.walker import walk
from fishplate.resilience.cache import AnswerCache
from fishplate.resilience.calls import CallOptions
from fishplate.resilience.fallback import Stale
from fishplate.resilience.policy import Cache
from fishplate.resilience.targets import Targets
from fishplate.tools.effect import EffectDeclaration
from fishplate.workflows.workflow import Workflow

MOST_PROGRAMS: Final = 1_000
"""Programs kept; a service that makes workflows as it goes must not grow with them."""


class Steps:
    """Runs calls for a driver.

    Args:
        pools: Bulkheads by name.
        threads: Where plain functions run.
        cache: What `Cache` policies remember.
        targets: The state that calls to one target share.
        random_id: Draws a span id.
        debug: Compare every agent's inputs before and after its call.

    Attributes:
        allows_effects: Whether tools that change something may run here.
        is_lean: Nothing stands between a bare call and its behaviour.
        observe: Hears what every call is given and gives, if it is set.
    """

    observe: Observe | None = None

    def __init__(  # noqa: PLR0913 -- the parts that the app puts together
        self,
        *,
        pools: Pools,
        threads: Callable[[], Executor],
        cache: AnswerCache,
        targets: Targets,
        random_id: Callable[[], int],
        debug: bool = False,
    ) -> None:
        self._behaviours = Behaviours(pools, threads, self._walk)
        self._cache = cache
        self._protections = Protections(targets)
        self._random_id = random_id
        self.allows_effects = True
        self._compares_inputs = debug
        self.is_lean = not debug
        self._programs: dict[int, tuple[AnyAgent, Program]] = {}

    def inject(self, injector: Injector, opened_ns: int) -> None:
        """Let attempts go wrong from now on; see `Behaviours.inject`."""
        self.is_lean = False
        self._behaviours.inject(injector, opened_ns)

    async def perform(  # noqa: C901, PLR0912 -- the hot path of a step: more calls would cost a tenth
        self,
        driver: Driver,
        run: RunContext,
        parent_id: int | None,
        effect: CallEffect,
        span_id: int = 0,
    ) -> object:
        """Run one call to its end and tell its span.

        Args:
            driver: Runs what stands below it.
            run: The run that it belongs to.
            parent_id: Span below which it stands; `None` if it is what the run was started for.
            effect: The call.
            span_id: Of its own span; drawn here if it is 0.

        Returns:
            The value, `Marked` if it is degraded.

        Raises:
            DeclaredError: The agent raised an error that its contract declares.
            FishplateError: The call failed; a body's own exception is the cause of a `StepError`.
        """
        unit, where, observe = effect.unit, effect.where, self.observe
        given = effect.arguments if observe is not None else ()
        degraded = effect if effect.is_degraded else None
        frame = Frame(run, driver, unit, effect.key, span_id or self._random_id())
        if parent_id is None:
            frame.is_root = True
        SCOPE.set(frame)  # whoever called sets it back: a strand has nobody between its steps
        started = run.now_ns()
        try:
            if unit.is_direct and run.ends is None and self.is_lean:
                behaviour: Awaitable[object] = unit.function(*effect.arguments)
            elif unit.is_bare_plan and self.is_lean:
                # No coroutine stands between: it would be held while every step of the plan waits.
                behaviour = self._walk(frame, unit, effect.arguments)
            else:
                behaviour = self._guarded(frame, unit, effect.arguments, started)
            del effect  # with the arguments: it is used up, and would be held while the call waits
            try:
                result = await behaviour
            except (OutOfTimeError, Failure) as over:
                time = self._protections.of(unit).usual if frame.has_usual_time else None
                if time is None or not _is_late(over, time):
                    raise
                raise timed_out(
                    frame, unit, self._protections.of(unit).policy, time
                ) from over.__cause__
            if type(result) not in unit.signature.output.exact:
                result = _settled(frame, unit, result)
            if unit.grants and frame.misuse is not None:
                raise frame.misuse  # noqa: TRY301 -- it ends like any other failure
        except BaseException as error:
            failure = tell_failed(frame, parent_id, started, where, error, observe, given)
            if failure is error:
                raise
            raise failure from error
        frame.is_over = True
        reasons = frame.reasons
        if degraded is not None:
            reasons = degraded.reasons(reasons)
        if reasons:
            frame.note(degraded=[asdict(reason) for reason in reasons])
        span: SpanTuple = (
            run.trace_id,
            frame.span_id,
            parent_id,
            unit.span_head or run.around.heads.head(unit),
            frame.path,
            started,
            run.now_ns(),
            "degraded" if reasons else "ok",
            frame.attributes,
        )
        if observe is None:
            run.sink(span)
        else:
            told = span if run.retell is None else run.retell(span)
            observe(told, unit.signature, given, result)
        return Marked(result, reasons) if reasons else result

    # What a call lacks of all that may stand around its behaviour costs it no coroutine: these are
    # functions that give the coroutine of whatever stands there.

    def _guarded(
        self, frame: Frame, unit: AnyAgent, arguments: tuple[object, ...], started_ns: int
    ) -> Awaitable[object]:
        protection = self._protections.of(unit)
        if protection.is_plain and self.is_lean:
            pipeline, time = protection.pipeline, protection.usual
            options = protection.options
            if (
                pipeline is None
                or time is None
                or options is None
                or time.seconds > frame.run.seconds_left(started_ns)
            ):
                return self._timed(frame, unit, arguments, started_ns, protection)
            frame.has_usual_time = True  # then `perform` tells that it is over, without a coroutine
            started = started_ns / 1e9
            return pipeline.run(
                unit.function,
                frame.path,
                started + time.seconds,
                options,
                arguments,
                frame.begin_attempt,
                started,
            )
        if self._compares_inputs:
            return self._compared(frame, unit, arguments, started_ns)
        return self._cached(frame, unit, arguments, started_ns)

    async def _compared(
        self, frame: Frame, unit: AnyAgent, arguments: tuple[object, ...], started_ns: int
    ) -> object:
        before = _fingerprint(unit, arguments)
        result = await self._cached(frame, unit, arguments, started_ns)
        if before != _fingerprint(unit, arguments):
            raise StepError(
                f"{unit.about.subject} changed its input: copy what you change",
                step=frame.path,
                code="input_changed",
                error_class=ErrorClass.BUG,
                where=unit.about.where,
            )
        return result

    def _cached(
        self, frame: Frame, unit: AnyAgent, arguments: tuple[object, ...], started_ns: int
    ) -> Awaitable[object]:
        if unit.about.stale is not None:
            return self._recalled(frame, unit, arguments)
        if unit.policy.cache is not None:
            return self._answered(frame, unit, arguments, started_ns, unit.policy.cache)
        return self._remembered(frame, unit, arguments, started_ns)

    async def _answered(
        self,
        frame: Frame,
        unit: AnyAgent,
        arguments: tuple[object, ...],
        started_ns: int,
        policy: Cache,
    ) -> object:
        """Answer a call from memory, or run it and remember its answer."""
        now_ns, tenant = frame.run.now_ns, frame.principal.tenant
        release = unit.release
        # The behaviour is part of it, since a stand-in has the name and contract of another agent.
        key = f"{unit.name}/{release.contract}/{release.behaviour}/{_fingerprint(unit, arguments)}"
        hit = self._cache.get(tenant, policy.scope, key, now_ns=now_ns(), ttl=policy.ttl)
        if hit is not None:
            frame.note(cache_hit=True, cache_age=round(hit.age, 6))
            return unit.signature.output.decode(hit.value, given=True)
        frame.note(cache_hit=False)
        epoch = self._cache.epoch(tenant, policy.scope)
        result = await self._remembered(frame, unit, arguments, started_ns)
        if not frame.reasons and type(result) is not Marked:
            result = _accepted(unit, result, frame.path)
            encoded = unit.signature.output.encode(result)
            self._cache.put(tenant, policy.scope, key, encoded, now_ns=now_ns(), epoch=epoch)
        return result

    def _remembered(
        self, frame: Frame, unit: AnyAgent, arguments: tuple[object, ...], started_ns: int
    ) -> Awaitable[object]:
        if unit.remembers is None:
            return self._effective(frame, unit, arguments, started_ns)
        return self._kept(frame, unit, arguments, started_ns, unit.remembers)

    async def _kept(
        self,
        frame: Frame,
        unit: AnyAgent,
        arguments: tuple[object, ...],
        started_ns: int,
        stale: Stale,
    ) -> object:
        """Run a call; keep its good answer, which a fallback gives when the agent fails."""
        memory = LastAnswers(self._cache, frame, unit.name, unit, stale)
        result = await self._effective(frame, unit, arguments, started_ns)
        if not frame.reasons and type(result) is not Marked:
            result = _accepted(unit, result, frame.path)
            memory.keep(arguments, result)
        return result

    async def _recalled(
        self, frame: Frame, unit: AnyAgent, arguments: tuple[object, ...]
    ) -> object:
        """The last good answer of the agent that `unit` stands in for."""
        about = unit.about
        assert about.stale is not None, "only such a unit is asked"
        memory = LastAnswers(self._cache, frame, about.stands_for, unit, about.stale)
        hit = memory.recall(arguments)
        if hit is None:
            return about.function(*arguments)
        frame.degrade("stale", source="cache", age=round(hit.age, 6))
        return unit.signature.output.decode(hit.value, given=True)

    def _effective(
        self, frame: Frame, unit: AnyAgent, arguments: tuple[object, ...], started_ns: int
    ) -> Awaitable[object]:
        effect = unit.about.effect
        if effect is None or effect.is_readonly:
            return self._timed(frame, unit, arguments, started_ns, self._protections.of(unit))
        return self._changing(frame, unit, arguments, started_ns, effect)

    async def _changing(
        self,
        frame: Frame,
        unit: AnyAgent,
        arguments: tuple[object, ...],
        started_ns: int,
        effect: EffectDeclaration,
    ) -> object:
        """Run a call that may change something, and forget what was remembered about it."""
        if not self.allows_effects:
            raise UsageError(
                f"tool {unit.name!r} has the effect {effect.effect!r} and there is no app: "
                "run it inside 'async with App(...)', or in a test under "
                "fishplate.testing.effects()",
                code="no_app",
            )
        try:
            protection = self._protections.of(unit)
            return await self._timed(frame, unit, arguments, started_ns, protection)
        finally:
            if frame.path in frame.run.effects:
                for scope in effect.scopes:
                    self._cache.forget(frame.principal.tenant, scope.partition(":")[0])

    async def _timed(
        self,
        frame: Frame,
        unit: AnyAgent,
        arguments: tuple[object, ...],
        started_ns: int,
        protection: Protection,
    ) -> object:
        run = frame.run
        if not protection.is_bounded and run.ends is None:
            return await self._behaviours.run(frame, unit, arguments)
        if unit.about.kind == "static":  # a fixed answer is never too late
            return await self._behaviours.run(frame, unit, arguments)
        policy, pipeline, time = protection.policy, protection.pipeline, protection.usual
        left = run.seconds_left(started_ns)
        if time is None or time.seconds > left:
            time = allowance(frame, unit, policy, left)
        started = started_ns / 1e9
        ends = started + time.seconds
        try:
            if pipeline is not None:  # it ends its attempts itself
                options = protection.options or _options(frame, unit, time, arguments)
                attempt: Callable[..., Coroutine[Any, Any, object]] = unit.function
                if not (protection.is_plain and self.is_lean):
                    attempt = self._behaviours.run
                    arguments = (frame, unit, arguments, pipeline.hold_until)
                return await pipeline.run(
                    attempt, frame.path, ends, options, arguments, frame.begin_attempt, started
                )
            if not time.is_shorter:  # what is around it ends it
                return await self._behaviours.run(frame, unit, arguments)
            frame.bound(ends)
            behaviour = self._behaviours.run(frame, unit, arguments)
            return await within(
                time.seconds, behaviour, run.now_ns, started_ns, grace=time.cancel_grace
            )
        except (OutOfTimeError, Failure) as over:
            if not _is_late(over, time):
                raise
            raise timed_out(frame, unit, policy, time) from over.__cause__

    def _walk(
        self, frame: Frame, unit: AnyAgent, arguments: tuple[object, ...]
    ) -> Awaitable[object]:
        assert isinstance(unit, Workflow)
        prefix = "" if frame.is_root else f"{frame.path}/"
        strand = walk(self.program(unit), arguments, prefix)
        return frame.driver.drive(frame.run, frame.span_id, strand, frame.task)

    def program(self, unit: Workflow[..., Any]) -> Program:
        """A workflow's program, compiled once."""
        found = self._programs.get(id(unit))  # an id is not used anew while its unit stands here
        if found is None:
            if len(self._programs) >= MOST_PROGRAMS:
                self._programs.clear()
            found = self._programs[id(unit)] = (unit, compile_workflow(unit))
        return found[1]


def _options(
    frame: Frame, unit: AnyAgent, time: Allowance, arguments: tuple[object, ...]
) -> CallOptions:
    """What a call says to its pipeline: whether it may be repeated, and who waits behind it."""
    has_fallback, asks = bool(unit.fallbacks), unit.about.asks
    if asks is not None:
        return CallOptions(
            tokens=asks.estimated_tokens(arguments),
            tokens_used=asks.used_tokens,
            has_fallback=has_fallback,
            cancel_grace=time.cancel_grace,
        )
    if not unit.grants and unit.about.kind != "plan":  # nothing below it changes anything
        return CallOptions(has_fallback=True, cancel_grace=time.cancel_grace)
    return CallOptions(
        may_repeat=_is_repeatable(frame),
        has_fallback=has_fallback,
        has_given_up_below=lambda: frame.has_given_up_below,
        cancel_grace=time.cancel_grace,
    )


def _is_late(over: OutOfTimeError | Failure, time: Allowance) -> bool:
    """Whether a call ended since its time was over."""
    return isinstance(over, OutOfTimeError) or (over.code == "deadline" and time.is_own)


def _is_repeatable(frame: Frame) -> Callable[[Exception, ErrorClass], bool]:
    """A body is repeated only while nothing that it called has changed anything."""
    run, path = frame.run, frame.path
    if frame.is_root:  # the steps of a root workflow do not stand below its name
        return lambda _error, _class: not run.effects
    return lambda _error, _class: not run.has_effect_below(path)


def _settled(frame: Frame, unit: AnyAgent, result: object) -> object:
    """A result that its class alone does not settle: degraded below, or to be checked."""
    if type(result) is Marked:
        frame.reasons += tuple(reason for reason in result.reasons if reason not in frame.reasons)
        result = result.value
    if type(result) in unit.signature.output.exact or unit.about.kind == "plan":
        return result  # a plan's result was made to fit when it was read from the plan
    return _accepted(unit, result, frame.path)


def _accepted(unit: AnyAgent, result: object, path: str) -> object:
    try:
        return cast("object", unit.signature.output.accept(result, given=True))
    except BrokenValueError as error:
        if isinstance(result, Deferred):
            raise StepError(
                f"{unit.about.subject} in step {path!r} returned {result!r}, which nobody awaited: "
                "write 'return await ...'",
                step=path,
                code="lost_step",
                error_class=ErrorClass.BUG,
                where=unit.about.where,
            ) from None
        subject = f"the output of {unit.about.subject} in step {path!r}"
        raise OutputError(subject, error.violations) from None


def _fingerprint(unit: AnyAgent, arguments: tuple[object, ...]) -> str:
    return canonical_json(unit.signature.encode(arguments)).decode()
