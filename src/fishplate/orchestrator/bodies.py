"""Calls and compositions of an agent's body, as strands: the same semantics as in a plan."""

from __future__ import annotations

import functools
from typing import Any, cast

from fishplate.agents.agent import AnyAgent, Call
from fishplate.agents.fallback import answering, in_order, with_fallbacks
from fishplate.agents.grants import NO_GRANT_FOR_ITSELF
from fishplate.core.errors import ErrorClass, StepError, UsageError
from fishplate.orchestrator.body_waits import approved, signalled, slept
from fishplate.orchestrator.effects import ForkEffect, Marked, Strand
from fishplate.orchestrator.elements import element_names
from fishplate.orchestrator.program import CallOp, Code
from fishplate.orchestrator.readers import SlotReader
from fishplate.orchestrator.walker import gathered, walk_code
from fishplate.workflows import compose
from fishplate.workflows.compose import Composition
from fishplate.workflows.workflow import reachable


def granted(unit: AnyAgent, wanted: AnyAgent, path: str) -> AnyAgent:
    """The agent that a body may call under a name.

    It is the wanted one as it is configured, unless the grant was exchanged for another agent.

    Raises:
        StepError: The body has no grant for it (code `not_granted`), or it is the agent of the body
            itself or calls that one back (code `self_call`).
    """
    found = unit.grants.get(wanted.name)
    if found is None and (wanted.about is unit.about or unit.name in reachable(wanted)):
        whom = "itself" if wanted.about is unit.about else f"{wanted.name!r}, which calls it back"
        raise StepError(
            f"{unit.about.subject} in step {path!r} calls {whom}, and {NO_GRANT_FOR_ITSELF}",
            step=path,
            code="self_call",
            error_class=ErrorClass.POLICY_DENIED,
            where=unit.about.where,
        )
    if found is None:
        word = "tools" if wanted.about.effect is not None else "agents"
        raise StepError(
            f"step {path!r} calls {wanted.name!r} without a grant: "
            f"add it to {word}=[...] of {unit.name!r}",
            step=path,
            code="not_granted",
            error_class=ErrorClass.POLICY_DENIED,
            where=unit.about.where,
        )
    return wanted if found.about is wanted.about else found


def strand_of(  # noqa: C901, PLR0911 -- a table
    deferred: object, unit: AnyAgent, path: str, label: str
) -> Strand:
    """The strand that answers a deferred call or composition.

    Args:
        deferred: What the body awaits.
        unit: The agent whose body it is.
        path: Path of that agent's step.
        label: Ordinal of the call, and the place in its composition: `2`, `2.0`.

    Raises:
        StepError: Something in it is not granted, or cannot be told apart.
        InputError: An argument breaks its contract.
        UsageError: It is nothing that a body may await.
    """
    if isinstance(deferred, Call):
        return _call(cast("Call[object]", deferred), unit, path, label, graded=False)
    if not isinstance(deferred, Composition):
        msg = (
            f"step {path!r} composes {type(deferred).__name__!r}: "
            "parallel(...) and each(...) take calls that are not awaited"
        )
        raise UsageError(msg, code="not_a_call")
    match cast("Composition[object]", deferred).word:
        case compose.Parallel(calls=calls):
            strands = [
                strand_of(call, unit, path, f"{label}.{index}") for index, call in enumerate(calls)
            ]
            return _parallel(strands, f"{path}/{label}.parallel")
        case compose.Each() as word:
            return _each(word, unit, path, label)
        case compose.Graded(call=call) if isinstance(call, Call):
            return _call(cast("Call[object]", call), unit, path, label, graded=True)
        case compose.Route() | compose.Switch() | compose.Repeat() as word:
            why = "a body is plain Python: write 'match', 'if' or 'while'"
            raise _refusal(path, type(word).__name__.lower(), why)
        case compose.Approval() as word:
            return approved(word, path, label, functools.partial(_call_op, unit, path))
        case compose.WaitFor() as word:
            return signalled(word, unit, path, label)
        case compose.Sleep() as word:
            return slept(word, path, label)
        case compose.Graded():
            raise _refusal(path, "graded", "it takes one call of an agent that is not awaited")


def _refusal(path: str, word: str, why: str) -> UsageError:
    msg = f"step {path!r} awaits {word}(...) in a body: {why}"
    return UsageError(msg, code="not_in_body")


def _call(call: Call[object], unit: AnyAgent, path: str, label: str, *, graded: bool) -> Strand:
    op = _call_op(unit, path, call, f"{path}/{label}.", graded=graded)
    return walk_code(Code((op,), SlotReader(0), (0,)), [None], {}, "")


def _call_op(
    unit: AnyAgent, path: str, call: Call[object], prefix: str, *, graded: bool = False
) -> CallOp:
    agent = call.agent
    wanted = granted(unit, agent, path)
    subject = f"{wanted.about.subject} in step {path!r}"
    arguments = wanted.signature.accept(call.arguments, subject=subject)
    fallbacks = in_order(
        # A remembered or fixed answer calls nobody: the grant of its agent is enough.
        fallback
        if fallback.about.stands_for
        else answering(granted(unit, fallback, path), map(str, fallback.answers))
        for fallback in agent.fallbacks
    )
    return CallOp(
        key=f"{prefix}{wanted.name}",
        slot=0,
        unit=with_fallbacks(wanted, fallbacks),
        arguments=lambda values: arguments,  # noqa: ARG005 -- they are known already
        sources=(),
        where=unit.about.where,
        fallbacks=fallbacks,
        caught=agent.caught,
        graded=graded,
        is_simple=not (agent.fallbacks or agent.caught or graded),
    )


def _parallel(strands: list[Strand], key: str) -> Strand:
    answers = yield ForkEffect(key, len(strands), strands.__getitem__, None, "parallel")
    found, reasons = gathered(answers)
    return Marked(tuple(found), reasons) if reasons else tuple(found)


def _each(word: compose.Each, unit: AnyAgent, path: str, label: str) -> Strand:
    width = word.concurrency
    if width is not None and (isinstance(width, bool) or width < 1):
        msg = f"step {path!r} awaits each(..., concurrency={width!r}): at least 1, or leave it out"
        raise UsageError(msg, code="bad_concurrency")
    items: list[object] = list(cast("Any", word.items))
    key = f"{path}/{label}.each"
    names = element_names(items, word.key, key, unit.about.where)
    strands = [
        strand_of(word.branch(item), unit, path, f"{label}.{name}")
        for name, item in zip(names, items, strict=True)
    ]
    return _each_of(strands, key, width)


def _each_of(strands: list[Strand], key: str, concurrency: int | None) -> Strand:
    answers = yield ForkEffect(key, len(strands), strands.__getitem__, concurrency, "each")
    found, reasons = gathered(answers)
    return Marked(found, reasons) if reasons else found
