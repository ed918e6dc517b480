"""The program: it finds the command, runs it, and turns whatever comes out into an exit code."""

import contextlib
import difflib
import os
import sys
import threading
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Final, NoReturn

from typing_extensions import override

from fishplate.cli import (
    check,
    contract,
    crashtest,
    diff,
    evaluate,
    graph,
    policy,
    prompt,
    run,
    runs,
    runs_actions,
    runs_answers,
    runs_attention,
    runs_export,
    runs_resume,
    runs_show,
    trace,
    trace_costs,
    trace_replay,
    trace_show,
)
from fishplate.cli.command import Command, ExitCode
from fishplate.cli.problems import report
from fishplate.cli.screen import Screen
from fishplate.cli.targets import suggestion
from fishplate.core.errors import DeclarationError, FishplateError, UsageError

_COMMANDS: Final[Mapping[str, Command]] = {
    command.name: command
    for command in (
        run.COMMAND,
        check.COMMAND,
        graph.COMMAND,
        policy.COMMAND,
        contract.COMMAND,
        prompt.COMMAND,
        diff.COMMAND,
        evaluate.COMMAND,
        crashtest.COMMAND,
        runs.COMMAND,
        runs_show.COMMAND,
        runs_attention.COMMAND,
        runs_resume.COMMAND,
        runs_answers.SIGNAL,
        runs_answers.APPROVE,
        runs_answers.REJECT,
        runs_actions.DECIDE,
        runs_actions.CANCEL,
        runs_actions.REOPEN,
        runs_export.COMMAND,
        runs_actions.PRUNE,
        trace.COMMAND,
        trace_costs.COMMAND,
        trace_show.SHOW,
        trace_show.EXPLAIN,
        trace_replay.COMMAND,
        trace_show.EXPORT,
    )
}
_DESCRIPTION: Final = "Run, check and compare agents and workflows."
_EPILOG: Final = """\
commands:
{commands}

fishplate COMMAND --help says more, with an example.

exit codes: 0 succeeded, or degraded, which is said on stderr; 1 failed; 2 bad usage, or an input
that breaks the contract; 3 needs attention; 4 waiting; 130 cancelled
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: What stands behind the program's name; the process's own by default.

    Returns:
        The exit code; see `cli.command.ExitCode`.

    Raises:
        SystemExit: Help or the version was asked for; its code is 0.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    screen = Screen(sys.stdout, sys.stderr, as_json="--json" in words)
    try:
        code = _execute(words, screen)
        screen.flush()
    except BrokenPipeError:
        # Whoever read our output has gone; Python would fail once more when it closes the streams.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.dup2(nowhere, sys.stderr.fileno())
        code = ExitCode.FAILED
    if arguments is None and code == ExitCode.CANCELLED and threading.active_count() > 1:
        # A thread cannot be cancelled, and Python would wait for it, be it for an hour.
        os._exit(code)
    return code


def _execute(words: Sequence[str], screen: Screen) -> ExitCode:
    try:
        command, parsed = _parsed(words)
    except UsageError as error:
        report(error, screen, is_debugging="--debug" in words)
        return ExitCode.USAGE
    try:
        # stdout is for the result alone: what user code prints goes where people read it.
        with contextlib.redirect_stdout(screen.stderr):
            return command.execute(parsed, screen)
    except BrokenPipeError:
        raise
    except KeyboardInterrupt:
        if screen.as_json:
            screen.document({"state": "cancelled"})
        else:
            screen.note(["cancelled"], style="red")
        return ExitCode.CANCELLED
    except FishplateError as error:
        report(error, screen, is_debugging=parsed.debug)
        return _exit_of(error, command)
    except BaseException as error:  # noqa: BLE001 -- user code may raise anything, sys.exit() too
        report(error, screen, is_debugging=parsed.debug)
        return ExitCode.FAILED


def _exit_of(error: FishplateError, command: Command) -> ExitCode:
    match error:
        case DeclarationError():
            return command.refused
        case UsageError(code="resource_failed"):  # what the outside does not give is no wrong use
            return ExitCode.FAILED
        case _:
            return ExitCode.USAGE


def _parsed(words: Sequence[str]) -> tuple[Command, Namespace]:
    if not words or words[0].startswith("-"):
        _refuse_early_options(words)
        _main_parser().parse_args(words)
        message = f"which command? There are: {', '.join(_COMMANDS)}"
        raise UsageError(message, code="bad_usage")
    name = _name(words)
    command = _COMMANDS.get(name)
    if command is None:
        did_you_mean = suggestion(name, _COMMANDS)
        message = f"there is no command {name!r}.{did_you_mean} There are: {', '.join(_COMMANDS)}"
        raise UsageError(message, code="bad_usage")
    return command, _parser_of(command).parse_args(words[len(name.split(" ")) :])


def _name(words: Sequence[str]) -> str:
    """The command that is meant: one word, or two where the first has commands of its own."""
    has_commands = any(name.startswith(f"{words[0]} ") for name in _COMMANDS)
    is_two = has_commands and len(words) > 1 and not words[1].startswith("-")
    return " ".join(words[: 1 + is_two])


def _refuse_early_options(words: Sequence[str]) -> None:
    name = next((word for word in words if word in _COMMANDS), None)
    if name is None or words[0] in {"--help", "-h", "--version"}:
        return
    option = words[0].partition("=")[0]
    message = f"{option} follows the command: fishplate {name} ... {option}"
    raise UsageError(message, code="bad_usage")


class _Parser(ArgumentParser):
    """Tells what is wrong like every other error, and what was probably meant."""

    @override
    def error(self, message: str) -> NoReturn:
        words = message.removeprefix("unrecognized arguments: ").split()
        options = [option for action in self._actions for option in action.option_strings]
        close = difflib.get_close_matches(words[0], options, n=1)
        meant = f" Did you mean {close[0]}?" if words[0].startswith("-") and close else ""
        raise UsageError(f"{message}.{meant} See: {self.prog} --help", code="bad_usage")


def _main_parser() -> ArgumentParser:
    width = max(map(len, _COMMANDS))
    listed = "\n".join(f"  {name:<{width}}  {one.summary}" for name, one in _COMMANDS.items())
    parser = _Parser(
        prog="fishplate",
        usage="fishplate COMMAND ...",
        description=_DESCRIPTION,
        epilog=_EPILOG.format(commands=listed),
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"fishplate {_version()}")
    return parser


def _parser_of(command: Command) -> ArgumentParser:
    examples = "\n".join(f"  fishplate {example}" for example in command.examples)
    parser = _Parser(
        prog=f"fishplate {command.name}",
        description=command.description,
        epilog=f"for example:\n{examples}",
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    command.add_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON document, errors too")
    parser.add_argument("--debug", action="store_true", help="print the traceback of an error")
    return parser


def _version() -> str:
    try:
        return metadata.version("fishplate")
    except metadata.PackageNotFoundError:
        return "(run from its sources, not installed)"
