"""`fishplate run`: one run of an agent, tool or workflow."""

import asyncio
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any, Final

from fishplate.agents.agent import AnyAgent, Call
from fishplate.app import App, Run, RunState
from fishplate.cli.command import Command, ExitCode, add_target, exit_of_state
from fishplate.cli.documents import read_json
from fishplate.cli.inject import FORM, fault_counts, fault_lines, read_faults
from fishplate.cli.mocks import read_mocks
from fishplate.cli.problems import error_json, error_lines, trace_lines
from fishplate.cli.runs_sending import add_principal, operator_of
from fishplate.cli.runs_store import add_store
from fishplate.cli.screen import Screen
from fishplate.cli.targets import Loaded, load_agent
from fishplate.cli.trace_store import add_traces
from fishplate.contracts.signature import MISSING
from fishplate.core.data import dataclass
from fishplate.core.errors import FishplateError, JsonValue, UsageError
from fishplate.core.outcome import DeclaredError, Reason
from fishplate.core.run_context import Principal
from fishplate.orchestrator.roster import all_of
from fishplate.testing.doubles import with_stand_ins
from fishplate.testing.faults import Faults
from fishplate.traces.recorder import SpanTree
from fishplate.traces.text import render_tree


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what `run` takes."""
    add_target(parser)
    add_input(parser)
    add_mocks(parser)
    parser.add_argument(
        "--inject",
        metavar="NAME=FAULT[@RATE]",
        action="append",
        default=[],
        help=f"let calls of an agent or tool go wrong; may be repeated: {FORM}",
    )
    parser.add_argument(
        "--inject-seed", metavar="N", type=int, help="what rates are drawn from; 0 if left out"
    )
    add_store(parser)
    parser.add_argument(
        "--durability",
        choices=("full", "normal"),
        help="what survives a loss of power: whatever was reported, or the effects of tools",
    )
    parser.add_argument(
        "--key",
        metavar="KEY",
        help="start once: under a key that was used the run is the one of then, waiting or ended",
    )
    add_principal(parser, "on whose behalf it runs; anonymous if left out", is_required=False)
    add_traces(parser)
    parser.add_argument("--trace", action="store_true", help="print what happened, step by step")


def add_input(parser: ArgumentParser) -> None:
    """Declare the input of a run."""
    parser.add_argument(
        "-i", "--input", metavar="JSON", help="the input: JSON, @file.json, or - for stdin"
    )


def add_mocks(parser: ArgumentParser) -> None:
    """Declare the stand-ins of a run."""
    parser.add_argument(
        "--mock",
        metavar="NAME=JSON",
        action="append",
        default=[],
        help=(
            "let an agent or tool always answer with this JSON, @file.json or - for stdin, or fail "
            "with a declared error: NAME=error:CODE, with its fields error:CODE{...} or "
            "error:CODE@file.json; may be repeated"
        ),
    )


def execute(arguments: Namespace, screen: Screen) -> ExitCode:
    """Run the agent and print its output, or why there is none."""
    loaded = load_agent(arguments.target)
    if loaded.is_chosen:
        screen.note([f"running {loaded.agent.about.subject} ({loaded.agent.about.where})"])
    check_stdin(arguments)
    mocks = read_mocks(arguments.mock, loaded.agent)
    faults = read_faults(arguments.inject, arguments.inject_seed)
    document = input_of(arguments.input, loaded)
    agent = with_stand_ins(loaded.agent, mocks)
    # Before any resource is opened: a wrong input is no reason to reach for a database.
    agent.signature.decode(document, subject=f"the input of {agent.about.subject}")
    app = loaded.app(agent)
    _choose_store(app, arguments)
    if arguments.traces is not None:
        app.trace_to(arguments.traces)
    if faults is not None:
        faults.check(all_of(agent))  # the app may have more agents than this one reaches
        app.inject(faults)
    ended = asyncio.run(_run(app, agent, document, operator_of(arguments), arguments.key))
    if arguments.debug and ended.error is not None:
        screen.note(trace_lines(ended.error))
    _print(ended, faults, app.store, screen, with_trace=arguments.trace)
    return exit_of_state(ended.state)


COMMAND: Final = Command(
    name="run",
    summary="run an agent, tool or workflow",
    description=(
        "Run an agent, tool or workflow once and print its output as JSON.\n"
        "What is said about the run, such as why it is degraded, goes to stderr."
    ),
    examples=(
        """run shop.py:support --input '{"text": "Where is my order?"}'""",
        "run shop.py:support --input @query.json --mock logistics=@tracking.json --trace",
        "run shop.py:support --input @query.json --inject logistics=error:overload@0.5",
        "run shop.py:support --input @query.json --mock find_order=error:not_found",
        "run shop.py:support --input @query.json --store sqlite:///runs.db",
    ),
    add_arguments=add_arguments,
    execute=execute,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Ended:
    """A run that is over.

    Attributes:
        output: JSON; means nothing if there is an error, or the run was cancelled.
        error: Why it failed.
    """

    run_id: str
    trace_id: str
    release: str
    state: RunState
    output: JsonValue
    error: FishplateError | DeclaredError | None
    degraded: tuple[Reason, ...]
    spans: tuple[SpanTree, ...]


def _choose_store(app: App, arguments: Namespace) -> None:
    """Keep the run where the command or the app says; other runs are left as they are."""
    store: str | None = arguments.store or app.store
    if store is None:
        if arguments.durability is not None:
            message = "--durability is about a store, and there is none: add --store URL"
            raise UsageError(message, code="missing_store")
        if arguments.key is not None:
            message = "--key is kept in a store, and there is none: add --store URL"
            raise UsageError(message, code="missing_store")
        return
    if arguments.mock:
        message = (
            "a run with stand-ins is not kept, since it would go on with the agents they stand "
            "for: leave --mock or the store out"
        )
        raise UsageError(message, code="mocked_store")
    app.keep_in(store, durability=arguments.durability or app.durability, takes_up=False)


async def _run(
    app: App, agent: AnyAgent, document: JsonValue, principal: Principal, key: str | None
) -> _Ended:
    async with app:
        if key is None:
            run = app.start_json(agent, document, principal=principal)
        else:
            subject = f"the input of {agent.about.subject}"
            call = Call(agent, agent.signature.decode(document, subject=subject))
            run = await app.start_once(call, key=key, principal=principal)
        output: JsonValue = None
        error: FishplateError | DeclaredError | None = None
        try:
            if await run.ended_or_waiting() != "waiting":
                subject = f"the output of {agent.about.subject}"
                output = agent.signature.output.encode(await run.result(), subject=subject)
        except asyncio.CancelledError:
            # Ctrl-C. It goes no further: the run's end is what the exit code tells.
            run.cancel()
        except (FishplateError, DeclaredError) as failure:
            error = failure
        return await _ended(app, run, output, error)


async def _ended(
    app: App, run: Run[Any], output: JsonValue, error: FishplateError | DeclaredError | None
) -> _Ended:
    state = await run.ended_or_waiting()
    return _Ended(
        run_id=run.id,
        trace_id=run.trace_id,
        release=run.release,
        # An output that cannot be written as JSON is none for whoever reads this program's.
        state="failed" if error is not None and exit_of_state(state) is ExitCode.OK else state,
        output=output,
        error=error,
        degraded=run.degraded,
        spans=app.trace(run),
    )


def _print(
    ended: _Ended, faults: Faults | None, store: str | None, screen: Screen, *, with_trace: bool
) -> None:
    if screen.as_json:
        injected = {} if faults is None else {"injected": fault_counts(faults)}
        screen.document({**_as_json(ended, store, with_trace=with_trace), **injected})
        return
    if with_trace:
        screen.note(
            [f"run {ended.run_id}  trace {ended.trace_id}  release {ended.release}"], style="bold"
        )
        screen.note(render_tree(ended.spans).splitlines())
    if faults is not None:
        screen.note(fault_lines(faults), style="yellow")
    if ended.error is not None:
        screen.note(error_lines(ended.error), style="red")
    elif ended.state == "cancelled":
        screen.note(["cancelled"], style="red")
    elif ended.state != "waiting":
        screen.document(ended.output)
        screen.note(_degraded_lines(ended.degraded), style="yellow")
    if store is not None:
        screen.note(_kept_lines(ended, store))


def _as_json(ended: _Ended, store: str | None, *, with_trace: bool) -> dict[str, JsonValue]:
    found: dict[str, JsonValue] = {"state": ended.state}
    if ended.error is not None:
        found["error"] = error_json(ended.error)
    elif ended.state not in {"cancelled", "waiting"}:
        found["output"] = ended.output
    found["degraded"] = [asdict(reason) for reason in ended.degraded]
    found["run_id"] = ended.run_id
    found["trace_id"] = ended.trace_id
    found["release"] = ended.release
    if store is not None:
        found["store"] = store
        if (remedy := _remedy(ended, store)) is not None:
            found["remedy"] = remedy
    if with_trace:
        found["trace"] = [_tree_json(tree) for tree in ended.spans]
    return found


def _tree_json(tree: SpanTree) -> dict[str, JsonValue]:
    span = tree.span
    return {
        "kind": span.kind,
        "name": span.name,
        "path": span.path,
        "status": span.status,
        "ms": (span.end_ns - span.start_ns) / 1e6,
        "release": span.release,
        "attributes": dict(span.attributes or {}),
        "children": [_tree_json(child) for child in tree.children],
    }


def _kept_lines(ended: _Ended, store: str) -> Iterator[str]:
    yield f"run {ended.run_id} {ended.state}, kept in {store}"
    if (remedy := _remedy(ended, store)) is not None:
        yield f"  help: {remedy}"


def _remedy(ended: _Ended, store: str) -> str | None:
    match ended.state:
        case "needs_attention":
            return f"'fishplate runs attention --store {store}' says what can be done"
        case "waiting":
            return f"'fishplate runs show {ended.run_id} --store {store}' says what it waits for"
        case _:
            return None


def _degraded_lines(reasons: Sequence[Reason]) -> Iterator[str]:
    for reason in reasons:
        step = f" in step {reason.step!r}" if reason.step else ""
        age = "" if reason.age is None else f", {reason.age:g} s old"
        yield f"degraded: {reason.reason}{step}, answered by {reason.source}{age}"


def check_stdin(arguments: Namespace) -> None:
    """Refuse two readers of stdin, of which the second would find nothing."""
    mocks: list[str] = arguments.mock
    readers = [f"--mock {text[:-2]}" for text in mocks if text.endswith("=-")]
    if arguments.input == "-":
        readers.append("--input")
    if len(readers) > 1:
        message = f"{' and '.join(readers)} read stdin, which holds one text: give @file.json"
        raise UsageError(message, code="bad_usage")


def input_of(text: str | None, loaded: Loaded) -> JsonValue:
    """The input as it was given; an empty object where the agent needs none.

    Raises:
        UsageError: The agent needs one (code `missing_input`).
        JsonError: Not acceptable JSON.
    """
    if text is not None:
        return read_json(text, option="--input")
    signature = loaded.agent.signature
    if signature.is_whole or any(one.default is MISSING for one in signature.parameters):
        message = (
            f"{loaded.agent.about.subject} needs --input. "
            f"'fishplate contract {loaded.spelled}' prints what it takes"
        )
        raise UsageError(message, code="missing_input")
    return {}
