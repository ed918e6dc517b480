"""Print how often the intent classifier is right on messages it has never seen.

Run from the checkout: `python -m examples.order_support.report_intents`.

Three sets of messages, which nobody mixes: the training rows teach the classifier, the validation
rows choose the threshold, the held-out rows are only counted. A fourth, of questions that are no
business of a shop, shows how often the classifier takes one for its own.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from examples.order_support.intents import (
    MINILM_THRESHOLD,
    TFIDF_THRESHOLD,
    TRAINING_ROWS,
    readable,
)
from fishplate.models import (
    Classification,
    HeadSettings,
    LabelledText,
    MiniLmClassifier,
    MiniLmEncoder,
    TextClassifier,
    TfidfClassifier,
    TrainingSet,
    load_rows,
)
from fishplate.quality import Case, Dataset, Evaluation, Prediction, Proportion, evaluate, wilson

TEST_ROWS: Final = Path(__file__).parents[2] / "tests" / "data" / "intents"
MINILM_COVERAGE: Final = 0.60
TFIDF_COVERAGE: Final = 0.40
_STEPS: Final = tuple(step / 20 for step in range(8, 20))

Classify: TypeAlias = Callable[[str], Classification]


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """One classifier on one set of rows.

    Attributes:
        threshold: Least confidence of a certain answer, 0 to 1.
        evaluation: All rows, whatever the confidence.
        coverage: Rows with a certain answer, of all rows.
        certain: Right answers of the certain ones; None if none is certain.
    """

    name: str
    threshold: float
    evaluation: Evaluation
    coverage: Proportion
    certain: Proportion | None

    def to_text(self) -> str:
        """Four lines for a terminal."""
        right = self.certain.to_text() if self.certain else "nothing is certain"
        return (
            f"{self.name}\n"
            f"  right             {self.evaluation.accuracy.to_text()}\n"
            f"  answered at {self.threshold:.2f}  {self.coverage.to_text()}\n"
            f"  of them right     {right}"
        )


def shop_messages(classifier: TextClassifier) -> Classify:
    """A classifier that reads messages as the example does."""
    return lambda text: classifier.classify(readable(text))


def most_frequent(training: TrainingSet) -> Classify:
    """The baseline that has read no message: always the label with the most training rows."""
    [(label, _)] = Counter(row.label for row in training.rows).most_common(1)
    return lambda _text: Classification(label=label, confidence=1.0, alternatives=())


def measure(
    name: str, classify: Classify, rows: Sequence[LabelledText], *, threshold: float
) -> Measured:
    """Let a classifier answer every row and count."""
    dataset = Dataset(
        tuple(
            Case(id=str(number), input=row.text, expected=row.label)
            for number, row in enumerate(rows, start=1)
        )
    )
    answers = [classify(row.text) for row in rows]
    predictions = [
        Prediction(case=case.id, output=answer.label)
        for case, answer in zip(dataset.cases, answers, strict=True)
    ]
    hits = _certain_hits(answers, rows, threshold)
    return Measured(
        name=name,
        threshold=threshold,
        evaluation=evaluate(dataset, predictions),
        coverage=Proportion(successes=len(hits), total=len(rows)),
        certain=Proportion(successes=sum(hits), total=len(hits)) if hits else None,
    )


def choose_threshold(classify: Classify, rows: Sequence[LabelledText], *, coverage: float) -> float:
    """Choose the confidence from which on answers count as certain.

    Args:
        classify: The classifier.
        rows: Validation rows, used for nothing else.
        coverage: Least share of the rows that must get a certain answer, 0 to 1.

    Returns:
        Of the steps of 0.05 that keep the coverage, the one at which the 95 % Wilson interval of
        the certain answers' accuracy has the highest lower end; of equals the lowest step.
    """
    answers = [classify(row.text) for row in rows]

    def lower_end(threshold: float) -> float:
        hits = _certain_hits(answers, rows, threshold)
        if len(hits) < coverage * len(rows):
            return 0.0
        return wilson(sum(hits), len(hits)).lower

    return max(_STEPS, key=lower_end)


def acted_upon(classify: Classify, rows: Sequence[LabelledText], *, threshold: float) -> Proportion:
    """Of messages that all are `other`, the share taken with certainty for something else."""
    answers = [classify(row.text) for row in rows]
    mistaken = [a for a in answers if a.confidence >= threshold and a.label != "other"]
    return Proportion(successes=len(mistaken), total=len(rows))


def intent_report(folder: Path = TEST_ROWS) -> str:
    """Measure every classifier on the held-out rows and on questions that are out of scope.

    Args:
        folder: Holds `heldout.jsonl`, `validation.jsonl` and `out_of_scope.jsonl`.
    """
    training = TrainingSet.load(TRAINING_ROWS)
    heldout = load_rows(folder / "heldout.jsonl")
    validation = load_rows(folder / "validation.jsonl")
    strangers = load_rows(folder / "out_of_scope.jsonl")
    encoder = MiniLmEncoder()
    minilm = shop_messages(MiniLmClassifier(training, encoder))
    regression = shop_messages(MiniLmClassifier(training, encoder, HeadSettings(neighbour_share=0)))
    tfidf = shop_messages(TfidfClassifier(training))

    minilm_choice = choose_threshold(minilm, validation, coverage=MINILM_COVERAGE)
    tfidf_choice = choose_threshold(tfidf, validation, coverage=TFIDF_COVERAGE)
    best = measure("MiniLM", minilm, heldout, threshold=MINILM_THRESHOLD)
    regression_choice = choose_threshold(regression, validation, coverage=MINILM_COVERAGE)
    others = (
        measure("MiniLM, regression alone", regression, heldout, threshold=regression_choice),
        measure("TF-IDF, the fallback", tfidf, heldout, threshold=TFIDF_THRESHOLD),
        measure("always the most frequent label", most_frequent(training), heldout, threshold=1.0),
    )
    return "\n".join(
        (
            f"trained on {len(training.rows)} rows, sha256:{training.digest[:12]}",
            f"thresholds chosen by the {len(validation)} validation rows:",
            f"  MiniLM {minilm_choice:.2f}, in use {MINILM_THRESHOLD:.2f}",
            f"  TF-IDF {tfidf_choice:.2f}, in use {TFIDF_THRESHOLD:.2f}",
            "",
            f"{len(heldout)} held-out rows, with 95 % Wilson intervals:",
            *(measured.to_text() for measured in (best, *others)),
            "",
            "MiniLM in detail:",
            best.evaluation.to_text(),
            "",
            f"of {len(strangers)} questions out of scope, taken with certainty for a shop's:",
            f"  MiniLM {acted_upon(minilm, strangers, threshold=MINILM_THRESHOLD).to_text()}",
            f"  TF-IDF {acted_upon(tfidf, strangers, threshold=TFIDF_THRESHOLD).to_text()}",
        )
    )


def _certain_hits(
    answers: Sequence[Classification], rows: Sequence[LabelledText], threshold: float
) -> list[bool]:
    """For each answer that is certain at a threshold, whether it is right."""
    return [
        answer.label == row.label
        for row, answer in zip(rows, answers, strict=True)
        if answer.confidence >= threshold
    ]


if __name__ == "__main__":
    print(intent_report())
