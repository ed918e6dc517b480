"""A small task that every classifier can learn, and one encoder for all tests of this folder."""

from functools import cache

from fishplate.models import LabelledText, MiniLmEncoder, TrainingSet

ROWS = {
    "greeting": ("hello there", "good morning", "hi, nice to meet you", "good evening everyone"),
    "weather": (
        "will it rain tomorrow",
        "how cold is it outside",
        "is it sunny in the mountains",
        "heavy snow is expected tonight",
    ),
    "food": (
        "how long do i boil an egg",
        "a recipe for tomato soup",
        "the bread is still in the oven",
        "add salt and pepper to the stew",
    ),
}
TRAINING = TrainingSet(
    tuple(LabelledText(text=text, label=label) for label, texts in ROWS.items() for text in texts)
)


@cache
def encoder() -> MiniLmEncoder:
    """The encoder, loaded when the first test needs it and not when tests are collected."""
    return MiniLmEncoder()
