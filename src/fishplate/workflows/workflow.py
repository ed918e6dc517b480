"""A declared workflow: an agent whose behaviour is a plan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, ParamSpec, TypeVar, cast

from typing_extensions import override

from fishplate.agents.agent import NO_POLICY, Agent, AnyAgent, Description, expect_agent, misfit
from fishplate.contracts.fits import fits
from fishplate.core.errors import DeclarationError, ErrorClass, Problem
from fishplate.core.outcome import DeclaredError
from fishplate.core.source import user_location
from fishplate.resilience.policy import Policy
from fishplate.workflows import check
from fishplate.workflows.plan import CallStep, Plan, waits

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)


class Workflow(Agent[P, R_co]):
    """An agent made of agents.

    Attributes:
        plan: What it does, as data.
        units: The agents that the plan names.
        waiting: Paths of the steps that wait for somebody or for time, in nested workflows too.
    """

    def __init__(  # noqa: PLR0913 -- an agent's settings, and the plan
        self,
        about: Description,
        *,
        plan: Plan,
        units: Mapping[str, AnyAgent],
        policy: Policy = NO_POLICY,
        fallbacks: tuple[AnyAgent, ...] = (),
        caught: tuple[type[DeclaredError], ...] = (),
        step_name: str | None = None,
        assumed: str | None = None,
        answers: frozenset[ErrorClass] = frozenset(),
    ) -> None:
        super().__init__(
            about,
            policy=policy,
            fallbacks=fallbacks,
            caught=caught,
            step_name=step_name,
            assumed=assumed,
            answers=answers,
        )
        self.plan = plan
        self.units = dict(units)
        self.waiting = (*waits(plan), *_nested_waits(plan, self.units))

    def replace(self, old: AnyAgent, new: AnyAgent) -> Workflow[P, R_co]:
        """The same workflow with one agent exchanged, in nested workflows and grants too.

        Args:
            old: The agent to exchange, found by its name.
            new: What stands in its place; has to take what `old` takes, and give what `old` gives.

        Raises:
            DeclarationError: The workflow has no such agent, or `new` does not fit in its place.
        """
        expect_agent(new, f"the replacement of {old.name!r}")
        known = self.reachable()
        if old.name not in known:
            has = ", ".join(sorted(known)) or "no agents"
            message = f"{self.name!r} has no agent {old.name!r}; it has: {has}"
            problem = Problem(code="unknown_agent", message=message, where=user_location())
            raise DeclarationError(f"{self.name}.replace", [problem])
        if problems := list(_replacement_problems(known[old.name], new)):
            raise DeclarationError(f"replacing {old.name!r} by {new.name!r}", problems)
        return cast("Workflow[P, R_co]", exchanged(self, old.name, new))

    def reachable(self) -> dict[str, AnyAgent]:
        """Every agent and tool that a run of this workflow may call, by name."""
        return reachable(self)

    @override
    def variant(self, **changes: Any) -> Workflow[P, R_co]:
        """The same workflow with some settings changed."""
        found = super().variant(**{"plan": self.plan, "units": self.units, **changes})
        return cast("Workflow[P, R_co]", found)


def reachable(unit: AnyAgent) -> dict[str, AnyAgent]:
    """Every agent and tool that a run of an agent may call, at any depth, by name."""
    found: dict[str, AnyAgent] = {}
    for other in every_unit(_called_by(unit)):
        found.setdefault(other.name, other)
    return found


def every_unit(units: Iterable[AnyAgent]) -> Iterator[AnyAgent]:
    """Some agents and all that they may call, at any depth; what is one agent comes once."""
    seen, told = set[int](), set[int]()
    pending = list(units)
    while pending:
        unit = pending.pop(0)
        if id(unit) in seen:
            continue
        seen.add(id(unit))
        if id(unit.about) not in told:
            told.add(id(unit.about))
            yield unit
        pending.extend(_called_by(unit))


def _called_by(unit: AnyAgent) -> tuple[AnyAgent, ...]:
    steps = tuple(unit.units.values()) if isinstance(unit, Workflow) else ()
    return (*steps, *unit.granted, *unit.fallbacks)


def exchanged(unit: AnyAgent, name: str, new: AnyAgent) -> AnyAgent:
    """An agent in which every use of `name`, at any depth, is `new` under the old name.

    What does not reach `name` stays the same object, and what is one agent stays one.
    """
    return _Exchange(name, new).of(unit)


class _Exchange:
    """Exchanges one agent by name; remembers what became of each agent and of its description."""

    def __init__(self, name: str, new: AnyAgent) -> None:
        self._name = name
        self._new = new
        self._stand_in = replace(new.about, name=name)
        # By id, with the original beside it, which keeps the id its own.
        self._units: dict[int, tuple[AnyAgent, AnyAgent]] = {}
        self._abouts: dict[int, tuple[Description, Description]] = {}

    def of(self, unit: AnyAgent) -> AnyAgent:
        if id(unit) not in self._units:
            self._units[id(unit)] = (unit, self._exchanged(unit))
        return self._units[id(unit)][1]

    def _exchanged(self, unit: AnyAgent) -> AnyAgent:
        fallbacks = tuple(map(self.of, unit.fallbacks))
        if unit.name == self._name:
            return self._new.variant(
                about=self._stand_in,
                fallbacks=fallbacks,
                caught=unit.caught,
                step_name=unit.step_name,
                assumed=unit.assumed,
                answers=unit.answers,
            )
        changes: dict[str, object] = {}
        if (about := self._about(unit.about)) is not unit.about:
            changes["about"] = about
        if fallbacks != unit.fallbacks:
            changes["fallbacks"] = fallbacks
        if isinstance(unit, Workflow):
            old = unit.units
            units = {name: self.of(found) for name, found in old.items()}
            if units != old:
                changes["units"] = units
        return unit.variant(**changes) if changes else unit

    def _about(self, about: Description) -> Description:
        if id(about) not in self._abouts:
            tools, agents = tuple(map(self.of, about.tools)), tuple(map(self.of, about.agents))
            is_same = tools == about.tools and agents == about.agents
            found = about if is_same else replace(about, tools=tools, agents=agents)
            self._abouts[id(about)] = (about, found)
        return self._abouts[id(about)][1]


def _replacement_problems(old: AnyAgent, new: AnyAgent) -> Iterator[Problem]:
    """Why an agent cannot stand in another one's place."""
    code = "mismatched_replacement"
    mine, theirs = old.signature.parameters, new.signature.parameters
    if len(mine) != len(theirs):
        message = f"{new.name!r} takes {len(theirs)} arguments and {old.name!r} {len(mine)}"
        yield Problem(code=code, message=message, where=user_location())
    for own, other in zip(mine, theirs, strict=False):
        verdict = check.shape_fits(own.shape, other.shape)
        if verdict.verdict != "fits":
            message = (
                f"{new.name!r} does not take every {own.name!r} that {old.name!r} takes: "
                f"{verdict.reason}"
            )
            yield misfit(code, message, verdict, user_location())
    verdict = fits(new.signature.output.gives, old.signature.output.gives)
    if verdict.verdict != "fits":
        message = f"the answer of {new.name!r} is not an answer of {old.name!r}: {verdict.reason}"
        yield misfit(code, message, verdict, user_location())
    for error in new.about.errors:
        if error not in old.about.errors:
            message = (
                f"{new.name!r} may end with {error.__name__!r}, which {old.name!r} does not "
                "declare: nobody in the workflow expects it"
            )
            yield Problem(code=code, message=message, where=user_location())
    if new.about.effect is not None and old.about.effect is None:
        message = f"{new.name!r} is a tool and {old.name!r} is none, so nobody has granted it"
        yield Problem(code=code, message=message, where=user_location())


def _nested_waits(plan: Plan, units: Mapping[str, AnyAgent]) -> Iterator[str]:
    for path, step in plan.steps():
        if isinstance(step, CallStep):
            for name in (step.agent, *step.fallbacks):
                unit = units[name]
                below = path if name == step.agent else f"{path}/{name}"
                if isinstance(unit, Workflow):
                    waiting = unit.waiting
                    yield from (f"{below}/{inner}" for inner in waiting)
