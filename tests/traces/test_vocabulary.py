"""Spans in the words of the pinned profile; a change here is a change of what others read."""

from typing import Any

import pytest

from fishplate.core.errors import JsonValue
from fishplate.core.events import Span, SpanHead, SpanKind, SpanStatus
from fishplate.models.model import Conversation, Message, ModelAnswer
from fishplate.traces.vocabulary import PROFILE, SCHEMA_URL, content, described, resource


def span(
    what: SpanKind, status: SpanStatus = "ok", release: str = "1.0.0+fp.ab", **facts: JsonValue
) -> Span:
    """A span of something called `shop`."""
    head = SpanHead(kind=what, name="shop", release=release)
    return Span._make((1, 2, 3, head, "flow/shop", 10, 20, status, facts))


def test_the_profile_is_pinned() -> None:
    """The name of the profile and the address of its schema go together."""
    assert (PROFILE, SCHEMA_URL) == (
        "genai-1.42",
        "https://opentelemetry.io/schemas/gen-ai/1.42.0",
    )


COMMON = {"fishplate.step.path": "flow/shop"}
SNAPSHOT: list[tuple[Span, str, str, dict[str, Any]]] = [
    (
        span("workflow"),
        "invoke_workflow shop",
        "INTERNAL",
        {
            "gen_ai.operation.name": "invoke_workflow",
            "gen_ai.workflow.name": "shop",
            "fishplate.release": "1.0.0+fp.ab",
            "openinference.span.kind": "CHAIN",
        },
    ),
    (
        span("agent", "error", error="down"),
        "invoke_agent shop",
        "INTERNAL",
        {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": "shop",
            "gen_ai.agent.version": "1.0.0+fp.ab",
            "openinference.span.kind": "AGENT",
            "error.type": "down",
        },
    ),
    (
        span(
            "model",
            release="",
            model="openai:gpt-4o-mini",
            finish_reason="stop",
            snapshot="gpt-4o-mini-2024-07-18",
            input_tokens=321,
            cache_read_tokens=100,
            cache_write_tokens=0,
            output_tokens=12,
            reasoning_tokens=3,
            cost_nanos=47_850,
            reasoning_parts=2,
        ),
        "chat gpt-4o-mini",
        "CLIENT",
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "gpt-4o-mini",
            "gen_ai.provider.name": "openai",
            "openinference.span.kind": "LLM",
            "gen_ai.response.finish_reasons": ["stop"],
            "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
            "gen_ai.usage.input_tokens": 321,
            "gen_ai.usage.output_tokens": 12,
            "gen_ai.usage.cache_read.input_tokens": 100,
            "gen_ai.usage.cache_creation.input_tokens": 0,
            "gen_ai.usage.reasoning.output_tokens": 3,
            "fishplate.cost.nanos": 47_850,
            "fishplate.reasoning_parts": 2,
        },
    ),
    (
        span("tool", "degraded", cache_hit=True, replayed=True),
        "execute_tool shop",
        "INTERNAL",
        {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "shop",
            "fishplate.release": "1.0.0+fp.ab",
            "openinference.span.kind": "TOOL",
            "fishplate.degraded": True,
            "fishplate.cache.hit": True,
            "fishplate.replayed": True,
        },
    ),
    (
        span("retrieval", release="", passages=[{"id": "p", "score": 0.5}], used=["p"], query="q"),
        "retrieval shop",
        "INTERNAL",
        {
            "gen_ai.operation.name": "retrieval",
            "gen_ai.data_source.id": "shop",
            "openinference.span.kind": "RETRIEVER",
            "gen_ai.retrieval.documents": '[{"id":"p","score":0.5}]',
            "fishplate.retrieval.used_ids": '["p"]',
            "gen_ai.retrieval.query.text": "q",
        },
    ),
    (
        span("decision", release="", kind="route", chosen="Refund", reason="why", of=["a", "b"]),
        "shop",
        "INTERNAL",
        {
            "openinference.span.kind": "CHAIN",
            "fishplate.decision.branch": "Refund",
            "fishplate.decision.reason": "why",
            "fishplate.kind": "route",
            "fishplate.of": '["a","b"]',
        },
    ),
    (
        span("agent", "cancelled"),
        "invoke_agent shop",
        "INTERNAL",
        {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": "shop",
            "gen_ai.agent.version": "1.0.0+fp.ab",
            "openinference.span.kind": "AGENT",
            "error.type": "cancelled",
        },
    ),
]


@pytest.mark.parametrize(("found", "name", "kind", "attributes"), SNAPSHOT)
def test_spans_are_said_in_the_words_of_the_profile(
    found: Span, name: str, kind: str, attributes: dict[str, Any]
) -> None:
    """Name, kind, attributes and status of each kind of span."""
    said = described(found)

    assert (said.name, said.kind, said.attributes) == (name, kind, COMMON | attributes)
    assert said.is_error is (found.status in {"error", "cancelled"})


@pytest.mark.parametrize(
    ("configured", "provider", "model"),
    [
        ("google:gemini-2.5-flash", "gcp.gemini", "gemini-2.5-flash"),
        ("anthropic:claude-sonnet-4-5", "anthropic", "claude-sonnet-4-5"),
        ("openai:ft:gpt-4o-mini:shop", "openai", "ft:gpt-4o-mini:shop"),
        ("llama3:8b", None, "llama3:8b"),
        ("scripted", None, "scripted"),
    ],
)
def test_models_have_their_own_name(configured: str, provider: str | None, model: str) -> None:
    """The provider stands beside the model's name, if the configured name tells it."""
    said = described(span("model", model=configured))

    assert said.name == f"chat {model}"
    assert said.attributes["gen_ai.request.model"] == model
    assert said.attributes.get("gen_ai.provider.name") == provider


def test_the_program_has_the_name_that_readers_group_by() -> None:
    """Some group by the service, others by a project."""
    assert resource("shop") == {"service.name": "shop", "openinference.project.name": "shop"}


def test_conversations_go_out_as_messages() -> None:
    """What a model was asked and answered has the form that readers show as a conversation."""
    asked = Conversation(messages=(Message(role="user", text="Hi"),)).model_dump_json()
    answered = ModelAnswer(text="Hello").model_dump_json()
    given = '[{"role":"user","parts":[{"type":"text","content":"Hi"}]}]'
    gave = (
        '[{"role":"assistant","parts":[{"type":"text","content":"Hello"}],"finish_reason":"stop"}]'
    )

    assert dict(content(span("model"), asked.encode(), is_input=True)) == {
        "gen_ai.input.messages": given,
        "input.value": given,
        "input.mime_type": "application/json",
    }
    assert dict(content(span("model"), answered.encode(), is_input=False)) == {
        "gen_ai.output.messages": gave,
        "output.value": gave,
        "output.mime_type": "application/json",
    }


def test_a_conversation_that_is_not_whole_is_told_as_it_is() -> None:
    """What was cut, or left out, is not made up."""
    assert dict(content(span("model"), b'{"size_bytes":9}', is_input=True)) == {
        "input.value": '{"size_bytes":9}',
        "input.mime_type": "application/json",
    }


def test_contents_have_attributes_of_their_own() -> None:
    """Inputs and outputs go out under the names that readers show them by."""
    assert dict(content(span("tool"), b'{"a":1}', is_input=True)) == {
        "input.value": '{"a":1}',
        "input.mime_type": "application/json",
        "gen_ai.tool.call.arguments": '{"a":1}',
    }
    assert dict(content(span("agent"), b'"x"', is_input=False)) == {
        "output.value": '"x"',
        "output.mime_type": "application/json",
    }
