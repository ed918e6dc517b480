"""What `fishplate run` and `fishplate trace` say about the model that an app has configured."""

from __future__ import annotations

from typing import Any

from tests.cli.conftest import Program

APP = """
from fishplate import App, Prompt, model_agent, workflow
from fishplate.testing import ScriptedModel


@model_agent("fast")
def say(text: str) -> Prompt[str]:
    '''Answer in words.'''
    return Prompt(user=text)


@workflow
async def talk(text: str) -> str:
    '''Say it.'''
    return await say(text)


app = App(talk, models={"fast": ScriptedModel(["yes"], CONFIGURED)})
"""
GIVEN = ("--input", '{"text": "?"}', "--traces", "sqlite:///traces.db")


def talked(cli: Program, configured: str, *options: str) -> Any:
    """Run `talk` with a model that is configured so."""
    number = len(list(cli.folder.glob("talk*.py")))  # a module is loaded once
    cli.write(f"talk{number}.py", APP.replace("CONFIGURED", configured))
    return cli("run", f"talk{number}.py:talk", *GIVEN, *options)


def test_another_snapshot_than_the_pinned_one_is_told(cli: Program) -> None:
    """The output is as good as it is, and the mark stands on the terminal and in the document."""
    configured = "name='openai:m', pinned='m-1', snapshot='m-2'"
    ended = talked(cli, configured)
    found = talked(cli, configured, "--json").json

    assert (ended.code, ended.out) == (0, '"yes"\n')
    assert "degraded: other_snapshot in step 'say', answered by m-2" in ended.err
    assert found["state"] == "degraded"
    assert [(one["reason"], one["source"]) for one in found["degraded"]] == [
        ("other_snapshot", "m-2")
    ]


def test_another_snapshot_stands_in_the_trace(cli: Program) -> None:
    """The request names what answered, and the agent's span why it is degraded."""
    run_id = talked(cli, "pinned='m-1', snapshot='m-2'", "--json").json["run_id"]
    trace: Any = cli("trace", "show", run_id, *GIVEN[2:], "--json").json["trace"]
    spans = {one["name"]: one for one in trace}

    assert spans["say-model"]["attributes"]["snapshot"] == "m-2"
    assert spans["say"]["status"] == "degraded"
    assert spans["say"]["attributes"]["degraded"][0]["reason"] == "other_snapshot"


def test_the_pinned_snapshot_is_not_degraded(cli: Program) -> None:
    """Who answers as it was asked for is marked by nothing."""
    assert talked(cli, "pinned='m-1', snapshot='m-1'").err == ""


def test_the_release_that_is_told_names_the_configured_model(cli: Program) -> None:
    """One configuration line makes another release of the run, and of its spans in the store."""
    old = talked(cli, "name='openai:a'", "--json").json
    new = talked(cli, "name='openai:b'", "--json").json

    assert old["release"] != new["release"]
    for run in (old, new):
        shown = cli("trace", "show", run["run_id"], *GIVEN[2:], "--json").json
        assert shown["release"] == run["release"]
        assert shown["trace"][0]["release"] == run["release"]


def test_a_model_that_nobody_configured_is_told_before_anything_runs(cli: Program) -> None:
    """The declaration is refused: the command names the alias, and says what to write."""
    cli.write("alone.py", APP.partition("app = ")[0])
    ended = cli("run", "alone.py:talk", *GIVEN)

    assert (ended.code, ended.out) == (1, "")
    assert "error[unknown_model]" in ended.err
    assert "the app has no model 'fast'" in ended.err
    assert "App(models={'fast': model})" in ended.err
