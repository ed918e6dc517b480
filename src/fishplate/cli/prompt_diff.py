"""How the prompts of two versions differ: in what is sent, in the function, or out of sight."""

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, TypeAlias

from fishplate.cli.markdown import block, cell, code
from fishplate.cli.problems import one_line
from fishplate.cli.sent import Lines, Sent
from fishplate.core.data import dataclass
from fishplate.core.errors import JsonValue

Difference: TypeAlias = Literal["sent", "source", "behaviour", "added", "removed"]


@dataclass(frozen=True, kw_only=True, slots=True)
class PromptChange:
    """How one model agent asks differently.

    Attributes:
        agent: Its name.
        difference: Where it shows: in what is sent, or else in the source of the prompt function,
            or else in nothing but the behaviour of the release.
        said: The same, for people.
        input: Canonical JSON of the invented input for which `lines` are sent; `None` if they are
            not what is sent for one.
        lines: A unified diff.
    """

    agent: str
    difference: Difference
    said: str
    input: str | None = None
    lines: Lines = ()

    @property
    def title(self) -> str:
        """What has changed, on one line."""
        title = f"prompt of {self.agent!r}: {self.said}"
        return title if self.input is None else f"{title} {one_line(json.loads(self.input))}"

    def to_json(self) -> JsonValue:
        """The change as a JSON object."""
        found: dict[str, JsonValue] = {"agent": self.agent, "difference": self.difference}
        if self.input is not None:
            found["input"] = json.loads(self.input)
        return {**found, "diff": list[JsonValue](self.lines)}


def prompt_changes(old: Mapping[str, Sent], new: Mapping[str, Sent]) -> Iterator[PromptChange]:
    """Compare the prompts of two versions, by the names of their agents."""
    for name in sorted({*old, *new}):
        before, after = old.get(name), new.get(name)
        if before is None:
            yield PromptChange(agent=name, difference="added", said="it is new")
        elif after is None:
            yield PromptChange(agent=name, difference="removed", said="it is gone")
        elif (found := _change(name, before, after)) is not None:
            yield found


def markdown_of(change: PromptChange) -> Iterator[str]:
    """A change for a pull request."""
    shown = "" if change.input is None else f" {code(change.input)}"
    yield f"prompt of {code(change.agent)}: {cell(change.said)}{shown}"
    if change.lines:
        yield ""
        yield from block("diff", change.lines)


def _change(name: str, old: Sent, new: Sent) -> PromptChange | None:
    before, after = _common(old, new)
    texts = [text for text in before if text in after]
    for text in texts:
        if lines := _diff((*before[text], *old.frame), (*after[text], *new.frame)):
            said = "what is sent differs, e.g. for"
            return PromptChange(agent=name, difference="sent", said=said, input=text, lines=lines)
    same = "what is sent is the same for every input that was tried"
    if not texts:
        same = "what is sent could not be compared, since no invented input suits both"
        if lines := _diff(old.frame, new.frame):
            said = f"its schema or its tools differ, and {same}"
            lines += _diff(_lines_of(old), _lines_of(new))
            return PromptChange(agent=name, difference="sent", said=said, lines=lines)
    if old.behaviour == new.behaviour:  # a docstring or a type is not asked with
        return None
    if lines := _diff(_lines_of(old), _lines_of(new)):
        said = f"its function differs, and {same}"
        return PromptChange(agent=name, difference="source", said=said, lines=lines)
    said = (
        f"its behaviour differs, and {same}: look at its settings, at the code of its tools, and "
        "at what its function reads"
    )
    return PromptChange(agent=name, difference="behaviour", said=said)


def _lines_of(sent: Sent) -> list[str]:
    return (sent.source or "").splitlines()


def _common(old: Sent, new: Sent) -> tuple[Mapping[str, Lines], Mapping[str, Lines]]:
    """What both send for the same inputs, if there are any that both take."""
    if old.messages.keys() & new.messages.keys():
        return old.messages, new.messages
    return old.with_inputs(new.messages), new.with_inputs(old.messages)


def _diff(old: Iterable[str], new: Iterable[str]) -> Lines:
    return tuple(difflib.unified_diff(list(old), list(new), "old", "new", lineterm=""))
