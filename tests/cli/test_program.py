"""The program as a whole: help, bad usage, exit codes, and that no error is a traceback."""

import importlib

import pytest

from fishplate.cli import main
from fishplate.cli.command import ExitCode
from tests.cli.conftest import SHOP, Program
from tests.project import PYPROJECT

COMMANDS = ["run", "check", "graph", "contract", "diff", "eval"]


def test_the_entry_point_is_the_program() -> None:
    """What pyproject.toml installs as `fishplate` is this program."""
    module, _, name = PYPROJECT["project"]["scripts"]["fishplate"].partition(":")

    assert getattr(importlib.import_module(module), name) is main


def test_the_exit_codes_are_the_promised_ones() -> None:
    """Scripts rely on the numbers."""
    assert {code.name: code.value for code in ExitCode} == {
        "OK": 0,
        "FAILED": 1,
        "USAGE": 2,
        "NEEDS_ATTENTION": 3,
        "WAITING": 4,
        "CANCELLED": 130,
    }


@pytest.mark.parametrize("words", [["--help"], *([command, "--help"] for command in COMMANDS)])
def test_help_shows_an_example(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Every command explains itself on stdout, with an example, and exits with 0."""
    with pytest.raises(SystemExit) as stopped:
        main(words)

    out = capsys.readouterr().out
    assert stopped.value.code == 0
    assert f"fishplate {'COMMAND' if len(words) == 1 else words[0]}" in out
    assert "for example:" in out or all(command in out for command in COMMANDS)


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """`--version` prints one line."""
    with pytest.raises(SystemExit) as stopped:
        main(["--version"])

    assert stopped.value.code == 0
    assert capsys.readouterr().out.startswith("fishplate ")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "which command? There are: run, check, graph, policy, contract, prompt, diff, eval"),
        (["rnu"], "there is no command 'rnu'. Did you mean 'run'?"),
        (["--nonsense"], "unrecognized arguments: --nonsense"),
        (["run"], "the following arguments are required: TARGET. See: fishplate run --help"),
        (["run", "a.py", "--inptu", "5"], "Did you mean --input? See: fishplate run --help"),
        (["run", "a.py", "--tra"], "unrecognized arguments: --tra. Did you mean --trace?"),
        (["run", "a.py", "--input"], "argument -i/--input: expected one argument"),
        (["eval", "a.py"], "the following arguments are required: --data"),
        (["check"], "the following arguments are required: TARGET"),
        (["diff", "a.json"], "the following arguments are required: NEW"),
    ],
)
def test_bad_usage_exits_with_2(cli: Program, words: list[str], message: str) -> None:
    """Wrong words are told like every other error, with what was probably meant."""
    ended = cli(*words)

    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("error[bad_usage]: ")
    assert message in ended.err


@pytest.mark.parametrize("words", [["--json"], ["rnu", "--json"], ["run", "--json"]])
def test_bad_usage_is_a_document_too(cli: Program, words: list[str]) -> None:
    """Who asks for JSON gets JSON, whatever goes wrong."""
    ended = cli(*words)

    assert ended.code == 2
    assert ended.json["error"]["code"] == "bad_usage"


@pytest.mark.parametrize("command", ["run", "check", "graph", "contract"])
def test_every_command_refuses_a_bad_target_alike(cli: Program, command: str) -> None:
    """A target that is not there exits with 2 in every command."""
    ended = cli(command, f"{SHOP}:nothing")

    assert ended.code == 2
    assert "error[unknown_target]" in ended.err + ended.out


@pytest.mark.parametrize("words", [["--json", "run", "x.py:a"], ["--input={}", "run", "x.py:a"]])
def test_an_option_in_front_of_the_command_is_told_its_place(
    cli: Program, words: list[str]
) -> None:
    """An option that a command has is no unknown one where it comes too early."""
    option = words[0].partition("=")[0]
    ended = cli(*words)

    assert ended.code == 2
    assert f"{option} follows the command: fishplate run ... {option}" in ended.err + ended.out
