"""Models of providers, against a server that speaks as they do and fails on demand."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import subprocess
import sys
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from typing import Final, cast

import pytest

from fishplate import ErrorClass, Failure
from fishplate.core.errors import UsageError
from fishplate.models.model import (
    Features,
    Message,
    ModelAnswer,
    ModelRequest,
    ModelSettings,
    ToolCall,
    ToolSpec,
)
from fishplate.models.providers import ProviderModel, StreamTimers
from tests.models.fake_http import Said, fake_provider
from tests.models.fake_providers import FakeProviders

KEY: Final = "sk-this-is-a-secret"
NAMES: Final = {
    "openai": "openai:gpt-4o-mini",
    "anthropic": "anthropic:claude-of-tomorrow",
    "google": "google:gemini-2.5-flash",
}
TIMERS: Final = StreamTimers(first_event=2.0, progress=0.5, idle=0.4)
HELLO: Final = ModelRequest(
    messages=(Message(role="system", text="Be kind."), Message(role="user", text="Hello.")),
    settings=ModelSettings(max_tokens=50, temperature=0.0, seed=7),
)
PRICE: Final = ToolSpec(
    name="price_of",
    description="The price.",
    schema={"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]},
)


@pytest.fixture(params=NAMES)
def model(request: pytest.FixtureRequest, providers: FakeProviders) -> ProviderModel:
    """A model of each provider."""
    return ProviderModel(
        NAMES[request.param], key=KEY, url=providers.url(request.param), timers=TIMERS
    )


@pytest.fixture
def openai(providers: FakeProviders) -> ProviderModel:
    """A model of one provider."""
    return ProviderModel(NAMES["openai"], key=KEY, url=providers.url("openai"), timers=TIMERS)


@contextlib.asynccontextmanager
async def closing(model: ProviderModel) -> AsyncGenerator[ProviderModel]:
    """The model; its connections are closed at the end."""
    try:
        yield model
    finally:
        await model.close()
        # The libraries of the providers leave the end of their generators to the event loop.
        while left := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(left)


async def failure_of(model: ProviderModel, request: ModelRequest = HELLO) -> Failure:
    """How one request fails."""
    async with closing(model):
        with pytest.raises(Failure) as failed:
            await model.request(request)
    return failed.value


async def test_an_answer_comes_with_its_usage(
    model: ProviderModel, providers: FakeProviders
) -> None:
    """Text, tokens, the snapshot and the reason why it ended are the provider's."""
    providers.behave({"type": "reply", "text": "Good day."})
    async with closing(model):
        answer = await model.request(HELLO)

    assert answer.text == "Good day."
    assert answer.finish_reason == "stop"
    assert answer.snapshot == model.name.partition(":")[2]
    assert answer.usage.output_tokens == 2
    assert len(providers.requests()) == 1


async def test_a_text_is_told_as_it_comes(model: ProviderModel, providers: FakeProviders) -> None:
    """Its pieces, joined, are the text of the answer."""
    providers.behave({"type": "reply", "text": "Good day to you and to all of yours."})
    told: list[str] = []
    async with closing(model):
        answer = await model.request(replace(HELLO, tell=told.append))

    assert "".join(told) == answer.text
    assert len([piece for piece in told if piece]) > 1


async def test_what_was_told_of_a_stream_that_breaks_off_is_a_part(
    model: ProviderModel, providers: FakeProviders
) -> None:
    """The failure says that it is no answer."""
    providers.behave({"type": "stream_fault", "kind": "truncate", "after_chunks": 4})
    told: list[str] = []

    failure = await failure_of(model, replace(HELLO, tell=told.append))

    assert failure.code == "model_stream_truncated"
    assert "".join(told)


@dataclass(frozen=True)
class Fault:
    """What the server does, and how that is to be told."""

    behavior: dict[str, object]
    error_class: ErrorClass
    code: str
    retry_after: float | None = None


def stream_fault(kind: str) -> dict[str, object]:
    """What happens to a stream after its first part."""
    return {"type": "stream_fault", "kind": kind, "after_chunks": 1}


