"""`fishplate trace show`, `trace explain` and `trace export`: one run, seen and judged."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Final

from fishplate.cli.command import Command, ExitCode
from fishplate.cli.screen import Screen
from fishplate.cli.trace_store import add_traced_run, now_ns, trace_and_beside, trace_of
from fishplate.core.errors import UsageError
from fishplate.core.sqlite_file import store_path
from fishplate.traces.explain import explain
from fishplate.traces.otlp_json import otlp_document
from fishplate.traces.page import trace_page
from fishplate.traces.queries import WholeTrace, whole_json
from fishplate.traces.standing import notes_on
from fishplate.traces.waterfall import waterfall


def add_show_arguments(parser: ArgumentParser) -> None:
    """Declare what `trace show` takes."""
    add_traced_run(parser)
    parser.add_argument(
        "--content", action="store_true", help="print inputs and outputs as far as they are kept"
    )


def show(arguments: Namespace, screen: Screen) -> ExitCode:
    """Print a run as a tree with a waterfall."""
    trace = trace_of(arguments)
    notes = _notes(trace)
    if screen.as_json:
        screen.document({**whole_json(trace), "notes": [*notes]})
    else:
        screen.lines(waterfall(trace, with_content=arguments.content, notes=notes))
    return ExitCode.OK


def add_explain_arguments(parser: ArgumentParser) -> None:
    """Declare what `trace explain` takes."""
    add_traced_run(parser)
    parser.add_argument(
        "--wrong", metavar="TEXT", help="a text in the answer that is wrong: find where it is from"
    )


def tell_why(arguments: Namespace, screen: Screen) -> ExitCode:
    """Print what is to blame for a run."""
    trace, beside = trace_and_beside(arguments)
    found = explain(trace, beside, wrong=arguments.wrong)
    notes = (*_notes(trace), *found.notes)
    if screen.as_json:
        told = {"run": trace.run.id, "state": trace.run.state, **found.to_json()}
        screen.document({**told, "notes": [*notes]})
        return ExitCode.OK
    screen.lines([f"verdict: {found.verdict}", *(f"note: {note}" for note in notes)])
    if found.findings:
        first, *others = found.findings
        screen.lines([f"step: {first.path}", f"because {first.evidence}"])
        screen.lines(f"also in {one.path}: {one.evidence} ({one.verdict})" for one in others)
    else:
        screen.note(["nothing that was recorded shows a fault"])
    screen.lines(f"in doubt {one.path}: {one.evidence} ({one.verdict})" for one in found.doubts)
    return ExitCode.OK


def add_export_arguments(parser: ArgumentParser) -> None:
    """Declare what `trace export` takes."""
    add_show_arguments(parser)
    parser.add_argument(
        "--html", metavar="FILE", help="write a page to look at into this file instead"
    )


def export(arguments: Namespace, screen: Screen) -> ExitCode:
    """Print a run as OTLP, or write it as a page."""
    trace, beside = trace_and_beside(arguments)
    if arguments.html is None:
        screen.document(otlp_document([trace], with_content=arguments.content))
        return ExitCode.OK
    target = Path(arguments.html)
    path = store_path(arguments.traces)
    if target.exists() and path.exists() and target.samefile(path):
        message = f"{arguments.html!r} is the trace store itself: name another file for the page"
        raise UsageError(message, code="unwritable_file")
    found = explain(trace, beside)
    page = trace_page(trace, found, with_content=arguments.content, notes=_notes(trace))
    try:
        target.write_text(page, encoding="utf-8")
    except OSError as error:
        message = f"the page cannot be written to {arguments.html!r}: {error.strerror}"
        raise UsageError(message, code="unwritable_file") from error
    if screen.as_json:
        screen.document({"run": trace.run.id, "html": arguments.html})
    else:
        screen.note([f"wrote {arguments.html}"])
    return ExitCode.OK


def _notes(trace: WholeTrace) -> tuple[str, ...]:
    """Where the run stands, and what is missing of it."""
    return tuple(notes_on(trace.run, trace.told_until_ns, now_ns()))


SHOW: Final = Command(
    name="trace show",
    summary="show one run: what ran below what, when, and why",
    description=(
        "Show a run as a tree with a waterfall: how long each step took and when, its status, and\n"
        "why it went that way. --json prints all that is kept, inputs and outputs too."
    ),
    examples=("trace show 06dgq3v4zr7k0t1m8q2n5b9xwy --traces sqlite:///traces.db",),
    add_arguments=add_show_arguments,
    execute=show,
)
EXPLAIN: Final = Command(
    name="trace explain",
    summary="say what is to blame for a run, and where it went wrong first",
    description=(
        "Say whose fault a wrong answer is: retrieval, tool, reasoning, contract, policy or none;\n"
        "with the first step where something went wrong, and what shows it. What is odd and\n"
        "proves nothing is in doubt; with --wrong it is evidence too."
    ),
    examples=(
        "trace explain 06dgq3v4zr7k0t1m8q2n5b9xwy --traces sqlite:///traces.db",
        "trace explain 06dgq3v4zr7k0t1m8q2n5b9xwy --traces sqlite:///traces.db --wrong pending",
    ),
    add_arguments=add_explain_arguments,
    execute=tell_why,
)
EXPORT: Final = Command(
    name="trace export",
    summary="print a run as OTLP, which other tools read, or write a page to look at",
    description=(
        "Print a run as one OTLP/JSON document: post it to /v1/traces of any OpenTelemetry\n"
        "collector. --html writes one HTML file instead, with the waterfall and who is to blame;\n"
        "it needs no network. Inputs and outputs are left out unless --content asks for them."
    ),
    examples=(
        "trace export 06dgq3v4zr7k0t1m8q2n5b9xwy --traces sqlite:///traces.db",
        "trace export 06dgq3v4zr7k0t1m8q2n5b9xwy --traces sqlite:///traces.db --html run.html",
    ),
    add_arguments=add_export_arguments,
    execute=export,
)
