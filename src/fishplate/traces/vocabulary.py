"""The one place that knows what others call our facts: OpenTelemetry's GenAI conventions.

The profile is pinned, since none of these names is stable. Other files ask for a span's name, kind
and attributes, and spell none of them. A snapshot of what comes out stands in the tests.

Source: open-telemetry/semantic-conventions-genai, schema `SCHEMA_URL`; and, for what readers cannot
tell from `gen_ai.*` alone, the OpenInference attributes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, Literal, NamedTuple, TypeAlias

from pydantic_core import to_json

from fishplate.core.errors import JsonValue
from fishplate.core.events import HeadTuple, Span, SpanKind, SpanStatus
from fishplate.traces.messages import answer_messages, request_messages

PROFILE: Final = "genai-1.42"
SCHEMA_URL: Final = "https://opentelemetry.io/schemas/gen-ai/1.42.0"
INSTRUMENTATION: Final = "fishplate"

OtelKind: TypeAlias = Literal["INTERNAL", "CLIENT"]
Attribute: TypeAlias = str | bool | int | float | list[str]

OWN: Final = "fishplate."
_OPERATIONS: Final[Mapping[str, str]] = {
    "workflow": "invoke_workflow",
    "agent": "invoke_agent",
    "model": "chat",
    "tool": "execute_tool",
    "retrieval": "retrieval",
}
_OPEN_INFERENCE: Final[Mapping[str, str]] = {
    "workflow": "CHAIN",
    "agent": "AGENT",
    "model": "LLM",
    "tool": "TOOL",
    "retrieval": "RETRIEVER",
    "decision": "CHAIN",
}
_SUBJECTS: Final[Mapping[str, str]] = {
    "workflow": "gen_ai.workflow.name",
    "agent": "gen_ai.agent.name",
    "model": "gen_ai.request.model",
    "tool": "gen_ai.tool.name",
    "retrieval": "gen_ai.data_source.id",
}
_USAGE: Final[Mapping[str, str]] = {
    "input_tokens": "gen_ai.usage.input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens",
    "cache_read_tokens": "gen_ai.usage.cache_read.input_tokens",
    "cache_write_tokens": "gen_ai.usage.cache_creation.input_tokens",
    "reasoning_tokens": "gen_ai.usage.reasoning.output_tokens",
    "snapshot": "gen_ai.response.model",
    "response_id": "gen_ai.response.id",
}
CURRENCY: Final = f"{OWN}cost.currency"
# What the configured name of a model begins with → what the conventions call its provider.
_PROVIDERS: Final[Mapping[str, str]] = {
    "openai": "openai",
    "anthropic": "anthropic",
    "google": "gcp.gemini",
}
_RENAMED: Final[Mapping[str, str]] = {
    "replayed": "fishplate.replayed",
    "cache_hit": "fishplate.cache.hit",
    "reason": "fishplate.decision.reason",
    "chosen": "fishplate.decision.branch",
    "cost_nanos": "fishplate.cost.nanos",
    "cost_currency": CURRENCY,
    "attempt": "fishplate.attempt",
    "used": "fishplate.retrieval.used_ids",
    "query": "gen_ai.retrieval.query.text",
}
_SPENT: Final = frozenset(
    {"model", "finish_reason", "error", "degraded", "passages", *_USAGE, *_RENAMED}
)

DURATION_BOUNDS: Final = tuple(0.01 * 2**n for n in range(14))
"""Seconds, as the conventions ask for them."""
TOKEN_BOUNDS: Final = tuple(float(4**n) for n in range(14))
TOKENS: Final = "gen_ai.client.token.usage"
TOKENS_UNIT: Final = "{token}"
COST: Final = f"{OWN}cost"
COST_UNIT: Final = "n{currency}"
UNPRICED: Final = f"{OWN}cost.unknown"
ERRORS: Final = f"{OWN}errors"
OVERFLOW: Final = "otel.metric.overflow"
_DURATIONS: Final[Mapping[str, str]] = {
    "workflow": "gen_ai.workflow.duration",
    "agent": "gen_ai.invoke_agent.duration",
    "tool": "gen_ai.execute_tool.duration",
    "model": "gen_ai.client.operation.duration",
    "retrieval": "gen_ai.client.operation.duration",
}


def resource(service: str) -> dict[str, Attribute]:
    """The attributes of the program whose spans they are.

    Args:
        service: Its name; some readers group by it, others by the name of a project.
    """
    return {"service.name": service, "openinference.project.name": service}


class Described(NamedTuple):
    """A span in the words of the profile.

    Attributes:
        name: Low cardinality: holds no id and no text of a user.
        kind: Whether it leaves the process.
        attributes: By their conventional names.
        is_error: Its status; an error of the root is told as such, whatever stands below it.
    """

    name: str
    kind: OtelKind
    attributes: dict[str, Attribute]
    is_error: bool


def described(span: Span) -> Described:
    """Say a span in the words of the profile; without inputs and outputs, see `content`."""
    return Described(
        name=_name_of(span),
        kind="CLIENT" if span.kind == "model" else "INTERNAL",
        attributes=dict(_attributes(span)),
        is_error=span.status in {"error", "cancelled"},
    )


def duration_metric(kind: SpanKind) -> str:
    """The metric that tells how long such spans took."""
    return _DURATIONS[kind]


def token_types() -> tuple[tuple[str, str], ...]:
    """What a request notes of its tokens, with the conventional word for it."""
    return (("input_tokens", "input"), ("output_tokens", "output"))


def measured(
    head: HeadTuple, error: str | None, *, model: str | None, provider: str | None
) -> dict[str, Attribute]:
    """The attributes of a metric of spans, of which there are few values.

    Args:
        head: Of the spans.
        error: Code of the failure that they ended in.
        model: That was asked.
        provider: Who runs it.
    """
    kind, name, release = head
    found: dict[str, Attribute] = {
        "gen_ai.operation.name": _OPERATIONS[kind],
        _SUBJECTS[kind]: (model or name) if kind == "model" else name,
    }
    if provider is not None:
        found["gen_ai.provider.name"] = provider
    if kind == "agent":
        found["gen_ai.agent.version"] = release
    else:
        found[f"{OWN}release"] = release
    if error is not None:
        found["error.type"] = error
    return found


def content(span: Span, value: bytes, *, is_input: bool) -> Iterator[tuple[str, Attribute]]:
    """The attributes that carry the input or the output of a span.

    Args:
        span: What took or gave it.
        value: JSON, redacted already.
        is_input: Which of both it is.
    """
    text = value.decode()
    side = "input" if is_input else "output"
    if span.kind == "model":
        messages = (request_messages if is_input else answer_messages)(value)
        if messages is not None:
            yield f"gen_ai.{side}.messages", messages
            text = messages  # readers show the one or the other, and know this form only
    yield f"{side}.value", text
    yield f"{side}.mime_type", "application/json"
    if span.kind == "tool":
        yield f"gen_ai.tool.call.{'arguments' if is_input else 'result'}", text


def _name_of(span: Span) -> str:
    operation = _OPERATIONS.get(span.kind)
    if operation is None:
        return span.name
    if span.kind == "model":
        return f"{operation} {_model_of(span)[1]}"
    # What was searched may be content, and is not told then.
    return operation if span.name == operation else f"{operation} {span.name}"


def _model_of(span: Span) -> tuple[str | None, str]:
    """Provider and model: readers find prices by the model's own name."""
    found = (span.attributes or {}).get("model")
    name = found if isinstance(found, str) else span.name
    provider, _, model = name.partition(":")
    known = _PROVIDERS.get(provider)
    return (None, name) if known is None else (known, model)


