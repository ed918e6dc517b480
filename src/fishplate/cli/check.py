"""`fishplate check`: do the pieces fit? Nothing is run; declaring them is what checks them."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeAlias

from fishplate.agents.agent import AnyAgent
from fishplate.agents.trial import prompt_problem, try_prompt
from fishplate.cli.command import Command, ExitCode
from fishplate.cli.files import files_below
from fishplate.cli.problems import error_json, error_lines, problem_lines
from fishplate.cli.prompt_texts import unclear_to_models
from fishplate.cli.screen import Screen
from fishplate.cli.targets import FORM, load_agents
from fishplate.contracts.fits import fits
from fishplate.contracts.schema import Schema
from fishplate.core.data import dataclass
from fishplate.core.errors import DeclarationError, FishplateError, JsonValue, Problem, UsageError
from fishplate.orchestrator.roster import all_of
from fishplate.workflows.plan import (
    CallStep,
    EachStep,
    Expression,
    Plan,
    Ref,
    RepeatStep,
    RouteStep,
    Step,
    Struct,
    SwitchStep,
    blocks_of,
    kind_of,
)
from fishplate.workflows.workflow import Workflow

Verdict: TypeAlias = Literal["ok", "refused", "unreadable"]
_NOTHING: Final = Schema(False)  # noqa: FBT003 -- the schema that accepts nothing
_STYLES: Final = {"ok": "green", "refused": "red", "unreadable": "red"}


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what `check` takes."""
    parser.add_argument(
        "targets", metavar="TARGET", nargs="+", help=f"{FORM}, or a file or folder for all in it"
    )
    parser.add_argument("--strict", action="store_true", help="fail on warnings too")


def execute(arguments: Namespace, screen: Screen) -> ExitCode:
    """Check every target, also after one is refused."""
    seen: set[int] = set()
    found = [checked for text in arguments.targets for checked in _check(text, seen)]
    is_doubted = arguments.strict and any(checked.warnings for checked in found)
    is_ok = all(checked.verdict == "ok" for checked in found) and not is_doubted
    if screen.as_json:
        verdicts: list[JsonValue] = [checked.to_json() for checked in found]
        screen.document({"ok": is_ok, "targets": verdicts})
    else:
        for checked in found:
            screen.lines([f"{checked.verdict}: {checked.title}"], style=_STYLES[checked.verdict])
            screen.lines(f"  {line}" for line in checked.lines())
            screen.lines(
                (f"  {name}: {_spelled(doubt)}" for name, doubt in checked.warnings.items()),
                style="yellow",
            )
        screen.lines([_summary(found)], style="bold")
    if any(checked.verdict == "unreadable" for checked in found):
        return ExitCode.USAGE
    return ExitCode.OK if is_ok else ExitCode.FAILED


COMMAND: Final = Command(
    name="check",
    summary="check that agents and workflows fit together",
    description=(
        "Check agents, tools and workflows without running them: every edge, every case of every\n"
        "route, every grant. Exit code 1 and the counterexamples if something does not fit;\n"
        "with --strict also if a model is told too little, or a prompt could not be tried."
    ),
    examples=("check shop.py:support", "check src/agents --strict"),
    add_arguments=add_arguments,
    execute=execute,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """What the check of one agent, or of a place that cannot be loaded, has found.

    Attributes:
        target: As it was typed, with the name of the agent.
        title: For people: which agent, which version, where.
        facts: What has been checked, by name.
        warnings: What is doubtful about what fits, by name: what a model that is asked is not told,
            and prompt functions of which nothing is known.
        problems: What does not fit in a contract that could be declared.
        error: Why it could not be declared, or not even be loaded.
    """

    target: str
    title: str
    facts: dict[str, JsonValue]
    warnings: dict[str, JsonValue]
    problems: tuple[Problem, ...] = ()
    error: FishplateError | None = None

    @property
    def verdict(self) -> Verdict:
        """`refused` if something does not fit, `unreadable` if nobody could look."""
        if self.error is not None and not isinstance(self.error, DeclarationError):
            return "unreadable"
        return "refused" if self.error is not None or self.problems else "ok"

    @property
    def is_cut_short(self) -> bool:
        """A refused declaration ended the import, so nobody has seen what stands below it."""
        return isinstance(self.error, DeclarationError)

    def lines(self) -> Iterator[str]:
        """The details for people."""
        for name, fact in self.facts.items():
            yield f"{name}: {_spelled(fact)}"
        for problem in self.problems:
            yield from problem_lines(problem)
        if self.error is not None:
            yield from error_lines(self.error)
        if self.is_cut_short:
            yield "  what the file declares below it was not read: mend it and check again"

    def to_json(self) -> dict[str, JsonValue]:
        """The result as a JSON object."""
        written: dict[str, JsonValue] = {"target": self.target, "verdict": self.verdict}
        if self.facts:
            written["facts"] = self.facts
        if self.warnings:
            written["warnings"] = self.warnings
        if self.problems:
            written["problems"] = [problem.to_json() for problem in self.problems]
        if self.error is not None:
            written["error"] = error_json(self.error)
        if self.is_cut_short:
            written["incomplete"] = True
        return written


def _check(text: str, seen: set[int]) -> Iterator[Checked]:
    """Check a target; `seen` keeps an agent that several files import from being told twice."""
    place = Path(text)
    if not place.is_dir():
        yield from _check_place(text, seen)
        return
    files = files_below(place)
    if not files:
        message = f"{text!r} has no Python file that speaks of fishplate"
        error = UsageError(message, code="unknown_target")
        yield Checked(target=text, title=text, facts={}, warnings={}, error=error)
    for file in files:
        yield from _check_place(str(file), seen, is_wanted=False)


def _check_place(text: str, seen: set[int], *, is_wanted: bool = True) -> Iterator[Checked]:
    """Check one file or agent; a file that nobody named may be without agents."""
    try:
        for loaded in load_agents(text):
            if id(loaded.agent.about) not in seen:
                seen.add(id(loaded.agent.about))
                yield _checked(loaded.spelled, loaded.agent)
    except FishplateError as error:
        if is_wanted or error.code != "unknown_target":
            yield Checked(target=text, title=text, facts={}, warnings={}, error=error)


def _checked(target: str, agent: AnyAgent) -> Checked:
    about = agent.about
    facts: dict[str, JsonValue] = {}
    warnings: dict[str, JsonValue] = {}
    if isinstance(agent, Workflow):
        facts |= _plan_facts(agent.plan)
        if agent.waiting:
            facts["waits"] = list[JsonValue](agent.waiting)
        facts |= _assumptions(agent)
    elif agent.granted:
        facts["dynamic"] = "calls checked at run time"
        facts["may call"] = [child.name for child in agent.granted]
        warnings |= unclear_to_models(agent)
    prompts = list(_prompts(agent))
    if silences := [one.silence for one in prompts if one.silence is not None]:
        warnings["prompts not tried"] = list[JsonValue](silences)
    if about.effect is not None:
        facts["effect"] = about.effect.effect
        facts["scopes"] = list[JsonValue](about.effect.scopes)
    return Checked(
        target=target,
        title=f"{about.subject} {about.version} ({about.where})",
        facts=facts,
        warnings=warnings,
        problems=(
            *_unsatisfiable(agent),
            *(one.problem for one in prompts if one.problem is not None),
        ),
    )


def _plan_facts(plan: Plan) -> dict[str, JsonValue]:
    steps = list(plan.steps())
    kinds = [kind_of(step) for _, step in steps]
    facts: dict[str, JsonValue] = {
        "steps": {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)},
        "edges": sum(_edges(step) for _, step in steps) + _references(plan.block.result),
    }
    decisions: dict[str, JsonValue] = {
        path: _cases(step) for path, step in steps if isinstance(step, RouteStep | SwitchStep)
    }
    return {**facts, "decisions": decisions} if decisions else facts


