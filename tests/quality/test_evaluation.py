"""Evaluations: what counts as right, and that nothing is left out."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fishplate.core.errors import JsonValue, UsageError
from fishplate.quality import (
    Case,
    Confusion,
    Dataset,
    Failure,
    Prediction,
    Proportion,
    evaluate,
    predict,
)

LABELS = ("refund", "refund", "shipping", "other")
DATASET = Dataset(
    tuple(
        Case(id=name, input=name.upper(), expected=label)
        for name, label in zip("abcd", LABELS, strict=True)
    )
)


def answers(**outputs: JsonValue) -> list[Prediction]:
    """Predictions by case id."""
    return [Prediction(case=case, output=output) for case, output in outputs.items()]


def one_case(expected: JsonValue) -> Dataset:
    """A data set of the single case `a`."""
    return Dataset((Case(id="a", input=None, expected=expected),))


def test_right_answers_are_counted_per_label() -> None:
    """Accuracy is over all cases, recall over the cases of one expected value."""
    found = evaluate(DATASET, answers(a="refund", b="other", c="shipping", d="other"))

    assert found.accuracy == Proportion(successes=3, total=4)
    assert dict(found.recall) == {
        "refund": Proportion(successes=1, total=2),
        "shipping": Proportion(successes=1, total=1),
        "other": Proportion(successes=1, total=1),
    }
    assert found.confusion == (Confusion(expected="refund", actual="other", count=1),)
    assert found.wrong == ("b",)
    assert found.failures == ()


def test_errors_and_missing_predictions_are_wrong_answers() -> None:
    """A case without an answer counts as a failure; an agent gains nothing by breaking."""
    predictions = [
        Prediction(case="a", output="refund"),
        Prediction(case="b", error="timed_out: no answer within 2 seconds"),
        Prediction(case="c", output="shipping"),
    ]

    found = evaluate(DATASET, predictions)

    assert found.accuracy == Proportion(successes=2, total=4)
    assert found.wrong == ("b", "d")
    assert found.failures == (
        Failure(case="b", reason="timed_out: no answer within 2 seconds"),
        Failure(case="d", reason="there is no prediction"),
    )
    assert Confusion(expected="refund", actual=None, count=1) in found.confusion


@given(st.lists(st.sampled_from(["right", "wrong", "error", "missing"]), min_size=1, max_size=30))
def test_no_case_is_ever_dropped(fates: list[str]) -> None:
    """Whatever happens to the cases, each is right or wrong, and wrong ones have a place."""
    dataset = Dataset(tuple(Case(id=str(n), input=n, expected="x") for n in range(len(fates))))
    predictions = [
        Prediction(
            case=str(n),
            output="x" if fate == "right" else "y",
            error="broken" if fate == "error" else None,
        )
        for n, fate in enumerate(fates)
        if fate != "missing"
    ]

    found = evaluate(dataset, predictions)

    assert found.accuracy == Proportion(successes=fates.count("right"), total=len(fates))
    assert len(found.wrong) == len(fates) - fates.count("right")
    assert sum(row.count for row in found.confusion) == len(found.wrong)
    assert len(found.failures) == fates.count("error") + fates.count("missing")


@pytest.mark.parametrize(
    ("expected", "output", "is_right"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        (1, 1.0, True),
        (1, True, False),
        (0, False, False),
        ("1", 1, False),
        (None, None, True),
        (None, False, False),
        ([1, 2], [2, 1], False),
        ({"a": 1}, {"a": 1, "b": None}, False),
    ],
)
def test_equal_is_equal_as_json(expected: JsonValue, output: JsonValue, is_right: bool) -> None:
    """Key order and `1.0` play no part; a boolean is no number, and a list has an order."""
    found = evaluate(one_case(expected), answers(a=output))

    assert found.accuracy.successes == is_right


def test_a_pointer_names_what_is_compared() -> None:
    """With `at`, one member of the output is compared and the rest is ignored."""
    outputs = answers(a={"label": "refund", "confidence": 0.7})

    assert evaluate(one_case("refund"), outputs, at="/label").accuracy.successes == 1
    assert evaluate(one_case("refund"), outputs).accuracy.successes == 0


def test_an_output_without_the_member_is_a_failure() -> None:
    """Where there is nothing to compare, the case failed and says why."""
    found = evaluate(one_case("refund"), answers(a={"lable": "refund"}), at="/label")

    [failure] = found.failures
    assert "'/label' names nothing" in failure.reason


def test_an_output_that_is_no_json_is_a_failure() -> None:
    """A number that is not finite cannot be right, and does not stop the evaluation."""
    found = evaluate(one_case(1), answers(a=float("nan")))

    assert [failure.case for failure in found.failures] == ["a"]


def test_a_mistyped_pointer_is_refused() -> None:
    """A pointer that fits no output ever is the caller's mistake, not the agent's."""
    with pytest.raises(UsageError, match="Write '/label'"):
        evaluate(DATASET, [], at="label")


def test_an_unknown_case_is_refused() -> None:
    """Predictions of another data set are not counted here."""
    with pytest.raises(UsageError, match="'e', which is no case"):
        evaluate(DATASET, answers(e="refund"))


def test_a_second_prediction_is_refused() -> None:
    """One case has one answer: nobody picks the better of two."""
    with pytest.raises(UsageError, match="'a' has two predictions"):
        evaluate(DATASET, answers(a="refund") + answers(a="other"))


def test_structured_answers_have_no_recall() -> None:
    """Objects are compared, but they are no classes to count by."""
    found = evaluate(one_case({"x": 1}), answers(a={"x": 1}))

    assert found.accuracy.successes == 1
    assert found.recall == ()


async def test_predictions_come_in_the_order_of_the_cases() -> None:
    """Each case is asked once, with its input."""

    async def answer(question: JsonValue) -> JsonValue:
        return f"re: {question}"

    assert await predict(DATASET, answer) == tuple(
        answers(a="re: A", b="re: B", c="re: C", d="re: D")
    )


async def test_a_failing_call_becomes_a_failing_case() -> None:
    """An error of an agent is its answer to that case; the others are still asked."""

    async def answer(question: JsonValue) -> JsonValue:
        if question == "B":
            raise UsageError("no such order")
        return "refund"

    predictions = await predict(DATASET, answer)

    assert predictions[1] == Prediction(case="b", error="usage: no such order")
    assert [prediction.error for prediction in predictions].count(None) == 3


async def test_a_bug_ends_the_evaluation() -> None:
    """What is no error of an agent is not mistaken for one."""

    async def answer(_question: JsonValue) -> JsonValue:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await predict(DATASET, answer)


def test_the_text_tells_what_was_measured() -> None:
    """The text names the data set, its size, every interval, every confusion and every failure."""
    found = evaluate(
        DATASET,
        [*answers(a="refund", b="other", c="shipping"), Prediction(case="d", error="broken")],
        at="",
    )

    assert found.to_text() == "\n".join(
        (
            f"data set sha256:{DATASET.digest[:12]}, 4 cases",
            "accuracy 50.0 % [15.0, 85.0] (2/4), 95 % Wilson interval",
            "  recall of refund: 50.0 % [9.5, 90.5] (1/2)",
            "  recall of shipping: 100.0 % [20.7, 100.0] (1/1)",
            "  recall of other: 0.0 % [0.0, 79.3] (0/1)",
            "  1 x 'refund' came out as 'other'",
            "  1 x 'other' came out as a failure",
            "  case d failed: broken",
        )
    )


def test_the_json_tells_the_same() -> None:
    """The JSON form can be written and names data set, counts and failures."""
    found = evaluate(one_case("x"), [], at="/label").to_json()

    assert json.loads(json.dumps(found)) == found
    assert found["dataset"] == {"sha256": one_case("x").digest, "cases": 1}
    assert found["at"] == "/label"
    assert found["confusion"] == [{"expected": "x", "actual": None, "count": 1}]
    assert found["failures"] == [{"case": "a", "reason": "there is no prediction"}]
