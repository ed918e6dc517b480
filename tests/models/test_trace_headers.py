"""What a provider is told of the trace and of the baggage of the run that asks it."""

import json
from collections.abc import Collection
from typing import Any, Final

import pytest

from fishplate import App, Failure, Prompt, model_agent
from fishplate.core.errors import UsageError
from fishplate.models.model import Message, ModelRequest
from fishplate.models.providers import ProviderModel
from fishplate.models.trace_headers import trace_headers
from tests.models.fake_http import Said, fake_provider

TRACE: Final = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT: Final = f"00-{TRACE}-00f067aa0ba902b7-01"
BAGGAGE: Final = "customer=Ada%20L,team=blue;ttl=5"
REFUSED: Final = Said(400, json.dumps({"error": {"message": "no"}}).encode())
NAMES: Final = {
    "openai": "openai:gpt-4o-mini",
    "anthropic": "anthropic:claude-of-tomorrow",
    "google": "google:gemini-2.5-flash",
}


@model_agent("fast")
def ask(question: str) -> Prompt[str]:
    """Answer."""
    return Prompt(user=question)


async def heard(
    provider: str,
    passed_on: Collection[str] = (),
    *,
    traceparent: str | None = None,
    baggage: str | None = None,
) -> tuple[dict[str, str], str]:
    """The headers of one request, by small letters, and what its span says as a `traceparent`."""
    with fake_provider(lambda _: REFUSED) as server:
        path = "/v1" if provider == "openai" else ""
        model = ProviderModel(
            NAMES[provider], key="not-a-real-one", url=server.url + path, baggage=passed_on
        )
        async with App(ask, models={"fast": model}) as app:
            run = app.start(ask, "x", traceparent=traceparent, baggage=baggage)
            with pytest.raises(Failure):
                await run.result()
            [span] = [one for one in app.spans(run) if one.kind == "model"]
        await model.close()
    found = {name.lower(): value for name, value in server.heard[0].headers.items()}
    return found, f"00-{run.trace_id}-{span.span_id:016x}-01"


@pytest.mark.parametrize("provider", NAMES)
async def test_a_provider_is_told_of_the_span_that_asks_it(provider: str) -> None:
    """The request's own span is the parent, in the caller's trace; baggage stays at home."""
    headers, parent = await heard(provider, traceparent=PARENT, baggage=BAGGAGE)

    assert headers["traceparent"] == parent
    assert parent.split("-")[1] == TRACE
    assert "baggage" not in headers


async def test_a_run_of_nobody_is_told_of_too() -> None:
    """A run without a caller has a trace, and no baggage to pass on."""
    headers, parent = await heard("openai", ("team",))

    assert headers["traceparent"] == parent
    assert "baggage" not in headers


@pytest.mark.parametrize("provider", NAMES)
async def test_the_named_members_of_baggage_go_out(provider: str) -> None:
    """Members that the configuration names go to the provider with their properties, no others."""
    headers, _ = await heard(provider, ("team", "shop"), baggage=BAGGAGE)

    assert headers["baggage"] == "team=blue;ttl=5"


@pytest.mark.parametrize("names", ["team", ("a b",), (5,), None])
def test_names_that_no_member_has_are_refused(names: Any) -> None:
    """A name alone would be read as its letters; what cannot be one would never go out."""
    with pytest.raises(UsageError, match="list those") as refused:
        ProviderModel(NAMES["openai"], key="not-a-real-one", baggage=names)
    assert refused.value.code == "bad_baggage"


async def test_outside_of_a_run_there_is_no_trace() -> None:
    """A model that is asked by itself sends neither header, and asks all the same."""
    request = ModelRequest(messages=(Message(role="user", text="x"),))
    with fake_provider(lambda _: REFUSED) as server:
        model = ProviderModel(NAMES["openai"], key="not-a-real-one", url=f"{server.url}/v1")
        with pytest.raises(Failure, match="answered 400"):
            await model.request(request)
        await model.close()

    assert trace_headers(("team",)) == {}
    assert not {"traceparent", "baggage"} & {name.lower() for name in server.heard[0].headers}
