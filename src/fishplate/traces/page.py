"""A kept run as one page to look at: an HTML file that asks nobody for anything and runs nothing.

What a run was told may come from anybody. All of it stands in the page as escaped text, never as
an element or an attribute, and the page forbids itself scripts and every request.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import Final

from fishplate.core.errors import JsonValue
from fishplate.core.events import Span
from fishplate.core.ids import span_hex
from fishplate.traces.blocks import NOTHING
from fishplate.traces.explain import Explanation
from fishplate.traces.findings import Finding, objects_of, texts_of
from fishplate.traces.queries import TracedRun, TracedSpan, WholeTrace
from fishplate.traces.text import facts_of, printable
from fishplate.traces.waterfall import in_tree, run_cost

_WIDTH: Final = 1_000
_NARROWEST: Final = 4
"""Of a bar, in thousandths of the run: a step that took no time is seen too."""
_DEEPEST: Final = 6
"""Levels that are indented; those below stand under the last one."""


def trace_page(
    trace: WholeTrace, found: Explanation, *, with_content: bool, notes: Iterable[str] = ()
) -> str:
    """A run as an HTML document.

    Args:
        trace: The run.
        found: Who is to blame.
        with_content: Whether inputs, outputs and texts of passages stand in it, as far as they are
            kept.
        notes: What is to be known of the run before it is judged.
    """
    style = files("fishplate.traces").joinpath("page.css").read_text(encoding="utf-8")
    digest = b64encode(sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'"
    run = trace.run
    state = run.state.replace("_", " ")
    lines = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{_text(run.agent)}: {_text(state)}</title>",
        f"<style>{style}</style>\n</head>\n<body>",
        f'<h1>{_text(run.agent)} <span class="state {_text(run.state)}">{_text(state)}</span></h1>',
        *_list(_facts_of_run(run)),
        *_verdict(found, (*notes, *found.notes)),
        *_spans(trace.spans, found, with_content=with_content),
        "<footer>Open a step to see more. Times are UTC.</footer>",
        "</body>\n</html>\n",
    )
    return "\n".join(lines)


def _facts_of_run(run: TracedRun) -> Iterator[tuple[str, str]]:
    yield "run", run.id
    yield "trace", run.trace_id
    yield "release", run.release or "not ended"
    began = datetime.fromtimestamp(run.started_ns / 1e9, UTC)
    yield "began", f"{began:%Y-%m-%d %H:%M:%S.%f}"[:-3]
    yield "took", "not ended" if run.duration_ns is None else _duration(run.duration_ns)
    yield "for", f"{run.principal} of {run.tenant}"
    if run.error is not None:
        yield "error", run.error
    if run.model_calls:
        yield "requests", str(run.model_calls)
        yield "tokens", f"{run.input_tokens} in, {run.output_tokens} out"
    if run.model_calls or run.missing_spans:
        yield "cost", run_cost(run)


def _verdict(found: Explanation, notes: Iterable[str]) -> Iterator[str]:
    kind = "verdict blamed" if found.findings else "verdict"
    yield f'<h2>Verdict: {_text(found.verdict)}</h2>\n<div class="{kind}">'
    for note in notes:
        yield f"<p>Note: {_text(note)}.</p>"
    if not found.findings:
        yield "<p>Nothing that was recorded shows a fault.</p>"
    for at, one in enumerate(found.findings):
        yield f"<p>{'' if at else '<b>'}{_step(one)}{'' if at else '</b>'}: {_text(one.evidence)}"
        yield f" ({_text(one.verdict)})</p>" if at else "</p>"
    for one in found.doubts:
        yield f"<p>In doubt {_step(one)}: {_text(one.evidence)} ({_text(one.verdict)})</p>"
    yield "</div>"


def _step(one: Finding) -> str:
    return f'<a href="#s{span_hex(one.span_id)}">{_text(one.path)}</a>'


def _spans(spans: Sequence[TracedSpan], found: Explanation, *, with_content: bool) -> Iterator[str]:
    blamed = found.findings[0].span_id if found.findings else None
    begin = min((one.span.start_ns for one in spans), default=0)
    whole = max(max((one.span.end_ns for one in spans), default=0) - begin, 1)
    yield f'<h2>{len(spans)} spans</h2>\n<div class="spans">'
    for depth, one in in_tree(spans):
        span = one.span
        status = _text("told" if span.kind == "decision" and span.status == "ok" else span.status)
        is_open = " open" if span.span_id == blamed else ""
        yield f'<details id="s{span_hex(span.span_id)}"{is_open}>\n<summary>'
        yield (
            f'<span class="title d{min(depth, _DEEPEST)}"><span class="kind">{_text(span.kind)}'
            f"</span> {_text(span.name)}</span>"
        )
        yield _bar(span, begin, whole, status)
        time = "" if span.kind == "decision" else _duration(span.end_ns - span.start_ns)
        yield f'<span class="time">{time}</span>'
        if facts := facts_of(span):
            yield f'<span class="facts d{min(depth, _DEEPEST)} {status}">{_text(facts)}</span>'
        yield '</summary>\n<div class="more">'
        yield from _more(one, with_content=with_content)
        yield "</div>\n</details>"
    yield "</div>"


def _bar(span: Span, begin: int, whole: int, status: str) -> str:
    width = max((span.end_ns - span.start_ns) * _WIDTH // whole, _NARROWEST)
    left = min((span.start_ns - begin) * _WIDTH // whole, _WIDTH - _NARROWEST)
    return (
        f'<svg class="bar {status}" viewBox="0 0 {_WIDTH} 1" preserveAspectRatio="none" '
        'aria-hidden="true">'
        f'<rect x="{left}" width="{min(width, _WIDTH - left)}" height="1"/></svg>'
    )


def _more(one: TracedSpan, *, with_content: bool) -> Iterator[str]:
    span = one.span
    attributes = span.attributes or {}
    passages = objects_of(attributes.get("passages"))
    facts = (
        ("path", span.path),
        ("status", span.status),
        *((("release", span.release),) if span.release else ()),
        *((name, _spelled(value)) for name, value in attributes.items() if name != "passages"),
    )
    yield from _list(facts)
    if passages:
        yield from _passages(passages, attributes.get("used"), with_text=with_content)
    if with_content:
        for word, value in (("input", one.given), ("output", one.gave)):
            if value is not NOTHING:
                told = json.dumps(value, ensure_ascii=False, indent=2).split("\n")
                yield f"<h3>{word}</h3>\n<pre>{escape(chr(10).join(map(printable, told)))}</pre>"


def _passages(
    passages: Iterable[Mapping[str, JsonValue]], used: JsonValue, *, with_text: bool
) -> Iterator[str]:
    names = ("passage", "score", "used", *(("text",) if with_text else ()))
    known = set(texts_of(used)) if isinstance(used, list) else None
    yield f"<table><tr>{''.join(f'<th>{name}</th>' for name in names)}</tr>"
    for one in passages:
        was_used = "not told" if known is None else "yes" if one.get("id") in known else "no"
        text = (_spelled(one.get("text", "")),) if with_text else ()
        cells = (_spelled(one.get("id")), _spelled(one.get("score")), was_used, *text)
        yield f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in cells)}</tr>"
    yield "</table>"


def _list(facts: Iterable[tuple[str, str]]) -> Iterator[str]:
    yield "<dl>"
    for name, value in facts:
        yield f"<dt>{_text(name)}</dt><dd>{_text(value)}</dd>"
    yield "</dl>"


def _spelled(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _duration(nanoseconds: int) -> str:
    seconds = nanoseconds / 1e9
    return f"{seconds:.2f} s" if seconds >= 1 else f"{nanoseconds / 1e6:.1f} ms"


def _text(told: str) -> str:
    """Text from anywhere: on one line, and without what a browser would obey."""
    return escape(printable(told))
