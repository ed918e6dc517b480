"""`fishplate diff`: may the new version of a contract take the place of the old one?"""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from fishplate.cli.command import Command, ExitCode
from fishplate.cli.contract import safety_of
from fishplate.cli.documents import CONTRACT_FILES
from fishplate.cli.markdown import cell, code
from fishplate.cli.modules import apart
from fishplate.cli.problems import one_line
from fishplate.cli.prompt_diff import PromptChange, markdown_of, prompt_changes
from fishplate.cli.screen import Screen
from fishplate.cli.sent import Sent, sent_below
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
from fishplate.contracts.json import escape_token
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
    old = _Version.read(arguments.old)
    new = _Version.read(arguments.new, beside=old)
    are_tools_known = old.tools is not None and new.tools is not None
    found = compatible(
        old.contract,
        new.contract,
        old_safety=(old.tools or {}) if are_tools_known else {},
        new_safety=(new.tools or {}) if are_tools_known else {},
    )
    if not are_tools_known:
        screen.note(["tools are not compared: a contract file does not say what they may do"])
    prompts = _prompt_changes(old, new)
    if prompts is None:
        screen.note(["prompts are not compared: a contract file does not say what is sent"])
    verdict = _verdict(old.contract, new.contract, found, prompts or ())
    if screen.as_json:
        screen.document({**_as_json(old.contract, new.contract, found), **_prompts_json(prompts)})
    elif arguments.markdown:
        screen.lines(_markdown(verdict, found))
        for prompt in prompts or ():
            screen.lines(["", *markdown_of(prompt)])
    else:
        screen.lines([verdict], style="bold")
        for change in found.changes:
            screen.lines(_change_lines(change), style=_STYLES[change.bump])
        for prompt in prompts or ():
            screen.lines([f"  {prompt.title}", *prompt.lines])
    return ExitCode.OK if found.compatible else ExitCode.FAILED


COMMAND: Final = Command(
    name="diff",
    summary="compare two versions of a contract",
    description=(
        "Compare two contracts: exit code 0 if NEW may take the place of OLD, 1 if that breaks\n"
        "callers, 2 if they cannot be compared. Each change comes with what it asks of the\n"
        "version. How prompts differ is shown by what is sent for invented inputs; that breaks no\n"
        "contract, so it leaves the exit code alone."
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
    """One side of the comparison; `tools` and `prompts` are None where they are not known."""

    contract: Contract
    tools: Safety | None
    prompts: Mapping[str, Sent] | None

    @classmethod
    def read(cls, text: str, beside: "_Version | None" = None) -> "_Version":
        """Read one side; its prompts are tried with the inputs of the other one too."""
        if not text.lower().endswith(CONTRACT_FILES):
            with apart():
                agent = load_agent(text).agent
                prompts = sent_below(agent, None if beside is None else beside.prompts)
                return cls(contract=agent.contract, tools=safety_of(agent), prompts=prompts)
        document = read_document(Path(text))
        if not isinstance(document, dict) or "contract" not in document:
            return cls(contract=Contract.load(text), tools=None, prompts=None)
        return cls(
            contract=Contract.parse(document["contract"]),
            tools=_tools_of(text, document),
            prompts=_prompts_of(text, document),
        )


def _prompts_of(text: str, document: dict[str, JsonValue]) -> dict[str, Sent]:
    held = document.get("prompts", {})
    if not isinstance(held, dict):
        raise _unreadable(text, "/prompts")
    return {name: _prompt(text, name, prompt) for name, prompt in held.items()}


def _prompt(text: str, name: str, held: JsonValue) -> Sent:
    sent = Sent.read(held)
    if sent is None:
        raise _unreadable(text, f"/prompts/{escape_token(name)}")
    return sent


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


def _prompt_changes(old: _Version, new: _Version) -> tuple[PromptChange, ...] | None:
    """How prompts differ; `None` if there are some, and one side does not tell of them."""
    if old.prompts is None or new.prompts is None:
        return None if old.prompts or new.prompts else ()
    # What is compared may have got another name.
    own = {new.contract.name: old.contract.name}
    renamed = {own.get(name, name): sent for name, sent in new.prompts.items()}
    return tuple(prompt_changes(old.prompts, renamed))


def _prompts_json(prompts: tuple[PromptChange, ...] | None) -> dict[str, JsonValue]:
    if prompts is None:
        return {"prompts": None}
    return {"prompts": [prompt.to_json() for prompt in prompts]}


def _verdict(
    old: Contract, new: Contract, found: Compatibility, prompts: Sequence[PromptChange]
) -> str:
    are_shown = any(prompt.difference != "behaviour" for prompt in prompts)
    what = "prompt" if are_shown else "behaviour"
    if not found.changes:
        word = f"contract equal, {what} changed" if prompts else "equal"
        return f"{word}: {old.name} {old.version} and {new.version} promise the same"
    word = "compatible" if found.compatible else "incompatible"
    word = f"{word}, {found.bump}{f', {what} changed' if prompts else ''}"
    wanted = next_version(old.version, found.bump)
    if is_at_least(new.version, wanted):
        return f"{word}: {old.name} {old.version}, now {new.version}"
    advice = f"the change asks for version {wanted} or later, and it is {new.version}"
    return f"{word}: {old.name} {old.version}, {advice}"


def _change_lines(change: Change) -> Iterator[str]:
    place = f" {change.pointer}" if change.pointer else ""
    yield f"  {change.bump}  {change.side}{place}: {change.reason}"
    if change.has_counterexample:
        yield f"    counterexample: {one_line(change.counterexample)}"


def _markdown(verdict: str, found: Compatibility) -> Iterator[str]:
    yield f"**{cell(verdict)}**"
    if not found.changes:
        return
    yield ""
    yield "| bump | where | what changes | counterexample |"
    yield "|---|---|---|---|"
    for change in found.changes:
        example = code(one_line(change.counterexample)) if change.has_counterexample else ""
        place = f"{change.side} {code(change.pointer)}" if change.pointer else change.side
        yield f"| {change.bump} | {place} | {cell(change.reason)} | {example} |"


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
