"""What cannot work with a model is refused before anything runs, and a key is told to nobody."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from fishplate import App, FishplateError, Policy, Prompt, model_agent, tool, workflow
from fishplate.core.errors import DeclarationError, MissingExtraError, UsageError
from fishplate.models.access import KEYS
from fishplate.models.model import Features
from fishplate.models.prices import PublishedPrices
from fishplate.models.providers import ProviderModel
from fishplate.testing import ScriptedModel
from tests.models.fake_http import FakeProvider, Heard, Said, fake_provider

KEY: Final = "sk-live-0f1e2d3c4b5a69788796a5b4c3d2e1f0"


@tool(effect="readonly")
async def stock(item: str) -> int:
    """How many there are."""
    return len(item)


@model_agent("fast")
def greet(name: str) -> Prompt[str]:
    """Greet somebody."""
    return Prompt(user=f"Greet {name}.")


@model_agent("fast", tools=[stock])
def seller(item: str) -> Prompt[str]:
    """Say whether there is some."""
    return Prompt(user=f"Is there {item}?")


@workflow
async def greeting(name: str) -> str:
    """Greet somebody."""
    return await greet(name)


def unknown_alias() -> object:
    """The app has another model than the code names."""
    return App(greeting, models={"slow": ScriptedModel([])})


def no_models() -> object:
    """The app has no model at all."""
    return App(greeting)


def missing_feature() -> object:
    """The model takes no tools, and the agent has some."""
    return App(seller, models={"fast": ScriptedModel([], features=Features(has_schemas=True))})


def missing_library() -> object:
    """The library of the provider is not there."""
    return ProviderModel("anthropic:claude-of-tomorrow", key=KEY)


def missing_prices() -> object:
    """The table of published prices is not there."""
    return PublishedPrices()


def no_model() -> object:
    """The name of a model is no model."""
    broken: Any = "openai:gpt-5-mini"
    return App(greeting, models={"fast": broken})


def bad_key() -> object:
    """The key was read from a file, with its last line break."""
    return ProviderModel("openai:gpt-5-mini", key=f"{KEY}\n")


def bad_url() -> object:
    """The address has no scheme."""
    return ProviderModel("openai:gpt-5-mini", key=KEY, url=f"localhost:8080/v1?key={KEY}")


def unknown_provider() -> object:
    """The name names nobody."""
    return ProviderModel("acme:large", key=KEY)


def no_prompt() -> object:
    """The function is declared to return something else."""

    def said(name: str) -> str:
        """No prompt."""
        return name

    broken: Any = model_agent("fast")
    return broken(said)


def inexpressible() -> object:
    """No provider can be asked for anything at all."""

    def anything(name: str) -> Prompt[Any]:
        """No contract."""
        return Prompt(user=name)

    return model_agent("fast")(anything)


REFUSED: Final[dict[str, tuple[Callable[[], object], type[FishplateError], str, str]]] = {
    "an unknown alias": (
        unknown_alias,
        DeclarationError,
        "unknown_model",
        "configure it, App(models={'fast': model})",
    ),
    "no models": (
        no_models,
        DeclarationError,
        "unknown_model",
        "configure it, App(models={'fast': model})",
    ),
    "a model without a needed feature": (
        missing_feature,
        DeclarationError,
        "missing_feature",
        "configure one that does, or leave out tools=",
    ),
    "a missing library": (
        missing_library,
        MissingExtraError,
        "missing_extra",
        "pip install 'fishplate[models]'",
    ),
    "missing prices": (
        missing_prices,
        MissingExtraError,
        "missing_extra",
        "pip install 'fishplate[models]'",
    ),
    "a name for a model": (
        no_model,
        DeclarationError,
        "not_a_model",
        "Make a model of its name: ProviderModel(",
    ),
    "a key with a line break": (
        bad_key,
        UsageError,
        "bad_key",
        "give it as the provider shows it, and nothing else",
    ),
    "an address without a scheme": (
        bad_url,
        UsageError,
        "bad_url",
        "write it as https://HOST/PATH or http://HOST:PORT/PATH",
    ),
    "an unknown provider": (
        unknown_provider,
        UsageError,
        "unknown_provider",
        "write one of openai:MODEL, anthropic:MODEL, google:MODEL",
    ),
    "a prompt function that returns something else": (
        no_prompt,
        DeclarationError,
        "no_contract",
        "Prompt[",
    ),
    "an output that no provider can express": (
        inexpressible,
        DeclarationError,
        "inexpressible_output",
        "name a model, a union of models, a literal or str",
    ),
}


@pytest.mark.parametrize(("start", "kind", "code", "remedy"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_work_is_refused_at_the_start_with_the_remedy(
    start: Callable[[], object],
    kind: type[FishplateError],
    code: str,
    remedy: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No run begins: the error has its type and code, and says what to do."""
    for library in ("anthropic", "genai_prices"):
        monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(kind) as refused:
        start()

    assert refused.value.code == code
    assert remedy in str(refused.value)
    assert KEY not in str(refused.value)


