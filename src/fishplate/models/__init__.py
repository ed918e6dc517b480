"""Models that run on this machine: text classifiers trained from labelled rows."""

from fishplate.models.classifier import (
    Classification,
    LabelledText,
    Score,
    TextClassifier,
    TrainingSet,
    load_rows,
)
from fishplate.models.minilm import HeadSettings, MiniLmClassifier, MiniLmEncoder
from fishplate.models.tfidf import TfidfClassifier, TfidfSettings

__all__ = [
    "Classification",
    "HeadSettings",
    "LabelledText",
    "MiniLmClassifier",
    "MiniLmEncoder",
    "Score",
    "TextClassifier",
    "TfidfClassifier",
    "TfidfSettings",
    "TrainingSet",
    "load_rows",
]
