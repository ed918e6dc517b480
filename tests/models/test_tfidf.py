"""The classifier by spelling: what its settings do, and what it makes of unknown words."""

import pytest

from fishplate.core.errors import UsageError
from fishplate.models import TfidfClassifier, TfidfSettings
from tests.models.training import TRAINING


def test_a_text_of_unknown_words_is_undecided() -> None:
    """Where nothing is known, no label gets more belief than another."""
    answer = TfidfClassifier(TRAINING).classify("xyzzy")

    assert answer.confidence == pytest.approx(1 / 3)


def test_unknown_words_lower_confidence() -> None:
    """The less of a text is known, the less sure the answer."""
    classifier = TfidfClassifier(TRAINING)

    alone = classifier.classify("tomato soup")
    among_others = classifier.classify("tomato soup xyzzy plugh qwerty")
    assert alone.label == among_others.label == "food"
    assert alone.confidence > among_others.confidence


def test_case_and_punctuation_play_no_part() -> None:
    """Spelling is compared as people read it."""
    classifier = TfidfClassifier(TRAINING)

    assert classifier.classify("TOMATO soup!!") == classifier.classify("tomato, soup")


def test_sharpness_moves_confidence_only() -> None:
    """A steeper softmax is surer of the same label, and is another version."""
    flat = TfidfClassifier(TRAINING, TfidfSettings(sharpness=1))
    steep = TfidfClassifier(TRAINING, TfidfSettings(sharpness=50))

    assert flat.classify("rain").label == steep.classify("rain").label == "weather"
    assert flat.classify("rain").confidence < steep.classify("rain").confidence
    assert flat.version != steep.version


def test_long_pieces_know_fewer_inflections() -> None:
    """Short pieces recognise a stem in a longer word, long pieces want the whole word."""
    short = TfidfClassifier(TRAINING, TfidfSettings(shortest_piece=3, longest_piece=3))
    long = TfidfClassifier(TRAINING, TfidfSettings(shortest_piece=9, longest_piece=9))

    assert short.classify("tomatoes").confidence > 0.9
    assert long.classify("tomatoes").confidence == pytest.approx(1 / 3)


@pytest.mark.parametrize(("shortest", "longest"), [(0, 3), (4, 3)])
def test_pieces_need_a_length(shortest: int, longest: int) -> None:
    """A range of lengths that holds no piece is refused."""
    with pytest.raises(UsageError, match="characters are none"):
        TfidfSettings(shortest_piece=shortest, longest_piece=longest)


@pytest.mark.parametrize("sharpness", [0, -1, float("inf"), float("nan")])
def test_sharpness_is_positive(sharpness: float) -> None:
    """A sharpness that orders nothing is refused."""
    with pytest.raises(UsageError, match="sharpness"):
        TfidfSettings(sharpness=sharpness)
