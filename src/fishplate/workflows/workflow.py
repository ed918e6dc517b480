"""A declared workflow: an agent whose behaviour is a plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ParamSpec, TypeVar

from fishplate.agents.agent import NO_POLICY, Agent, AnyAgent, Description, expect_agent, misfit
from fishplate.contracts.fits import fits
from fishplate.core.errors import DeclarationError, Problem, ProblemList
from fishplate.core.outcome import DeclaredError
from fishplate.resilience.policy import Policy
from fishplate.workflows import check
from fishplate.workflows.plan import Plan, waits

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)


class Workflow(Agent[P, R_co]):
    """An agent made of agents.

    Attributes:
        plan: What it does, as data.
        units: The agents that the plan names.
        waiting: Paths of the steps that wait for somebody or for time.
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
    ) -> None:
        super().__init__(
            about, policy=policy, fallbacks=fallbacks, caught=caught, step_name=step_name, assumed=assumed
        )
        self.plan = plan
        self.units = dict(units)
        self.waiting = waits(plan)

    def replace(self, old: AnyAgent, new: AnyAgent) -> Workflow[P, R_co]:
        """The same workflow with one agent exchanged, in nested workflows and in the grants of bodies too.

        Args:
            old: The agent to exchange, found by its name.
            new: What stands in its place; has to take what `old` takes, and give what `old` gives.

        Raises:
            DeclarationError: The workflow has no such agent, or `new` does not fit in its place.
        """
        expect_agent(new, f"the replacement of {old.name!r}")
        if old.name not in self.reachable():
            message = f"{self.name!r} has no agent {old.name!r}; it has: {', '.join(sorted(self.reachable()))}"
            raise DeclarationError(f"{self.name}.replace", [Problem(code="unknown_agent", message=message)])
        _check_replacement(old, new)
        exchanged = _exchange(self, old.name, new)
        assert isinstance(exchanged, Workflow)
        return exchanged

    def reachable(self) -> dict[str, AnyAgent]:
        """Every agent and tool that a run of this workflow may call, by name."""
        found: dict[str, AnyAgent] = {}
        pending: list[AnyAgent] = list(self.units.values())
        while pending:
            unit = pending.pop()
            if unit.name in found:
                continue
            found[unit.name] = unit
            pending.extend([*unit.granted, *unit.fallbacks])
            if isinstance(unit, Workflow):
                pending.extend(unit.units.values())
        return found

    def _with(self, **changes: Any) -> Workflow[P, R_co]:  # noqa: ANN401 -- the constructor's own keywords
        settings: dict[str, Any] = {
            "policy": self.policy,
            "fallbacks": self.fallbacks,
            "caught": self.caught,
            "step_name": self.step_name,
            "assumed": self.assumed,
            "plan": self.plan,
            "units": self.units,
            "about": self.about,
        }
        return Workflow(**{**settings, **changes})


def _check_replacement(old: AnyAgent, new: AnyAgent) -> None:
    problems = ProblemList(f"replacing {old.name!r} by {new.name!r}")
    mine, theirs = old.signature.parameters, new.signature.parameters
    if [one.name for one in mine] != [one.name for one in theirs] and len(mine) != len(theirs):
        message = f"{new.name!r} takes {len(theirs)} arguments and {old.name!r} {len(mine)}"
        problems.add(Problem(code="mismatched_replacement", message=message, where=new.about.where))
    for own, other in zip(mine, theirs, strict=False):
        verdict = check.shape_fits(own.shape, other.shape)
        if verdict.verdict != "fits":
            message = f"{new.name!r} does not take every {own.name!r} that {old.name!r} takes: {verdict.reason}"
            problems.add(misfit("mismatched_replacement", message, verdict, new.about.where))
    verdict = fits(new.output.gives, old.output.gives)
    if verdict.verdict != "fits":
        message = f"the answer of {new.name!r} is not an answer of {old.name!r}: {verdict.reason}"
        problems.add(misfit("mismatched_replacement", message, verdict, new.about.where))
    problems.raise_if_any()


def _exchange(unit: AnyAgent, name: str, new: AnyAgent) -> AnyAgent:
    """A copy of a unit in which every use of `name`, at any depth, is `new` under the old name."""
    if unit.name == name:
        stand_in = new._with() if isinstance(new, Workflow) else Agent(new.about, policy=new.policy)  # noqa: SLF001 -- a copy of the same kind
        stand_in.about = replace(new.about, name=name)
        stand_in.name = name
        stand_in.fallbacks, stand_in.caught = unit.fallbacks, unit.caught
        stand_in.step_name, stand_in.assumed = unit.step_name, unit.assumed
        return stand_in
    about = replace(
        unit.about,
        tools=tuple(_exchange(found, name, new) for found in unit.about.tools),
        agents=tuple(_exchange(found, name, new) for found in unit.about.agents),
    )
    copy = unit._with(about=about) if isinstance(unit, Workflow) else Agent(about, policy=unit.policy)  # noqa: SLF001 -- a copy of the same kind
    copy.fallbacks = tuple(_exchange(found, name, new) for found in unit.fallbacks)
    copy.caught, copy.step_name, copy.assumed = unit.caught, unit.step_name, unit.assumed
    if isinstance(copy, Workflow):
        copy.units = {found: _exchange(one, name, new) for found, one in copy.units.items()}
    return copy