FAULTS: Final = {
    "429": Fault(
        {"type": "fail", "status": 429, "retry_after": 7},
        ErrorClass.RATE_LIMITED,
        "model_rate_limit",
        7,
    ),
    "500": Fault({"type": "fail", "status": 500}, ErrorClass.TRANSIENT, "model_server_error"),
    "401": Fault({"type": "fail", "status": 401}, ErrorClass.PERMANENT, "model_authentication"),
    "404": Fault({"type": "fail", "status": 404}, ErrorClass.PERMANENT, "model_not_found"),
    "disconnect": Fault(stream_fault("disconnect"), ErrorClass.TRANSIENT, "model_connection"),
    "truncate": Fault(stream_fault("truncate"), ErrorClass.TRANSIENT, "model_stream_truncated"),
    "stall": Fault(stream_fault("stall"), ErrorClass.TRANSIENT, "model_timeout"),
    "malformed": Fault(stream_fault("malformed"), ErrorClass.TRANSIENT, "model_answer_unreadable"),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_each_failure_has_its_class_after_one_request(
    model: ProviderModel, providers: FakeProviders, fault: Fault
) -> None:
    """Nothing is tried again below fishplate, and nothing quotes the key."""
    providers.behave(fault.behavior)
    failure = await failure_of(model)

    assert (failure.error_class, failure.code) == (fault.error_class, fault.code)
    assert fault.retry_after in {None, failure.retry_after}
    assert len(providers.requests()) == 1
    assert failure.__context__ is None
    assert failure.__cause__ is None
    assert "secret" not in repr(failure.to_json())


@pytest.mark.parametrize("model", ["openai", "google"], indirect=True)
async def test_an_exhausted_quota_is_no_rate(
    model: ProviderModel, providers: FakeProviders
) -> None:
    """A 429 whose body says that the quota is spent is not worth waiting for."""
    providers.behave({"type": "fail", "status": 429, "code": "insufficient_quota"})
    failure = await failure_of(model)

    assert failure.error_class is ErrorClass.QUOTA_EXHAUSTED


async def test_an_overloaded_provider_is_told_from_a_broken_one(
    model: ProviderModel, providers: FakeProviders
) -> None:
    """A 503 is overload."""
    providers.behave({"type": "fail", "status": 503})
    failure = await failure_of(model)

    assert failure.error_class is ErrorClass.OVERLOAD


async def test_what_is_too_long_is_told_from_other_refusals(
    openai: ProviderModel, providers: FakeProviders
) -> None:
    """A server's own word for a conversation that is too long counts as the usual one."""
    word = "exceed_context_size_error"  # of llama.cpp
    providers.behave({"type": "fail", "status": 400, "code": word})
    failure = await failure_of(openai)

    assert (failure.error_class, failure.code) == (ErrorClass.PERMANENT, "model_context_window")
    assert word in str(failure)


CHUNKS: Final = (
    '{"choices": [{"index": 0, "delta": {"content": "Hello."}, "finish_reason": null}]}',
    '{"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}',
)
STREAM: Final = "".join(f"data: {chunk}\n\n" for chunk in CHUNKS)


async def _answer_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Promise to keep the connection, and close it when the next request comes."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head, flags=re.IGNORECASE)
    assert length is not None
    await reader.readexactly(int(length[1]))
    kept = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nKeep-Alive: timeout=5\r\n"
    writer.write(f"{kept}Content-Length: {len(STREAM)}\r\n\r\n{STREAM}".encode())
    await writer.drain()
    await reader.read(1)
    writer.close()
    await writer.wait_closed()


async def test_a_connection_that_is_not_kept_as_promised_loses_nothing() -> None:
    """A local server that closes after each stream, as llama.cpp's does, answers every request."""
    server = await asyncio.start_server(_answer_once, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    local = ProviderModel(NAMES["openai"], key=KEY, url=f"http://127.0.0.1:{port}/v1")
    async with server, closing(local):
        texts = [(await local.request(HELLO)).text for _ in range(3)]

    assert texts == ["Hello."] * 3


def test_half_a_character_in_arguments_comes_as_broken_json() -> None:
    """A provider that gives arguments as an object, and half a character in them, is answered."""
    call = {"functionCall": {"name": "price_of", "args": {"id": "\ud800"}}}
    content = {"role": "model", "parts": [call]}
    event = {"candidates": [{"content": content, "index": 0, "finishReason": "STOP"}]}
    said = Said(200, f"data: {json.dumps(event)}\n\n".encode(), "text/event-stream")
    with fake_provider(lambda _: said) as server:
        # Made outside of the loop, since it starts a task where it is collected inside of one.
        google = ProviderModel(NAMES["google"], key=KEY, url=server.url, timers=TIMERS)

        async def ask() -> ModelAnswer:
            async with closing(google):
                return await google.request(replace(HELLO, tools=(PRICE,)))

        answer = asyncio.run(ask())

    assert answer.calls[0].arguments == '{"id": "\\ud800"}'


REFUSALS: Final = {
    "openai": (
        '{"choices": [{"index": 0, "delta": {"refusal": "I cannot."}, "finish_reason": null}]}',
        '{"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}',
        '{"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 3}}',
        "[DONE]",
    ),
    "google": (
        '{"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 9}}',
    ),
}


@pytest.mark.parametrize("provider", REFUSALS)
def test_a_refusal_is_an_answer_that_has_ended(provider: str) -> None:
    """Whoever declines need not say how the answer ended; what it took is counted."""
    stream = "".join(f"data: {chunk}\n\n" for chunk in REFUSALS[provider])
    said = Said(200, stream.encode(), "text/event-stream")
    with fake_provider(lambda _: said) as server:
        path = "/v1" if provider == "openai" else ""
        model = ProviderModel(NAMES[provider], key=KEY, url=server.url + path, timers=TIMERS)

        async def ask() -> ModelAnswer:
            async with closing(model):
                return await model.request(HELLO)

        answer = asyncio.run(ask())

    assert answer.finish_reason == "content_filter"
    assert answer.usage.input_tokens == 9


def streamed(provider: str, *named: str | None) -> bytes:
    """A whole answer of a provider, with what it says of the model, if anything."""
    count = {"input_tokens": 1, "output_tokens": 1}
    model = {"modelVersion" if provider == "google" else "model": word for word in named}
    match provider:
        case "openai":
            choice = {"index": 0, "delta": {"content": "Yes."}, "finish_reason": "stop"}
            events: list[dict[str, object]] = [{"choices": [choice], **model}]
        case "google":
            content = {"role": "model", "parts": [{"text": "Yes."}]}
            said = {"index": 0, "content": content, "finishReason": "STOP"}
            events = [{"candidates": [said], **model}]
        case _:
            message: dict[str, object] = {"id": "1", "role": "assistant", "content": []}
            message |= {"usage": count, **model}
            block, delta = {"type": "text", "text": ""}, {"type": "text_delta", "text": "Yes."}
            events = [
                {"type": "message_start", "message": message},
                {"type": "content_block_start", "index": 0, "content_block": block},
                {"type": "content_block_delta", "index": 0, "delta": delta},
                {"type": "content_block_stop", "index": 0},
                {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": count},
                {"type": "message_stop"},
            ]
    lines = (
        f"event: {event['type']}\ndata: {json.dumps(event)}\n\n"
        if "type" in event
        else f"data: {json.dumps(event)}\n\n"
        for event in events
    )
    return "".join(lines).encode()


@pytest.mark.parametrize("provider", NAMES)
@pytest.mark.parametrize(
    ("named", "snapshot"),
    [((), None), ((None,), None), (("",), None), (("asked",), "asked"), (("other",), "other")],
)
def test_a_model_that_no_provider_names_is_unknown(
    provider: str, named: tuple[str | None, ...], snapshot: str | None
) -> None:
    """The name that was asked for is no answer; the same name, said by the provider, is one."""
    said = Said(200, streamed(provider, *named), "text/event-stream")
    with fake_provider(lambda _: said) as server:
        url = server.url + ("/v1" if provider == "openai" else "")
        model = ProviderModel(f"{provider}:asked", key=KEY, url=url)

        async def ask() -> ModelAnswer:
            async with closing(model):
                return await model.request(HELLO)

        answer = asyncio.run(ask())

    assert answer.text == "Yes."
    assert answer.snapshot == snapshot


@pytest.mark.parametrize(
    ("status", "error_class", "code"),
    [
        *((status, ErrorClass.PERMANENT, "model_request_rejected") for status in (405, 409, 413)),
        (451, ErrorClass.PERMANENT, "model_request_rejected"),
        (408, ErrorClass.TRANSIENT, "model_timeout"),
    ],
)
@pytest.mark.parametrize("provider", ["openai", "anthropic", "google"])
def test_a_request_that_is_refused_is_refused_for_good(
    provider: str, status: int, error_class: ErrorClass, code: str
) -> None:
    """Any status of 400 and more that says that the request is wrong is not worth another one."""
    body = json.dumps({"error": {"message": "no", "code": status}}).encode()
    with fake_provider(lambda _: Said(status, body)) as server:
        path = "/v1" if provider == "openai" else ""
        model = ProviderModel(NAMES[provider], key=KEY, url=server.url + path, timers=TIMERS)

        async def ask() -> Failure:
            async with closing(model):
                with pytest.raises(Failure) as failed:
                    await model.request(HELLO)
                return failed.value

        failure = asyncio.run(ask())

    assert (failure.error_class, failure.code) == (error_class, code)
    assert len(server.heard) == 1


@pytest.mark.parametrize("status", [302, 307, 308])
@pytest.mark.parametrize("provider", NAMES)
def test_a_redirect_is_not_followed(provider: str, status: int) -> None:
    """Conversation and key go to the address that was given, and to no other."""
    with fake_provider(lambda _: Said(200, b"")) as other:
        path = "/v1" if provider == "openai" else ""
        said = Said(status, b"", location=other.url.replace("127.0.0.1", "localhost"))
        with fake_provider(lambda _: said) as server:
            model = ProviderModel(NAMES[provider], key=KEY, url=server.url + path, timers=TIMERS)
            failure = asyncio.run(failure_of(model))

        assert (failure.error_class, failure.code) == (ErrorClass.PERMANENT, "model_redirected")
        assert str(status) in str(failure)
        assert (len(server.heard), other.heard) == (1, [])


async def test_silence_before_the_first_byte_ends(
    model: ProviderModel, providers: FakeProviders
) -> None:
    """A provider that sends nothing is given up, and that is transient."""
    providers.behave({"type": "delay", "seconds": 1.0})
    failure = await failure_of(model)

    assert failure.error_class is ErrorClass.TRANSIENT
    assert failure.code in {"model_timeout", "model_stalled"}


async def test_comments_are_no_progress(openai: ProviderModel, providers: FakeProviders) -> None:
    """The clock of the first part runs on while a connection is kept open."""
    impatient = ProviderModel(
        openai.name,
        key=KEY,
        url=providers.url("openai"),
        timers=StreamTimers(first_event=0.2, progress=0.2, idle=5.0),
    )
    providers.behave({"type": "slow_first_token", "seconds": 1.0})
    failure = await failure_of(impatient)

    assert failure.code == "model_stalled"


async def test_nobody_there_is_transient() -> None:
    """A refused connection is as good as a broken one."""
    nobody = ProviderModel(NAMES["openai"], key=KEY, url="http://127.0.0.1:9/v1", timers=TIMERS)
    failure = await failure_of(nobody)

    assert (failure.error_class, failure.code) == (ErrorClass.TRANSIENT, "model_connection")


async def test_a_tool_call_comes_as_the_model_wrote_it(
    model: ProviderModel, providers: FakeProviders
) -> None:
    """Malformed arguments and unknown names are handed on for fishplate to judge."""
    request = ModelRequest(messages=HELLO.messages, tools=(PRICE,))
    async with closing(model):
        providers.behave({"type": "tool_fault", "kind": "malformed_arguments"})
        (malformed,) = (await model.request(request)).calls
        assert malformed.name == "price_of"
        if not model.name.startswith("google"):  # which sends objects, and they have no half
            assert malformed.arguments.count("{") > malformed.arguments.count("}")
        providers.behave({"type": "tool_fault", "kind": "unknown_tool"})
        (unknown,) = (await model.request(request)).calls

    assert unknown.name != "price_of"


async def test_a_whole_conversation_goes_out(
    model: ProviderModel, providers: FakeProviders
) -> None:
    """Calls and their results are sent back, so that the model can go on."""
    call = ToolCall(id="call-1", name="price_of", arguments='{"id": "W1"}')
    said = (
        *HELLO.messages,
        Message(role="assistant", text="I look.", calls=(call,)),
        Message(role="tool", text="1250", answers="call-1"),
    )
    async with closing(model):
        await model.request(ModelRequest(messages=said, tools=(PRICE,)))

    sent = str(providers.requests()[0])
    for text in ("Be kind.", "Hello.", "I look.", "W1", "1250", "The price."):
        assert text in sent


def test_what_cannot_be_configured_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unknown provider and a missing key are refused with the remedy."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(UsageError, match="openai:MODEL") as unknown:
        ProviderModel("nobody:x")
    with pytest.raises(UsageError, match="openai:MODEL"):
        ProviderModel(cast("str", None))
    with pytest.raises(ValueError, match="above 0"):
        StreamTimers(idle=cast("float", "5"))
    with pytest.raises(UsageError, match="OPENAI_API_KEY") as missing:
        ProviderModel("openai:gpt-4o-mini")
    with pytest.raises(ValueError, match="above 0"):
        StreamTimers(idle=0)

    assert (unknown.value.code, missing.value.code) == ("unknown_provider", "missing_key")


def test_without_the_extra_the_pip_command_is_told() -> None:
    """The adapter is imported where it is used, and says which extra it needs."""
    code = (
        "import sys; sys.modules['pydantic_ai'] = None\n"
        "import fishplate.testing, fishplate.models.model\n"
        "import fishplate.models.providers"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, encoding="utf-8"
    )

    assert answer.returncode == 1
    assert "pip install 'fishplate[models]'" in answer.stderr


def test_features_are_those_of_the_model() -> None:
    """What the library knows of a model decides how contracts go out, unless it is said."""
    known = ProviderModel(NAMES["google"], key=KEY)
    said = ProviderModel(NAMES["openai"], key=KEY, features=Features(has_tools=True))

    assert known.features == Features(has_schemas=True, has_tools=True, has_both_at_once=False)
    assert said.features == Features(has_tools=True)
