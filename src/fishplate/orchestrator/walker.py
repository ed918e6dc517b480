"""The walker: pure generators that say what a plan wants done next. No I/O, no clock, no randomness.

One generator per strand. A strand yields an effect and is sent its answer (or has the failure thrown in); a
fork asks for strands of its own. Every driver, this package's engines and `Machine` alike, drives these same
generators, so that there is one semantics. A key names an effect, is equal on every attempt and after every
resume, and a resumed walk is the same walk with the recorded answers sent first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from enum import Enum
from typing import Any
from urllib.parse import quote

from fishplate.contracts.json import canonical_json
from fishplate.core.errors import ErrorClass, FishplateError, StepError
from fishplate.core.outcome import Degraded, Reason, Rejected, TimedOut
from fishplate.orchestrator.effects import (
    CallEffect,
    DecisionEffect,
    ForkEffect,
    Marked,
    SignalEffect,
    SleepEffect,
    Strand,
)
from fishplate.orchestrator.program import (
    ApprovalOp,
    CallOp,
    Code,
    EachOp,
    Op,
    ParallelOp,
    Program,
    RepeatOp,
    RouteOp,
    SleepOp,
    SwitchOp,
    Values,
    WaitOp,
    limit_reached,
)

Marks = dict[int, tuple[Reason, ...]]
WIDEST_EACH = 10_000


def walk(program: Program, arguments: tuple[object, ...], prefix: str = "") -> Strand:
    """The main strand of a workflow; returns its value, `Marked` if it is degraded.

    Args:
        program: What to walk.
        arguments: The workflow's arguments.
        prefix: Path of the workflow's own step and `/`, if it is a step of another one.
    """
    values: Values = [*arguments, *([None] * (program.size - program.arity))]
    return _code(program.code, values, {}, prefix)


def walk_code(code: Code, values: Values) -> Strand:
    """The strand of a single block; its keys are whole paths already."""
    return _code(code, values, {}, "")


def _code(code: Code, values: Values, marks: Marks, prefix: str) -> Strand:
    for op in code.ops:
        if type(op) is CallOp and op.is_simple:
            answer = yield CallEffect(
                prefix + op.key if prefix else op.key, op.unit, op.arguments(values), op.where
            )
            if type(answer) is Marked or marks:
                answer = _settle(op.slot, op.sources, answer, marks)
            values[op.slot] = answer
        else:
            yield from _composition(op, values, marks, prefix)
    result = code.result(values)
    if marks and (reasons := _inherited(code.result_sources, marks)):
        return Marked(result, reasons)
    return result


def _composition(op: Op, values: Values, marks: Marks, prefix: str) -> Strand:
    key = prefix + op.key
    match op:
        case CallOp():
            answer = yield from _guarded_call(op, values, marks, key)
            sources = op.sources
        case RouteOp():
            answer = yield from _route(op, values, marks, prefix, key)
            sources = op.sources
        case SwitchOp():
            answer = yield from _switch(op, values, marks, prefix, key)
            sources = op.sources
        case ParallelOp():
            answer = yield from _parallel(op, values, marks, prefix, key)
            sources = ()
        case EachOp():
            answer = yield from _each(op, values, marks, key)
            sources = op.sources
        case RepeatOp():
            answer = yield from _repeat(op, values, marks, key)
            sources = op.sources
        case ApprovalOp():
            answer = yield from _approval(op, values, marks, prefix, key)
            sources = op.call.sources
        case WaitOp():
            answer = yield SignalEffect(key, op.signal, op.within)
            if isinstance(answer, Expired):
                answer = op.default(values) if op.default is not None else _timed_out(op)
            sources = ()
        case SleepOp():
            answer = yield SleepEffect(key, op.seconds)
            sources = ()
    values[op.slot] = _settle(op.slot, sources, answer, marks)
    return None


class Expired:
    """The answer to a signal that did not come within its time; drivers send it, the walker makes it a value."""


def _timed_out(op: WaitOp) -> TimedOut:
    return TimedOut(signal=op.signal, within=op.within or 0.0)


def _settle(slot: int, sources: tuple[int, ...], answer: object, marks: Marks) -> object:
    """Note the reasons why an answer is degraded, its own and those of what it was made from."""
    reasons = _inherited(sources, marks)
    if type(answer) is Marked:
        reasons = _merged(reasons, answer.reasons)
        answer = answer.value
    if reasons:
        marks[slot] = reasons
    else:
        marks.pop(slot, None)
    return answer


def _inherited(sources: tuple[int, ...], marks: Marks) -> tuple[Reason, ...]:
    if not marks:
        return ()
    found: tuple[Reason, ...] = ()
    for slot in sources:
        found = _merged(found, marks.get(slot, ()))
    return found


def _merged(first: tuple[Reason, ...], second: tuple[Reason, ...]) -> tuple[Reason, ...]:
    return first + tuple(reason for reason in second if reason not in first)


def _guarded_call(op: CallOp, values: Values, marks: Marks, key: str) -> Strand:
    """A call with fallbacks, caught errors or grading."""
    arguments = op.arguments(values)
    try:
        answer = yield CallEffect(key, op.unit, arguments, op.where)
    except op.caught as error:
        yield DecisionEffect(key, "caught", error.code, "declared error became a value", {})
        answer = error
    except FishplateError as failure:
        answer = yield from _fall_back(op, arguments, key, failure)
    if not op.graded:
        return answer
    value, reasons = (answer.value, answer.reasons) if type(answer) is Marked else (answer, ())
    reasons = _merged(_inherited(op.sources, marks), reasons)
    return Degraded[Any].model_construct(value=value, reasons=list(reasons))


def _fall_back(op: CallOp, arguments: tuple[object, ...], key: str, failure: FishplateError) -> Strand:
    for fallback in op.fallbacks:
        if not failure.error_class.allows_fallback:
            break
        yield DecisionEffect(
            key,
            "fallback",
            fallback.name,
            failure.code,
            {"failed": op.unit.name, "class": failure.error_class.word},
        )
        try:
            answer = yield CallEffect(f"{key}/{fallback.name}", fallback, arguments, op.where)
        except FishplateError as next_failure:
            failure = next_failure
            continue
        reason = Reason(reason=failure.code, source=fallback.name, step=key)
        if type(answer) is not Marked:
            return Marked(answer, (reason,))
        # The fallback knows better than we do how old its answer is: what it says replaces the plain reason.
        return Marked(answer.value, _merged((), answer.reasons))
    raise failure


def _route(op: RouteOp, values: Values, marks: Marks, prefix: str, key: str) -> Strand:
    value = op.on(values)
    index = op.by_type.get(type(value))
    if index is None:
        index = next((at for at, member in enumerate(op.members) if _is_member(member, value)), None)
    if index is None:
        raise StepError(
            f"step {key!r} got a value of type {type(value).__name__!r} that no branch takes",
            step=key,
            code="no_branch",
            error_class=ErrorClass.CONTRACT_OUT,
            where=op.where,
        )
    yield DecisionEffect(key, "route", op.cases[index], f"the value is {op.cases[index]}", {"of": list(op.cases)})
    values[op.bound] = value
    if marks and (reasons := _inherited(op.sources, marks)):
        marks[op.bound] = reasons
    return (yield from _code(op.branches[index], values, marks, prefix))


def _is_member(member: Any, value: object) -> bool:  # noqa: ANN401 -- a shape of any type
    return bool(member.takes.is_valid(member.encode(value) if member.annotation is None else _plain(value)))


def _plain(value: object) -> object:
    dump = getattr(value, "model_dump", None)
    return dump(mode="json", by_alias=True) if dump is not None else value


def _switch(op: SwitchOp, values: Values, marks: Marks, prefix: str, key: str) -> Strand:
    value = op.on(values)
    plain = value.value if isinstance(value, Enum) else value
    index = op.by_value.get((bool, plain) if isinstance(plain, bool) else plain)
    if index is None and op.default is None:
        raise StepError(
            f"step {key!r} got the value {plain!r} that no case names",
            step=key,
            code="no_branch",
            error_class=ErrorClass.CONTRACT_OUT,
            where=op.where,
        )
    chosen = "default" if index is None else op.cases[index]
    yield DecisionEffect(key, "switch", chosen, f"the value is {plain}", {"of": list(op.cases)})
    branch = op.branches[index] if index is not None else op.default
    assert branch is not None
    return (yield from _code(branch, values, marks, prefix))


def _parallel(op: ParallelOp, values: Values, marks: Marks, prefix: str, key: str) -> Strand:
    def open_strand(index: int) -> Strand:
        return _code(op.branches[index], values.copy(), marks.copy(), prefix)

    answers = yield ForkEffect(key, len(op.branches), open_strand, None, "parallel")
    return _gathered(answers, tuple)


def _each(op: EachOp, values: Values, marks: Marks, key: str) -> Strand:
    items = op.items(values)
    if len(items) > WIDEST_EACH:
        raise StepError(
            f"step {key!r} has {len(items)} elements, and each takes at most {WIDEST_EACH}: split the list",
            step=key,
            code="too_wide",
            error_class=ErrorClass.PERMANENT,
            where=op.where,
        )
    names = _element_names(op, items, key)
    inherited = _inherited(op.sources, marks)

    def open_strand(index: int) -> Strand:
        own = values.copy()
        own[op.bound] = items[index]
        own_marks = {**marks, op.bound: inherited} if inherited else marks.copy()
        return _code(op.body, own, own_marks, f"{key}.{names[index]}/")

    answers = yield ForkEffect(key, len(items), open_strand, op.concurrency, "each")
    return _gathered(answers, list)


def _element_names(op: EachOp, items: Any, key: str) -> list[str]:  # noqa: ANN401 -- a list of any element
    if op.element_key is None:
        return [str(index) for index in range(len(items))]
    field = op.element_key
    found = [str(item[field] if isinstance(item, Mapping) else getattr(item, field)) for item in items]
    if len(set(found)) < len(found):
        repeated = next(name for name in found if found.count(name) > 1)
        raise StepError(
            f"step {key!r} has two elements with {field}={repeated!r}, and key= has to tell them apart",
            step=key,
            code="repeated_key",
            error_class=ErrorClass.PERMANENT,
            where=op.where,
        )
    return [quote(name, safe="") for name in found]


def _gathered(answers: Any, kind: type) -> object:  # noqa: ANN401 -- a driver's answers in order
    reasons: tuple[Reason, ...] = ()
    found: list[object] = []
    for answer in answers:
        if type(answer) is Marked:
            reasons = _merged(reasons, answer.reasons)
            found.append(answer.value)
        else:
            found.append(answer)
    gathered = kind(found)
    return Marked(gathered, reasons) if reasons else gathered


def _repeat(op: RepeatOp, values: Values, marks: Marks, key: str) -> Strand:
    value: Any = op.start(values)
    reasons = _inherited(op.sources, marks)
    for turn in range(op.at_most):
        values[op.bound] = value
        if reasons:
            marks[op.bound] = reasons
        answer = yield from _code(op.body, values, marks, f"{key}.{turn}/")
        if type(answer) is Marked:
            reasons = _merged(reasons, answer.reasons)
            answer = answer.value
        value = answer
        done = value[op.until] if isinstance(value, Mapping) else getattr(value, op.until)
        if done:
            yield DecisionEffect(key, "repeat", "done", f"{op.until} after {turn + 1} of {op.at_most}", {})
            return Marked(value, reasons) if reasons else value
    raise limit_reached(key, op.where, op.at_most, value, op.output)


def _approval(op: ApprovalOp, values: Values, marks: Marks, prefix: str, key: str) -> Strand:
    arguments = op.call.arguments(values)
    document = op.call.unit.signature.encode(arguments)
    digest = hashlib.sha256(canonical_json(document)).hexdigest()
    answer = yield SignalEffect(key, op.call.unit.name, op.within, op.roles, digest)
    if isinstance(answer, Expired):
        return Rejected(reason="expired")
    if isinstance(answer, Rejected):
        return answer
    return (yield CallEffect(prefix + op.call.key, op.call.unit, arguments, op.call.where))
