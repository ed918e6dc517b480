"""The reference page lists what has to hold."""

import inspect
import re

from fishplate.testing.conformance import EngineConformance, JournalConformance
from tests.project import ROOT

PAGE = (ROOT / "docs/reference/conformance.md").read_text(encoding="utf-8")


def test_the_page_lists_every_rule() -> None:
    """Each test stands there in its suite's table, in order, with its docstring."""
    for suite in (EngineConformance, JournalConformance):
        rules = [
            (name, inspect.getdoc(test))
            for name, test in vars(suite).items()
            if name.startswith("test_")
        ]
        table = PAGE.partition(f"| of `{suite.__name__}` |")[2].partition("\n\n")[0]

        assert re.findall(r"^\| `(\w+)` \| (.*) \|$", table, flags=re.MULTILINE) == rules


def test_every_concern_has_a_test() -> None:
    """What engines get wrong is named, so that a test that is taken away is missed."""
    names = " ".join((*vars(EngineConformance), *vars(JournalConformance)))

    for concern in (
        "duplicate_start",
        "early_signal",
        "double_signal",
        "cancel",
        "crash_at_every_record",
        "oversize",
        "timeout",
        "each_after_a_crash",
        "parallel_after_a_crash",
        "pinned_release",
    ):
        assert f"test_{concern}" in names, concern
