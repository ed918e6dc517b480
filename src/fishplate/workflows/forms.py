"""How compositions are recorded and checked; `route` and `switch` stand in `decisions`."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NoReturn, cast

from fishplate.agents.agent import Call, expect_agent
from fishplate.contracts.contract import Contract
from fishplate.contracts.fits import fits
from fishplate.contracts.schema import Schema
from fishplate.contracts.shape import BrokenValueError, Shape
from fishplate.core.errors import OutputError
from fishplate.core.outcome import Rejected, TimedOut
from fishplate.workflows import check, compose
from fishplate.workflows.compose import Composition
from fishplate.workflows.decisions import record_route, record_switch, value_of
from fishplate.workflows.plan import (
    ApprovalStep,
    Const,
    EachStep,
    ParallelStep,
    Ref,
    RepeatStep,
    SleepStep,
    WaitStep,
)
from fishplate.workflows.recorder import TOO_DEEP, Recorder
from fishplate.workflows.symbols import Symbol, spelled

_KEY: Final = Schema({"type": ["string", "integer"]})
_BOOLEAN: Final = Schema({"type": "boolean"})


def record_composition(  # noqa: PLR0911 -- one line per word
    recorder: Recorder, composition: Composition[object]
) -> Symbol:
    """Add a composition to the recorder's open block."""
    match composition.word:
        case compose.Route() as word:
            return record_route(recorder, word)
        case compose.Switch() as word:
            return record_switch(recorder, word)
        case compose.Parallel() as word:
            return _parallel(recorder, word)
        case compose.Each() as word:
            return _each(recorder, word)
        case compose.Repeat() as word:
            return _repeat(recorder, word)
        case compose.Approval() as word:
            return _approval(recorder, word)
        case compose.WaitFor() as word:
            return _wait(recorder, word)
        case compose.Sleep(seconds=seconds):
            return _sleep(recorder, seconds)
        case compose.Graded(call=call):
            return recorder.record(_call(recorder, call, "graded"), graded=True)


def _parallel(recorder: Recorder, word: compose.Parallel) -> Symbol:
    name = recorder.name("parallel")
    if not word.calls:
        recorder.refuse("parallel() without calls has nothing to do: leave it out")
    with recorder.block(name) as block:
        recorded = [recorder.branch(block, call) for call in word.calls]
    blocks = tuple(steps for steps, _ in recorded)
    step = ParallelStep(name=name, where=recorder.place(), blocks=blocks)
    return recorder.add(step, Shape.tuple_of([shape for _, shape in recorded]))


def _each(recorder: Recorder, word: compose.Each) -> Symbol:
    name = recorder.name("each")
    path = recorder.path(name)
    if isinstance(word.items, (list, tuple, set, frozenset)):
        recorder.refuse(
            f"each(..., items) of step {path!r} are known at declaration, and each goes over a "
            "list that only a run has. Write parallel(agent(a), agent(b), ...) for these, or take "
            "the list as an input of the workflow"
        )
    items = value_of(recorder, word.items, f"each(..., items) of step {path!r}")
    element = items.shape.element()
    if element is None:
        recorder.refuse(
            f"each(...) needs a list, whose order stays, and {spelled(items)} is {items.shape.name}"
        )
    if word.concurrency is not None:
        _check_count(recorder, "each", "concurrency", word.concurrency)
    if word.key is not None:
        _check_key(recorder, element, word.key)
    bound = recorder.symbol(element, Ref(source=f"bound.{path}"))
    with recorder.block(name) as block:
        steps, result = recorder.branch(block, word.branch(bound))
    step = EachStep(
        name=name,
        where=recorder.place(),
        items=items.expression,
        block=steps,
        concurrency=word.concurrency,
        key=word.key,
    )
    return recorder.add(step, Shape.list_of(result))


def _check_key(recorder: Recorder, element: Shape[Any], key: str) -> None:
    field = element.fields().get(key)
    if field is None or not field.is_required:
        has = ", ".join(sorted(element.fields())) or "no fields"
        recorder.refuse(f"each(..., key={key!r}): an element is {element.name} and has: {has}")
    if fits(field.shape.gives, _KEY).verdict != "fits":
        found = field.shape.name
        recorder.refuse(f"each(..., key={key!r}): it is {found}, and a key is text or an integer")


