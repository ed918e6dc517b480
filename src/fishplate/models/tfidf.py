"""A classifier that compares spelling: TF-IDF weighted pieces of words, nearest class centre.

It needs no extra and trains in milliseconds, so it answers where `minilm` cannot be installed. It
knows no meaning: a message that shares no word stem with the training rows is a guess, and its
confidence says so. Measured figures stand with the data set that it is trained from.

Source: term weighting as in Salton and Buckley (1988), the logarithm of the count times the
smoothed inverse document frequency; nearest centre as in Rocchio (1971), scaled to a softmax.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Final, TypeAlias

from fishplate.core.data import dataclass
from fishplate.core.errors import UsageError
from fishplate.models.classifier import Classification, TrainingSet, classifier_version

_WORD: Final = re.compile(r"\w+(?:'\w+)?")

# Piece of a word to weight; pieces that weigh nothing are absent.
_Vector: TypeAlias = Mapping[str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class TfidfSettings:
    """How texts are cut and how steeply similarity becomes confidence.

    Attributes:
        shortest_piece: Characters of the shortest piece of a word, its borders included.
        longest_piece: Characters of the longest piece; both ends count.
        sharpness: Factor on the cosine before the softmax; it moves confidences, never labels.
    """

    shortest_piece: int = 3
    longest_piece: int = 5
    sharpness: float = 30.0

    def __post_init__(self) -> None:
        if not 1 <= self.shortest_piece <= self.longest_piece:
            raise UsageError(
                f"Pieces from {self.shortest_piece} to {self.longest_piece} characters are none. "
                "Give 1 <= shortest_piece <= longest_piece."
            )
        if not 0 < self.sharpness < math.inf:
            raise UsageError(f"A sharpness of {self.sharpness} orders nothing. Give one above 0.")


class TfidfClassifier:
    """Compares a text with the centre of each label's training rows."""

    def __init__(self, training: TrainingSet, settings: TfidfSettings = TfidfSettings()) -> None:
        self._settings = settings
        self.labels = training.labels
        self.version = classifier_version(
            "tfidf", model="", training=training, parameters=asdict(settings)
        )
        counts = [self._count(row.text) for row in training.rows]
        rows_with = Counter(piece for count in counts for piece in count)
        self._rarity = {
            piece: math.log((1 + len(counts)) / (1 + rows)) + 1 for piece, rows in rows_with.items()
        }
        self._unseen = math.log(1 + len(counts)) + 1
        sums: dict[str, Counter[str]] = {label: Counter() for label in self.labels}
        for row, count in zip(training.rows, counts, strict=True):
            sums[row.label].update(self._weigh(count))
        self._centres = {label: _unit(total) for label, total in sums.items()}

    def classify(self, text: str) -> Classification:
        """Judge one text; what no training row holds speaks for no label and lowers confidence."""
        vector = self._weigh(self._count(text))
        closeness = {
            label: math.exp(self._settings.sharpness * _cosine(vector, centre))
            for label, centre in self._centres.items()
        }
        total = sum(closeness.values())
        return Classification.from_scores(
            {label: value / total for label, value in closeness.items()}
        )

    def _count(self, text: str) -> Counter[str]:
        return Counter(
            piece for word in _WORD.findall(text.lower()) for piece in self._pieces(f" {word} ")
        )

    def _pieces(self, word: str) -> Iterator[str]:
        for size in range(self._settings.shortest_piece, self._settings.longest_piece + 1):
            for start in range(len(word) - size + 1):
                yield word[start : start + size]

    def _weigh(self, count: Counter[str]) -> _Vector:
        return _unit(
            {
                piece: (1 + math.log(times)) * self._rarity.get(piece, self._unseen)
                for piece, times in count.items()
            }
        )


def _unit(vector: _Vector) -> _Vector:
    length = math.sqrt(sum(weight * weight for weight in vector.values()))
    return {piece: weight / length for piece, weight in vector.items()}


def _cosine(one: _Vector, other: _Vector) -> float:
    return sum(weight * other.get(piece, 0.0) for piece, weight in one.items())
