"""The walker: pure generators that say what a plan wants done next.

There is one generator per strand. A strand yields an effect and is sent its answer, or has the
failure thrown in; a fork asks for strands of its own. It does no I/O and reads no clock and no
randomness. Every driver, the engines and `Machine` alike, drives these same generators, so that
there is one semantics. A key names an effect: it is equal on every attempt and after every resume,
and no other effect of the walk has it. A resumed walk is the same walk with the recorded answers
sent first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Sequence
from enum import Enum
from typing import Any, cast

from fishplate.contracts.json import canonical_json
from fishplate.contracts.shape import Shape
from fishplate.contracts.values import BrokenValueError, plain
from fishplate.core.errors import (
    ErrorClass,
    FishplateError,
    OutputError,
    StepError,
    UsageError,
)
from fishplate.core.outcome import Degraded, Rejected, TimedOut
from fishplate.orchestrator.degradation import (
    Reasons,
    merged,
    reason_to_stand_in,
    reasons_of_fallback,
)
from fishplate.orchestrator.effects import (
    Branch,
    CallEffect,
    DecisionEffect,
    DegradedCallEffect,
    Effect,
    Expired,
    ForkEffect,
    Marked,
    SignalEffect,
    SleepEffect,
    Strand,
)
from fishplate.orchestrator.elements import element_names, field_of
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
    WaitOp,
    case_of,
)
from fishplate.orchestrator.readers import Values
from fishplate.resilience.fallback import NOTHING_REMEMBERED, may_answer
from fishplate.resilience.retry import is_given_up

Marks = dict[int, Reasons]
"""Why the values of slots are degraded; a slot that is not is left out."""


def walk(program: Program, arguments: tuple[object, ...], prefix: str = "") -> Strand:
    """The main strand of a workflow; returns its value, `Marked` if it is degraded.

    Args:
        program: What to walk.
        arguments: The workflow's arguments.
        prefix: Path of the workflow's own step and `/`, if it is a step of another one.
    """
    values: Values = [*arguments, *([None] * (program.size - program.arity))]
    return walk_code(program.code, values, {}, prefix)


def walk_code(code: Code, values: Values, marks: Marks, prefix: str) -> Strand:
    """The strand of a single block."""
    ops, index = code.ops, 0
    while index < len(ops):  # an iterator would be one more object that every waiting run holds
        op = ops[index]
        index += 1
        if type(op) is CallOp and op.is_simple:
            key = prefix + op.key if prefix else op.key
            if marks:
                answer = yield _call(op, op.arguments(values), key, _inherited(op.sources, marks))
            else:
                answer = yield CallEffect(key, op.unit, op.arguments(values), op.where)
            if type(answer) is Marked or marks:
                answer = _settle(op.slot, op.sources, answer, marks)
            values[op.slot] = answer
        else:
            yield from _composition(op, values, marks, prefix)
    result = code.result(values)
    if marks and (reasons := _inherited(code.result_sources, marks)):
        return Marked(result, reasons)
    return result


def _composition(  # noqa: C901 -- a table
    op: Op, values: Values, marks: Marks, prefix: str
) -> Generator[Effect, object, None]:
    key = prefix + op.key
    sources: tuple[int, ...] = ()
    match op:
        case CallOp():
            answer = yield from _guarded_call(op, op.arguments(values), marks, key)
            sources = op.sources
        case RouteOp():
            answer = yield from _route(op, values, marks, prefix)
            sources = op.sources
        case SwitchOp():
            answer = yield from _switch(op, values, marks, prefix)
            sources = op.sources
        case ParallelOp():
            answer = yield from _parallel(op, values, marks, prefix)
        case EachOp():
            answer = yield from _each(op, values, marks, key)
            sources = op.sources
        case RepeatOp():
            answer = yield from _repeat(op, values, marks, key)
            sources = op.sources
        case ApprovalOp():
            answer = yield from _approval(op, values, marks, prefix)
            sources = op.call.sources
        case WaitOp():
            answer = yield SignalEffect(key, op.signal, op.within, carried=op.carried)
            if isinstance(answer, Expired):
                answer = _in_place_of_signal(op, values)
        case SleepOp():
            answer = yield SleepEffect(key, op.seconds)
    values[op.slot] = _settle(op.slot, sources, answer, marks)


def _in_place_of_signal(op: WaitOp, values: Values) -> object:
    if op.default is not None:
        return op.default(values)
    assert op.within is not None, "a signal without a time never expires"
    return TimedOut(signal=op.signal, within=op.within)


# degradation


def _settle(slot: int, sources: tuple[int, ...], answer: object, marks: Marks) -> object:
    """Note why an answer is degraded: its own reasons, and those of what it was made from."""
    reasons = _inherited(sources, marks)
    if type(answer) is Marked:
        reasons = merged(reasons, answer.reasons)
        answer = answer.value
    if reasons:
        marks[slot] = reasons
    else:
        marks.pop(slot, None)
    return answer


def _inherited(sources: tuple[int, ...], marks: Marks) -> Reasons:
    if not marks:
        return ()
    found: Reasons = ()
    for slot in sources:
        found = merged(found, marks.get(slot, ()))
    return found


def _parts(answer: object) -> tuple[object, Reasons]:
    return (answer.value, answer.reasons) if type(answer) is Marked else (answer, ())


def _marked(value: object, reasons: Reasons) -> object:
    return Marked(value, reasons) if reasons else value


# calls


def _guarded_call(op: CallOp, arguments: tuple[object, ...], marks: Marks, key: str) -> Strand:
    """A call with fallbacks, caught errors or grading."""
    inherited = _inherited(op.sources, marks)
    try:
        try:
            answer = yield _call(op, arguments, key, inherited)
        except FishplateError as failure:
            answer = yield from _fall_back(op, arguments, key, failure, inherited)
    except op.caught as error:
        yield DecisionEffect(key, "caught", error.code, "declared error became a value", {})
        answer = error
    if not op.graded:
        return answer
    value, own = _parts(answer)
    reasons = merged(inherited, own)
    # Telling why a value is degraded does not make it a better one: the mark stays on it.
    return _marked(Degraded(value=value, reasons=list(reasons)), own)


def _call(op: CallOp, arguments: tuple[object, ...], key: str, inherited: Reasons) -> CallEffect:
    if inherited:
        return DegradedCallEffect(key, op.unit, arguments, op.where, inherited)
    return CallEffect(key, op.unit, arguments, op.where)


def _fall_back(
    op: CallOp,
    arguments: tuple[object, ...],
    key: str,
    failure: FishplateError,
    inherited: Reasons,
) -> Strand:
    is_exhausted = False
    for fallback in op.fallbacks:
        kind, error_class = fallback.about.answer_kind, failure.error_class
        if not may_answer(kind, error_class, fallback.answers) or isinstance(failure, UsageError):
            continue
        if failure.has_effect:
            raise StepError(
                f"step {key!r} failed after it had changed something, "
                f"so {fallback.name!r} does not answer for it: {failure.message}",
                step=key,
                code="partial_effect",
                error_class=ErrorClass.PERMANENT,
                where=op.where,
            ) from failure
        yield DecisionEffect(
            key,
            "fallback",
            fallback.name,
            failure.code,
            {"failed": op.unit.name, "class": failure.error_class.word},
        )
        because = reason_to_stand_in(fallback, failure.code, key)
        try:
            # No step's name holds the bar, so that no key of a step can be that of a fallback.
            answer = yield DegradedCallEffect(
                f"{key}|{fallback.name}", fallback, arguments, op.where, inherited, because
            )
        except FishplateError as next_failure:
            if next_failure.code != NOTHING_REMEMBERED:  # which says nothing of what is wrong
                is_exhausted = is_exhausted or is_given_up(failure)
                failure = next_failure
            continue
        value, reasons = _parts(answer)
        return Marked(
            _as_answer_of(op.unit.signature.output, fallback.name, value),
            reasons_of_fallback(fallback, reasons, because),
        )
    if is_exhausted and not failure.retry_exhausted:
        # Above, another attempt would begin with the agent that was given up already.
        raise failure.as_exhausted("not tried again: the chain began with an exhausted retry")
    raise failure


def _as_answer_of(output: Shape[Any], fallback: str, value: object) -> object:
    """The answer of a fallback as the one it stands in for would have given it."""
    try:
        return cast("object", output.accept(value, given=True))
    except BrokenValueError as error:
        raise OutputError(f"the answer of the fallback {fallback!r}", error.violations) from None


def _approval(op: ApprovalOp, values: Values, marks: Marks, prefix: str) -> Strand:
    call = op.call
    arguments = call.arguments(values)
    document = canonical_json(call.unit.signature.encode(arguments))
    digest = hashlib.sha256(document).hexdigest()
    name = call.unit.name
    answer = yield SignalEffect(prefix + op.key, name, op.within, op.roles, digest, document)
    if isinstance(answer, Expired):
        return Rejected(reason="expired")
    if isinstance(answer, Rejected):
        return answer
    return (yield from _guarded_call(call, arguments, marks, prefix + call.key))


# decisions


def _route(op: RouteOp, values: Values, marks: Marks, prefix: str) -> Strand:
    key = prefix + op.key
    value = op.on(values)
    index = op.by_type.get(cast("type[object]", type(value)))
    if index is None:
        index = _member_of(op.members, value)
    if index is None:
        raise _no_branch(key, op.where, f"a value of type {type(value).__name__!r}")
    case = op.cases[index]
    yield DecisionEffect(key, "route", case, f"the value is {case}", {"of": list(op.cases)})
    values[op.bound] = value
    if marks and (reasons := _inherited(op.sources, marks)):
        marks[op.bound] = reasons
    return (yield from walk_code(op.branches[index], values, marks, prefix))


def _member_of(members: Sequence[Shape[Any]], value: object) -> int | None:
    """The first member whose schema takes the JSON form of a value."""
    try:
        document = plain(value, None)
    except BrokenValueError:
        return None
    return next((at for at, one in enumerate(members) if one.takes.is_valid(document)), None)


def _switch(op: SwitchOp, values: Values, marks: Marks, prefix: str) -> Strand:
    key = prefix + op.key
    value = op.on(values)
    found = value.value if isinstance(value, Enum) else value
    index = op.by_value.get(case_of(found))
    branch = op.default if index is None else op.branches[index]
    if branch is None:
        raise _no_branch(key, op.where, f"the value {found!r}")
    chosen = "default" if index is None else op.cases[index]
    yield DecisionEffect(key, "switch", chosen, f"the value is {found}", {"of": list(op.cases)})
    return (yield from walk_code(branch, values, marks, prefix))


def _no_branch(key: str, where: str, what: str) -> StepError:
    return StepError(
        f"step {key!r} got {what} that no branch takes: what gave it breaks its contract",
        step=key,
        code="no_branch",
        error_class=ErrorClass.CONTRACT_OUT,
        where=where,
    )


# forks


def _parallel(op: ParallelOp, values: Values, marks: Marks, prefix: str) -> Strand:
    def open_branch(index: int) -> Branch:
        return _branch(op.branches[index], values, marks, prefix)

    answers = yield ForkEffect(prefix + op.key, len(op.branches), open_branch, None, "parallel")
    found, reasons = gathered(answers)
    return _marked(tuple(found), reasons)


def _each(op: EachOp, values: Values, marks: Marks, key: str) -> Strand:
    items: Sequence[object] = op.items(values)
    names = element_names(items, op.element_key, key, op.where)
    if marks:
        marks[op.bound] = _inherited(op.sources, marks)

    def open_branch(index: int) -> Branch:
        values[op.bound] = items[index]
        return _branch(op.body, values, marks, f"{key}.{names[index]}/")

    answers = yield ForkEffect(key, len(items), open_branch, op.concurrency, "each")
    return _marked(*gathered(answers))


def _branch(code: Code, values: Values, marks: Marks, prefix: str) -> Branch:
    """A block beside others: most are one plain call, which needs no strand and no values."""
    call = code.only_call
    if call is None or marks:
        return walk_code(code, values.copy(), marks.copy(), prefix)
    return CallEffect(prefix + call.key, call.unit, call.arguments(values), call.where)


def gathered(answers: object) -> tuple[list[object], Reasons]:
    """The values of a fork's answers, and why any of them is degraded."""
    reasons: Reasons = ()
    values: list[object] = []
    for answer in cast("Sequence[object]", answers):
        if type(answer) is Marked:
            reasons = merged(reasons, answer.reasons)
            values.append(answer.value)
        else:
            values.append(answer)
    return values, reasons


# repetition


def _repeat(op: RepeatOp, values: Values, marks: Marks, key: str) -> Strand:
    value: object = op.start(values)
    reasons = _inherited(op.sources, marks)
    for turn in range(op.at_most):
        values[op.bound] = value
        if reasons:
            marks[op.bound] = reasons
        answer = yield from walk_code(op.body, values, marks, f"{key}.{turn}/")
        value, own = _parts(answer)
        reasons = merged(reasons, own)
        if field_of(value, op.until):
            told = f"{op.until} after {turn + 1} of {op.at_most}"
            yield DecisionEffect(key, "repeat", "done", told, {})
            return _marked(value, reasons)
    raise StepError(
        f"step {key!r} ran {op.at_most} times and was not done: "
        "raise at_most=, or look at the last value",
        step=key,
        code="limit_reached",
        error_class=ErrorClass.PERMANENT,
        where=op.where,
        details={"at_most": op.at_most, "last": op.output.encode(value)},
    )
