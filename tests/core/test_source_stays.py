"""A function's source is what it was made from, not what its file says later."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

BEFORE = """
from fishplate import agent

@agent
async def classify(text: str) -> str:
    return "You classify. " + text
"""


def _loaded(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("edited_later", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("edit", ["You rank. ", "You classify, briefly. "])
def test_an_edit_after_the_import_does_not_change_the_release(tmp_path: Path, edit: str) -> None:
    """The old prompt answers, so the release is that of the old prompt."""
    path = tmp_path / "edited_later.py"
    path.write_text(BEFORE, encoding="utf-8")
    known = _loaded(path).classify.release
    edited = _loaded(path).classify

    path.write_text(BEFORE.replace("You classify. ", edit), encoding="utf-8")

    assert edited.release.behaviour == known.behaviour
    assert _loaded(path).classify.release.behaviour != known.behaviour
