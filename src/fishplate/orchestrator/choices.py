"""What a run has told of why: its decisions, its searches and its doubts, compared with another's.

A resumed run tells some of it twice, and concurrent branches in any order. So it is compared step
by step, each thing once, and in its order only where the things themselves differ.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias, cast

from pydantic_core import from_json, to_json

from fishplate.core.errors import JsonValue
from fishplate.core.events import Span
from fishplate.orchestrator.recording import (
    ABSENT,
    Choice,
    ChoicePart,
    Difference,
    first_difference,
)

_WORDS: Final[Mapping[ChoicePart, str]] = {
    "decision": "another decision is made, or for another reason",
    "retrieval": "a search finds something else, or something else of it is used",
    "doubt": "the doubts are others",
}


class Compared(NamedTuple):
    """What came of a comparison.

    Attributes:
        same: How many things were the same.
        difference: The first; `None`: none.
    """

    same: int
    difference: Difference | None


def choices_of(
    spans: Iterable[Span], is_whole: Callable[[JsonValue], bool] = lambda _: True
) -> tuple[Choice, ...]:
    """What spans tell of why, in their order.

    What policies tell of attempts, breakers and caches is none of it: it hangs on the moment.
    What others have decided is none either: waits are answered with it.

    Args:
        spans: Of a run, in the order in which they began.
        is_whole: Whether a fact is all that was told; what is not is left out.
    """
    return tuple(
        Choice(path, part, {name: value for name, value in facts.items() if is_whole(value)})
        for span in spans
        for path, part, facts in _told(span)
    )


def _told(span: Span) -> Iterator[tuple[str, ChoicePart, dict[str, JsonValue]]]:
    noted = span.attributes or {}
    if not noted or "replayed" in noted:
        return
    if span.kind == "retrieval":
        yield span.path, "retrieval", {"source": span.name, **_json(noted)}
    elif span.kind == "decision":
        if "kind" in noted and noted["kind"] not in {"approval", "signal"}:
            yield span.path, "decision", _json(noted)
    elif "doubts" in noted:
        yield span.path, "doubt", _json({"doubts": noted["doubts"]})


def _json(facts: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Facts as they are recorded: what is no JSON as text, and no number as nothing."""
    text = to_json(facts, inf_nan_mode="null", fallback=str)
    return cast("dict[str, JsonValue]", from_json(text))


def compare_choices(
    before: Sequence[Choice],
    now: Sequence[Choice],
    *,
    answered: Collection[str],
    is_ended: bool,
) -> Compared:
    """Compare what two runs have told of why.

    Args:
        before: Of the recorded run.
        now: Of the replay.
        answered: Paths of calls that were answered from the record, which tell nothing of it.
        is_ended: The replay went to its end; else what it has not told it may not have come to.
    """
    count = 0
    known, told = _by_place(before, answered), _by_place(now, answered)
    for place in {**told, **known}:
        olds, news = known.get(place, []), told.get(place, [])
        count += sum(any(_is_same(old, new) for new in news) for old in olds)
        gone = [old for old in olds if not any(_is_same(old, new) for new in news)]
        come = [new for new in news if not any(_is_same(old, new) for old in olds)]
        if come or (gone and is_ended):
            return Compared(count, _difference(place, gone, come))
    return Compared(count, None)


Place: TypeAlias = tuple[str, ChoicePart]


def _by_place(
    choices: Sequence[Choice], answered: Collection[str]
) -> dict[Place, list[dict[str, JsonValue]]]:
    found: dict[Place, list[dict[str, JsonValue]]] = {}
    for choice in choices:
        if not any(choice.path == path or choice.path.startswith(f"{path}/") for path in answered):
            of_place = found.setdefault((choice.path, choice.part), [])
            if choice.facts not in of_place:
                of_place.append(choice.facts)
    return found


def _is_same(old: Mapping[str, JsonValue], new: Mapping[str, JsonValue]) -> bool:
    """Whether what is recorded of one thing is so of another; what is not recorded may be."""
    return all(name in new and new[name] == value for name, value in old.items())


def _difference(
    place: Place, gone: Sequence[dict[str, JsonValue]], come: Sequence[dict[str, JsonValue]]
) -> Difference:
    path, part = place
    if not (gone and come):
        return Difference(
            path=path,
            part=part,
            before=gone[0] if gone else ABSENT,
            now=come[0] if come else ABSENT,
            explanation=_WORDS[part],
        )
    recorded = {name: come[0][name] for name in gone[0] if name in come[0]}
    found = first_difference(cast("JsonValue", gone[0]), cast("JsonValue", recorded))
    assert found is not None, "they are not the same"
    pointer, before, now = found
    return Difference(
        path=path, part=part, pointer=pointer, before=before, now=now, explanation=_WORDS[part]
    )