@pytest.mark.parametrize("provider", KEYS)
def test_a_missing_key_is_refused_with_the_name_of_its_variable(
    provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model without a key is not made."""
    for variable in KEYS.values():
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(UsageError) as refused:
        ProviderModel(f"{provider}:some-model")

    variable = next(word for known, word in KEYS.items() if known == provider)
    assert refused.value.code == "missing_key"
    assert f"set {variable}, or give key=" in str(refused.value)


@model_agent("fast")
def lying(name: str) -> Prompt[str]:
    """Promise a prompt, and return a text."""
    found: Any = name
    return found  # type: ignore[no-any-return]


@workflow
async def through_lying(name: str) -> str:
    """Reach it through a workflow."""
    return await lying(name)


async def test_a_prompt_function_that_lies_about_its_type_is_refused_at_the_start() -> None:
    """The app is not entered, whatever leads to the agent, and no model is asked."""
    model = ScriptedModel(["x"])
    app = App(through_lying, models={"fast": model})
    with pytest.raises(DeclarationError) as refused:
        await app.__aenter__()

    assert refused.value.code == "bad_prompt"
    assert "the prompt function of agent 'lying' returned 'str': return a Prompt" in str(
        refused.value
    )
    assert model.requests == []


def quoting(heard: Heard) -> Said:
    """Refuse the key, and quote all that was sent."""
    quoted = f"bad key: {heard.path} {heard.headers}"
    error = {"type": "authentication_error", "code": "invalid_api_key", "message": quoted}
    return Said(401, json.dumps({"type": "error", "error": error}).encode())


@pytest.fixture
def tell_tale() -> Iterator[FakeProvider]:
    """A provider that quotes the key."""
    with fake_provider(quoting) as server:
        yield server


@pytest.mark.parametrize("provider", KEYS)
def test_a_key_is_in_no_error_log_trace_or_store(
    provider: str, tell_tale: FakeProvider, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Even a provider that quotes the key in its error gives it away to nobody."""
    caplog.set_level(logging.DEBUG)
    model = ProviderModel(f"{provider}:some-model", key=KEY, url=tell_tale.url)
    guarded = greet.using(Policy(timeout=20))

    async def ask() -> FishplateError:
        async with App(
            guarded,
            models={"fast": model},
            store=f"sqlite:///{tmp_path / 'runs.db'}",
            traces=f"sqlite:///{tmp_path / 'traces.db'}",
        ) as app:
            run = app.start(guarded, "Ann")
            with contextlib.suppress(FishplateError):
                await run.result()
            with pytest.raises(FishplateError) as failed:
                await run.result()
            assert KEY not in repr([app.spans(run), app.models, app.release(guarded)])
        await model.close()
        while left := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(left)
        return failed.value

    failure = asyncio.run(ask())

    assert KEY in f"{tell_tale.heard}", "the fake has seen no key, so nothing was tried"
    assert failure.code == "model_authentication"
    assert KEY not in "".join(traceback.format_exception(failure))
    assert KEY not in json.dumps(failure.to_json())
    assert KEY not in caplog.text
    files = [path for path in tmp_path.iterdir() if path.is_file()]
    assert {path.name for path in files} >= {"runs.db", "traces.db"}
    for path in files:
        assert KEY.encode() not in path.read_bytes(), path.name
