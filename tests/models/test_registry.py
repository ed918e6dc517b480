"""The models of an app: what is no model is refused when the app is made."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Final

import pytest

from fishplate import App, DeclarationError
from fishplate.models.model import Features, ModelAnswer, ModelRequest
from fishplate.testing import ScriptedModel

SECRET: Final = "sk-live-0f1e2d3c4b5a"


class Own:
    """A model of a user's own, with a part exchanged."""

    def __init__(self, **parts: object) -> None:
        self.name: object = "own"
        self.pinned: object = None
        self.features: object = Features()
        self.__dict__.update(parts)

    async def request(self, request: ModelRequest) -> ModelAnswer:
        """Answer."""
        return ModelAnswer(text=request.messages[-1].text)


class Streaming:
    """What somebody writes who takes a model for a stream."""

    name = "streaming"
    pinned = None
    features = Features()

    async def request(self, request: ModelRequest) -> AsyncIterator[str]:
        """Yield."""
        yield request.messages[-1].text


def yielding(request: ModelRequest) -> Iterator[str]:
    """Yield, and be never awaited."""
    yield request.messages[-1].text


async def without_arguments() -> ModelAnswer:
    """Take no request."""
    return ModelAnswer()


def nobody(request: ModelRequest) -> ModelAnswer:
    """Be a function, and no model."""
    return ModelAnswer(text=request.messages[-1].text)


NO_MODELS: Final[dict[str, tuple[object, str]]] = {
    "nothing": (None, "is None. Configure a model, or leave the alias out"),
    "a name": ("openai:gpt-5-mini", "is a text. Make a model of its name: ProviderModel("),
    "a key": (SECRET, "is a text"),
    "a class": (ScriptedModel, "is a class. Make an object of it: ScriptedModel(...)"),
    "a number": (3, "is a 'int' without 'name' and 'pinned' and 'features' and 'request'"),
    "a function": (nobody, "is a 'function' without 'name' and"),
    "an empty name": (Own(name=""), "whose 'name' is no text, or empty"),
    "a name of another type": (Own(name=b"own"), "whose 'name' is no text"),
    "a snapshot of another type": (Own(pinned=2026), "whose 'pinned' is no text"),
    "features as words": (Own(features={"tools": True}), "whose 'features' are a 'dict'"),
    "no method": (Own(request="ask"), "whose 'request' cannot be called with one request"),
    "no parameter": (Own(request=without_arguments), "whose 'request' cannot be called"),
    "a plain generator": (Own(request=yielding), "whose 'request' cannot be called"),
    "a generator": (Streaming(), "which returns a ModelAnswer"),
}


@pytest.mark.parametrize(("found", "said"), NO_MODELS.values(), ids=NO_MODELS)
def test_what_is_no_model_is_refused_with_its_alias(found: Any, said: str) -> None:
    """The error names the alias, says what stands there, and what to do; a text is not shown."""
    with pytest.raises(DeclarationError) as refused:
        App(models={"fast": found})

    assert refused.value.code == "not_a_model"
    assert "behind the alias 'fast'" in str(refused.value)
    assert said in str(refused.value)
    assert SECRET not in str(refused.value)


def test_all_aliases_are_told_at_once() -> None:
    """Who mends one hears of the next before the app starts again."""
    wrong: Any = {"fast": None, "small": ScriptedModel, "": ScriptedModel([]), 5: Own()}
    with pytest.raises(DeclarationError) as refused:
        App(models=wrong)

    codes = [problem.code for problem in refused.value.problems]
    assert codes == ["not_a_model", "not_a_model", "bad_alias", "bad_alias"]


@pytest.mark.parametrize("models", [ScriptedModel([]), "openai:gpt-5-mini", [ScriptedModel([])]])
def test_models_without_aliases_are_refused(models: Any) -> None:
    """One model, a text or a list says nothing of what the agents' code names."""
    with pytest.raises(DeclarationError, match=r"App\(models={'fast': model}\)") as refused:
        App(models=models)

    assert refused.value.code == "not_a_model"


# What is compiled may not tell what it takes, as `dict` does not.
@pytest.mark.parametrize("make", [Own, lambda: ScriptedModel([]), lambda: Own(request=dict)])
def test_whatever_has_the_parts_of_a_model_is_one(make: Callable[[], Any]) -> None:
    """No base class is asked for."""
    model = make()

    assert App(models={"fast": model}).models == {"fast": model}