def _cases(step: RouteStep | SwitchStep) -> list[JsonValue]:
    cases: list[JsonValue] = [branch.case for branch in step.branches]
    has_default = isinstance(step, SwitchStep) and step.default is not None
    return [*cases, "default"] if has_default else cases


def _edges(step: Step) -> int:
    """How many recorded values go into a step, and out of its blocks."""
    match step:
        case CallStep():
            own = sum(_references(one) for one in step.arguments)
        case RouteStep() | SwitchStep():
            own = _references(step.on)
        case EachStep():
            own = _references(step.items)
        case RepeatStep():
            own = _references(step.start)
        case _:
            own = 0
    return own + sum(_references(block.result) for block in blocks_of(step))


def _references(expression: Expression) -> int:
    match expression:
        case Ref():
            return 1
        case Struct(fields=fields):
            return sum(_references(value) for _, value in fields)
        case _:
            return 0


def _assumptions(workflow: Workflow[..., object]) -> dict[str, JsonValue]:
    assumed: dict[str, JsonValue] = {
        name: unit.assumed for name, unit in workflow.units.items() if unit.assumed is not None
    }
    return {"assumed, checked at run time": assumed} if assumed else {}


def _unsatisfiable(agent: AnyAgent) -> Iterator[Problem]:
    """A contract that no value satisfies: such an agent can never run, or never answer."""
    contract = agent.contract
    for side, schema in (("input", contract.input), ("output", contract.output)):
        if fits(schema, _NOTHING).verdict == "fits":
            message = f"no value satisfies the {side} of {agent.about.subject}: widen its schema"
            yield Problem(code="unsatisfiable", message=message, where=agent.about.where)


class _Prompt(NamedTuple):
    """What is wrong with a prompt function, or why that is not known."""

    problem: Problem | None
    silence: str | None


def _prompts(agent: AnyAgent) -> Iterator[_Prompt]:
    """Try the prompt functions of all model agents that runs of an agent may reach."""
    units = {id(unit.about): unit for unit in all_of(agent) if unit.about.kind == "model"}
    for unit in units.values():
        trials = try_prompt(unit)
        silence = None if trials.silence is None else f"{unit.name} ({trials.silence})"
        yield _Prompt(prompt_problem(unit, trials), silence)


def _summary(found: list[Checked]) -> str:
    counts = [(sum(one.verdict == word for one in found), word) for word in _STYLES]
    many = sum(len(one.warnings) for one in found)
    told = [f"{count} {word}" for count, word in counts if count]
    return ", ".join([*told, f"{many} warning{'s' * (many > 1)}"] if many else told)


def _spelled(fact: JsonValue) -> str:
    match fact:
        case dict():
            return ", ".join(
                f"{name} ({_spelled(value)})" if isinstance(value, list) else f"{value} {name}"
                for name, value in fact.items()
            )
        case list():
            return ", ".join(map(str, fact)) or "none"
        case _:
            return str(fact)
