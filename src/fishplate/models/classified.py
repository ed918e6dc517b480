"""A text classifier as a model: an alias may mean it wherever a classification is asked for.

So an agent that sorts texts is written once. Which model sorts them, one of a provider or one that
was trained on this machine, is a line of the app's configuration.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Final, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from fishplate.contracts.json import canonical_json
from fishplate.contracts.keywords import SchemaDocument
from fishplate.core.errors import ErrorClass, Failure, JsonValue
from fishplate.models.classifier import TextClassifier, nonsense
from fishplate.models.model import Cost, Features, ModelAnswer, ModelRequest, Usage
from fishplate.models.output import RESULT, is_wrapped

L = TypeVar("L", bound=str)
Share = Annotated[float, Field(ge=0, le=1, description="Share of the belief, 0 to 1.")]

# It runs here: nobody counts tokens, and nobody sends a bill.
_TAKEN: Final = Usage(input_tokens=0, output_tokens=0)
_PAID: Final = Cost(nanos=0, source="reported")


class Ranked(BaseModel, Generic[L]):
    """One label and its share of the belief."""

    model_config = ConfigDict(frozen=True)

    label: L
    confidence: Share


class Classified(BaseModel, Generic[L]):
    """What a text is: the contract of agents that sort texts.

    Example: `Prompt[Classified[Literal["refund", "other"]]]`

    Attributes:
        label: The likeliest label.
        confidence: Its share of the belief, 0 to 1; no calibrated probability, and from a language
            model its own word.
        alternatives: Other labels, the likeliest first; a classifier gives every one, and all its
            shares sum to 1.

    Raises:
        ValidationError: It makes no sense, see `fishplate.models.classifier.nonsense`; of a model
            agent that is an answer which breaks its contract.
    """

    model_config = ConfigDict(frozen=True)

    label: L
    confidence: Share
    alternatives: Annotated[
        tuple[Ranked[L], ...], Field(description="Every other label, the likeliest first.")
    ]

    @field_validator("alternatives")
    @classmethod
    def _check_sense(
        cls, alternatives: tuple[Ranked[L], ...], info: ValidationInfo
    ) -> tuple[Ranked[L], ...]:
        if {"label", "confidence"} <= info.data.keys():  # else these are broken already
            first = (info.data["label"], info.data["confidence"])
            reason = nonsense(first, [(one.label, one.confidence) for one in alternatives])
            if reason is not None:
                raise PydanticCustomError("nonsense", "{reason}", {"reason": reason})
        return alternatives


class ClassifierModel:
    """A text classifier, as a model that gives a `Classified` of its labels and nothing else.

    It reads the user's part of the prompt as it stands, so that part has to be the text alone. An
    app whose agent takes something else from it is refused.

    Args:
        classifier: Trained.
    """

    pinned: str | None = None

    def __init__(self, classifier: TextClassifier) -> None:
        self._classifier = classifier
        self.features = Features(has_schemas=True, gives=_given(classifier.labels))

    @property
    def name(self) -> str:
        """The classifier's version, which holds the digest of its rows."""
        return f"classifier:{self._classifier.version}"

    async def request(self, request: ModelRequest) -> ModelAnswer:
        """Classify the last that the user says.

        Raises:
            Failure: Nobody has said anything (code `nothing_to_classify`).
        """
        text = next((one.text for one in reversed(request.messages) if one.role == "user"), None)
        if text is None:
            raise Failure(
                f"the model {self.name!r} was asked about nothing: a prompt has a user's part",
                error_class=ErrorClass.PERMANENT,
                code="nothing_to_classify",
            )
        found = await asyncio.to_thread(self._classifier.classify, text)
        document: JsonValue = found.to_json()
        if is_wrapped(request.schema):
            document = {RESULT: document}
        return ModelAnswer(text=canonical_json(document).decode(), usage=_TAKEN, cost=_PAID)


def _given(labels: tuple[str, ...]) -> SchemaDocument:
    """JSON Schema of every classification with these labels."""
    label: JsonValue = {"enum": list(labels)}
    confidence: JsonValue = {"type": "number", "minimum": 0, "maximum": 1}
    return _object(
        label=label,
        confidence=confidence,
        alternatives={"type": "array", "items": _object(label=label, confidence=confidence)},
    )


def _object(**properties: JsonValue) -> dict[str, JsonValue]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
