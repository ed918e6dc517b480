"""`fishplate diff`: may the new version of a contract take the place of the old one?"""

import difflib
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from fishplate.cli.command import Command, ExitCode
from fishplate.cli.contract import safety_of
from fishplate.cli.documents import CONTRACT_FILES
from fishplate.cli.modules import apart
from fishplate.cli.problems import one_line
from fishplate.cli.prompt_texts import prompt_source
from fishplate.cli.screen import Screen
from fishplate.cli.targets import load_agent
from fishplate.contracts.contract import Contract
from fishplate.contracts.documents import read_document
from fishplate.contracts.evolution import (
    Change,
    Compatibility,
    Safety,
    ToolSafety,
    compatible,
    next_version,
)
from fishplate.contracts.versions import is_at_least
from fishplate.core.data import dataclass
from fishplate.core.errors import DeclarationError, JsonValue, Problem

_STYLES: Final = {"major": "red", "minor": "yellow", "patch": "", "none": ""}


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what `diff` takes."""
    for name in ("old", "new"):
        parser.add_argument(
            name,
            metavar=name.upper(),
            help="a contract file (.json, .yaml), what 'fishplate contract' printed, or a target",
        )
    parser.add_argument("--markdown", action="store_true", help="print a table for a pull request")


def execute(arguments: Namespace, screen: Screen) -> ExitCode:
    """Compare two versions and say what the difference means."""
    old, new = _Version.read(arguments.old), _Version.read(arguments.new)
    are_tools_known = old.tools is not None and new.tools is not None
    found = compatible(
        old.contract,
        new.contract,
        old_safety=(old.tools or {}) if are_tools_known else {},
        new_safety=(new.tools or {}) if are_tools_known else {},
    )
    if not are_tools_known:
        screen.note(["tools are not compared: a contract file does not say what they may do"])
    if screen.as_json:
        prompt: list[JsonValue] = [*_prompt_lines(old.prompt, new.prompt)]
        screen.document({**_as_json(old.contract, new.contract, found), "prompt": prompt})
    elif arguments.markdown:
        screen.lines(_markdown(old.contract, new.contract, found))
        if prompt_lines := list(_prompt_lines(old.prompt, new.prompt)):
            screen.lines(["", "```diff", *prompt_lines, "```"])
    else:
        screen.lines([_verdict(old.contract, new.contract, found)], style="bold")
        for change in found.changes:
            screen.lines(_change_lines(change), style=_STYLES[change.bump])
        screen.lines(_prompt_lines(old.prompt, new.prompt))
    return ExitCode.OK if found.compatible else ExitCode.FAILED


COMMAND: Final = Command(
    name="diff",
    summary="compare two versions of a contract",
    description=(
        "Compare two contracts: exit code 0 if NEW may take the place of OLD, 1 if that breaks\n"
        "callers, 2 if they cannot be compared. Each change comes with what it asks of the version."
    ),
    examples=(
        "diff support.json shop.py:support",
        "diff --markdown old/shop.py:support new/shop.py:support",
    ),
    add_arguments=add_arguments,
    execute=execute,
    refused=ExitCode.USAGE,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Version:
    """One side of the comparison; `tools` and `prompt` are None where they are not known."""

    contract: Contract
    tools: Safety | None
    prompt: str | None

    @classmethod
    def read(cls, text: str) -> "_Version":
        if not text.lower().endswith(CONTRACT_FILES):
            with apart():
                agent = load_agent(text).agent
                tools, prompt = safety_of(agent), prompt_source(agent)
                return cls(contract=agent.contract, tools=tools, prompt=prompt)
        document = read_document(Path(text))
        if not isinstance(document, dict) or "contract" not in document:
            return cls(contract=Contract.load(text), tools=None, prompt=None)
        held = document.get("prompt")
        return cls(
            contract=Contract.parse(document["contract"]),
            tools=_tools_of(text, document),
            prompt=held if isinstance(held, str) else None,
        )


def _tools_of(text: str, document: dict[str, JsonValue]) -> Safety:
    held = document.get("tools")
    if not isinstance(held, dict):
        raise _unreadable(text, "/tools")
    return {name: _tool(text, name, tool) for name, tool in held.items()}


def _tool(text: str, name: str, held: JsonValue) -> ToolSafety:
    match held:
        case {"effect": str(effect), "scopes": [*scopes]} if all(
            isinstance(scope, str) for scope in scopes
        ):
            return ToolSafety(effect=effect, scopes=frozenset(map(str, scopes)))
        case _:
            raise _unreadable(text, f"/tools/{name}")


def _unreadable(text: str, pointer: str) -> DeclarationError:
    message = "it is not what 'fishplate contract' prints: write it anew"
    problem = Problem(code="invalid_contract", message=message, where=text, pointer=pointer)
    return DeclarationError(f"contract document {text!r}", [problem])


def _verdict(old: Contract, new: Contract, found: Compatibility) -> str:
    if not found.changes:
        return f"equal: {old.name} {old.version} and {new.version} promise the same"
    word = "compatible" if found.compatible else "incompatible"
    wanted = next_version(old.version, found.bump)
    if is_at_least(new.version, wanted):
        return f"{word}, {found.bump}: {old.name} {old.version}, now {new.version}"
    advice = f"the change asks for version {wanted} or later, and it is {new.version}"
    return f"{word}, {found.bump}: {old.name} {old.version}, {advice}"


def _change_lines(change: Change) -> Iterator[str]:
    place = f" {change.pointer}" if change.pointer else ""
    yield f"  {change.bump}  {change.side}{place}: {change.reason}"
    if change.has_counterexample:
        yield f"    counterexample: {one_line(change.counterexample)}"


def _prompt_lines(old: str | None, new: str | None) -> Iterator[str]:
    """How the prompt functions of two model agents differ; a prompt is part of the behaviour."""
    if old is None or new is None:
        return
    lines = difflib.unified_diff(
        old.splitlines(), new.splitlines(), "old prompt", "new prompt", lineterm=""
    )
    yield from lines


def _markdown(old: Contract, new: Contract, found: Compatibility) -> Iterator[str]:
    yield f"**{_cell(_verdict(old, new, found))}**"
    if not found.changes:
        return
    yield ""
    yield "| bump | where | what changes | counterexample |"
    yield "|---|---|---|---|"
    for change in found.changes:
        example = _code(one_line(change.counterexample)) if change.has_counterexample else ""
        place = f"{change.side} {_code(change.pointer)}" if change.pointer else change.side
        yield f"| {change.bump} | {place} | {_cell(change.reason)} | {example} |"


def _cell(text: str) -> str:
    """Text that a table cell shows as it is."""
    for character in "\\`*_[]<>#~":
        text = text.replace(character, f"\\{character}")
    return " ".join(text.split()).replace("|", "\\|")


def _code(text: str) -> str:
    # A longer fence than any run of backticks inside; a pipe ends a cell even in code.
    fence = "``" if "`" in text else "`"
    pad = " " if "`" in text else ""
    return f"{fence}{pad}{text}{pad}{fence}".replace("|", "\\|")


def _as_json(old: Contract, new: Contract, found: Compatibility) -> dict[str, JsonValue]:
    return {
        "compatible": found.compatible,
        "bump": found.bump,
        "old": {"agent": old.name, "version": old.version},
        "new": {"agent": new.name, "version": new.version},
        "next_version": next_version(old.version, found.bump),
        "changes": [_change_json(change) for change in found.changes],
    }


def _change_json(change: Change) -> dict[str, JsonValue]:
    written: dict[str, JsonValue] = {
        "bump": change.bump,
        "side": change.side,
        "pointer": change.pointer,
        "reason": change.reason,
    }
    if change.has_counterexample:
        written["counterexample"] = change.counterexample
    return written
