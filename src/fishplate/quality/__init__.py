"""How good an agent is: data sets, statistics, evaluations."""

from fishplate.quality.dataset import Case, Dataset
from fishplate.quality.evaluation import (
    Confusion,
    Evaluation,
    Failure,
    Prediction,
    evaluate,
    predict,
)
from fishplate.quality.statistics import Interval, Proportion, wilson

__all__ = [
    "Case",
    "Confusion",
    "Dataset",
    "Evaluation",
    "Failure",
    "Interval",
    "Prediction",
    "Proportion",
    "evaluate",
    "predict",
    "wilson",
]
