"""What a text classifier is: trained from labelled rows, it gives a label and how sure it is.

The implementations stand beside this file: `minilm` understands rephrasing and needs the extra
`local`; `tfidf` compares spelling and needs nothing. Which label may be acted upon at which
confidence is no property of a classifier: the caller chooses a threshold on rows of its own.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from fishplate.contracts.json import canonical_json, parse_json
from fishplate.core.data import dataclass
from fishplate.core.errors import JsonError, JsonValue, UsageError

HALF_A_HUNDREDTH: Final = 0.005
ROUNDING: Final = 1e-6  # of sums of floats


class Score(NamedTuple):
    """One label and its share of the belief, 0 to 1."""

    label: str
    confidence: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Classification:
    """What a classifier makes of one text.

    Attributes:
        label: The likeliest label.
        confidence: Its share of the belief, 0 to 1; not a calibrated probability.
        alternatives: Every other label, the likeliest first; all confidences sum to 1.

    Raises:
        ValueError: It makes no sense, see `nonsense`.
    """

    label: str
    confidence: float
    alternatives: tuple[Score, ...]

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        if (reason := nonsense((self.label, self.confidence), self.alternatives)) is not None:
            msg = f"Classification(label={self.label!r}): {reason}"
            raise ValueError(msg)

    @classmethod
    def from_scores(cls, scores: Mapping[str, float]) -> "Classification":
        """Rank confidences by label; of equal ones the label that stands first in `scores` wins."""
        first, *others = sorted(
            (Score(label, confidence) for label, confidence in scores.items()),
            key=lambda score: -score.confidence,
        )
        return cls(label=first.label, confidence=first.confidence, alternatives=tuple(others))

    def to_json(self) -> dict[str, JsonValue]:
        """The classification as a JSON object; alternatives are objects too."""
        return {
            "label": self.label,
            "confidence": self.confidence,
            "alternatives": [score._asdict() for score in self.alternatives],
        }


def nonsense(first: tuple[str, float], others: Sequence[tuple[str, float]]) -> str | None:
    """Why a label with its share makes no sense beside the alternatives to it; `None`: it does.

    A label stands in it once, every share is 0 to 1, none is larger than the one before it, and all
    of them are no more than the whole. Who writes two digits may be off by half a hundredth in
    each share.
    """
    ranked = (first, *others)
    for number, (label, share) in enumerate(ranked):
        if not 0 <= share <= 1 + ROUNDING:  # nor is NaN
            return f"the share of {label!r} is {share!r}: it has to be 0 to 1"
        if number and share > ranked[number - 1][1]:
            before = ranked[number - 1][0]
            return f"{label!r} has a larger share than {before!r} before it: the likeliest is first"
        if any(label == one for one, _ in ranked[:number]):
            return f"the label {label!r} stands in it twice"
    total = math.fsum(share for _, share in ranked)
    if total > 1 + HALF_A_HUNDREDTH * len(ranked) + ROUNDING:
        return f"all shares sum to {total:.3g}: they are parts of 1"
    return None


class TextClassifier(Protocol):
    """Tells which of a fixed set of labels a text has."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Every label that can be given, in the order in which the training rows name them."""
        ...

    @property
    def version(self) -> str:
        """Kind and digest of all that decides the answers: model, training rows, parameters."""
        ...

    def classify(self, text: str) -> Classification:
        """Judge one text; any text is allowed, also an empty one. Safe to call from any thread."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelledText:
    """One training row."""

    text: str
    label: str


@dataclass(frozen=True)
class TrainingSet:
    """Labelled rows that contradict neither themselves nor the task.

    Attributes:
        rows: At least one row for each of at least two labels; no text twice.
    """

    rows: tuple[LabelledText, ...]

    def __post_init__(self) -> None:
        label_of: dict[str, str] = {}
        for row in self.rows:
            if row.text in label_of:
                raise UsageError(
                    f"The training text {row.text!r} stands there twice, as {label_of[row.text]!r} "
                    f"and as {row.label!r}. Keep one row."
                )
            label_of[row.text] = row.label
        if len(self.labels) < 2:  # noqa: PLR2004 -- a choice needs two
            raise UsageError(
                f"A classifier needs rows of two labels at least, got {list(self.labels)!r}."
            )

    @classmethod
    def load(cls, path: Path) -> "TrainingSet":
        """Read the rows of a JSONL file, see `load_rows`."""
        return cls(load_rows(path))

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Every label once, in order of appearance."""
        return tuple(dict.fromkeys(row.label for row in self.rows))

    @cached_property
    def digest(self) -> str:
        """SHA-256 in hex of the rows in their order, as canonical JSON."""
        rows: list[JsonValue] = [[row.text, row.label] for row in self.rows]
        return hashlib.sha256(canonical_json(rows)).hexdigest()


def load_rows(path: Path) -> tuple[LabelledText, ...]:
    """Read a JSONL file of objects with the members `text` and `label`; blank lines are skipped.

    Raises:
        UsageError: The file or a line of it is unreadable; names path and line.
    """
    try:
        # Not `splitlines`: a JSON text may hold U+2028 and its like, which end no line of JSONL.
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The rows in {str(path)!r} cannot be read: {error}") from error
    return tuple(
        _row(line, f"{path}:{number}") for number, line in enumerate(lines, start=1) if line.strip()
    )


def classifier_version(
    kind: str, *, model: str, training: TrainingSet, parameters: Mapping[str, JsonValue]
) -> str:
    """Name a trained classifier so that equal names give equal answers.

    Args:
        kind: Word for the method, e.g. `minilm`.
        model: SHA-256 of the model file, or the empty string if there is none.
        training: The rows it was trained from.
        parameters: Every number that the training depends on.

    Returns:
        `kind` and the first 12 hex digits of the digest, e.g. `minilm+3f9a1c2b7d10`.
    """
    facts: JsonValue = {
        "kind": kind,
        "model": model,
        "rows": training.digest,
        "parameters": dict(parameters),
    }
    return f"{kind}+{hashlib.sha256(canonical_json(facts)).hexdigest()[:12]}"


def _row(line: str, where: str) -> LabelledText:
    try:
        value = parse_json(line)
    except JsonError as error:
        raise UsageError(f"The row at {where} is no JSON: {error.message}") from error
    match value:
        case {"text": str(text), "label": str(label)} if text.strip() and label:
            return LabelledText(text=text, label=label)
        case _:
            raise UsageError(
                f"The row at {where} needs the members 'text' and 'label', both texts "
                "that are not empty."
            )
