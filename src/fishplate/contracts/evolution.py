"""What a new version of a contract means to those who use the old one.

An agent is a function, so its input is contravariant and its output covariant: the new version has
to accept all that the old one accepted, and to give nothing that the old one did not. Fields that
nobody declared do not count on either side, see `contracts.openness`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from fishplate.contracts.contract import Contract
from fishplate.contracts.fits import Fit, fits
from fishplate.contracts.json import escape_token
from fishplate.contracts.openness import closed, newly_closed, opened
from fishplate.contracts.schema import Schema
from fishplate.contracts.versions import Bump, is_version, next_version
from fishplate.core.data import dataclass
from fishplate.core.errors import JsonValue

__all__ = [
    "Bump",
    "Change",
    "Compatibility",
    "Mode",
    "Safety",
    "ToolSafety",
    "compatible",
    "compatible_with_all",
    "is_version",
    "next_version",
]

Side: TypeAlias = Literal["name", "input", "output", "errors", "safety", "text"]
Mode: TypeAlias = Literal["replace", "input-only", "output-only", "none"]

_ORDER: Final[Sequence[Bump]] = ("none", "patch", "minor", "major")
# From an effect that may be repeated freely to one that may not: see the effects of tools.
_EFFECTS: Final = ("readonly", "idempotent", "keyed", "transactional", "verifiable", "at_most_once")
_SIDES: Final[Mapping[Mode, frozenset[Side]]] = {
    "replace": frozenset({"name", "input", "output", "errors", "safety"}),
    "input-only": frozenset({"input"}),
    "output-only": frozenset({"output", "errors"}),
    "none": frozenset(),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolSafety:
    """What an agent may do through one tool: the tool's effect word and its data scopes."""

    effect: str
    scopes: frozenset[str] = frozenset()


