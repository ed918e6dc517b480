"""What stands behind a tool with an effect: who tells what became of a call, and who undoes it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from fishplate.agents.agent import AnyAgent, Description, misfit
from fishplate.contracts.fits import fits
from fishplate.contracts.shape import Shape
from fishplate.core.errors import Problem
from fishplate.core.outcome import CannotSay, NotDone

RESULT: Final = "result"
"""The parameter of a compensating tool that gets what the tool gave."""


def problems_behind(about: Description) -> Iterator[Problem]:
    """Why a tool's `lookup=` or `compensate=` could not do what it is there for."""
    if about.lookup is not None:
        yield from _lookup_problems(about, about.lookup)
    if about.compensate is not None:
        yield from _compensation_problems(about, about.compensate)


def compensation_arguments(
    tool: AnyAgent, arguments: tuple[object, ...], result: object, compensating: AnyAgent
) -> tuple[object, ...]:
    """What a call is undone with: its arguments and its result, by the names of the parameters."""
    names = [parameter.name for parameter in tool.signature.parameters]
    known = {**dict(zip(names, arguments, strict=True)), RESULT: result}
    found = tuple(known[parameter.name] for parameter in compensating.signature.parameters)
    if compensating.signature.is_exact(found):
        return found
    subject = f"the input of {compensating.about.subject}"
    return compensating.signature.accept(found, subject=subject)


def _lookup_problems(about: Description, lookup: AnyAgent) -> Iterator[Problem]:
    effect = lookup.about.effect
    if effect is None or not effect.is_readonly:
        message = (
            f"lookup= of {about.subject} is {lookup.about.subject}, and asking may change nothing: "
            "declare it by @tool(effect='readonly')"
        )
        yield _refusal(about, message)
    mine, theirs = about.signature.parameters, lookup.signature.parameters
    names, others = [one.name for one in mine], [one.name for one in theirs]
    if names != others:
        message = (
            f"lookup= of {about.subject} takes ({', '.join(others)}), and is asked with the "
            f"arguments of the call: ({', '.join(names)})"
        )
        yield _refusal(about, message)
        return
    for own, other in zip(mine, theirs, strict=True):
        yield from _unfit(about, "lookup", lookup, own.name, own.shape, other.shape)
    answers = Shape.union([about.signature.output, Shape.of(NotDone), Shape.of(CannotSay)])
    verdict = fits(lookup.signature.output.gives, answers.takes)
    if verdict.verdict != "fits":
        message = (
            f"lookup= of {about.subject} gives {lookup.signature.output.name}, and the answer is "
            f"{about.signature.output.name}, NotDone or CannotSay: {verdict.reason}"
        )
        yield misfit("bad_effect", message, verdict, about.where)


def _compensation_problems(about: Description, compensating: AnyAgent) -> Iterator[Problem]:
    effect = compensating.about.effect
    if effect is None or effect.is_readonly:
        message = (
            f"compensate= of {about.subject} is {compensating.about.subject}, which changes "
            "nothing: a tool with an effect of its own undoes one"
        )
        yield _refusal(about, message)
    shapes = {one.name: one.shape for one in about.signature.parameters}
    if RESULT in shapes:
        message = (
            f"{about.subject} has a parameter {RESULT!r}, which in compensate= means what the tool "
            "gave: rename the parameter"
        )
        yield _refusal(about, message)
        return
    shapes[RESULT] = about.signature.output
    for parameter in compensating.signature.parameters:
        name = parameter.name
        if name in shapes:
            yield from _unfit(
                about, "compensate", compensating, name, shapes[name], parameter.shape
            )
        else:
            message = (
                f"compensate= of {about.subject} takes {name!r}, and is called with: "
                f"{', '.join(shapes)}"
            )
            yield _refusal(about, message)


def _unfit(  # noqa: PLR0913, PLR0917 -- two sides of one edge
    about: Description,
    word: str,
    other: AnyAgent,
    name: str,
    given: Shape[Any],
    taken: Shape[Any],
) -> Iterator[Problem]:
    verdict = fits(given.gives, taken.takes)
    if verdict.verdict != "fits":
        message = (
            f"{word}={other.name} of {about.subject} does not take every {name!r}: {verdict.reason}"
        )
        yield misfit("bad_effect", message, verdict, about.where)


def _refusal(about: Description, message: str) -> Problem:
    return Problem(code="bad_effect", message=message, where=about.where)
