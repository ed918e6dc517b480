"""The agents of an app: what they reach, and what is refused before anything of it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from fishplate.agents.agent import AnyAgent
from fishplate.core.errors import DeclarationError, Problem, ProblemList, UsageError
from fishplate.workflows.workflow import Workflow

MOST_LEVELS: Final = 100
"""Calls within calls; each level takes a part of Python's own stack."""


def by_name(agents: Iterable[AnyAgent]) -> dict[str, AnyAgent]:
    """Agents by name.

    Raises:
        DeclarationError: A name means two agents (code `repeated_name`), also among those that
            they call at any depth.
    """
    given: dict[str, AnyAgent] = {}
    for agent in agents:
        if given.setdefault(agent.name, agent) is not agent:
            raise _repeated_name(given[agent.name], agent)
    known = dict(given)
    for agent in given.values():
        for unit in all_of(agent):
            other = known.setdefault(unit.name, unit)
            # Uses of one agent under different settings, and copies of it, have these in common.
            is_same = (
                other.signature is unit.signature and other.about.function is unit.about.function
            )
            if not is_same:
                raise _repeated_name(other, unit)
    return given


def check_runnable(agent: AnyAgent) -> None:
    """Refuse what could not come to its end.

    Raises:
        DeclarationError: It nests too deeply (code `too_deep`), or waits for itself in a pool
            (code `nested_pool`).
    """
    _check_depth(agent)
    for unit in all_of(agent):
        _check_pool(unit)


def check_in_memory(agent: AnyAgent) -> None:
    """Refuse what only a store can promise, where runs are kept in none.

    Raises:
        UsageError: It waits for somebody or for time, or undoes effects (code `no_store`).
    """
    for unit in all_of(agent):
        if isinstance(unit, Workflow) and unit.waiting:
            msg = (
                f"{unit.name!r} waits in step {unit.waiting[0]!r}, and runs in memory do not: "
                "give the app a store"
            )
            raise UsageError(msg, code="no_store")
        if unit.about.on_failure == "compensate":
            msg = (
                f"{unit.about.subject} undoes what it did when it fails, and memory does not keep "
                "what that is: give the app a store"
            )
            raise UsageError(msg, code="no_store")


def check_models(agent: AnyAgent, models: Mapping[str, object]) -> None:
    """Refuse what asks a model that the app does not have, or that cannot do what is asked.

    Args:
        agent: What is to run.
        models: The app's, by alias.

    Raises:
        DeclarationError: Code `unknown_model` or `missing_feature`; holds every problem.
    """
    problems = ProblemList("the app")
    for unit in all_of(agent):
        asks = unit.about.asks
        problem = None if asks is None else asks.problem(models)
        if problem is not None:
            problems.add(problem)
    problems.raise_if_any()


async def check_prompts(agents: Iterable[AnyAgent]) -> None:
    """Refuse prompt functions that return something else than prompts, by trying them.

    Raises:
        DeclarationError: Code `bad_prompt`; holds every problem.
    """
    asking = {id(unit.about): unit for unit in all_of(*agents) if unit.about.kind == "model"}
    if not asking:
        return
    # The types of models cost every import of fishplate, and only who asks one needs them.
    from fishplate.agents.trial import prompt_problem, try_prompt  # noqa: PLC0415 -- as said

    problems = ProblemList("the app")
    for unit in asking.values():
        problem = prompt_problem(unit, await asyncio.to_thread(try_prompt, unit))
        if problem is not None:
            problems.add(problem)
    problems.raise_if_any()


def all_of(*agents: AnyAgent) -> Iterator[AnyAgent]:
    """Agents and everything that their runs may call, at any depth; each object once."""
    pending, seen = list(agents), set[int]()
    while pending:
        unit = pending.pop()
        if id(unit) not in seen:
            seen.add(id(unit))
            yield unit
            pending.extend(_below(unit))


def _below(unit: AnyAgent) -> tuple[AnyAgent, ...]:
    units = unit.units.values() if isinstance(unit, Workflow) else ()
    return (*unit.granted, *unit.fallbacks, *units, *unit.about.behind)


def _repeated_name(first: AnyAgent, second: AnyAgent) -> DeclarationError:
    message = (
        f"two agents are called {first.name!r} ({first.about.where} and {second.about.where}): "
        "give one another name="
    )
    return DeclarationError("the app", [Problem(code="repeated_name", message=message)])


def _check_depth(agent: AnyAgent) -> None:
    level = {id(agent): agent}
    for _ in range(MOST_LEVELS):
        level = {id(one): one for unit in level.values() for one in _below(unit)}
        if not level:
            return
    message = f"{agent.about.subject} calls more than {MOST_LEVELS} levels deep: nest it less"
    raise _refusal("too_deep", message, agent)


def _check_pool(unit: AnyAgent) -> None:
    """A call may not hold a slot of a pool while a call below it waits for another one."""
    if unit.about.pool is None:
        return
    for below in all_of(unit):
        if below is not unit and below.about.pool == unit.about.pool:
            message = (
                f"{unit.about.subject} holds a slot of pool {unit.about.pool!r} while "
                f"{below.about.subject} waits for one, so that a full pool would wait for itself: "
                "put them into different pools"
            )
            raise _refusal("nested_pool", message, unit)


def _refusal(code: str, message: str, agent: AnyAgent) -> DeclarationError:
    return DeclarationError(
        "the app", [Problem(code=code, message=message, where=agent.about.where)]
    )
