"""Conversations in the form of the GenAI conventions."""

from pydantic_core import from_json

from fishplate.models.model import Conversation, Message, ModelAnswer, ToolCall
from fishplate.traces.messages import answer_messages, request_messages


def test_calls_and_their_answers_are_parts() -> None:
    """What a model asks for and what it was answered go by the id of the call."""
    call = ToolCall(id="c1", name="look", arguments='{"id":"W1"}')
    asked = Conversation(
        messages=(
            Message(role="assistant", text="I look.", calls=(call,)),
            Message(role="tool", text="found", answers="c1"),
        )
    )
    told = request_messages(asked.model_dump_json().encode())

    assert from_json(told or "") == [
        {
            "role": "assistant",
            "parts": [
                {"type": "text", "content": "I look."},
                {"type": "tool_call", "id": "c1", "name": "look", "arguments": {"id": "W1"}},
            ],
        },
        {
            "role": "tool",
            "parts": [{"type": "tool_call_response", "id": "c1", "response": "found"}],
        },
    ]


def test_arguments_that_are_no_json_stay_text() -> None:
    """A model writes what it likes."""
    call = ToolCall(id="c1", name="look", arguments="{id: W1")
    told = answer_messages(ModelAnswer(calls=(call,)).model_dump_json().encode())

    assert from_json(told or "") == [
        {
            "role": "assistant",
            "parts": [{"type": "tool_call", "id": "c1", "name": "look", "arguments": "{id: W1"}],
            "finish_reason": "stop",
        }
    ]


def test_what_is_not_whole_is_no_conversation() -> None:
    """Nothing is made up where something was cut or left out."""
    assert request_messages(b'{"messages":["... 3 more"]}') is None
    assert answer_messages(b'{"error":{"code":"down"}}') is None
