"""Calls and compositions that an agent's body makes, as strands: the same semantics as in a plan."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, cast

from fishplate.agents.agent import AnyAgent, Call
from fishplate.core.call import Deferred
from fishplate.core.errors import ErrorClass, StepError, UsageError
from fishplate.orchestrator.effects import ForkEffect, Marked, Strand
from fishplate.orchestrator.program import CallOp, Code
from fishplate.orchestrator.walker import walk_code
from fishplate.workflows import compose
from fishplate.workflows.compose import Composition


def granted(unit: AnyAgent, wanted: AnyAgent, path: str) -> AnyAgent:
    """The agent that a body may call under a name, configured as the call says.

    Raises:
        StepError: The body has no grant for it (code `not_granted`).
    """
    found = unit.grants.get(wanted.name)
    if found is None:
        word = "tools" if wanted.about.effect is not None else "agents"
        raise StepError(
            f"step {path!r} calls {wanted.name!r} without a grant: add it to {word}=[...] of {unit.name!r}",
            step=path,
            code="not_granted",
            error_class=ErrorClass.POLICY_DENIED,
            where=unit.about.where,
        )
    return wanted if found.about is wanted.about else found


def strand_of(deferred: object, unit: AnyAgent, path: str, label: str) -> Strand:
    """The strand that answers a deferred call or composition.

    Args:
        deferred: What the body awaits.
        unit: The agent whose body it is.
        path: Path of that agent's step.
        label: Ordinal of the call, and the place in its composition: `2`, `2.0`.
    """
    if isinstance(deferred, Call):
        return _call(cast("Call[object]", deferred), unit, path, label, graded=False)
    if not isinstance(deferred, Composition):
        msg = f"step {path!r} composes {type(deferred).__name__!r}, and it takes calls that are not awaited"
        raise UsageError(msg, code="not_a_call")
    match cast("Composition[object]", deferred).word:
        case compose.Parallel(calls=calls):
            return _fork(
                [strand_of(call, unit, path, f"{label}.{index}") for index, call in enumerate(calls)],
                f"{path}/{label}.parallel",
                None,
                "parallel",
                tuple,
            )
        case compose.Each() as word:
            return _each(word, unit, path, label)
        case compose.Graded(call=Call() as call):
            return _call(cast("Call[object]", call), unit, path, label, graded=True)
        case compose.Route() | compose.Switch() | compose.Repeat() as word:
            _refuse(path, type(word).__name__.lower(), "a body is plain Python: write 'match', 'if' or 'while'")
        case compose.Approval() | compose.WaitFor() | compose.Sleep() as word:
            _refuse(path, type(word).__name__.lower(), "waiting needs a store, and runs in memory have none")
        case _:
            _refuse(path, "graded", "graded(...) takes one call")


def _refuse(path: str, word: str, why: str) -> NoReturn:
    raise UsageError(f"step {path!r} awaits {word}(...) in a body: {why}", code="not_in_body")


def _call(call: Call[object], unit: AnyAgent, path: str, label: str, *, graded: bool) -> Strand:
    wanted = granted(unit, call.agent, path)
    arguments = wanted.signature.accept(call.arguments, subject=f"{wanted.about.subject} in step {path!r}")
    agent = call.agent
    op = CallOp(
        key=f"{path}/{label}.{wanted.name}",
        slot=0,
        unit=wanted,
        arguments=lambda values: arguments,  # noqa: ARG005 -- they are known already
        sources=(),
        where=unit.about.where,
        fallbacks=tuple(granted(unit, fallback, path) for fallback in agent.fallbacks),
        caught=agent.caught,
        graded=graded,
        is_simple=not (agent.fallbacks or agent.caught or graded),
    )
    return walk_code(Code((op,), lambda values: values[0], (0,)), [None])


def _each(word: compose.Each, unit: AnyAgent, path: str, label: str) -> Strand:
    items = list(cast("Any", word.items))
    branch: Callable[[Any], object] = word.branch
    names = [str(index) for index in range(len(items))]
    if word.key is not None:
        names = [str(item[word.key] if isinstance(item, dict) else getattr(item, word.key)) for item in items]
    strands = [
        strand_of(branch(item), unit, path, f"{label}.{name}") for name, item in zip(names, items, strict=True)
    ]
    return _fork(strands, f"{path}/{label}.each", word.concurrency, "each", list)


def _fork(
    strands: list[Strand], key: str, concurrency: int | None, kind: str, gathered: type
) -> Strand:
    answers = yield ForkEffect(key, len(strands), lambda index: strands[index], concurrency, kind)
    found = list(cast("list[object]", answers))
    reasons = tuple(
        dict.fromkeys(reason for answer in found if type(answer) is Marked for reason in answer.reasons)
    )
    value = gathered(answer.value if type(answer) is Marked else answer for answer in found)
    return Marked(value, reasons) if reasons else value