def _attributes(span: Span) -> Iterator[tuple[str, Attribute]]:
    kind, facts = span.kind, span.attributes or {}
    if kind in _OPERATIONS:
        yield "gen_ai.operation.name", _OPERATIONS[kind]
        provider, subject = _model_of(span) if kind == "model" else (None, span.name)
        yield _SUBJECTS[kind], subject
        if provider is not None:
            yield "gen_ai.provider.name", provider
    if kind == "agent":
        yield "gen_ai.agent.version", span.release
    elif span.release:
        yield f"{OWN}release", span.release
    yield "openinference.span.kind", _OPEN_INFERENCE[kind]
    yield f"{OWN}step.path", span.path
    yield from _end(span.status, facts)
    if kind == "retrieval" and facts.get("passages"):
        yield "gen_ai.retrieval.documents", _plain(facts["passages"])
    for word, name in (*_USAGE.items(), *_RENAMED.items()):
        found = facts.get(word)
        if found is not None:
            yield name, _plain(found)
    for word, value in facts.items():
        if word not in _SPENT and value is not None:
            yield f"{OWN}{word}", _plain(value)


def _end(status: SpanStatus, facts: Mapping[str, JsonValue]) -> Iterator[tuple[str, Attribute]]:
    if status == "degraded":
        yield f"{OWN}degraded", True
    if status == "cancelled":
        yield "error.type", "cancelled"
    elif "error" in facts:
        yield "error.type", str(facts["error"])
    elif status == "error" and "code" in facts:  # of an attempt
        yield "error.type", str(facts["code"])
    finish = facts.get("finish_reason")
    if isinstance(finish, str):
        yield "gen_ai.response.finish_reasons", [finish]


def _plain(value: JsonValue) -> Attribute:
    """A value as an attribute may hold it; JSON text of what it may not."""
    if isinstance(value, (str, bool, int, float)):
        return value
    return to_json(value, inf_nan_mode="null").decode()
