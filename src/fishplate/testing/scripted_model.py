"""`ScriptedModel`: a model that answers what a test says, in order, and never invents anything."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final, TypeAlias

from fishplate.contracts.json import canonical_json
from fishplate.contracts.schema import Schema
from fishplate.core.data import dataclass
from fishplate.core.errors import ErrorClass, Failure, JsonValue, UsageError
from fishplate.models.model import (
    OUTPUT_TOOL,
    Features,
    ModelAnswer,
    ModelRequest,
    ToolCall,
    Usage,
)
from fishplate.models.output import RESULT, is_wrapped

NOT_COUNTED: Final = Usage()
Scripted: TypeAlias = "ModelAnswer | ScriptedText | JsonValue | ErrorClass | Failure"


@dataclass(frozen=True, kw_only=True, slots=True)
class ScriptedText:
    """A text that comes in pieces; between two of them others get their turn.

    Attributes:
        pieces: In order.
        fails: How it breaks off after the last one; `None` if it is whole.
    """

    pieces: tuple[str, ...]
    fails: ErrorClass | Failure | None = None


class ScriptedModel:
    """A model whose answers are written down.

    Example: `App(models={"fast": ScriptedModel([{"kind": "order_status"}])})`

    Args:
        answers: One for each request. JSON is an output, and goes out as the request asks for it:
            as text, or as the arguments of a call. A text is an output if one is asked for that may
            be this text; else it is what the model says, word by word. An `ErrorClass` or a
            `Failure` is how it fails. A `ScriptedText` comes in pieces, a `ModelAnswer` as it is.
        name: What it is called.
        pinned: The snapshot that has to answer.
        snapshot: The snapshot that answers; by default the pinned one.
        features: What it can do; by default everything.
        usage: What each answer takes that says nothing of its own.

    Attributes:
        requests: What it was asked, in order.
    """

    def __init__(  # noqa: PLR0913 -- what a model is, keyword-only
        self,
        answers: Iterable[Scripted],
        *,
        name: str = "scripted",
        pinned: str | None = None,
        snapshot: str | None = None,
        features: Features = Features(has_schemas=True, has_tools=True),
        usage: Usage = NOT_COUNTED,
    ) -> None:
        self.name = name
        self.pinned = pinned
        self.features = features
        self.requests: list[ModelRequest] = []
        self._left = iter(tuple(answers))
        self._snapshot = snapshot or pinned
        self._usage = usage

    async def request(self, request: ModelRequest) -> ModelAnswer:
        """Give the next answer.

        Raises:
            Failure: As it is written.
            UsageError: Nothing is left to answer with (code `script_ended`).
        """
        self.requests.append(request)
        try:
            found = next(self._left)
        except StopIteration:
            msg = (
                f"the scripted model {self.name!r} was asked {len(self.requests)} times and has "
                f"{len(self.requests) - 1} answers: write one more, or ask less"
            )
            raise UsageError(msg, code="script_ended") from None
        if isinstance(found, ScriptedText):
            for piece in found.pieces:
                if request.tell is not None:
                    request.tell(piece)
                await asyncio.sleep(0)
            found = found.fails or ModelAnswer(text="".join(found.pieces))
        if isinstance(found, Failure):
            raise found
        if isinstance(found, ErrorClass):
            msg = f"the scripted model {self.name!r} fails"
            raise Failure(msg, error_class=found, code=found.word)
        answer = found if isinstance(found, ModelAnswer) else _answered(found, request)
        added: dict[str, object] = {}
        if self._usage is not NOT_COUNTED and answer.usage == NOT_COUNTED:
            added["usage"] = self._usage
        if self._snapshot is not None and answer.snapshot is None:
            added["snapshot"] = self._snapshot
        return answer.model_copy(update=added) if added else answer


def _answered(output: JsonValue, request: ModelRequest) -> ModelAnswer:
    schema = request.schema
    document: JsonValue = {RESULT: output} if is_wrapped(schema) else output
    if isinstance(output, str) and (schema is None or not Schema(schema).is_valid(document)):
        return ModelAnswer(text=output)
    text = canonical_json(document).decode()
    if request.mode == "tool":
        call = ToolCall(id=f"call-{len(request.messages)}", name=OUTPUT_TOOL, arguments=text)
        return ModelAnswer(calls=(call,), finish_reason="tool_call")
    return ModelAnswer(text=text)
