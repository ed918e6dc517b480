"""What every command is made of, and how it may end."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Final

from fishplate.cli.screen import Screen
from fishplate.core.data import dataclass
from fishplate.journal.run_rows import StoredState


class ExitCode(IntEnum):
    """How a command ended; scripts rely on these numbers."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NEEDS_ATTENTION = 3
    WAITING = 4
    CANCELLED = 130


_EXITS: Final[Mapping[StoredState, ExitCode]] = {
    "succeeded": ExitCode.OK,
    "degraded": ExitCode.OK,
    "failed": ExitCode.FAILED,
    "needs_attention": ExitCode.NEEDS_ATTENTION,
    "queued": ExitCode.WAITING,
    "running": ExitCode.WAITING,
    "waiting": ExitCode.WAITING,
    "cancelled": ExitCode.CANCELLED,
}


def exit_of_state(state: StoredState) -> ExitCode:
    """How a command ends that leaves a run in a state."""
    return _EXITS[state]


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """One command of the program.

    Attributes:
        summary: One line, for the list of commands.
        description: What it prints and how it ends.
        examples: Command lines, without the name of the program.
        add_arguments: Declares the command's own arguments.
        execute: Does it, with the parsed arguments.
        refused: How the command ends when a declaration or a contract is refused.
    """

    name: str
    summary: str
    description: str
    examples: tuple[str, ...]
    add_arguments: Callable[[ArgumentParser], object]
    execute: Callable[[Namespace, Screen], ExitCode]
    refused: ExitCode = ExitCode.FAILED


def add_target(parser: ArgumentParser) -> None:
    """Declare the target that a command is about."""
    parser.add_argument(
        "target",
        metavar="TARGET",
        help=(
            "FILE.py:NAME or package.module:NAME; without NAME the one workflow, "
            "or else the one agent, that is there"
        ),
    )
