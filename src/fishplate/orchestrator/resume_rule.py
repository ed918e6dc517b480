"""The resume rule: how a run goes on that began among other agents, or under another plan.

It goes on under the plan that it carries, on the code at hand. Each agent that is still to run is
compared with what it was: its contract has to be compatible, and neither its own effect and scopes
nor those of the tools that it may call may be wider.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Final, Literal, NamedTuple, NoReturn, TypeAlias, cast, get_args

from pydantic_core import from_json

from fishplate.agents.agent import AnyAgent
from fishplate.contracts.contract import Contract
from fishplate.contracts.evolution import Safety, ToolSafety, compatible
from fishplate.contracts.json import canonical_json
from fishplate.core.errors import DeclarationError, JsonValue
from fishplate.orchestrator.releases import Releases
from fishplate.orchestrator.roster import all_of
from fishplate.orchestrator.still_to_run import still_to_run
from fishplate.releases.code import code_digest
from fishplate.releases.digest import digest
from fishplate.workflows.plan import CallStep, Plan
from fishplate.workflows.plan_reading import PlanError, plan_from_json
from fishplate.workflows.rebind import rebind
from fishplate.workflows.workflow import Workflow

Resume: TypeAlias = Literal["compatible", "exact"]
"""Whether a run may go on among agents that have changed compatibly, or among equal ones only."""

MOST_KNOWN: Final = 100
"""Former releases of an app that are remembered; a store rarely has open runs of so many."""


class CannotGoOn(Exception):  # noqa: N818 -- no error of anybody: a fact about a run
    """A run cannot go on.

    Attributes:
        reason: Stable code, as it stands on the run.
        explanation: What happened, to which agent, and what to do, for a person.
    """

    def __init__(self, reason: str, explanation: str) -> None:
        super().__init__(reason, explanation)
        self.reason = reason
        self.explanation = explanation


class Way(NamedTuple):
    """How runs of one former release go on.

    Attributes:
        unit: What the run is, under the plan that it carries.
        changed: Labels of the releases before and now, of the agents that have another one.
        misfits: How agents break what they were, by name.
        rewritten: Bodies whose own code is another one, by name, with what is to be said.
        replanned: Workflows that bodies call and that have another plan.
    """

    unit: AnyAgent
    changed: Mapping[str, tuple[str, str]]
    misfits: Mapping[str, str]
    rewritten: Mapping[str, str]
    replanned: tuple[str, ...]


class _Former(NamedTuple):
    """An agent as it was when a run began."""

    label: str
    contract: JsonValue
    safety: ToolSafety | None
    grants: tuple[str, ...]
    code: str | None
    plan: JsonValue


def described(unit: AnyAgent, releases: Releases) -> dict[str, JsonValue]:
    """What is kept of an agent beside a run, so that the rule can be applied later."""
    effect = unit.about.effect
    return {
        "release": releases.of(unit).to_json(),
        "contract": unit.contract.to_json(),
        "effect": None if effect is None else effect.to_json(),
        "grants": list[JsonValue](sorted(one.name for one in unit.granted)),
        "code": _code_of(unit),
    }


def roster_of(unit: AnyAgent, releases: Releases) -> bytes:
    """The same of everything that runs of an agent may call, as JSON by name.

    Plans of workflows stand there too, but for the agent's own, which stands beside the run.
    """
    return canonical_json(
        {
            one.name: {**described(one, releases), "plan": None if one is unit else _plan_of(one)}
            for one in all_of(unit)
        }
    )


def _code_of(unit: AnyAgent) -> str | None:
    """Digest of a body that calls others; `None` of anything else."""
    is_body = unit.grants and not isinstance(unit, Workflow)
    return digest(code_digest(unit.about.written)) if is_body else None


def _plan_of(unit: AnyAgent) -> JsonValue:
    return unit.plan.to_json() if isinstance(unit, Workflow) else None


class ResumeRule:
    """Applies the rule to the runs of one store; what it has found out is remembered.

    Args:
        agents: The app's, by name.
        resume: What may have changed.
        releases: Of the app's agents.

    Raises:
        ValueError: `resume` is none of its words.
    """

    def __init__(self, agents: Mapping[str, AnyAgent], resume: Resume, releases: Releases) -> None:
        if resume not in get_args(Resume):
            words = " or ".join(map(repr, get_args(Resume)))
            msg = f"App(resume={resume!r}): resume is {words}"
            raise ValueError(msg)
        self._agents = agents
        self._releases = releases
        self._resume = resume
        self._known: dict[tuple[str, bytes, bytes | None], Way | CannotGoOn] = {}

    def knows(self, agent: str, before: bytes, plan: bytes | None) -> bool:
        """Whether the way of such runs is known, so that no source is read; see `way`."""
        return (agent, before, plan) in self._known

    def way(self, agent: str, before: bytes, plan: bytes | None) -> Way:
        """How runs of an agent go on that began among some agents; reads sources.

        Args:
            agent: Name of what runs.
            before: What `roster_of` gave when they began.
            plan: JSON of the plan that they carry, if they are of a workflow.

        Raises:
            CannotGoOn: Not at all.
        """
        key = (agent, before, plan)
        if key not in self._known:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            try:
                self._known[key] = self._found(agent, before, plan)
            except CannotGoOn as refusal:
                self._known[key] = refusal
        found = self._known[key]
        if isinstance(found, CannotGoOn):
            raise CannotGoOn(found.reason, found.explanation)
        return found

    def _found(self, agent: str, before: bytes, plan: bytes | None) -> Way:
        unit = self._agents.get(agent)
        if unit is None:
            raise CannotGoOn(
                "unknown_agent",
                f"the app that opened the store does not name {agent!r}: name it in App(...)",
            )
        now = _formers(roster_of(unit, self._releases), agent, _plan_of(unit))
        formers: Mapping[str, _Former] = {}
        try:
            formers = _formers(before, agent, None if plan is None else _parsed(plan))
            if formers == now:
                return Way(unit, {}, {}, {}, ())
            if self._resume == "exact":
                _refuse_difference(formers, now)
            plans = _Plans(formers, unit, self._agents)
            return _compared(plans.under(agent, unit), formers, plans.carried, self._releases)
        except PlanError as error:
            _refuse_misfit(unit, formers, self._releases)
            raise CannotGoOn(
                "plan_changed",
                f"the plan that the run of {agent!r} carries cannot be followed among the agents "
                f"at hand: {error}. Bring back what it names",
            ) from None


def check_way(way: Way, records: Iterable[str]) -> None:
    """Refuse a way if an agent stands in it that a run has still to call.

    Args:
        way: How runs of its release go on.
        records: Paths of the run's recorded steps.

    Raises:
        CannotGoOn: Such an agent has changed too much (`release_changed`), or a workflow that a
            body has begun to call has another plan (`plan_changed`).
    """
    if not way.misfits and not way.replanned:
        return
    recorded = set(records)
    for name in way.replanned:
        called = re.compile(rf"/\d+\.{re.escape(name)}[/|]")
        if any(called.search(key) for key in recorded):
            raise CannotGoOn(
                "plan_changed",
                f"workflow {name!r}, which a body has begun to call, has another plan by now, and "
                "a body calls the workflow at hand: bring its old plan back",
            )
    for name in still_to_run(way.unit, "", recorded):
        if name in way.misfits:
            raise CannotGoOn("release_changed", way.misfits[name])


class _Plans:
    """Puts workflows under the plans that a run carries.

    Attributes:
        carried: Names of the workflows that stand under a plan of the run.
    """

    def __init__(
        self, formers: Mapping[str, _Former], unit: AnyAgent, agents: Mapping[str, AnyAgent]
    ) -> None:
        self._formers = formers
        # What today's workflow names comes first; then whatever the app has of that name.
        self._at_hand = {one.name: one for one in all_of(*agents.values())}
        self._at_hand.update((one.name, one) for one in all_of(unit))
        self._open: list[str] = []
        self.carried: set[str] = set()

    def under(self, name: str, unit: AnyAgent) -> AnyAgent:
        """An agent, under the plan that the run carries for it if it is a workflow."""
        former = self._formers.get(name)
        if not isinstance(unit, Workflow) or former is None:
            return unit
        if former.plan is None:
            message = f"{name!r} was no workflow when the run began, and is one now"
            raise PlanError(message, "")
        if name in self._open:
            raise PlanError(f"workflow {name!r} calls itself", "")
        self._open.append(name)
        self.carried.add(name)
        plan = plan_from_json(former.plan)
        units = {one: self._unit(one, name) for one in _names_in(plan)}
        self._open.pop()
        if plan.to_json() == unit.plan.to_json() and all(
            units[one] is unit.units.get(one) for one in units
        ):
            return unit
        parameters, output = unit.signature.parameters, unit.signature.output
        found: AnyAgent = unit.variant(plan=rebind(plan, parameters, output, units), units=units)
        return found

    def _unit(self, name: str, caller: str) -> AnyAgent:
        found = self._at_hand.get(name)
        if found is None:
            raise CannotGoOn(
                "unknown_agent",
                f"the plan that the run carries for {caller!r} calls {name!r}, and the app that "
                "opened the store has no such agent: name it in App(...)",
            )
        return self.under(name, found)


def _compared(
    unit: AnyAgent,
    formers: Mapping[str, _Former],
    carried: AbstractSet[str],
    releases: Releases,
) -> Way:
    changed: dict[str, tuple[str, str]] = {}
    misfits: dict[str, str] = {}
    rewritten: dict[str, str] = {}
    replanned: list[str] = []
    for one in all_of(unit):
        former = formers.get(one.name)
        if former is None:  # a body may call it now; that it may is judged with the body
            continue
        label = releases.of(one).label
        labels = f"agent {one.name!r} was {former.label} when the run began and is {label}"
        if former.label != label:
            changed[one.name] = (former.label, label)
        if differences := _differences(one, former, formers):
            misfits[one.name] = f"{labels}: {differences}. Bring the old one back"
        if former.code is not None and former.code != _code_of(one):
            rewritten[one.name] = (
                f"{labels}, its body has other code, and some of its calls are recorded: "
                "bring the old body back"
            )
        if not isinstance(one, Workflow) or one.name in carried:
            continue
        if former.plan != one.plan.to_json():
            replanned.append(one.name)
    return Way(unit, changed, misfits, rewritten, tuple(replanned))


def _refuse_misfit(unit: AnyAgent, formers: Mapping[str, _Former], releases: Releases) -> None:
    """Name the agent that breaks what it was, if one does: a plan cannot be followed for that."""
    for misfit in _compared(unit, formers, frozenset(), releases).misfits.values():
        raise CannotGoOn("release_changed", misfit)


def _differences(unit: AnyAgent, former: _Former, formers: Mapping[str, _Former]) -> str:
    """How an agent breaks what it was; empty if it does not."""
    is_workflow = isinstance(unit, Workflow)
    try:
        found = compatible(
            Contract.parse(former.contract),
            unit.contract,
            # What a workflow may do its steps say, and each of them is compared by itself.
            old_safety={} if is_workflow else _safety_before(unit.name, formers),
            new_safety={} if is_workflow else _safety_now(unit),
        )
    except DeclarationError as error:
        return f"its contract cannot be compared: {error}"
    if found.compatible:
        return ""
    return "; ".join(
        f"{change.reason} (at {change.pointer})" if change.pointer else change.reason
        for change in found.changes
        if change.bump == "major"
    )


def _safety_before(name: str, formers: Mapping[str, _Former]) -> Safety:
    """What an agent could do outside when the run began: by itself, and by what it was granted."""
    found: dict[str, ToolSafety] = {}
    pending, seen = [name], set[str]()
    while pending:
        one = pending.pop()
        former = formers.get(one)
        if one in seen or former is None:
            continue
        seen.add(one)
        pending.extend(former.grants)
        if former.safety is not None:
            found[one] = former.safety
    return found


def _safety_now(unit: AnyAgent) -> Safety:
    found: dict[str, ToolSafety] = {}
    pending, seen = [unit], set[int]()
    while pending:
        one = pending.pop()
        if id(one.about) in seen:
            continue
        seen.add(id(one.about))
        pending.extend(one.granted)
        if (effect := one.about.effect) is not None:
            found[one.name] = ToolSafety(effect=effect.effect, scopes=frozenset(effect.scopes))
    return found


def _refuse_difference(formers: Mapping[str, _Former], now: Mapping[str, _Former]) -> NoReturn:
    """Say what is the first thing that is not as it was."""
    message = "an agent is described otherwise"
    for name in sorted(formers.keys() | now.keys()):
        old, new = formers.get(name), now.get(name)
        if old is None or new is None:
            message = f"agent {name!r} {'is new' if old is None else 'is gone'}"
        elif old.plan != new.plan:
            message = f"workflow {name!r} has another plan"
        elif old.label != new.label:
            message = f"agent {name!r} was {old.label} and is {new.label}"
        else:
            continue
        break
    raise CannotGoOn(
        "release_changed",
        f"{message} since the run began, and the app takes up runs of equal agents only "
        "(resume='exact'): bring the old ones back, or let the app resume what is compatible",
    )


# what is read


def _formers(roster: bytes, agent: str, plan: JsonValue) -> Mapping[str, _Former]:
    """The agents of a roster, with the plan that stands beside it."""
    found = _parsed(roster)
    if not isinstance(found, dict) or agent not in found:
        raise PlanError(f"what is kept of the agents is no roster of {agent!r}", "")
    formers = {name: _former(unit, f"/{name}") for name, unit in found.items()}
    return {**formers, agent: formers[agent]._replace(plan=plan)}


def _parsed(data: bytes) -> JsonValue:
    try:
        found: JsonValue = from_json(data)
    except ValueError as error:
        raise PlanError(f"it is no JSON: {error}", "") from None
    return found


def _former(found: JsonValue, pointer: str) -> _Former:
    match found:
        case {
            "release": {"label": str(label)},
            "contract": dict(contract),
            "effect": None | {"effect": str(), "scopes": list()} as effect,
            "grants": list(grants),
            "code": None | str() as code,
            "plan": None | dict() as plan,
        }:
            safety = None
            if isinstance(effect, dict):
                scopes = frozenset(map(str, cast("list[JsonValue]", effect["scopes"])))
                safety = ToolSafety(effect=str(effect["effect"]), scopes=scopes)
            granted = tuple(map(str, grants))
            return _Former(label, contract, safety, granted, code, plan)
        case _:
            raise PlanError("what is kept of this agent cannot be read", pointer)


def _names_in(plan: Plan) -> Iterator[str]:
    for _, step in plan.steps():
        if isinstance(step, CallStep):
            yield from (step.agent, *step.fallbacks)
