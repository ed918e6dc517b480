"""The charts of `fishplate.workflows.render`: every form is drawn, the same way each time."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fishplate import agent, switch, workflow
from fishplate.workflows.render import mermaid
from tests.cli.conftest import FORMS, SECONDS, Program
from tests.cli.samples import forms

CHARTS = Path(__file__).parent / "charts"
LABEL = r'"(?:[^"<>`\n]|<br/>)*"'
LINE = re.compile(rf"  n\d+(?:\[{LABEL}\]|\(\[{LABEL}\]\)|{{{LABEL}}}| -->(?:\|{LABEL}\|)? n\d+)")


def lines_of(chart: str, mark: str) -> Sequence[str]:
    """The lines of a chart that hold a mark, without their indents."""
    return [line.strip() for line in chart.splitlines() if mark in line]


@pytest.mark.parametrize("name", ["forms", "dynamic"])
def test_a_chart_is_the_reviewed_one(name: str) -> None:
    """A change of how a plan is drawn shows as a change of a file."""
    reviewed = (CHARTS / f"{name}.mmd").read_text(encoding="utf-8")

    assert mermaid(getattr(forms, name)) == reviewed, (
        f"if that is meant: python -m fishplate graph tests/cli/samples/forms.py:{name} "
        f"> tests/cli/charts/{name}.mmd"
    )


def test_a_chart_is_the_same_in_every_process(
    cli: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing in a chart depends on the order of a set, or on who draws it."""
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    out, _ = cli.process("graph", f"{FORMS}:forms").communicate(timeout=SECONDS)

    assert out == mermaid(forms.forms)


def test_a_decision_has_an_edge_per_case() -> None:
    """Each case of a route or a switch stands on its edge, the default too."""
    chart = mermaid(forms.forms)

    assert lines_of(chart, '|"First"|') == ['n3 -->|"First"| n4']
    assert lines_of(chart, '|"default"|') == ['n15 -->|"default"| n20']


def test_a_fallback_hangs_on_a_dotted_edge() -> None:
    """What answers when a call fails is drawn beside it, and both lead on."""
    chart = mermaid(forms.forms)

    assert lines_of(chart, "or else") == ['n4 -. "or else" .-> n5']
    assert lines_of(chart, "n5 -->") == ["n5 --> n7"]


def test_text_of_a_case_cannot_leave_its_label() -> None:
    """Quotes, tags, entities and list marks in a case are drawn as they were written."""
    chart = mermaid(forms.forms)

    assert '|"a #quot;b#quot; #lt;c#gt; #amp; #35;d"|' in chart
    assert '|"1#46; x"|' in chart
    assert '|"#45; y"|' in chart


@agent
async def words() -> str:
    """Give some text."""
    return "text"


def chart_with(case: str) -> str:
    """The chart of a workflow that switches on a text."""

    async def choose() -> str:
        return case

    literal: Any = Literal  # of a text that no checker can know
    choose.__annotations__["return"] = literal[case, "else"]
    chosen_by = agent(choose, name="choose")

    @workflow
    async def switching() -> str:
        chosen = await chosen_by()
        return await switch((case, words()), default=words(), on=chosen)

    return mermaid(switching)


@settings(max_examples=15)
@given(st.text(min_size=1).filter(lambda case: case != "else"))
def test_no_text_breaks_the_grammar(case: str) -> None:
    """Whatever a case is called, each line of the chart is a node or an edge."""
    for line in chart_with(case).splitlines()[4:]:
        assert LINE.fullmatch(line), line
