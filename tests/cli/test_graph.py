"""`fishplate graph`: the chart on stdout, or the chart and the plan as data."""

from tests.cli.conftest import SHOP, Program


def test_a_workflow_is_printed_as_a_chart(cli: Program) -> None:
    """Stdout holds a Mermaid flowchart, ready for a file."""
    ended = cli("graph", f"{SHOP}:support")

    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith('---\ntitle: "support 1.0.0"\n---\nflowchart TD\n')
    assert '  n3 -->|"Status"| n4\n' in ended.out


def test_with_json_the_plan_comes_with_the_chart(cli: Program) -> None:
    """A program gets the plan as data; an agent without a plan has null there."""
    workflow = cli("graph", f"{SHOP}:support", "--json").json
    agent = cli("graph", f"{SHOP}:order_status", "--json").json

    assert workflow["plan"]["name"] == "support"
    assert workflow["mermaid"].startswith("---\ntitle:")
    assert agent["plan"] is None
