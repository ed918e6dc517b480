"""What `import fishplate` brings into a process; what it costs is measured by bench."""

import os
import subprocess
import sys
from pathlib import Path

import fishplate

LIMIT = "from pydantic import BaseModel; import asyncio, jsonschema_rs"
MOST_MODULES = 1.7  # times what pydantic, asyncio and the schema validator bring by themselves

MOST_COMPILED = 15  # methods written as text; there are some hundred data classes
COUNT_COMPILED = f"""
{LIMIT}
import sys
methods = []
def watch(event, arguments):
    if event == "compile" and arguments[1] == "<string>" and "def " in str(arguments[0])[:8]:
        methods.append(arguments[0])
sys.addaudithook(watch)
import fishplate
print(len(methods))
"""

# Module → who needs it instead.
NOT_AT_IMPORT = {
    "argparse": "the command line",
    "http": "the gateway",
    "httpx2": "agents and models behind HTTP",
    "numpy": "the local model",
    "onnxruntime": "the local model",
    "rich": "the command line",
    "sqlite3": "a store",
    "yaml": "a contract in YAML",
    "fishplate.cli": "the command line",
    "fishplate.models": "agents that use a model",
    "fishplate.quality": "evaluations",
    "fishplate.testing": "tests",
}


def modules_after(code: str) -> set[str]:
    """The modules that a new interpreter holds after it has run the code."""
    answer = subprocess.run(
        [sys.executable, "-c", f"{code}; import sys; print(*sys.modules)"],
        check=True,
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": str(Path(fishplate.__file__).parents[1])},
    )
    return set(answer.stdout.split())


def test_what_only_some_users_need_is_imported_when_they_need_it() -> None:
    """`import fishplate` loads no vendor, no store, no server and no command line."""
    found = modules_after("import fishplate")

    assert sorted(found & set(NOT_AT_IMPORT)) == []


def test_the_import_stays_near_what_it_cannot_do_without() -> None:
    """`import fishplate` loads few modules beyond pydantic, asyncio and the schema validator."""
    least = modules_after(LIMIT)
    added = modules_after("import fishplate") - least

    assert len(added) + len(least) <= MOST_MODULES * len(least), sorted(added)


def test_the_import_compiles_methods_of_few_classes() -> None:
    """A data class that nobody has called yet has cost no compiling."""
    answer = subprocess.run(
        [sys.executable, "-c", COUNT_COMPILED],
        check=True,
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": str(Path(fishplate.__file__).parents[1])},
    )

    assert int(answer.stdout) <= MOST_COMPILED
