"""What an exception means to the one who called: itself if it is typed, else a `StepError`."""

from __future__ import annotations

import asyncio
from typing import cast

from fishplate.agents.agent import AnyAgent
from fishplate.core.call import missing_await
from fishplate.core.errors import ErrorClass, FishplateError, StepError
from fishplate.core.outcome import DeclaredError
from fishplate.resilience.classify import classify, code_of
from fishplate.resilience.retry import is_given_up


def failure_of(error: BaseException, unit: AnyAgent, key: str, where: str) -> BaseException:
    """The failure of a call of `unit` that ended in `error`, in step `key` at `where`.

    Typed errors and what ends a task stay as they are. A `CancelledError` that nobody asked this
    task for, since it comes from something else that was awaited, is a failure like any other.
    """
    place = f"in step {key!r} ({where})"
    if isinstance(error, FishplateError) or (
        isinstance(error, DeclaredError) and type(error) in unit.about.errors
    ):
        if place not in getattr(error, "__notes__", ()):  # the same object may be raised again
            error.add_note(place)
        return error
    if not isinstance(error, Exception) and not _is_stray_cancellation(error):
        return error
    cause = _cause_of(error)
    code, error_class, why = _classified(cause, unit)
    if isinstance(error, BaseExceptionGroup):
        count = len(_leaves(cast("BaseException", error)))
        why = f"{why}, one of {count} errors that came together; the cause holds them all"
    failure = StepError(
        f"step {key!r} failed: {why}",
        step=key,
        code=code,
        error_class=error_class,
        where=where,
    )
    failure.add_note(place)
    return failure


def given_up(failure: FishplateError | DeclaredError) -> FishplateError | DeclaredError:
    """The failure of a body below which a call has retried and given up: nobody above repeats it.

    That would repeat all attempts of that call, whatever the body has made of its failure.
    """
    if is_given_up(failure):
        return failure
    if isinstance(failure, DeclaredError):
        return failure.as_exhausted()
    return failure.as_exhausted("not tried again: a call of the body has used its attempts")


def _is_stray_cancellation(error: BaseException) -> bool:
    if not isinstance(error, asyncio.CancelledError):
        return False
    task = asyncio.current_task()
    return task is not None and task.cancelling() == 0


def _cause_of(error: BaseException) -> BaseException:
    """What a group of exceptions is about: the first typed one in it, else the first."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    leaves = _leaves(cast("BaseException", error))
    return next((found for found in leaves if isinstance(found, FishplateError)), leaves[0])


def _leaves(error: BaseException) -> list[BaseException]:
    """The exceptions inside a group and the groups in it, or the exception itself."""
    leaves: list[BaseException] = []
    pending: list[BaseException] = [error]
    while pending:
        found = pending.pop(0)
        if isinstance(found, BaseExceptionGroup):
            pending.extend(cast("BaseExceptionGroup[BaseException]", found).exceptions)
        else:
            leaves.append(found)
    return leaves


def _classified(error: BaseException, unit: AnyAgent) -> tuple[str, ErrorClass, str]:
    name, subject = type(error).__name__, unit.about.subject
    if isinstance(error, FishplateError):  # in a group of exceptions
        return error.code, error.error_class, error.message
    if isinstance(error, DeclaredError) and type(error) not in unit.about.errors:
        why = (
            f"{subject} raised {name}, which its contract does not declare: add it to errors=[...]"
        )
        return "undeclared_error", ErrorClass.BUG, why
    if isinstance(error, asyncio.CancelledError):
        why = f"{subject} awaited something that was cancelled, and nobody cancelled the step"
        return "cancelled", ErrorClass.CANCELLED, why
    if not isinstance(error, Exception):
        return "bug", ErrorClass.BUG, f"{subject} raised {name}"
    error_class = classify(error, unit.about.error_classes)
    why = f"{subject} raised {name}"
    if (lost := missing_await(error)) is not None:
        why = f"{why}: {lost}"
    elif unit.fallbacks and error_class is ErrorClass.BUG:
        why = (
            f"{why}, which is a bug, and no fallback answers for a bug: if it is a failure of "
            f"something outside, say so with error_classes={{{name}: ErrorClass...}} on "
            f"{unit.name!r}, or raise a Failure"
        )
    return code_of(error, error_class), error_class, why
