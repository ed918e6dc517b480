"""What is checked when an agent, a tool or a workflow is declared, and how its parts are read."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NoReturn

from fishplate.agents.agent import AnyAgent, Description, Kind, check_name, misfit
from fishplate.agents.grants import NO_GRANT_FOR_ITSELF, lost_calls, self_calls, ungranted_calls
from fishplate.contracts.anatomy import is_object_type
from fishplate.contracts.contract import Contract
from fishplate.contracts.fits import fits, overlap
from fishplate.contracts.shape import Shape
from fishplate.contracts.signature import Signature
from fishplate.contracts.versions import is_version
from fishplate.core.errors import DeclarationError, Problem, ProblemList
from fishplate.core.outcome import DeclaredError
from fishplate.core.source import location, plain_function


def name_of(function: Callable[..., Any], name: str | None, word: str) -> str:
    """The name of a behaviour: the given one, or the function's.

    Raises:
        DeclarationError: It has none, or it is no function that could be called as it is.
    """
    where = location(function)
    found = name or getattr(function, "__name__", "")
    if plain_function(function) is None:
        kind = type(function).__name__
        message = (
            f"a {kind!r} is no function, so its contract and its source cannot be read: "
            "write a function that calls it"
        )
        _refuse(f"{word} {found!r}", "not_a_function", message, where)
    if not found or found == "<lambda>":
        message = "a behaviour without a name of its own needs name="
        _refuse(word, "bad_name", message, where)
    enclosing = function.__qualname__.split(".")[:-1]
    if enclosing and enclosing[-1] != "<locals>" and not inspect.ismethod(function):
        instead = (
            "write the workflow as a function of its module"
            if word == "workflow"
            else f"make it of the object: {word}(obj.{function.__name__}, name=...)"
        )
        message = (
            f"{found!r} is a method in the class body of {enclosing[-1]!r}, and its 'self' is not "
            f"there yet: {instead}"
        )
        _refuse(f"{word} {found!r}", "method", message, where)
    check_name(found, f"{word} {found!r}")
    return found


def read_signature(
    function: Callable[..., Any], problems: ProblemList, local: Mapping[str, object]
) -> Signature | None:
    """The contract in a function's annotations; what is wrong with it goes to the problems."""
    where = location(function)
    try:
        return Signature.of(function, subject=problems.subject, where=where, local=local)
    except DeclarationError as error:
        problems.found.extend(error.problems)
        return None


