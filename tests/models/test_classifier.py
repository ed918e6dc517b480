"""What holds for every classifier, and the training rows that all of them take."""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fishplate.core.errors import UsageError
from fishplate.models import (
    Classification,
    LabelledText,
    MiniLmClassifier,
    Score,
    TextClassifier,
    TfidfClassifier,
    TrainingSet,
    load_rows,
)
from fishplate.models.classifier import nonsense
from tests.models.training import TRAINING, encoder

TRAIN: dict[str, Callable[[TrainingSet], TextClassifier]] = {
    "minilm": lambda training: MiniLmClassifier(training, encoder()),
    "tfidf": TfidfClassifier,
}


@cache
def trained(name: str) -> TextClassifier:
    """One classifier of each kind, trained when the first test needs it."""
    return TRAIN[name](TRAINING)


@pytest.fixture(params=TRAIN)
def name(request: pytest.FixtureRequest) -> str:
    """Each implementation in turn."""
    return str(request.param)


def test_training_rows_are_recognised(name: str) -> None:
    """A classifier knows at least the texts that it has learnt."""
    answers = {row.text: trained(name).classify(row.text).label for row in TRAINING.rows}

    assert answers == {row.text: row.label for row in TRAINING.rows}


@given(text=st.text(max_size=200))
@settings(max_examples=30)
@pytest.mark.parametrize("kind", TRAIN)
def test_belief_is_shared_out(kind: str, text: str) -> None:
    """Any text at all gets every label once, ranked, with confidences that sum to 1."""
    answer = trained(kind).classify(text)

    ranked = (Score(answer.label, answer.confidence), *answer.alternatives)
    assert sorted(score.label for score in ranked) == sorted(trained(kind).labels)
    assert [score.confidence for score in ranked] == sorted(
        (score.confidence for score in ranked), reverse=True
    )
    assert sum(score.confidence for score in ranked) == pytest.approx(1.0)


def test_the_same_text_gets_the_same_answer(name: str) -> None:
    """Answers repeat exactly, also from a classifier that was trained anew."""
    again = TRAIN[name](TRAINING)

    assert again.version == trained(name).version
    assert again.classify("cold soup") == trained(name).classify("cold soup")


def test_labels_keep_the_order_of_the_rows(name: str) -> None:
    """Labels are told in the order in which the training rows name them."""
    assert trained(name).labels == ("greeting", "weather", "food")


def test_a_changed_row_is_another_version(name: str) -> None:
    """A version names the training rows: one other letter, another version."""
    first, *rest = TRAINING.rows
    changed = TrainingSet((replace(first, text=first.text + "!"), *rest))

    assert TRAIN[name](changed).version != trained(name).version


def test_a_version_names_its_kind(name: str) -> None:
    """A version starts with the kind of classifier, then has twelve hex digits."""
    kind, digits = trained(name).version.split("+")

    assert kind == name
    assert len(bytes.fromhex(digits)) == 6


def test_equal_scores_keep_their_order() -> None:
    """Of equally likely labels the one named first wins, so that answers repeat."""
    answer = Classification.from_scores({"b": 0.4, "a": 0.4, "c": 0.2})

    assert answer == Classification(
        label="b", confidence=0.4, alternatives=(Score("a", 0.4), Score("c", 0.2))
    )


def test_a_classification_is_json() -> None:
    """The JSON form names every label with its confidence."""
    answer = Classification.from_scores({"a": 0.75, "b": 0.25})

    assert answer.to_json() == {
        "label": "a",
        "confidence": 0.75,
        "alternatives": [{"label": "b", "confidence": 0.25}],
    }


def test_rows_are_read_from_lines(tmp_path: Path) -> None:
    """A line is a row; blank lines and other members are passed over."""
    path = tmp_path / "rows.jsonl"
    path.write_text(
        '{"text": "hi\u2028there", "label": "a"}\n\n{"label": "b", "text": "bye", "note": 1}\n',
        encoding="utf-8",
    )

    assert load_rows(path) == (
        LabelledText(text="hi\u2028there", label="a"),
        LabelledText(text="bye", label="b"),
    )


@pytest.mark.parametrize(
    "line",
    [
        '{"text": "no label"}',
        '{"text": 5, "label": "a"}',
        '{"text": " ", "label": "a"}',
        '{"text": "x", "label": ""}',
        "[]",
        "{",
        '{"text": "x", "label": "a", "label": "b"}',
    ],
)
def test_an_unusable_row_is_told_with_its_line(tmp_path: Path, line: str) -> None:
    """A bad row is never passed over: the error names file and line."""
    path = tmp_path / "rows.jsonl"
    path.write_text(f'{{"text": "fine", "label": "a"}}\n{line}\n', encoding="utf-8")

    with pytest.raises(UsageError, match=r"rows\.jsonl:2"):
        load_rows(path)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    """Rows that cannot be read are an error with the path in it."""
    with pytest.raises(UsageError, match=r"nowhere\.jsonl"):
        load_rows(tmp_path / "nowhere.jsonl")


def test_a_text_with_two_labels_is_refused() -> None:
    """Rows that contradict each other teach nothing."""
    rows = (LabelledText(text="x", label="a"), LabelledText(text="x", label="b"))

    with pytest.raises(UsageError, match="'x' stands there twice, as 'a' and as 'b'"):
        TrainingSet(rows)


def test_one_label_is_no_choice() -> None:
    """A classifier that could give one answer only is refused."""
    with pytest.raises(UsageError, match="two labels"):
        TrainingSet((LabelledText(text="x", label="a"),))


@pytest.mark.parametrize(
    ("confidence", "alternatives"),
    [
        (0.4, (Score("b", 0.9),)),
        (0.6, (Score("a", 0.2),)),
        (0.6, (Score("b", 0.3), Score("c", 0.35))),
        (0.7, (Score("b", 0.6),)),
        (-0.1, ()),
        (1.1, ()),
        (math.nan, ()),
        (0.9, (Score("b", math.nan),)),
    ],
)
def test_a_classifier_cannot_make_nonsense(
    confidence: float, alternatives: tuple[Score, ...]
) -> None:
    """A mistake of a classifier shows where it is made: shares are ranked parts of one."""
    with pytest.raises(ValueError, match=r"Classification\(label='a'\): "):
        Classification(label="a", confidence=confidence, alternatives=alternatives)


@given(st.dictionaries(st.text(max_size=3), st.floats(0, 1e6), min_size=1, max_size=9))
def test_ranked_shares_of_one_make_sense(weights: dict[str, float]) -> None:
    """Whatever the weights were: divided by their sum they are a classification."""
    total = math.fsum(weights.values())
    assume(total > 0)
    found = Classification.from_scores({label: one / total for label, one in weights.items()})

    assert nonsense((found.label, found.confidence), found.alternatives) is None
