"""With the wheel and nothing but the README, a workflow runs and its broken twin is refused."""

import os
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests.project import ROOT

_FILE = re.compile(r"^<!-- file: (\S+) -->\n```py\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that knows the built wheel and its dependencies, and not this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "flit_core.wheel", "--outdir", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=60)
    wheel = next(folder.glob("*.whl"))
    venv.create(folder / "env", with_pip=False)
    site = next((folder / "env").rglob("site-packages"))
    zipfile.ZipFile(wheel).extractall(site)
    # A path in a .pth file is not searched for further .pth files: an editable install is not seen.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    return folder / "env" / ("Scripts" if os.name == "nt" else "bin") / "python"


def _run(python: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(
        [python, *arguments],
        cwd=folder,
        env=clean,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _readme_files() -> dict[str, str]:
    return dict(_FILE.findall((ROOT / "README.md").read_text(encoding="utf-8")))


def test_the_wheel_stands_alone(python: Path, tmp_path: Path) -> None:
    """What runs is the wheel, not this checkout."""
    found = _run(python, tmp_path, "-c", "import fishplate; print(fishplate.__file__)")

    assert found.returncode == 0, found.stderr
    assert str(ROOT) not in found.stdout
    assert Path(found.stdout.strip()).is_relative_to(python.parents[1])


def test_the_readme_workflow_runs(python: Path, tmp_path: Path) -> None:
    """A two-agent workflow of at most 25 lines runs from an empty folder."""
    text = _readme_files()["support.py"]
    (tmp_path / "support.py").write_text(text, encoding="utf-8")

    found = _run(
        python,
        tmp_path,
        "-m",
        "fishplate",
        "run",
        "support.py:support",
        "--input",
        '{"question": "where is #W42"}',
    )

    assert len(text.splitlines()) <= 25
    assert found.returncode == 0, found.stderr
    assert found.stdout.strip() == '"Order #W42 is on its way."'


def test_the_broken_twin_is_refused(python: Path, tmp_path: Path) -> None:
    """Its twin that does not fit is refused before it runs, with a counterexample and the line."""
    for name, text in _readme_files().items():  # the twin takes an agent of the first file
        (tmp_path / name).write_text(text, encoding="utf-8")

    found = _run(python, tmp_path, "-m", "fishplate", "check", "broken.py")

    told = found.stdout + found.stderr
    assert found.returncode == 1
    assert "mismatched_edge" in told
    assert re.search(r"broken\.py:\d+", told)
    assert '{"order_id":null}' in told.replace(" ", "")
    assert "Traceback" not in told