def by_position(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as one that takes all its arguments by position, as a call hands them over."""
    parameters = inspect.signature(function).parameters.values()
    named = [one.name for one in parameters if one.kind is one.KEYWORD_ONLY]
    if not named:
        return function
    first = len(parameters) - len(named)

    def split(arguments: tuple[object, ...]) -> tuple[tuple[object, ...], dict[str, object]]:
        return arguments[:first], dict(zip(named, arguments[first:], strict=True))

    if inspect.iscoroutinefunction(function):

        async def wait(*arguments: object) -> object:
            positional, keywords = split(arguments)
            return await function(*positional, **keywords)

        return wait

    def call(*arguments: object) -> object:
        positional, keywords = split(arguments)
        return function(*positional, **keywords)

    return call


def check_version(version: str, where: str, problems: ProblemList) -> None:
    """Refuse a version that is not semantic."""
    if not is_version(version):
        message = f"version={version!r} is not a semantic version such as '1.2.0'"
        problems.add(Problem(code="bad_version", message=message, where=where))


def kind_of(
    function: Callable[..., Any], *, inline: bool, where: str, problems: ProblemList
) -> Kind:
    """How a behaviour runs."""
    subject = problems.subject
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        message = f"{subject} is a generator: return one value"
        problems.add(Problem(code="not_a_function", message=message, where=where))
    if not inspect.iscoroutinefunction(function):
        return "inline" if inline else "thread"
    if inline:
        message = f"{subject} is async, so inline=True has no effect: leave it out"
        problems.add(Problem(code="unused_option", message=message, where=where))
    return "async"


def first_paragraph(function: Callable[..., Any]) -> str:
    """The first paragraph of a docstring, on one line."""
    text = inspect.getdoc(function) or ""
    return " ".join(text.split("\n\n", 1)[0].split())


def check_output(
    output: Shape[Any],
    errors: Sequence[type[DeclaredError]],
    where: str,
    problems: ProblemList,
) -> None:
    """Refuse an output whose members a reader of its JSON could not tell apart."""
    unions = [[*output.arms(), *map(Shape.of, errors)]]
    if output.anatomy is not None:
        unions.extend(
            [Shape.of(arm) for arm in arms if is_object_type(arm)]
            for arms in output.anatomy.unions()
        )
    told = set[tuple[str, str]]()
    for members in unions:
        for first, second in combinations(members, 2):
            names = (first.name, second.name)
            if names not in told and (problem := _confused(first, second, where, problems.subject)):
                told.add(names)
                problems.add(problem)


def _confused(first: Shape[Any], second: Shape[Any], where: str, subject: str) -> Problem | None:
    found = overlap(first.gives, second.gives)
    if found.answer == "no":
        return None
    message = (
        f"{subject}: {first.name!r} and {second.name!r} in its output cannot be told apart as "
        f"JSON. Give each a tag, e.g. kind: Literal[{first.name.lower()!r}]"
    )
    return Problem(
        code="overlapping_members",
        message=message,
        where=where,
        counterexample=found.example,
        has_counterexample=found.has_example,
    )


def published_contract(
    contract: Contract | str | Path, name: str, where: str, problems: ProblemList
) -> Contract | None:
    """The contract that an agent has to keep; what is wrong with it goes to the problems."""
    try:
        found = contract if isinstance(contract, Contract) else Contract.load(contract)
    except DeclarationError as error:
        problems.found.extend(error.problems)
        return None
    if found.name != name:
        message = f"the contract is that of {found.name!r}, not of {name!r}: rename one of them"
        problems.add(Problem(code="contract_mismatch", message=message, where=where))
    return found


def check_published(about: Description, contract: Contract, problems: ProblemList) -> None:
    """The code takes what the published contract lets callers send, and gives what it promises."""
    for problem in _broken_promises(about, contract):
        problems.add(problem)


def _broken_promises(about: Description, contract: Contract) -> Iterator[Problem]:
    takes = fits(contract.input, about.signature.takes)
    if takes.verdict != "fits":
        message = (
            f"{about.subject} does not take everything that its published contract allows: "
            f"{takes.reason}"
        )
        yield misfit("contract_mismatch", message, takes, about.where)
    gives = fits(about.signature.output.gives, contract.output)
    if gives.verdict != "fits":
        message = (
            f"{about.subject} may give what its published contract does not promise: {gives.reason}"
        )
        yield misfit("contract_mismatch", message, gives, about.where)
    for error in about.errors:
        promised = contract.errors.get(error.code)
        verdict = None if promised is None else fits(Shape.of(error).gives, promised)
        if verdict is None or verdict.verdict != "fits":
            reason = "it is not among the contract's errors" if verdict is None else verdict.reason
            message = (
                f"{about.subject} may raise {error.__name__!r} ({error.code}), and its published "
                f"contract does not promise that: {reason}"
            )
            yield Problem(code="contract_mismatch", message=message, where=about.where)


def check_grants(about: Description, problems: ProblemList) -> None:
    """Refuse grants of the wrong kind, names that mean two agents, and calls without a grant."""
    check_kinds(about.tools, about.agents, about.where, problems)
    granted: dict[str, AnyAgent] = {}
    for found in (*about.tools, *about.agents):
        if granted.setdefault(found.name, found).about is not found.about:
            message = (
                f"{about.subject} grants two agents that are both called {found.name!r}: "
                "give one another name="
            )
            problems.add(Problem(code="repeated_name", message=message, where=about.where))
    for where in self_calls(about.written):
        message = f"{about.subject} calls itself, and {NO_GRANT_FOR_ITSELF}"
        problems.add(Problem(code="self_call", message=message, where=where))
    for where, found in ungranted_calls(about.written, {about.name, *granted}):
        word = "tools" if found.about.effect is not None else "agents"
        message = (
            f"{about.subject} calls {found.name!r} without a grant: "
            f"add it to {word}=[...] of the decorator"
        )
        problems.add(Problem(code="not_granted", message=message, where=where))
    for where, found, instead in lost_calls(about.written):
        message = f"{about.subject} calls {found.name!r} and nobody awaits it: {instead}"
        problems.add(Problem(code="lost_step", message=message, where=where))


def check_kinds(
    tools: Sequence[AnyAgent], agents: Sequence[AnyAgent], where: str, problems: ProblemList
) -> None:
    """Refuse an agent among tools, and a tool among agents."""
    for found in tools:
        if found.about.effect is None:
            message = (
                f"{found.name!r} in tools= of {problems.subject} declares no effect: it is an "
                "agent, not a tool"
            )
            problems.add(Problem(code="bad_grant", message=message, where=where))
    for found in agents:
        if found.about.effect is not None:
            message = (
                f"{found.name!r} in agents= of {problems.subject} is a tool: name it in tools="
            )
            problems.add(Problem(code="bad_grant", message=message, where=where))


def _refuse(subject: str, code: str, message: str, where: str) -> NoReturn:
    raise DeclarationError(subject, [Problem(code=code, message=message, where=where)])
