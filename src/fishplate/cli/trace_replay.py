"""`fishplate trace replay`: a recorded run once more, and the first thing that is not as it was."""

import asyncio
import json
import re
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, cast

from fishplate.agents.agent import AnyAgent
from fishplate.app import IS_LOOKED_AT
from fishplate.cli.command import Command, ExitCode
from fishplate.cli.files import files_below
from fishplate.cli.run_ids import whole_id
from fishplate.cli.runs_store import add_store, reading
from fishplate.cli.screen import Screen
from fishplate.cli.targets import FORM, Loaded, load_agent, load_agents
from fishplate.cli.trace_store import add_traced_run, reading_traces
from fishplate.core.errors import JsonValue, UsageError
from fishplate.testing.replay import (
    ABSENT,
    UNKNOWN,
    Difference,
    Replayed,
    Verdict,
    recorded_run,
    replay,
)

_EXITS: Final[Mapping[Verdict, ExitCode]] = {
    "same": ExitCode.OK,
    "different": ExitCode.FAILED,
    "nothing_compared": ExitCode.NEEDS_ATTENTION,
}
_MOST_SHOWN: Final = 2_000
"""Characters of a value; the whole is printed by --json."""


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what `trace replay` takes."""
    add_traced_run(parser)
    add_store(parser)
    parser.add_argument(
        "--with",
        dest="target",
        metavar="TARGET",
        help=f"what is run: {FORM}; if left out, the agent of the run's name that is found below "
        "the working folder",
    )
    parser.add_argument(
        "--recorded",
        metavar="NAME",
        action="append",
        default=[],
        help="answer this agent from the record too, as tools and models are; may be repeated",
    )


def execute(arguments: Namespace, screen: Screen) -> ExitCode:
    """Run the recorded run again and print what differs first."""
    run_id = _run_id(arguments)
    recording = recorded_run(run_id, store=arguments.store, traces=arguments.traces)
    target: str | None = arguments.target
    IS_LOOKED_AT.set(True)
    try:
        loaded = _found(recording.agent) if target is None else load_agent(target)
    finally:
        IS_LOOKED_AT.set(False)
    if target is None or loaded.is_chosen:
        screen.note([f"replaying on {loaded.agent.about.subject} ({loaded.agent.about.where})"])
    _check_names(arguments.recorded, recording.calls)
    done = asyncio.run(replay(loaded.app(), loaded.agent, recording, recorded=arguments.recorded))
    if screen.as_json:
        screen.document(_as_json(run_id, loaded.agent, done))
    else:
        screen.lines(_lines(done))
        screen.note(_parts(done))
        screen.note(_unchecked(done), style="yellow")
    return _EXITS[done.verdict]


COMMAND: Final = Command(
    name="trace replay",
    summary="run a recorded run again, and print the first difference",
    description=(
        "Run a recorded run again on the code at hand, and compare it with its record, call by\n"
        "call. Tools, models and waits are answered from the record: no tool is executed, and\n"
        "nothing is kept. The record is that of --store, which has every output in full; --traces\n"
        "beside it adds what calls were given, and is enough alone if its capture was 'full'.\n"
        "Ends with 0 if everything that is recorded went as it did then, with 1 at the first\n"
        "difference, and with 3 if nothing is recorded that could be compared."
    ),
    examples=(
        "trace replay 06dgq3v4zr7k0t1m8q2n5b9xwy --store sqlite:///runs.db",
        "trace replay 06dgq3v4zr7k0t1m8q2n5b9xwy --store sqlite:///runs.db --with new.py:support",
    ),
    add_arguments=add_arguments,
    execute=execute,
)


def _run_id(arguments: Namespace) -> str:
    """The id of the run, which the stores that are named may know by its first characters.

    Raises:
        UsageError: Several begin so (code `ambiguous_run`).
    """
    if arguments.store is not None:
        with reading(arguments.store) as connection:
            return whole_id(connection, arguments.run)
    if arguments.traces is not None:
        with reading_traces(arguments) as connection:
            return whole_id(connection, arguments.run)
    return str(arguments.run)


def _found(name: str) -> Loaded:
    """The agent of a name that is declared below the working folder.

    Raises:
        UsageError: There is none, or more than one (code `unknown_target`).
    """
    declared = re.compile(rf"\bdef {re.escape(name)}\b|\bname=[\"']{re.escape(name)}[\"']")
    found: dict[int, Loaded] = {}
    for path in files_below(Path.cwd()):
        if declared.search(path.read_text(encoding="utf-8", errors="replace")):
            for loaded in load_agents(str(path.relative_to(Path.cwd()))):
                if loaded.agent.name == name:
                    found.setdefault(id(loaded.agent.about), loaded)
    if len(found) == 1:
        return next(iter(found.values()))
    spelled = ", ".join(loaded.spelled for loaded in found.values())
    have = f"several are called so: {spelled}" if found else "none is called so"
    message = (
        f"which agent? The run was of {name!r}, and below the working folder {have}. "
        f"Name it by --with {FORM}"
    )
    raise UsageError(message, code="unknown_target")


def _check_names(names: list[str], calls: object) -> None:
    paths = cast("dict[str, object]", calls)
    known = {re.sub(r"^\d+\.", "", path.rpartition("/")[2]) for path in paths}
    for name in names:
        if name not in known:
            message = f"--recorded {name!r}: the run called nobody of that name"
            raise UsageError(message, code="unknown_agent")


def _lines(done: Replayed) -> Iterator[str]:
    if done.before != done.now:
        yield f"release {done.before} then, {done.now} now"
    found = done.difference
    if found is None:
        if done.verdict == "same":
            yield f"same: {done.compared} calls compared, {done.answered} answered from the record"
        else:
            yield "nothing to compare: neither inputs nor outputs nor decisions are recorded whole"
        return
    where = f"step {found.path!r}" if found.path else "the run"
    field = f" at {found.pointer}" if found.pointer else ""
    yield f"first difference: {where}, {found.part}{field}"
    yield f"  {found.explanation}"
    yield f"  before: {_text(found.before)}"
    yield f"  now:    {_text(found.now)}"


def _parts(done: Replayed) -> Iterator[str]:
    choices = "no decisions (for these name a trace with contents by --traces)"
    if done.choices is not None:
        choices = f"{done.choices} decisions, searches and doubts"
    yield f"compared: {done.inputs} inputs, {done.outputs} outputs, {choices}"


def _unchecked(done: Replayed) -> Iterator[str]:
    if done.unchecked:
        named = ", ".join(path or "the run" for path in done.unchecked[:5])
        more = f" and {len(done.unchecked) - 5} more" if len(done.unchecked) > 5 else ""  # noqa: PLR2004 -- as many as are named
        yield f"not compared, since it is not recorded whole: {named}{more}"


def _text(value: object) -> str:
    if value is ABSENT:
        return "nothing"
    if value is UNKNOWN:
        return "not recorded"
    text = json.dumps(value, ensure_ascii=False)
    over = len(text) - _MOST_SHOWN
    return f"{text[:_MOST_SHOWN]}... and {over} characters" if over > 0 else text


def _as_json(run_id: str, agent: AnyAgent, done: Replayed) -> dict[str, JsonValue]:
    found: dict[str, JsonValue] = {
        "run": run_id,
        "agent": agent.name,
        "release_before": done.before,
        "release_now": done.now,
        "verdict": done.verdict,
        "compared": done.compared,
        "answered": done.answered,
        "inputs": done.inputs,
        "outputs": done.outputs,
        "choices": done.choices,
        "unchecked": list(done.unchecked),
    }
    if done.difference is not None:
        found["difference"] = _difference_json(done.difference)
    return found


def _difference_json(found: Difference) -> dict[str, JsonValue]:
    """A difference as JSON; what is not there, or not known, is left out."""
    shown: dict[str, JsonValue] = {
        "path": found.path,
        "part": found.part,
        "pointer": found.pointer,
        "explanation": found.explanation,
    }
    for word, value in (("before", found.before), ("now", found.now)):
        if value is not ABSENT and value is not UNKNOWN:
            shown[word] = cast("JsonValue", value)
    return shown
