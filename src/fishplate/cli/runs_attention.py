"""`fishplate runs attention`: the runs that wait for a person, with the evidence."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from typing import Final

from fishplate.cli.command import Command, ExitCode
from fishplate.cli.runs_store import add_store, reading, store_of
from fishplate.cli.runs_text import effect_lines, head_lines, remedies
from fishplate.cli.screen import Screen
from fishplate.core.errors import JsonValue
from fishplate.journal.queries import Attention, effect_json, run_json, runs_for_attention


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what `runs attention` takes."""
    add_store(parser)


def execute(arguments: Namespace, screen: Screen) -> ExitCode:
    """Print what a person has to decide; nothing is code 0, something is code 3."""
    url = store_of(arguments)
    with reading(url) as connection:
        found = list(runs_for_attention(connection))
    if screen.as_json:
        screen.document({"attention": [_as_json(one, url) for one in found]})
    elif found:
        screen.lines(line for one in found for line in _lines(one, url))
    else:
        screen.note(["no run needs attention"])
    return ExitCode.NEEDS_ATTENTION if found else ExitCode.OK


COMMAND: Final = Command(
    name="runs attention",
    summary="list what a person has to decide, with the evidence",
    description=(
        "List the runs that cannot go on before somebody decides: why, what is known about each\n"
        "effect whose outcome is unknown, and the commands that decide.\n"
        "Ends with 3 if there is any, and with 0 if there is none."
    ),
    examples=("runs attention --store sqlite:///runs.db",),
    add_arguments=add_arguments,
    execute=execute,
)


def _as_json(found: Attention, url: str) -> JsonValue:
    return {
        **run_json(found.run),
        "unknown": [effect_json(effect) for effect in found.unknown],
        "remedies": [*remedies(found.run, found.unknown, url)],
    }


def _lines(found: Attention, url: str) -> Iterator[str]:
    yield from head_lines(found.run)
    for effect in found.unknown:
        yield from effect_lines(effect)
    for line in remedies(found.run, found.unknown, url):
        yield f"  help: {line}"
