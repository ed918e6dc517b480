"""Errors as a person and as a program read them: code, place, remedy; a traceback if asked for."""

import traceback
from collections.abc import Iterator

from fishplate.cli.screen import Screen
from fishplate.contracts.json import canonical_json
from fishplate.core.errors import (
    ContractError,
    DeclarationError,
    FishplateError,
    InputError,
    JsonError,
    JsonValue,
    Problem,
    StepError,
    UsageError,
)
from fishplate.core.outcome import DeclaredError

_MOST_VIOLATIONS = 10


def report(error: BaseException, screen: Screen, *, is_debugging: bool) -> None:
    """Print an error that ended a command before there was a result."""
    if is_debugging:
        screen.note(trace_lines(error))
    if screen.as_json:
        screen.document({"error": error_json(error)})
    else:
        screen.note(error_lines(error), style="red")


def trace_lines(error: BaseException) -> list[str]:
    """The traceback of an error with its causes, line by line."""
    return "".join(traceback.format_exception(error)).splitlines()


def error_json(error: BaseException) -> dict[str, JsonValue]:
    """An error as a JSON object; `code` and `message` are always there."""
    found: dict[str, JsonValue]
    match error:
        case FishplateError():
            found = error.to_json()
        case DeclaredError():
            data = error.to_model().model_dump(mode="json", by_alias=True)
            found = {"code": error.code, "message": str(error), "declared": data}
        case _:
            found = {"code": "unexpected", "class": "bug", "message": _plain(error)}
    if notes := _notes(error):
        found["notes"] = list[JsonValue](notes)
    if remedy := _remedy(error):
        found["remedy"] = remedy
    return found


def error_lines(error: BaseException) -> Iterator[str]:
    """An error as lines of text: what happened, where, and what to do."""
    match error:
        case DeclarationError():
            yield f"error[{error.code}]: {error.subject} is refused"
            for problem in error.problems:
                yield from problem_lines(problem)
        case ContractError():
            yield f"error[{error.code}]: {error.subject} breaks its contract"
            yield from _violation_lines(error)
        case FishplateError():
            yield f"error[{error.code}]: {error.message}"
            yield from _place_lines(error)
        case DeclaredError():
            yield f"error[{error.code}]: {error}"
        case _:
            yield f"error[unexpected]: {_plain(error)}"
    for note in _notes(error):
        yield f"  {note}"
    if remedy := _remedy(error):
        yield f"  help: {remedy}"


def problem_lines(problem: Problem) -> Iterator[str]:
    """One reason why a declaration is refused, indented."""
    place = f"{problem.where}: " if problem.where else ""
    yield f"  {place}{problem.message} [{problem.code}]"
    if problem.step is not None:
        yield f"    step: {problem.step}"
    if problem.pointer is not None:
        yield f"    pointer: {problem.pointer or 'the whole value'}"
    if problem.has_counterexample:
        yield f"    counterexample: {one_line(problem.counterexample)}"


def one_line(value: JsonValue) -> str:
    """A value as JSON on one line."""
    return canonical_json(value).decode("utf-8")


def _violation_lines(error: ContractError) -> Iterator[str]:
    for violation in error.violations[:_MOST_VIOLATIONS]:
        yield f"  at {violation.pointer or 'the whole value'}: {violation.message}"
    if len(error.violations) > _MOST_VIOLATIONS:
        yield "  and more"


def _place_lines(error: FishplateError) -> Iterator[str]:
    if isinstance(error, StepError):
        yield f"  step: {error.step}" + (f" ({error.where})" if error.where else "")
        for name, value in error.details.items():
            yield f"  {name}: {one_line(value)}"
    if isinstance(error, JsonError) and error.pointer:
        yield f"  at {error.pointer}"


def _notes(error: BaseException) -> list[str]:
    # A step tells its place in a note; a StepError has it as a field already.
    if isinstance(error, StepError):
        return []
    return list(dict.fromkeys(getattr(error, "__notes__", ())))


def _plain(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"the code that ran called sys.exit({error.code!r}): let it raise an error instead"
    return f"{type(error).__name__}: {error}"


def _remedy(error: BaseException) -> str | None:
    match error:
        case InputError():
            return "'fishplate contract TARGET' prints what it takes"
        case JsonError():
            return error.remedy or None
        case StepError(code="bug" | "connection") | UsageError(code="resource_failed"):
            return "--debug shows the traceback"
        case FishplateError() | DeclaredError() | SystemExit():
            return None
        case _:
            return "--debug shows the traceback"
