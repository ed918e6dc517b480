"""What the pages say can be followed; that their examples run is tested beside, by Sybil."""

import re
from pathlib import Path

import pytest

from tests.project import ROOT

PAGES = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md"))]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_link_within_the_project_leads_somewhere(page: Path) -> None:
    """A link without a scheme names a file or a folder that is there."""
    fences = re.compile(r"^```.*?^```$", flags=re.MULTILINE | re.DOTALL)
    text = fences.sub("", page.read_text(encoding="utf-8"))
    targets = [found.partition("#")[0] for found in re.findall(r"\]\(([^)\s]+)\)", text)]

    dead = [
        target
        for target in targets
        if target and "://" not in target and not (page.parent / target).exists()
    ]

    assert dead == []


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_task_that_a_page_names_is_there(page: Path) -> None:
    """`python3 dev.py <task>` on a page is a task that dev.py has."""
    usage = (ROOT / "dev.py").read_text(encoding="utf-8").split('"""')[1]
    tasks = set(re.findall(r"^    python3 dev\.py (\w+)", usage, flags=re.MULTILINE))

    named = set(re.findall(r"python3 dev\.py (\w+)", page.read_text(encoding="utf-8")))

    assert named <= tasks


def test_the_readme_shows_code_that_runs() -> None:
    """A newcomer sees an example, and the tests run it."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")

    assert "<!-- file: support.py -->\n```py\n" in text
    assert "$ fishplate run support.py" in text
