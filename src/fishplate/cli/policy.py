"""`fishplate policy`: how every call of a run is protected, in order, and what is doubtful."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from fishplate.agents.agent import AnyAgent
from fishplate.agents.policies import kind_of
from fishplate.cli.command import Command, ExitCode, add_target
from fishplate.cli.screen import Screen
from fishplate.cli.stages import in_words
from fishplate.cli.targets import load_runnable
from fishplate.core.errors import JsonValue
from fishplate.orchestrator.lint import lint_calls
from fishplate.orchestrator.protected import (
    PARTS,
    Agreed,
    Part,
    ProtectedCall,
    protected_calls,
    shared_parts,
)
from fishplate.resilience.lint import Finding
from fishplate.resilience.resolve import Stage, pipeline_of

_STYLES: Final = {"error": "red", "warning": "yellow"}
_UNDOES: Final = "undoes what it did when it fails"
_STAGE_WIDTH: Final = 15


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what `policy` takes."""
    add_target(parser)
    parser.add_argument("--strict", action="store_true", help="fail on warnings too")


def execute(arguments: Namespace, screen: Screen) -> ExitCode:
    """Print the pipeline of every call, and the findings."""
    loaded = load_runnable(arguments.target)
    time = loaded.app.working_time
    roots = protected_calls(loaded.agents, working_time=time)
    findings = lint_calls(roots)
    failing = {"error", "warning"} if arguments.strict else {"error"}
    is_ok = not any(finding.severity in failing for finding in findings)
    told = _Told(roots)
    if screen.as_json:
        screen.document(
            {
                "ok": is_ok,
                "working_time": time,
                "runs": [told.to_json(root) for root in roots],
                "findings": [finding.to_json() for finding in findings],
            }
        )
    else:
        screen.lines([f"a run works for at most {time:g} s"])
        for root in roots:
            screen.lines([_title(root.unit)], style="bold")
            screen.lines(told.lines(root))
        for finding in findings:
            screen.lines(_finding_lines(finding), style=_STYLES[finding.severity])
        screen.lines([_summary(findings)], style="bold")
    return ExitCode.OK if is_ok else ExitCode.FAILED


COMMAND: Final = Command(
    name="policy",
    summary="show how each call is protected, and lint it",
    description=(
        "Print the policies of every call that a run may make, in the order in which they act,\n"
        "with the defaults, and what is doubtful about them. Nothing is run. TARGET may also be\n"
        "an App. Exit code 1 if a finding is an error; with --strict also if it is a warning."
    ),
    examples=("policy shop.py:support", "policy shop.py:app --strict"),
    add_arguments=add_arguments,
    execute=execute,
)


class _Told:
    """Tells calls; knows what agents that share a target declare for one another."""

    def __init__(self, roots: Sequence[ProtectedCall]) -> None:
        calls = [call for root in roots for call in root.all()]
        self._agreed: Mapping[tuple[str, Part], Agreed] = shared_parts(calls)[0]

    def lines(self, call: ProtectedCall, depth: int = 1) -> Iterator[str]:
        """A call and what it calls, for people."""
        indent = "  " * depth
        if call.role != "run":
            yield f"{indent}{call.path}: {_called(call)}"
            indent += "  "
        chain = ", then ".join(other.unit.name for other in call.fallbacks)
        rows = [("fallback", f"{chain}; input and output fit", "declared")] if chain else []
        rows += [(stage.name, in_words(stage), source) for stage, source in self._stages(call)]
        for name, words, source in rows:
            yield f"{indent}{name:<{_STAGE_WIDTH}} {words} [{source}]"
        if not rows:
            yield f"{indent}no policy of its own"
        if call.told_at is not None:
            yield f"{indent}what it calls is shown at {call.told_at}"
        for other in call.calls:
            yield from self.lines(other, depth if call.role == "run" else depth + 1)
        for other in call.fallbacks:
            yield from self.lines(other, depth)

    def to_json(self, call: ProtectedCall) -> dict[str, JsonValue]:
        """A call and what it calls, as a JSON object."""
        about = call.unit.about
        found: dict[str, JsonValue] = {
            "path": call.path,
            "role": call.role,
            "name": call.unit.name,
            "kind": kind_of(call.unit),
            "version": about.version,
            "where": about.where,
        }
        if about.effect is not None:
            found["effect"] = about.effect.effect
        if about.lookup is not None:
            found["lookup"] = about.lookup.name
        if about.compensate is not None:
            found["compensate"] = about.compensate.name
        if about.on_failure == "compensate":
            found["on_failure"] = about.on_failure
        if call.policy.needs_pipeline:
            found["target"] = call.target
        found["pipeline"] = [
            {"stage": stage.name, "settings": dict(stage.settings), "source": source}
            for stage, source in self._stages(call)
        ]
        found["fallbacks"] = [self.to_json(other) for other in call.fallbacks]
        found["calls"] = [self.to_json(other) for other in call.calls]
        if call.told_at is not None:
            found["calls_told_at"] = call.told_at
        return found

    def _stages(self, call: ProtectedCall) -> list[tuple[Stage, str]]:
        """The stages, each with who set it: a default gives way to another agent's word."""
        owners: dict[str, str] = {}
        settings: dict[str, Any] = {}
        for part in PARTS:
            agreed = self._agreed.get((call.target, part))
            is_on = getattr(call.policy, part) is not None
            if is_on and agreed is not None and call.policy.source(part) == "default":
                owners[part] = f"declared by {agreed.owner}"
                settings[part] = agreed.settings
        return [
            (stage, owners.get(stage.name.removesuffix("_permit"), stage.source))
            for stage in pipeline_of(replace(call.policy, **settings))
        ]


def _title(unit: AnyAgent) -> str:
    about = unit.about
    undoing = f", {_UNDOES}" if about.on_failure == "compensate" else ""
    return f"{about.subject} {about.version} ({about.where}){undoing}"


def _called(call: ProtectedCall) -> str:
    about = call.unit.about
    words = [about.subject]
    if about.effect is not None:
        words.append(about.effect.effect)
    if about.lookup is not None:
        words.append(f"looked up by {about.lookup.name!r}")
    if about.compensate is not None:
        words.append(f"undone by {about.compensate.name!r}")
    if about.on_failure == "compensate":
        words.append(_UNDOES)
    if about.pool is not None:
        words.append(f"pool {about.pool!r}")
    if call.policy.needs_pipeline:
        words.append(f"target {call.target!r}")
    return ", ".join(words)


def _finding_lines(finding: Finding) -> Iterator[str]:
    yield f"{finding.severity}[{finding.code}]: {finding.step}: {finding.message}"
    yield f"  help: {finding.remedy} ({finding.where})"


def _summary(findings: Sequence[Finding]) -> str:
    counts = [sum(one.severity == word for one in findings) for word in _STYLES]
    return ", ".join(
        f"{count or 'no'} {word}{'' if count == 1 else 's'}"
        for word, count in zip(_STYLES, counts, strict=True)
    )
