"""What a model gives that is no answer is a typed failure, and it is not asked again."""

from __future__ import annotations

from typing import Any, Final

import pytest

from fishplate import App, ErrorClass, Failure, TextWithdrawn
from fishplate.models.model import Features, ModelAnswer, ModelRequest
from fishplate.testing import ScriptedModel
from tests.agents.asked import Question, intent, say

ASKED: Final = Question(text="?")
SECRET: Final = "4111 1111 1111 1111"


class Careless:
    """A model of a user's own whose code gives what it likes."""

    name = "own:careless"
    pinned = None
    features = Features(has_schemas=True)

    def __init__(self, found: object) -> None:
        self._found = found
        self.asked = 0

    async def request(self, request: ModelRequest) -> Any:
        """Give it."""
        self.asked += len(request.messages) > 0
        return self._found


class Plain(Careless):
    """A model whose method is not async."""

    def request(self, request: ModelRequest) -> Any:  # type: ignore[override]
        """Give it at once."""
        self.asked += len(request.messages) > 0
        return self._found


class Stuttering(ScriptedModel):
    """A model that tells something else than text, and has swallowed nothing."""

    async def request(self, request: ModelRequest) -> ModelAnswer:
        """Tell a number between two texts."""
        tell: Any = request.tell
        if tell is not None:
            tell("Good ")
            tell(5)
        return await super().request(request)


async def failure_of(model: Any) -> tuple[Failure, list[str]]:
    """How a run fails, and the words that its spans say."""
    async with App(intent, models={"fast": model}) as app:
        run = app.start(intent, ASKED)
        with pytest.raises(Failure) as failed:
            await run.result()
        return failed.value, [word for span in app.spans(run) for word in span.attributes or {}]


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        (Careless(SECRET), "str"),
        (Careless(None), "NoneType"),
        (Careless({"text": SECRET}), "dict"),
        (Plain(ModelAnswer(text=SECRET)), "ModelAnswer"),
        (Plain(SECRET), "str"),
    ],
    ids=["a text", "nothing", "a dict", "an answer that cannot be awaited", "a plain text"],
)
async def test_what_is_no_answer_fails_with_the_name_of_the_model(
    model: Careless, kind: str
) -> None:
    """The failure has a code, names the model and the type, quotes nothing, and asks once."""
    failure, words = await failure_of(model)

    assert (failure.code, failure.error_class) == ("bad_model_answer", ErrorClass.BUG)
    assert f"the model 'own:careless' returned a {kind!r}" in str(failure)
    assert SECRET not in str(failure)
    assert model.asked == 1
    assert "unpriced_requests" in words
    assert "repairs" not in words


async def test_a_model_that_tells_no_text_fails_with_its_name() -> None:
    """A piece that is no text is told to nobody, and what was told before is withdrawn."""
    async with App(say, models={"fast": Stuttering(["Good day."], name="own:stutter")}) as app:
        run = app.start(say, ASKED)
        heard = [event async for event in run.text()]
        with pytest.raises(Failure) as failed:
            await run.result()

    assert failed.value.code == "bad_model_answer"
    assert "the model 'own:stutter' told a 'int'" in str(failed.value)
    assert isinstance(heard[-1], TextWithdrawn)
    assert heard[-1].reason == "bad_model_answer"
