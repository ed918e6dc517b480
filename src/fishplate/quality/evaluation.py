"""How often an agent is right on a data set: shares with intervals, and no case left out.

A call that failed, and a case that nobody answered, is a wrong answer. Dropping them would make
an agent look better the more often it breaks.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable

from fishplate.contracts.json import canonical_json, pointer_tokens, resolve_pointer
from fishplate.core.data import dataclass
from fishplate.core.errors import FishplateError, JsonError, JsonValue, UsageError
from fishplate.quality.dataset import Case, Dataset
from fishplate.quality.statistics import Proportion


@dataclass(frozen=True, kw_only=True, slots=True)
class Prediction:
    """What came out for one case.

    Attributes:
        case: Id of the case.
        output: What the agent gave; means nothing if it failed.
        error: Why there is no output; None if there is one.
    """

    case: str
    output: JsonValue = None
    error: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Confusion:
    """How often one expected answer came out as another.

    Attributes:
        expected: The expected value: a text as it is, anything else as canonical JSON.
        actual: The value that came out, written likewise; None stands for every failure.
        count: At least 1.
    """

    expected: str
    actual: str | None
    count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """A case without an answer to compare, and why."""

    case: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """The result of one agent on one data set.

    Attributes:
        digest: SHA-256 of the data set; results of different data sets are not compared.
        at: RFC 6901 pointer to the compared part of each output; empty is the whole.
        accuracy: Right answers of all cases, failures included.
        recall: For each expected value its share of right answers, in order of appearance; empty
            if any expected value is an array or object, since these are no classes.
        confusion: The wrong answers, the most frequent first.
        wrong: Ids of all cases that are not right, in the order of the data set.
        failures: The wrong cases that have no answer at all.
    """

    digest: str
    at: str
    accuracy: Proportion
    recall: tuple[tuple[str, Proportion], ...]
    confusion: tuple[Confusion, ...]
    wrong: tuple[str, ...]
    failures: tuple[Failure, ...]

    def to_json(self) -> dict[str, JsonValue]:
        """The evaluation as a JSON object."""
        return {
            "dataset": {"sha256": self.digest, "cases": self.accuracy.total},
            "at": self.at,
            "accuracy": self.accuracy.to_json(),
            "recall": {label: proportion.to_json() for label, proportion in self.recall},
            "confusion": [
                {"expected": row.expected, "actual": row.actual, "count": row.count}
                for row in self.confusion
            ],
            "wrong": list(self.wrong),
            "failures": [{"case": row.case, "reason": row.reason} for row in self.failures],
        }

    def to_text(self) -> str:
        """The evaluation for a terminal: a few lines, ends without a line feed."""
        lines = [
            f"data set sha256:{self.digest[:12]}, {self.accuracy.total} cases"
            + (f", compared at {self.at}" if self.at else ""),
            f"accuracy {self.accuracy.to_text()}, 95 % Wilson interval",
        ]
        lines += [
            f"  recall of {label}: {proportion.to_text()}" for label, proportion in self.recall
        ]
        lines += [
            f"  {row.count} x {row.expected!r} came out as "
            + ("a failure" if row.actual is None else repr(row.actual))
            for row in self.confusion
        ]
        lines += [f"  case {row.case} failed: {row.reason}" for row in self.failures]
        return "\n".join(lines)


async def predict(
    dataset: Dataset, answer: Callable[[JsonValue], Awaitable[JsonValue]]
) -> tuple[Prediction, ...]:
    """Ask an agent about every case, one after the other.

    Args:
        dataset: The cases.
        answer: Called once per case with its input. A `FishplateError` is the case's failure;
            anything else it raises ends the evaluation.

    Returns:
        One prediction per case, in the order of the data set.
    """
    predictions: list[Prediction] = []
    for case in dataset.cases:
        try:
            predictions.append(Prediction(case=case.id, output=await answer(case.input)))
        except FishplateError as error:
            predictions.append(Prediction(case=case.id, error=f"{error.code}: {error.message}"))
    return tuple(predictions)


def evaluate(dataset: Dataset, predictions: Iterable[Prediction], *, at: str = "") -> Evaluation:
    """Compare predictions with what was expected.

    Two values are equal if they are the same JSON: key order plays no part, `1` equals `1.0`, and
    `true` does not equal `1`.

    Args:
        dataset: The cases; each counts, also without a prediction.
        predictions: At most one per case, in any order.
        at: RFC 6901 pointer to the member of an output that is compared with `expected`; an
            output without that member is a failure.

    Raises:
        UsageError: A prediction names no case of the data set, a case has two, or `at` is no
            pointer.
    """
    _check_pointer(at)
    answers = _by_case(dataset, predictions)
    outcomes = [(case, *_judge(case, answers.get(case.id), at)) for case in dataset.cases]
    asked = Counter(_label(case.expected) for case in dataset.cases)
    right = Counter(_label(case.expected) for case, is_right, *_ in outcomes if is_right)
    wrong = [(case, actual, reason) for case, is_right, actual, reason in outcomes if not is_right]
    confusion = Counter((_label(case.expected), actual) for case, actual, _ in wrong)
    are_classes = not any(isinstance(case.expected, list | dict) for case in dataset.cases)
    return Evaluation(
        digest=dataset.digest,
        at=at,
        accuracy=Proportion(successes=right.total(), total=len(outcomes)),
        recall=tuple(
            (label, Proportion(successes=right[label], total=total))
            for label, total in asked.items()
            if are_classes
        ),
        confusion=tuple(
            Confusion(expected=expected, actual=actual, count=count)
            for (expected, actual), count in confusion.most_common()
        ),
        wrong=tuple(case.id for case, *_ in wrong),
        failures=tuple(
            Failure(case=case.id, reason=reason) for case, _, reason in wrong if reason is not None
        ),
    )


def _check_pointer(at: str) -> None:
    # A mistyped pointer fits no output; without this, each case would be blamed for it.
    try:
        pointer_tokens(at)
    except JsonError as error:
        raise UsageError(
            f"{at!r} is no JSON pointer. Write '/label' for the member 'label', or nothing for the "
            "whole output.",
            code="bad_pointer",
        ) from error


def _by_case(dataset: Dataset, predictions: Iterable[Prediction]) -> dict[str, Prediction]:
    known = {case.id for case in dataset.cases}
    found: dict[str, Prediction] = {}
    for prediction in predictions:
        if prediction.case not in known:
            raise UsageError(
                f"There is a prediction for {prediction.case!r}, which is no case of the data set. "
                "Predict the cases of this data set.",
                code="bad_prediction",
            )
        if prediction.case in found:
            raise UsageError(
                f"The case {prediction.case!r} has two predictions. Give one, or evaluate each "
                "repetition by itself.",
                code="bad_prediction",
            )
        found[prediction.case] = prediction
    return found


def _judge(
    case: Case, prediction: Prediction | None, at: str
) -> tuple[bool, str | None, str | None]:
    """Whether the case is right, the label that came out, and why it failed if it did."""
    if prediction is None:
        return False, None, "there is no prediction"
    if prediction.error is not None:
        return False, None, prediction.error
    try:
        actual = resolve_pointer(prediction.output, at)
        is_right = canonical_json(actual) == canonical_json(case.expected)
        return is_right, _label(actual), None
    except JsonError as error:
        return False, None, f"the output cannot be compared: {error.message}"


def _label(value: JsonValue) -> str:
    return value if isinstance(value, str) else canonical_json(value).decode("utf-8")
