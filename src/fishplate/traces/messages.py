"""Conversations with models as others write them: messages that are made of parts.

Source: open-telemetry/semantic-conventions-genai, the schemas of `gen_ai.input.messages` and
`gen_ai.output.messages`.
"""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json, to_json

from fishplate.core.errors import JsonValue


class _Call(BaseModel):
    id: str
    name: str
    arguments: str


class _Message(BaseModel):
    role: str
    text: str
    calls: list[_Call]
    answers: str | None


class _Request(BaseModel):
    messages: list[_Message]


class _Answer(BaseModel):
    text: str
    calls: list[_Call]
    finish_reason: str


_ASSISTANT: Final = "assistant"


def request_messages(request: bytes) -> str | None:
    """What a model was asked, as JSON text.

    Args:
        request: What the request was given, as it is kept.

    Returns:
        `None` if not all of it is there, e.g. because it was cut.
    """
    try:
        found = _Request.model_validate_json(request)
    except ValidationError:
        return None
    return to_json([_told(one) for one in found.messages]).decode()


def answer_messages(answer: bytes) -> str | None:
    """What a model answered; see `request_messages`."""
    try:
        found = _Answer.model_validate_json(answer)
    except ValidationError:
        return None
    message: dict[str, JsonValue] = {
        "role": _ASSISTANT,
        "parts": [*_text(found.text), *map(_call, found.calls)],
        "finish_reason": found.finish_reason,
    }
    return to_json([message]).decode()


def _told(message: _Message) -> dict[str, JsonValue]:
    if message.answers is not None:
        told: JsonValue = {
            "type": "tool_call_response",
            "id": message.answers,
            "response": message.text,
        }
        return {"role": message.role, "parts": [told]}
    parts: list[JsonValue] = [*_text(message.text), *map(_call, message.calls)]
    return {"role": message.role, "parts": parts}


def _text(text: str) -> list[JsonValue]:
    return [{"type": "text", "content": text}] if text else []


def _call(call: _Call) -> JsonValue:
    try:
        arguments: JsonValue = from_json(call.arguments)
    except ValueError:  # a model writes what it likes
        arguments = call.arguments
    return {"type": "tool_call", "id": call.id, "name": call.name, "arguments": arguments}
