"""What a step gave, as the journal keeps it: its value or its failure, as JSON and back.

A failure comes back as its own class with the same code, class of error and facts, so that whoever
decides by them decides the same again. What only a debugger reads, its cause and its stack, does
not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final, cast

from pydantic_core import PydanticSerializationError, from_json, to_json

from fishplate.agents.agent import AnyAgent
from fishplate.contracts.shape import Shape
from fishplate.contracts.values import BrokenValueError
from fishplate.core.errors import (
    ContractError,
    ErrorClass,
    Failure,
    FishplateError,
    InputError,
    JsonError,
    JsonValue,
    OutputError,
    StepError,
    UsageError,
    Violation,
)
from fishplate.core.outcome import DeclaredError, Reason
from fishplate.core.run_context import Principal
from fishplate.core.trace_context import Caller, caller_of, format_baggage
from fishplate.orchestrator.effects import Marked

_KINDS: Final[Mapping[str, type[FishplateError]]] = {
    kind.__name__: kind
    for kind in (
        Failure,
        FishplateError,
        InputError,
        JsonError,
        OutputError,
        StepError,
        UsageError,
    )
}
_CLASSES: Final = {found.word: found for found in ErrorClass}
_DECLARED: Final = "declared"


def value_to_record(unit: AnyAgent, answer: object) -> tuple[bytes, bytes | None]:
    """The JSON of what a step gave, and of the reasons why it is degraded, if it is."""
    value, reasons = answer, None
    if type(answer) is Marked:
        value = answer.value
        reasons = to_json([asdict(reason) for reason in answer.reasons])
    return unit.signature.output.to_json(value), reasons


def value_from_record(unit: AnyAgent, data: bytes, reasons: bytes | None) -> object:
    """What a step gave, judged by its contract again.

    Raises:
        BrokenValueError: It breaks the contract that the agent has now.
    """
    value: object = unit.signature.output.decode(from_json(data), given=True)
    if reasons is None:
        return value
    found: list[dict[str, Any]] = from_json(reasons)
    return Marked(value, tuple(Reason(**one) for one in found))


def principal_to_record(principal: Principal) -> bytes:
    """The JSON of whom a run acts on behalf of.

    Raises:
        UsageError: It cannot be kept (code `bad_principal`).
    """
    found = {"name": principal.name, "roles": sorted(principal.roles), "tenant": principal.tenant}
    try:
        return to_json(found)
    except PydanticSerializationError as error:
        msg = (
            f"the principal {found!a} cannot be kept: its texts have no UTF-8 form. Take lone "
            "surrogates out of what it is made from"
        )
        raise UsageError(msg, code="bad_principal") from error


def principal_from_record(data: bytes) -> Principal:
    """On whose behalf a run acts."""
    known: dict[str, Any] = from_json(data)
    return Principal(name=known["name"], roles=frozenset(known["roles"]), tenant=known["tenant"])


def with_caller(principal: bytes, caller: Caller | None) -> bytes:
    """The JSON of a principal, with that of whoever asked for the run in another process."""
    if caller is None:
        return principal
    found: dict[str, object] = from_json(principal)
    found |= {"traceparent": caller.traceparent, "baggage": format_baggage(caller.baggage)}
    return to_json(found)


def caller_from_record(data: bytes) -> Caller | None:
    """Who has asked for a run in another process; `None`: nobody said so."""
    if b'"traceparent"' not in data:
        return None
    known: dict[str, Any] = from_json(data)
    return caller_of(known["traceparent"], known["baggage"])


def failure_to_record(failure: FishplateError | DeclaredError) -> bytes:
    """The JSON of a failure."""
    if isinstance(failure, DeclaredError):
        return to_json({"kind": _DECLARED, "data": failure.to_model().model_dump(mode="json")})
    kind = next(one.__name__ for one in type(failure).__mro__ if one in _KINDS.values())
    return to_json(
        {
            "kind": kind,
            "facts": failure.to_json(),
            "has_effect": failure.has_effect,
            "retry_exhausted": failure.retry_exhausted,
            "retry_after": failure.retry_after,
        }
    )


def failure_from_record(unit: AnyAgent, data: bytes) -> FishplateError | DeclaredError:
    """A failure again.

    Raises:
        BrokenValueError: It is a declared error that the agent's contract does not know any more.
    """
    found = cast("dict[str, Any]", from_json(data))
    if found["kind"] == _DECLARED:
        return _declared(unit, found["data"])
    facts: dict[str, Any] = found["facts"]
    kind = _KINDS[found["kind"]]
    error = kind.__new__(kind)
    error.args = (facts["message"],)
    error.message = facts["message"]
    error.code = facts["code"]
    error.error_class = _CLASSES[facts["class"]]
    error.has_effect = found["has_effect"]
    error.retry_exhausted = found["retry_exhausted"]
    error.retry_after = found["retry_after"]
    if isinstance(error, ContractError):
        error.subject = facts["subject"]
        error.pointer = facts["pointer"]
        error.violations = tuple(Violation(**one) for one in facts["violations"])
    elif isinstance(error, JsonError):
        error.pointer = facts["pointer"]
    elif isinstance(error, StepError):
        error.step = facts["step"]
        error.where = facts.get("where")
        error.details = facts.get("details", {})
    return error


def _declared(unit: AnyAgent, data: dict[str, JsonValue]) -> DeclaredError:
    for error in unit.about.errors:
        if error.code == data["error"]:
            return cast("DeclaredError", Shape.of(error).decode(data, given=True))
    message = f"{unit.about.subject} no longer declares the error {data['error']!r}"
    raise BrokenValueError(Violation(pointer="", message=message, keyword="errors"))
