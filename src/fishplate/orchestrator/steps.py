"""Running one call: cache, time limit, pool, behaviour, output contract, span."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from fishplate.agents.agent import AnyAgent
from fishplate.contracts.json import canonical_json
from fishplate.contracts.shape import BrokenValueError
from fishplate.core.call import SCOPE
from fishplate.core.current import RunContext
from fishplate.core.errors import ErrorClass, FishplateError, OutputError, StepError, UsageError
from fishplate.core.events import SpanStatus
from fishplate.core.outcome import DeclaredError
from fishplate.orchestrator.effects import CallEffect, Marked
from fishplate.orchestrator.frame import Driver, Frame
from fishplate.orchestrator.pools import Pools
from fishplate.orchestrator.program import Program, compile_workflow
from fishplate.orchestrator.suspension import OutOfTimeError, within
from fishplate.orchestrator.walker import walk
from fishplate.resilience.cache import AnswerCache
from fishplate.workflows.workflow import Workflow


class Steps:
    """Runs calls for a driver.

    Args:
        pools: Bulkheads by name.
        threads: Where plain functions run.
        cache: What `Cache` policies remember.
        random_id: Draws a span id.
        allows_effects: Whether tools that change something may run here.
        debug: Compare every agent's inputs before and after its call.
    """

    def __init__(
        self,
        *,
        pools: Pools,
        threads: Callable[[], ThreadPoolExecutor],
        cache: AnswerCache,
        random_id: Callable[[], int],
        allows_effects: Callable[[], bool],
        debug: bool = False,
    ) -> None:
        self._pools = pools
        self._threads = threads
        self._cache = cache
        self._random_id = random_id
        self._allows_effects = allows_effects
        self._is_lean = not debug
        self._programs: dict[int, tuple[AnyAgent, Program]] = {}

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
            else:
                result = await self._guarded(frame, unit, effect.arguments)
            if type(result) not in unit.signature.output.exact:
                result = _settled(frame, unit, result, effect)
        except BaseException as error:  # noqa: BLE001 -- every end of a call has its span
            failure = self._failed(frame, parent_id, started, effect, error)
            if failure is error:
                raise
            raise failure from error
        frame.is_over = True
        reasons = frame.reasons
        if reasons:
            frame.note(degraded=[reason.model_dump(mode="json") for reason in reasons])
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
        self, frame: Frame, parent_id: int | None, started: int, effect: CallEffect, error: BaseException
    ) -> BaseException:
        """Tell the span of a call that did not succeed; the failure that the caller gets."""
        frame.is_over = True
        run, unit = frame.run, effect.unit
        status: SpanStatus = "error" if isinstance(error, Exception) else "cancelled"
        failure = _failure_of(error, unit, effect) if isinstance(error, Exception) else error
        if failure is not error or isinstance(failure, (FishplateError, DeclaredError)):
            frame.note(error=getattr(failure, "code", type(failure).__name__))
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
        if unit.is_bare and unit.about.kind == "plan" and self._is_lean:
            return await self._walk(frame, unit, arguments)
        effect = unit.about.effect
        if effect is not None and not effect.is_readonly and not self._allows_effects():
            raise UsageError(
                f"tool {unit.name!r} has the effect {effect.effect!r} and there is no app: "
                "run it inside 'async with App(...)', or in a test under fishplate.testing.effects()",
                code="no_app",
            )
        before = _fingerprint(unit, arguments) if not self._is_lean else None
        result = await self._cached(frame, unit, arguments)
        if before is not None and before != _fingerprint(unit, arguments):
            raise StepError(
                f"{unit.about.subject} changed its input: copy what you change",
                step=frame.path,
                code="input_changed",
                error_class=ErrorClass.BUG,
                where=unit.about.where,
            )
        if effect is not None and not effect.is_readonly:
            for scope in effect.scopes:
                self._cache.forget(frame.principal.tenant, scope.partition(":")[0])
        return result

    async def _cached(self, frame: Frame, unit: AnyAgent, arguments: tuple[object, ...]) -> object:
        policy = unit.policy.cache
        if policy is None:
            return await self._timed(frame, unit, arguments)
        now_ns, tenant = frame.run.now_ns, frame.principal.tenant
        key = f"{unit.release.contract}/{unit.name}/{_fingerprint(unit, arguments)}"
        hit = self._cache.get(tenant, policy.scope, key, now_ns=now_ns(), ttl=policy.ttl)
        if hit is not None:
            frame.note(cache_hit=True, cache_age=round(hit.age, 6))
            return unit.signature.output.decode(hit.value, given=True)
        frame.note(cache_hit=False)
        epoch = self._cache.epoch(tenant, policy.scope)
        result = await self._timed(frame, unit, arguments)
        if not frame.reasons and type(result) is not Marked:
            accepted = _accepted(unit, result, CallEffect(frame.path, unit, arguments, unit.about.where))
            encoded = unit.signature.output.encode(accepted)
            self._cache.put(tenant, policy.scope, key, encoded, now_ns=now_ns(), epoch=epoch)
        return result

    async def _timed(self, frame: Frame, unit: AnyAgent, arguments: tuple[object, ...]) -> object:
        timeout = unit.policy.timeout
        if timeout is None:
            return await self._pooled(frame, unit, arguments)
        try:
            return await within(timeout, self._pooled(frame, unit, arguments))
        except OutOfTimeError:
            raise StepError(
                f"step {frame.path!r} took longer than its {timeout:g} seconds: raise Policy(timeout=), or add a fallback",
                step=frame.path,
                code="step_timeout",
                error_class=ErrorClass.DEADLINE,
                where=unit.about.where,
                details={"timeout": timeout},
            ) from None

    async def _pooled(self, frame: Frame, unit: AnyAgent, arguments: tuple[object, ...]) -> object:
        if unit.about.pool is None:
            return await self._behave(frame, unit, arguments, None)
        pool = self._pools.get(unit.about.pool)
        await pool.acquire()
        if unit.about.kind == "thread":
            return await self._behave(frame, unit, arguments, pool.release)
        try:
            return await self._behave(frame, unit, arguments, None)
        finally:
            pool.release()

    async def _behave(
        self, frame: Frame, unit: AnyAgent, arguments: tuple[object, ...], on_thread_end: Callable[[], None] | None
    ) -> object:
        match unit.about.kind:
            case "async":
                return await unit.about.function(*arguments)
            case "inline":
                return unit.about.function(*arguments)
            case "thread":
                return await self._in_thread(unit, arguments, on_thread_end)
            case "plan":
                return await self._walk(frame, unit, arguments)

    async def _walk(self, frame: Frame, unit: AnyAgent, arguments: tuple[object, ...]) -> object:
        assert isinstance(unit, Workflow)
        prefix = "" if frame.is_root else f"{frame.path}/"
        return await frame.driver.drive(walk(self.program(unit), arguments, prefix), frame.run, frame.span_id)

    async def _in_thread(
        self, unit: AnyAgent, arguments: tuple[object, ...], on_end: Callable[[], None] | None
    ) -> object:
        loop = asyncio.get_running_loop()
        context = contextvars.copy_context()
        future: Future[Any] = self._threads().submit(context.run, unit.about.function, *arguments)
        if on_end is not None:
            # A thread cannot be cancelled: it holds its slot until it really ends.
            future.add_done_callback(lambda _: loop.call_soon_threadsafe(on_end))
        return await asyncio.wrap_future(future)

    def program(self, unit: Workflow[..., Any]) -> Program:
        """A workflow's program, compiled once."""
        found = self._programs.get(id(unit))
        if found is None or found[0] is not unit:
            found = self._programs[id(unit)] = (unit, compile_workflow(unit))
        return found[1]