def _repeat(recorder: Recorder, word: compose.Repeat) -> Symbol:
    name = recorder.name("repeat")
    path, where = recorder.path(name), recorder.place()
    _check_count(recorder, "repeat", "at_most", word.at_most)
    agent = expect_agent(word.branch, "the branch of repeat(...)")
    if not agent.signature.parameters:
        recorder.refuse(f"repeat({agent.name}, ...): it takes nothing, and not its own output")
    output = agent.output
    field = output.fields().get(word.until)
    if (
        field is None
        or not field.is_required
        or fits(field.shape.gives, _BOOLEAN).verdict != "fits"
    ):
        recorder.refuse(
            f"repeat(..., until={word.until!r}): {output.name} has no boolean field of that name"
        )
    start = recorder.argument(word.start, agent.signature.parameters[0], agent, name, where)
    bound = recorder.symbol(output, Ref(source=f"bound.{path}"))
    with recorder.block(name) as block:
        steps, _ = recorder.branch(block, agent(bound))
    step = RepeatStep(
        name=name, where=where, start=start, block=steps, until=word.until, at_most=word.at_most
    )
    return recorder.add(step, output)


def _approval(recorder: Recorder, word: compose.Approval) -> Symbol:
    name = recorder.name("approval")
    roles = words_of(word.roles)
    if not roles:
        given = reprlib.repr(word.roles)
        recorder.refuse(f"approval(..., roles={given}): name who may decide, such as ['lead']")
    _check_seconds(recorder, "approval", "within", word.within)
    with recorder.block(name) as block:
        steps, result = recorder.branch(block, _call(recorder, word.call, "approval"))
    step = ApprovalStep(
        name=name,
        where=recorder.place(),
        block=steps,
        roles=roles,
        within=word.within,
    )
    return recorder.add(step, Shape.union([result, Shape.of(Rejected)]))


def _wait(recorder: Recorder, word: compose.WaitFor) -> Symbol:
    name, where = recorder.name("wait_for"), recorder.place()
    if not _is_word(word.signal):
        recorder.refuse("wait_for(...): a signal has a name that is known at declaration")
    shape = shape_carried(word.model, where)
    if word.within is not None:
        _check_seconds(recorder, "wait_for", "within", word.within)
    elif word.default is not None:
        recorder.refuse("wait_for(..., default=) without within= is never given: add within=")
    default = None
    if word.default is not None:
        if check.is_too_deep(word.default):
            recorder.refuse(f"wait_for(..., default=) is {TOO_DEEP}")
        if check.holds_symbol(word.default):
            recorder.refuse("wait_for(..., default=) is part of the plan: a constant")
        try:
            default = Const(value=shape.encode(shape.accept(word.default)))
        except (BrokenValueError, OutputError) as error:
            recorder.refuse(f"wait_for(..., default=) breaks {shape.name}: {error}")
    is_timed = word.within is not None and default is None
    step = WaitStep(
        name=name,
        where=where,
        signal=cast("str", word.signal),
        schema=shape.takes.json,
        within=word.within,
        default=default,
        carried=shape,
    )
    return recorder.add(step, Shape.union([shape, Shape.of(TimedOut)]) if is_timed else shape)


def shape_carried(model: object, where: str) -> Shape[Any]:
    """What a signal carries that is waited for with a model, a schema or a contract."""
    if isinstance(model, (str, Path)):
        return Shape.of_schema(Contract.load(model).output)
    if isinstance(model, Contract):
        return Shape.of_schema(model.output)
    if isinstance(model, Schema):
        return Shape.of_schema(model)
    return Shape.of(model, where=where)


def _sleep(recorder: Recorder, seconds: float) -> Symbol:
    name = recorder.name("sleep")
    _check_seconds(recorder, "sleep", "seconds", seconds)
    return recorder.add(
        SleepStep(name=name, where=recorder.place(), seconds=seconds), Shape.of(None)
    )


def _call(recorder: Recorder, found: object, word: str) -> Call[object]:
    if not isinstance(found, Call):
        recorder.refuse(f"{word}(...) takes a call of one agent that is not awaited")
    return cast("Call[object]", found)


def words_of(value: object) -> tuple[str, ...]:
    """Texts of a list; none if it holds anything else, or is a text, whose parts are letters."""
    found = cast("Sequence[object]", value) if isinstance(value, (list, tuple)) else ()
    words = tuple(cast("str", word) for word in found if _is_word(word))
    return words if len(words) == len(found) else ()


def _is_word(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _check_seconds(recorder: Recorder, word: str, name: str, value: object) -> None:
    if isinstance(value, Symbol):
        _part_of_the_plan(recorder, word, name)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not 0 < cast("float", value) < math.inf:
        recorder.refuse(f"{word}(..., {name}={value!r}): a finite number of seconds above 0")


def _check_count(recorder: Recorder, word: str, name: str, value: object) -> None:
    if isinstance(value, Symbol):
        _part_of_the_plan(recorder, word, name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        recorder.refuse(f"{word}(..., {name}={value!r}): a whole number, at least 1")


def _part_of_the_plan(recorder: Recorder, word: str, name: str) -> NoReturn:
    recorder.refuse(f"{word}(..., {name}=) is part of the plan: known at declaration")
