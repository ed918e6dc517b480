"""Models of providers over HTTP, by the direct interface of pydantic-ai: the extra `models`.

What is used of it: one request as a stream, with the schema and the tools as JSON. Its agents, its
retries and those of the providers' own libraries are off, since all that stands around a request is
fishplate's. No text of a provider's error is ever shown: it may quote the key or the prompt.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, NamedTuple, Protocol, cast

from fishplate.core.data import dataclass
from fishplate.core.errors import ErrorClass, Failure, MissingExtraError
from fishplate.models.access import Provider, address_of, key_of, provider_of
from fishplate.models.model import (
    Features,
    FinishReason,
    Message,
    ModelAnswer,
    ModelRequest,
    ToolCall,
    Usage,
)
from fishplate.models.provider_failures import failure_of
from fishplate.models.trace_headers import check_member_names, trace_headers

try:
    from pydantic_ai import direct, exceptions, messages, models, output, settings, tools
except ImportError as error:  # the module itself, or what it is made of
    raise MissingExtraError("pydantic_ai", "models") from error


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamTimers:
    """How long a model may be silent. What all of it may take is the deadline of the call.

    Attributes:
        connect: Seconds until a connection stands.
        first_event: Seconds from the request to the first part of the answer; models that think
            before they speak need more.
        idle: Seconds without a byte, comments that only keep the connection open included.
        progress: Seconds between two parts of the answer.
    """

    connect: float = 5.0
    first_event: float = 30.0
    idle: float = 30.0
    progress: float = 30.0

    def __post_init__(self) -> None:
        """Refuse impossible numbers."""
        for name in ("connect", "first_event", "idle", "progress"):
            value: object = getattr(self, name)
            if not (isinstance(value, int | float) and value > 0):
                msg = f"StreamTimers({name}={value!r}): seconds above 0"
                raise ValueError(msg)


class ProviderModel:
    """A model of OpenAI (or of any server that speaks its language), Anthropic or Google.

    It is made where the app is made, and never inside of a run: making it reads certificates.

    Args:
        name: Provider and model, e.g. `openai:gpt-5-mini`, `anthropic:...`, `google:...`.
        key: The provider's key; by default what `OPENAI_API_KEY`, `ANTHROPIC_API_KEY` or
            `GOOGLE_API_KEY` says.
        url: Where the provider is; by default what `OPENAI_BASE_URL`, `ANTHROPIC_BASE_URL` or
            `GOOGLE_GEMINI_BASE_URL` says, or else its own address.
        pinned: The snapshot that has to answer, as the provider names it.
        timers: How long it may be silent.
        features: What it can do; by default what pydantic-ai knows of it.
        baggage: Names of those members of the caller's `baggage` that go to the provider. None by
            default: they may say whose request it is. `traceparent` always goes.

    Raises:
        MissingExtraError: The library of the provider is not installed.
        UsageError: The provider is unknown (code `unknown_provider`), there is no key (code
            `missing_key`), or the key, the address or a name in `baggage` cannot be one (codes
            `bad_key`, `bad_url`, `bad_baggage`).
    """

    def __init__(  # noqa: PLR0913 -- what a model is, keyword-only
        self,
        name: str,
        *,
        key: str | None = None,
        url: str | None = None,
        pinned: str | None = None,
        timers: StreamTimers = StreamTimers(),
        features: Features | None = None,
        baggage: Collection[str] = (),
    ) -> None:
        provider, model = provider_of(name)
        found, address = key_of(name, provider, key), address_of(name, provider, url)
        self.name = name
        self.pinned = pinned
        self._timers = timers
        self._baggage = check_member_names(name, baggage)
        asked = _AskedName(model)
        self._client, self._close = _client(provider, asked, found, address, timers)
        self.features = features or _features(self._client)

    async def request(self, request: ModelRequest) -> ModelAnswer:
        """Send one request and gather the answer.

        Raises:
            Failure: See `docs/reference/errors.md`; the class is decided by the type of what the
                library raised.
        """
        try:
            response = await self._streamed(request)
        except (
            exceptions.ModelAPIError,
            exceptions.UnexpectedModelBehavior,
            TimeoutError,
        ) as error:
            failure = failure_of(self.name, error)
        else:
            return self._answer(response)
        # Outside of the handler, so that what may quote the key is no context of it.
        raise failure

    async def close(self) -> None:
        """Close the connections that are kept for the next request."""
        await self._close()

    async def _streamed(self, request: ModelRequest) -> messages.ModelResponse:
        stream = direct.model_request_stream(
            self._client,
            _messages(request.messages),
            model_settings=_settings(request, trace_headers(self._baggage)),
            model_request_parameters=_parameters(request),
        )
        opened = cast("AbstractAsyncContextManager[_Stream]", stream)
        async with asyncio.timeout(self._timers.first_event) as silence, opened as events:
            loop = asyncio.get_running_loop()
            async for event in events:
                silence.reschedule(loop.time() + self._timers.progress)
                if request.tell is not None:
                    request.tell(_piece(event))
            return events.get()

    def _answer(self, response: messages.ModelResponse) -> ModelAnswer:
        usage, details = response.usage, response.provider_details or {}
        # Who declines need not say how the answer ended.
        has_ended = not details.keys().isdisjoint({"finish_reason", "refusal", "block_reason"})
        if not has_ended or response.finish_reason is None:
            # Without its last event a stream may have been cut off, however whole it looks.
            raise Failure(
                f"the stream of the model {self.name!r} ended before the answer did",
                error_class=ErrorClass.TRANSIENT,
                code="model_stream_truncated",
            )
        calls = [part for part in response.parts if isinstance(part, messages.ToolCallPart)]
        return ModelAnswer(
            text="".join(
                part.content for part in response.parts if isinstance(part, messages.TextPart)
            ),
            calls=tuple(
                ToolCall(id=one.tool_call_id, name=one.tool_name, arguments=_arguments(one.args))
                for one in calls
            ),
            finish_reason=_finish_reason(response.finish_reason),
            usage=_usage(usage),
            snapshot=_snapshot(response.model_name),
            reasoning=tuple(
                part.content for part in response.parts if isinstance(part, messages.ThinkingPart)
            ),
        )


class _AskedName(str):
    """The name of a model as it is asked for, told apart from equal names that a provider gives.

    Where a provider names no model, pydantic-ai gives the name back that it was asked with, which
    confirms nothing: of which model answered, only the provider knows.
    """

    __slots__ = ()


class _Client(NamedTuple):
    """A client, and how its connections are closed."""

    model: models.Model
    close: Callable[[], Awaitable[None]]


class _Stream(Protocol):
    """What is used of a stream of pydantic-ai."""

    def __aiter__(self) -> AsyncIterator[object]: ...
    def get(self) -> messages.ModelResponse: ...


def _client(
    provider: Provider, model: str, key: str, url: str | None, timers: StreamTimers
) -> _Client:
    """The client of a provider, which tries nothing again by itself."""
    try:
        match provider:
            case "openai":
                return _openai(model, key, url, timers)
            case "anthropic":
                return _anthropic(model, key, url, timers)
            case "google":
                return _google(model, key, url, timers)
    except ImportError as error:
        raise MissingExtraError(provider, "models") from error


# Each is imported when it is configured: together they cost a second. None follows a redirect, as
# that takes the conversation, and from one of them the key, to whatever address an answer names.


def _openai(model: str, key: str, url: str | None, timers: StreamTimers) -> _Client:
    from openai import AsyncOpenAI, DefaultAsyncHttpxClient, Timeout  # noqa: PLC0415 -- as said
    from pydantic_ai.models.openai import OpenAIChatModel  # noqa: PLC0415 -- as said
    from pydantic_ai.providers.openai import OpenAIProvider  # noqa: PLC0415 -- as said

    timeout = Timeout(timers.idle, connect=timers.connect)
    # llama.cpp's server promises to keep a connection and closes it after a stream, so that every
    # hundredth request that followed at once was lost. Without TLS a new connection costs nothing.
    headers = {"Connection": "close"} if url is not None and url.startswith("http://") else None
    client = AsyncOpenAI(
        api_key=key,
        base_url=url,
        max_retries=0,
        timeout=timeout,
        default_headers=headers,
        http_client=DefaultAsyncHttpxClient(follow_redirects=False),
    )
    found = OpenAIChatModel(model, provider=OpenAIProvider(openai_client=client))
    return _Client(found, client.close)


def _anthropic(model: str, key: str, url: str | None, timers: StreamTimers) -> _Client:
    from anthropic import AsyncAnthropic, DefaultAsyncHttpxClient, Timeout  # noqa: PLC0415 -- as said
    from pydantic_ai.models.anthropic import AnthropicModel  # noqa: PLC0415 -- as said
    from pydantic_ai.providers.anthropic import AnthropicProvider  # noqa: PLC0415 -- as said

    timeout = Timeout(timers.idle, connect=timers.connect)
    client = AsyncAnthropic(
        api_key=key,
        base_url=url,
        max_retries=0,
        timeout=timeout,
        http_client=DefaultAsyncHttpxClient(follow_redirects=False),
    )
    found = AnthropicModel(model, provider=AnthropicProvider(anthropic_client=client))
    return _Client(found, client.close)


def _google(model: str, key: str, url: str | None, timers: StreamTimers) -> _Client:
    from google.genai.types import HttpRetryOptions  # noqa: PLC0415 -- as said
    from httpx2 import AsyncClient, Timeout  # noqa: PLC0415 -- as said
    from pydantic_ai.models.google import GoogleModel  # noqa: PLC0415 -- as said
    from pydantic_ai.providers.google import GoogleProvider  # noqa: PLC0415 -- as said

    timeout = Timeout(timers.idle, connect=timers.connect)
    once = HttpRetryOptions(attempts=1)
    client = AsyncClient(timeout=timeout, follow_redirects=False)
    provider = GoogleProvider(api_key=key, http_client=client, base_url=url, retry_options=once)
    return _Client(GoogleModel(model, provider=provider), client.aclose)


def _features(client: models.Model) -> Features:
    profile = client.profile
    return Features(
        has_schemas=bool(profile.get("supports_json_schema_output", False)),
        has_tools=bool(profile.get("supports_tools", True)),
        # Gemini takes both at once since its third generation; the others always have.
        has_both_at_once=client.system != "google"
        or bool(profile.get("google_supports_tool_combination", False)),
    )


def _messages(conversation: tuple[Message, ...]) -> list[messages.ModelMessage]:
    names = {call.id: call.name for message in conversation for call in message.calls}
    found: list[messages.ModelMessage] = []
    for message in conversation:
        if message.role == "assistant":
            said: list[Any] = [messages.TextPart(message.text)] if message.text else []
            said += [
                messages.ToolCallPart(call.name, call.arguments, tool_call_id=call.id)
                for call in message.calls
            ]
            found.append(messages.ModelResponse(parts=said))
        else:
            # What is said in a row goes out as one request, as providers ask for it.
            if not found or not isinstance(found[-1], messages.ModelRequest):
                found.append(messages.ModelRequest(parts=[]))
            last = cast("messages.ModelRequest", found[-1])
            last.parts = [*last.parts, _part(message, names)]
    return found


def _part(message: Message, names: Mapping[str, str]) -> messages.ModelRequestPart:
    if message.role == "system":
        return messages.SystemPromptPart(message.text)
    if message.role == "user":
        return messages.UserPromptPart(message.text)
    answered = message.answers or ""
    return messages.ToolReturnPart(
        tool_name=names.get(answered, ""), content=message.text, tool_call_id=answered
    )


def _parameters(request: ModelRequest) -> models.ModelRequestParameters:
    schema = request.schema
    is_native = request.mode == "native" and isinstance(schema, dict)
    return models.ModelRequestParameters(
        function_tools=[
            tools.ToolDefinition(
                name=tool.name,
                description=tool.description,
                parameters_json_schema=cast("dict[str, Any]", tool.schema),
            )
            for tool in request.tools
        ],
        output_mode="native" if is_native else "text",
        output_object=output.OutputObjectDefinition(
            json_schema=cast("dict[str, Any]", schema), name=request.schema_name, strict=True
        )
        if is_native
        else None,
        allow_text_output=True,
    )


def _settings(request: ModelRequest, headers: dict[str, str]) -> settings.ModelSettings:
    wanted = request.settings
    found = settings.ModelSettings(extra_headers=headers) if headers else settings.ModelSettings()
    if wanted.max_tokens is not None:
        found["max_tokens"] = wanted.max_tokens
    if wanted.temperature is not None:
        found["temperature"] = wanted.temperature
    if wanted.seed is not None:
        found["seed"] = wanted.seed
    return found


def _piece(event: object) -> str:
    """The text that an event of a stream brings; empty if it brings something else."""
    match event:
        case messages.PartStartEvent(part=messages.TextPart(content=text)):
            return text
        case messages.PartDeltaEvent(delta=messages.TextPartDelta(content_delta=text)):
            return text
        case _:
            return ""


def _arguments(found: str | Mapping[str, object] | None) -> str:
    """The arguments of a call as text; what is no JSON is written down too, and refused later."""
    return found if isinstance(found, str) else json.dumps(found or {})


def _snapshot(found: str | None) -> str | None:
    """What the provider calls the model that answered; `None` if it names none."""
    return None if isinstance(found, _AskedName) or not found else found


def _finish_reason(found: str) -> FinishReason:
    match found:
        case "stop" | "length" | "content_filter" | "tool_call":
            return found
        case _:
            return "error"


def _usage(found: Any) -> Usage:
    """The tokens of a request; those that the provider has not measured are unknown."""
    if found.unmeasured_requests:
        return Usage()
    return Usage(
        input_tokens=found.input_tokens,
        output_tokens=found.output_tokens,
        cache_read_tokens=found.cache_read_tokens,
        cache_write_tokens=found.cache_write_tokens,
        reasoning_tokens=found.output_reasoning_tokens,
    )
