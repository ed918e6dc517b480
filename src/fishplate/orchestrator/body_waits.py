"""What a body itself waits for, as strands: the same semantics as in a plan."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import cast

from fishplate.agents.agent import AnyAgent, Call
from fishplate.contracts.values import BrokenValueError
from fishplate.core.errors import InputError, UsageError
from fishplate.orchestrator.effects import Strand
from fishplate.orchestrator.program import ApprovalOp, CallOp, Code, Op, SleepOp, WaitOp
from fishplate.orchestrator.readers import SlotReader, reader_of_constant
from fishplate.orchestrator.walker import walk_code
from fishplate.workflows import compose
from fishplate.workflows.compose import Composition
from fishplate.workflows.forms import shape_carried, words_of


def place_name(deferred: object) -> str | None:  # noqa: PLR0911 -- a table
    """Under which name a body's call or wait stands; `None` for what stands side by side."""
    if isinstance(deferred, Call):
        return cast("Call[object]", deferred).agent.name
    if not isinstance(deferred, Composition):
        return None
    match cast("Composition[object]", deferred).word:
        case compose.Approval():
            return "approval"
        case compose.WaitFor():
            return "wait_for"
        case compose.Sleep():
            return "sleep"
        case compose.Graded(call=call) if isinstance(call, Call):
            return cast("Call[object]", call).agent.name
        case _:
            return None


def approved(
    word: compose.Approval, path: str, label: str, call_op: Callable[[Call[object], str], CallOp]
) -> Strand:
    """The strand of an approval.

    Args:
        word: What the body awaits.
        path: Path of its agent's step.
        label: Ordinal of the call, and the place in its composition.
        call_op: Makes the call that is asked for ready, below a path; checks its grant.

    Raises:
        UsageError: It is no call, nobody may decide, or it has no time (code `bad_wait`).
        StepError: The call is not granted.
    """
    if not isinstance(word.call, Call):
        raise _refusal(path, "approval(...)", "takes a call of one agent that is not awaited")
    roles = words_of(word.roles)
    if not roles:
        wrong = f"approval(..., roles={word.roles!r})"
        raise _refusal(path, wrong, "needs the names of who may decide, such as ['lead']")
    _check_seconds(path, "approval", "within", word.within)
    key = f"{path}/{label}.approval"
    op = call_op(cast("Call[object]", word.call), f"{key}/")
    return _walk(ApprovalOp(key, 0, op, roles, word.within))


def signalled(word: compose.WaitFor, unit: AnyAgent, path: str, label: str) -> Strand:
    """The strand of a wait for a signal; see `approved`.

    Raises:
        UsageError: The signal has no name, or a time that is none (code `bad_wait`).
        InputError: The default breaks the contract of the signal.
    """
    if not words_of([word.signal]):
        raise _refusal(path, f"wait_for({word.signal!r}, ...)", "needs the name of a signal")
    if word.within is not None:
        _check_seconds(path, "wait_for", "within", word.within)
    elif word.default is not None:
        raise _refusal(path, "wait_for(..., default=)", "never gives it without within=: add that")
    shape = shape_carried(word.model, unit.about.where)
    default = None
    if word.default is not None:
        try:
            default = reader_of_constant(shape, shape.encode(shape.accept(word.default)))
        except BrokenValueError as error:
            subject = f"the default of the signal {word.signal!r} in step {path!r}"
            raise InputError(subject, error.violations) from None
    signal = cast("str", word.signal)
    return _walk(WaitOp(f"{path}/{label}.wait_for", 0, signal, shape, word.within, default))


def slept(word: compose.Sleep, path: str, label: str) -> Strand:
    """The strand of a sleep; see `approved`.

    Raises:
        UsageError: It has a time that is none (code `bad_wait`).
    """
    _check_seconds(path, "sleep", "seconds", word.seconds)
    return _walk(SleepOp(f"{path}/{label}.sleep", 0, word.seconds))


def _walk(op: Op) -> Strand:
    return walk_code(Code((op,), SlotReader(0), (0,)), [None], {}, "")


def _check_seconds(path: str, word: str, name: str, value: object) -> None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not 0 < cast("float", value) < math.inf:
        wrong = f"{word}(..., {name}={value!r})"
        raise _refusal(path, wrong, "needs a finite number of seconds above 0")


def _refusal(path: str, wrong: str, why: str) -> UsageError:
    return UsageError(f"step {path!r} awaits {wrong}, which {why}", code="bad_wait")