Safety: TypeAlias = Mapping[str, ToolSafety]
_NO_TOOLS: Final[Safety] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One difference between two versions.

    Attributes:
        bump: What this difference alone asks for.
        side: The part of the contract that it is in.
        pointer: Into the value, where the difference is about one; `*` stands for each item. For
            errors and tools it starts with the code or the name.
        reason: One plain sentence.
        counterexample: A value that was right before and is not now, or the other way round;
            `has_counterexample` tells None from the lack of one.
    """

    bump: Bump
    side: Side
    reason: str
    pointer: str = ""
    counterexample: JsonValue = None
    has_counterexample: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Compatibility:
    """The comparison of two versions.

    Attributes:
        compatible: Whether the new version may take the place of the old one, as far as the mode
            looks: no change on the sides that it covers is a major one.
        bump: The largest bump of all changes, whatever the mode.
        changes: Largest bump first; empty if the versions are equal.
    """

    compatible: bool
    bump: Bump
    changes: tuple[Change, ...]


def compatible(
    old: Contract,
    new: Contract,
    *,
    mode: Mode = "replace",
    old_safety: Safety = _NO_TOOLS,
    new_safety: Safety = _NO_TOOLS,
) -> Compatibility:
    """Compare two versions of a contract.

    Args:
        old: The version that is in use.
        new: The version that may follow it.
        mode: Which changes count for `compatible`: `replace` all, `input-only` those that callers
            notice when they call, `output-only` those that they notice in answers and errors,
            `none` no change at all.
        old_safety: Effects and scopes of the old version's tools, by tool name.
        new_safety: The same of the new version.

    Raises:
        DeclarationError: Code `invalid_schema`; a schema of one of them does not compile.
    """
    changes = (
        *_renamed(old, new),
        *_input_changes(old.input, new.input),
        *_output_changes(old.output, new.output, side="output", place=""),
        *_error_changes(old.errors, new.errors),
        *_safety_changes(old_safety, new_safety),
        *_text_changes(old, new),
    )
    return Compatibility(
        compatible=not any(c.bump == "major" and c.side in _SIDES[mode] for c in changes),
        bump=_largest(change.bump for change in changes),
        changes=tuple(sorted(changes, key=lambda c: _ORDER.index(c.bump), reverse=True)),
    )


def compatible_with_all(
    olds: Sequence[Contract], new: Contract, *, mode: Mode = "replace"
) -> Compatibility:
    """Compare with every version that is still in use, not only with the last one.

    Raises:
        DeclarationError: Code `invalid_schema`; a schema of one of them does not compile.
    """
    found = [compatible(old, new, mode=mode) for old in olds]
    changes: list[Change] = []
    for change in (c for each in found for c in each.changes):
        if change not in changes:
            changes.append(change)
    return Compatibility(
        compatible=all(each.compatible for each in found),
        bump=_largest(each.bump for each in found),
        changes=tuple(sorted(changes, key=lambda c: _ORDER.index(c.bump), reverse=True)),
    )


def _largest(bumps: Iterable[Bump]) -> Bump:
    return _ORDER[max(map(_ORDER.index, bumps), default=0)]


def _renamed(old: Contract, new: Contract) -> Iterator[Change]:
    if old.name != new.name:
        yield Change(
            bump="major", side="name", reason=f"agent {old.name!r} is now named {new.name!r}"
        )


def _input_changes(old: Schema, new: Schema) -> Iterator[Change]:
    if old.shape_fingerprint == new.shape_fingerprint:
        return
    shut = list(newly_closed(old.json, new.json))
    for place in shut:
        yield Change(
            bump="major",
            side="input",
            pointer=place,
            reason="undeclared properties were accepted and are refused now",
        )
    accepted = fits(Schema(closed(old.json)), new)
    if accepted.verdict != "fits":
        yield _break(accepted, "input", "", "what callers send may be refused")
    elif not shut and not _are_equal(old, new):
        more = fits(new, old)
        yield Change(
            bump="minor",
            side="input",
            pointer=more.pointer,
            reason="accepts more, or declares new optional fields",
            # Accepted now and refused before, if there is such a value.
            counterexample=more.counterexample,
            has_counterexample=more.has_counterexample,
        )


def _output_changes(old: Schema, new: Schema, *, side: Side, place: str) -> Iterator[Change]:
    if old.shape_fingerprint == new.shape_fingerprint:
        return
    given = fits(new, Schema(opened(old.json)))
    if given.verdict != "fits":
        yield _break(given, side, place, "callers may get what they do not expect")
    elif not _are_equal(old, new):
        yield Change(
            bump="minor", side=side, pointer=place, reason="promises more, or has new fields"
        )


def _are_equal(old: Schema, new: Schema) -> bool:
    return fits(old, new).verdict == "fits" and fits(new, old).verdict == "fits"


def _break(fit: Fit, side: Side, place: str, what: str) -> Change:
    if fit.verdict == "unproven":
        reason = f"cannot prove that nothing breaks: {fit.reason}"
    else:
        reason = f"{what}: {fit.reason}"
    return Change(
        bump="major",
        side=side,
        pointer=f"{place}{fit.pointer}",
        reason=reason,
        counterexample=fit.counterexample,
        has_counterexample=fit.has_counterexample,
    )


def _error_changes(old: Mapping[str, Schema], new: Mapping[str, Schema]) -> Iterator[Change]:
    for code in sorted(old.keys() | new.keys()):
        place = f"/{escape_token(code)}"
        if code not in old:
            reason = f"error {code!r} is new, and callers have to handle it"
            yield Change(bump="major", side="errors", pointer=place, reason=reason)
        elif code not in new:
            reason = f"error {code!r} is no longer raised"
            yield Change(bump="minor", side="errors", pointer=place, reason=reason)
        else:
            yield from _output_changes(old[code], new[code], side="errors", place=place)


def _safety_changes(old: Safety, new: Safety) -> Iterator[Change]:
    for tool in sorted(old.keys() | new.keys()):
        for bump, reason in _tool_changes(tool, old.get(tool), new.get(tool)):
            place = f"/{escape_token(tool)}"
            yield Change(bump=bump, side="safety", pointer=place, reason=reason)


def _tool_changes(
    tool: str, old: ToolSafety | None, new: ToolSafety | None
) -> Iterator[tuple[Bump, str]]:
    if new is None:
        yield "minor", f"tool {tool!r} is no longer used"
        return
    if old is None:
        bump: Bump = "minor" if new.effect == "readonly" else "major"
        yield bump, f"tool {tool!r} is new, with the effect {new.effect!r}"
        return
    if (before := _rank(old.effect)) != (after := _rank(new.effect)):
        words = f"tool {tool!r} was {old.effect!r} and is {new.effect!r}"
        yield "major" if after > before else "minor", words
    wider = sorted(scope for scope in new.scopes if not _is_covered(scope, old.scopes))
    if wider:
        yield "major", f"tool {tool!r} reaches the new scopes {', '.join(wider)}"
    elif any(not _is_covered(scope, new.scopes) for scope in old.scopes):
        yield "minor", f"tool {tool!r} reaches fewer scopes"


def _rank(effect: str) -> int:
    # A word that is not known is taken for the least harmless one.
    return _EFFECTS.index(effect) if effect in _EFFECTS else len(_EFFECTS)


def _is_covered(scope: str, granted: frozenset[str]) -> bool:
    return any(fnmatchcase(scope, pattern) for pattern in granted)


def _text_changes(old: Contract, new: Contract) -> Iterator[Change]:
    """Texts are compared where the rest is equal; elsewhere the larger change speaks for them."""
    pairs = [
        (old.input, new.input),
        (old.output, new.output),
        *((old.errors[code], new.errors[code]) for code in old.errors.keys() & new.errors.keys()),
    ]
    if old.description != new.description or any(
        a.shape_fingerprint == b.shape_fingerprint and a.fingerprint != b.fingerprint
        for a, b in pairs
    ):
        yield Change(bump="patch", side="text", reason="titles, descriptions or examples changed")
