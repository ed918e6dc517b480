"""Half characters, in whatever is told of a run: they are shown as U+FFFD, and the rest stays."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from fishplate import App, Prompt, agent, current, model_agent, tool
from fishplate.core.errors import StepError
from fishplate.testing import ScriptedModel
from fishplate.traces.capture import is_whole
from fishplate.traces.queries import whole_trace
from fishplate.traces.store import open_trace_reader

HALF = "half \ud83d end"
MENDED = "half \ufffd end"


class Line(BaseModel):
    """One line, of how many."""

    text: str
    count: int = 1


@tool(effect="readonly")
async def look(text: str, line: Line) -> Line:
    """Gives back a text with half a character."""
    return Line(text=text, count=line.count + 1)


@agent(tools=[look])
async def body(text: str) -> str:
    """Calls the tool."""
    current().doubt(HALF, about="input")
    return (await look(text, Line(text=HALF))).text


@agent
async def failing(text: str) -> str:
    """Fails with the text that it is given."""
    raise ValueError(text)


@model_agent("m")
def ask(text: str) -> Prompt[str]:
    """Ask."""
    return Prompt(user=text)


def _told(folder: Path, what: Any) -> list[tuple[Any, Any]]:
    url = f"sqlite:///{folder / 'traces.db'}"

    async def main() -> str:
        models = {"m": ScriptedModel([HALF])}
        async with App(what, traces=url, models=models) as app:
            run = app.start(what, HALF)
            with contextlib.suppress(StepError):
                await run.result()
            return run.id

    run_id = asyncio.run(main())
    with open_trace_reader(url) as connection:
        found = whole_trace(connection, run_id)
    assert found is not None
    return [(one.given, one.gave) for one in found.spans]


def test_half_a_character_hides_nothing_else(tmp_path: Path) -> None:
    """A lone surrogate in a call's input or output costs that character alone."""
    caller, called = _told(tmp_path, body)

    assert caller == ({"text": MENDED}, MENDED)
    assert called == (
        {"text": MENDED, "line": {"text": MENDED, "count": 1}},
        {"text": MENDED, "count": 2},
    )


def test_half_a_character_in_an_error_or_a_prompt_hides_nothing_else(tmp_path: Path) -> None:
    """Messages of errors, prompts and answers of models lose the half character alone."""
    [failed] = _told(tmp_path, failing)
    assert failed[0] == {"text": MENDED}
    assert failed[1] == {"error": {"type": "ValueError", "message": "half ? end"}}


def test_half_a_character_from_a_model_hides_nothing_else(tmp_path: Path) -> None:
    """What a model was asked and what it answered stand in the trace but for the half."""
    _, request = _told(tmp_path, ask)

    assert request[0]["messages"][0]["text"] == MENDED
    assert request[1]["text"] == MENDED


def test_a_mended_content_is_not_all_of_it() -> None:
    """What was mended is compared with nothing, for nobody knows what stood there."""
    assert not is_whole({"text": MENDED})
    assert is_whole({"text": "half ? end"})
