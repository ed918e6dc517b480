"""Running one call: cache, time limit, pool, behaviour, output contract, span."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any, Final, cast

from fishplate.agents.agent import AnyAgent
from fishplate.contracts.json import canonical_json
from fishplate.contracts.values import BrokenValueError
from fishplate.core.call import SCOPE, Deferred
from fishplate.core.current import RunContext
from fishplate.core.errors import (
    ErrorClass,
    Failure,
    FishplateError,
    OutputError,
    StepError,
    UsageError,
)
from fishplate.core.events import SpanStatus
from fishplate.core.outcome import DeclaredError
from fishplate.core.suspension import OutOfTimeError, within
from fishplate.orchestrator.behaviour import Behaviours
from fishplate.orchestrator.compile import compile_workflow
from fishplate.orchestrator.effects import CallEffect, Marked
from fishplate.orchestrator.failures import failure_of
from fishplate.orchestrator.frame import Driver, Frame
from fishplate.orchestrator.injection import Injector
from fishplate.orchestrator.pools import Pools
from fishplate.orchestrator.program import Program
from fishplate.orchestrator.protection import Protections
from fishplate.orchestrator.walker import walk
from fishplate.resilience.cache import AnswerCache
from fishplate.resilience.calls import ORDINARY, CallOptions
from fishplate.resilience.pipeline import Pipeline
from fishplate.resilience.targets import Targets
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
    """

    def __init__(  # noqa: PLR0913 -- the parts that the app puts together
        self,
        *,
        pools: Pools,
        threads: Callable[[], ThreadPoolExecutor],
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
        self._is_lean = not debug  # nothing stands between a bare call and its behaviour
        self._programs: dict[int, tuple[AnyAgent, Program]] = {}

    def inject(self, injector: Injector, opened_ns: int) -> None:
        """Let attempts go wrong from now on; see `Behaviours.inject`."""
        self._is_lean = False
        self._behaviours.inject(injector, opened_ns)

    async def perform(
        self, driver: Driver, run: RunContext, parent_id: int | None, effect: CallEffect
    ) -> object:
        """Run one call to its end and tell its span.

        Returns:
            The value, `Marked` if it is degraded.

        Raises:
            DeclaredError: The agent raised an error that its contract declares.
            FishplateError: The call failed; a body's own exception is the cause of a `StepError`.
        """
        unit = effect.unit
        frame = Frame(run, driver, unit, effect.key, self._random_id())
        if parent_id is None:
            frame.is_root = True
        SCOPE.set(frame)  # whoever called sets it back: a strand has nobody between its steps
        started = run.now_ns()
        try:
            if unit.is_direct and self._is_lean:
                result = await unit.function(*effect.arguments)
            elif unit.is_bare_plan and self._is_lean:
                # No coroutine stands between: it would be held while every step of the plan waits.
                result = await self._walk(frame, unit, effect.arguments)
            else:
                result = await self._guarded(frame, unit, effect.arguments)
            if type(result) not in unit.signature.output.exact:
                result = _settled(frame, unit, result, effect)
            if unit.grants and frame.misuse is not None:
                raise frame.misuse  # noqa: TRY301 -- it ends like any other failure
        except BaseException as error:
            failure = self._failed(frame, parent_id, started, effect, error)
            if failure is error:
                raise
            raise failure from error
        frame.is_over = True
        reasons = frame.reasons
        if reasons:
            frame.note(degraded=[asdict(reason) for reason in reasons])
        run.sink(
            (
                run.trace_id,
                frame.span_id,
                parent_id,
                unit.span_head or unit.head,
                effect.key,
                started,
                run.now_ns(),
                "degraded" if reasons else "ok",
                frame.attributes,
            )
        )
        return Marked(result, reasons) if reasons else result

    def _failed(
        self,
        frame: Frame,
        parent_id: int | None,
        started: int,
        effect: CallEffect,
        error: BaseException,
    ) -> BaseException:
        """Tell the span of a call that did not succeed; the failure that the caller gets."""
        frame.is_over = True
        failure = failure_of(error, effect)
        status: SpanStatus = "error"
        if isinstance(failure, (FishplateError, DeclaredError)):
            frame.note(error=failure.code)
            if isinstance(failure, FishplateError) and frame.run.effects:
                failure.has_effect = frame.run.has_effect_below(effect.key)
        else:
            status = "cancelled"
            if isinstance(failure, GeneratorExit):
                frame.note(abandoned=True)
        run, unit = frame.run, effect.unit
        run.sink(
            (
                run.trace_id,
                frame.span_id,
                parent_id,
                unit.head,
                effect.key,
                started,
                run.now_ns(),
                status,
                frame.attributes,
            )
        )
        return failure

    async def _guarded(self, frame: Frame, unit: AnyAgent, arguments: tuple[object, ...]) -> object:
        if not self._compares_inputs:
            return await self._cached(frame, unit, arguments)
        before = _fingerprint(unit, arguments)
        result = await self._cached(frame, unit, arguments)
        if before != _fingerprint(unit, arguments):
            raise StepError(
                f"{unit.about.subject} changed its input: copy what you change",
                step=frame.path,
                code="input_changed",
                error_class=ErrorClass.BUG,
                where=unit.about.where,
            )
        return result

    async def _cached(self, frame: Frame, unit: AnyAgent, arguments: tuple[object, ...]) -> object:
        policy = unit.policy.cache
        if policy is None:
            return await self._effective(frame, unit, arguments)
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
        result = await self._effective(frame, unit, arguments)
        if not frame.reasons and type(result) is not Marked:
            result = _accepted(unit, result, frame.path)
            encoded = unit.signature.output.encode(result)
            self._cache.put(tenant, policy.scope, key, encoded, now_ns=now_ns(), epoch=epoch)
        return result

    async def _effective(
        self, frame: Frame, unit: AnyAgent, arguments: tuple[object, ...]
    ) -> object:
        """Run a call; if it may have changed something, forget what was remembered about it."""
        effect = unit.about.effect
        if effect is None or effect.is_readonly:
            return await self._timed(frame, unit, arguments)
        if not self.allows_effects:
            raise UsageError(
                f"tool {unit.name!r} has the effect {effect.effect!r} and there is no app: "
                "run it inside 'async with App(...)', or in a test under "
                "fishplate.testing.effects()",
                code="no_app",
            )
        try:
            return await self._timed(frame, unit, arguments)
        finally:
            if frame.path in frame.run.effects:
                for scope in effect.scopes:
                    self._cache.forget(frame.principal.tenant, scope.partition(":")[0])

    async def _timed(self, frame: Frame, unit: AnyAgent, arguments: tuple[object, ...]) -> object:
        protection = self._protections.of(unit)
        timeout = protection.policy.timeout
        run = frame.run
        run_ends = run.started_ns / 1e9 + run.around.working_time
        if timeout is None:
            return await self._attempted(frame, unit, arguments, protection.pipeline, run_ends)
        started_ns = run.now_ns()
        own_ends = started_ns / 1e9 + timeout - (protection.policy.reserve or 0.0)
        try:
            if protection.pipeline is not None:  # it ends its attempts itself
                ends = min(own_ends, run_ends)
                return await self._attempted(frame, unit, arguments, protection.pipeline, ends)
            attempt = self._behaviours.run(frame, unit, arguments)
            return await within(timeout, attempt, run.now_ns, started_ns)
        except OutOfTimeError as over:
            raise _timed_out(frame, unit, timeout) from over.__cause__
        except Failure as failure:
            if failure.code == "deadline" and own_ends <= run_ends:
                raise _timed_out(frame, unit, timeout) from failure.__cause__
            raise

    async def _attempted(
        self,
        frame: Frame,
        unit: AnyAgent,
        arguments: tuple[object, ...],
        pipeline: Pipeline | None,
        ends: float,
    ) -> object:
        if pipeline is None:
            return await self._behaviours.run(frame, unit, arguments)

        def attempt() -> Coroutine[Any, Any, object]:
            frame.begin_attempt()
            return self._behaviours.run(frame, unit, arguments, pipeline.hold_until)

        options = ORDINARY if unit.about.effect is not None else _repeatable(frame)
        return await pipeline.run(attempt, frame.path, ends, options)

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


def _repeatable(frame: Frame) -> CallOptions:
    """A body is repeated only while nothing that it called has changed anything."""
    run, path = frame.run, frame.path
    if frame.is_root:  # the steps of a root workflow do not stand below its name
        return CallOptions(may_repeat=lambda _error, _class: not run.effects)
    return CallOptions(may_repeat=lambda _error, _class: not run.has_effect_below(path))


def _timed_out(frame: Frame, unit: AnyAgent, timeout: float) -> StepError:
    return StepError(
        f"step {frame.path!r} took longer than its {timeout:g} seconds: "
        "raise Policy(timeout=), or add a fallback",
        step=frame.path,
        code="step_timeout",
        error_class=ErrorClass.DEADLINE,
        where=unit.about.where,
        details={"timeout": timeout},
    )


def _settled(frame: Frame, unit: AnyAgent, result: object, effect: CallEffect) -> object:
    """A result that its class alone does not settle: degraded below, or to be checked."""
    if type(result) is Marked:
        frame.reasons += tuple(reason for reason in result.reasons if reason not in frame.reasons)
        result = result.value
    if type(result) in unit.signature.output.exact or unit.about.kind == "plan":
        return result  # a plan's result was made to fit when it was read from the plan
    return _accepted(unit, result, effect.key)


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