def _accepted(unit: AnyAgent, result: object, effect: CallEffect) -> object:
    try:
        return unit.signature.output.accept(result, given=True)
    except BrokenValueError as error:
        raise OutputError(f"the output of {unit.about.subject} in step {effect.key!r}", error.violations) from None


def _fingerprint(unit: AnyAgent, arguments: tuple[object, ...]) -> str:
    return canonical_json(unit.signature.encode(arguments)).decode()


def _settled(frame: Frame, unit: AnyAgent, result: object, effect: CallEffect) -> object:
    """A result that its class alone does not settle: degraded below, or to be checked."""
    if type(result) is Marked:
        frame.reasons += tuple(reason for reason in result.reasons if reason not in frame.reasons)
        result = result.value
    if type(result) in unit.signature.output.exact or unit.about.kind == "plan":
        return result  # a plan's result was made to fit when it was read from the plan
    return _accepted(unit, result, effect)


def _failure_of(error: Exception, unit: AnyAgent, effect: CallEffect) -> Exception:
    """What an exception means to the one who called: itself if it is typed, else a `StepError` about it."""
    place = f"in step {effect.key!r} ({effect.where})"
    if isinstance(error, FishplateError) or (isinstance(error, DeclaredError) and type(error) in unit.about.errors):
        error.add_note(place)
        return error
    code, error_class, why = _classified(error, unit)
    failure = StepError(
        f"step {effect.key!r} failed: {why}", step=effect.key, code=code, error_class=error_class, where=effect.where
    )
    failure.add_note(place)
    return failure


def _classified(error: Exception, unit: AnyAgent) -> tuple[str, ErrorClass, str]:
    name = type(error).__name__
    if isinstance(error, DeclaredError):
        text = f"{unit.about.subject} raised {name}, which its contract does not declare: add it to errors=[...]"
        return "undeclared_error", ErrorClass.BUG, text
    if isinstance(error, (ConnectionError, TimeoutError)):
        return "connection", ErrorClass.TRANSIENT, f"{unit.about.subject} raised {name}"
    return "bug", ErrorClass.BUG, f"{unit.about.subject} raised {name}"


