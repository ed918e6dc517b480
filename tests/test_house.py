"""The rules of the house that no other tool checks."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.utils import canonicalize_name

import fishplate
from tests.project import PYPROJECT, ROOT, SOURCES, project_files, requirements_of_users
from tests.public_names import public_names

# Imported beside what pyproject.toml names → why that is safe.
VOUCHED = {"pydantic-core": "pydantic requires the one version that it works with"}

MACHINE_PATHS = re.compile(r"(?<![\w.])/(root|home|Users|work)/\w|[A-Z]:\\Users")
REGISTRY_HOSTS = re.compile(r"pypi\.org|pythonhosted|npmjs\.(org|com)|debian\.org")

CONVERTERS = {"pickle", "marshal", "shelve", "dill", "cloudpickle"}
EVALUATORS = {"eval", "exec", "compile", "__import__"}
# Compiles `__init__` from the names of a class's fields, as the standard decorator does.
COMPILERS = {"core/data.py: exec"}
# What makes Python objects of YAML tags. `yaml.load` asks for a loader, so it needs none of these.
is_unsafe_yaml = re.compile(r"(unsafe|full)_load(_all)?|C?(Unsafe|Full)?Loader").fullmatch


def places(pattern: re.Pattern[str]) -> list[str]:
    """`file:line: match` of every match in a text file of the project other than this one."""
    return [
        f"{file.relative_to(ROOT)}:{number}: {found[0]}"
        for file in project_files()
        if file != Path(__file__)
        if b"\0" not in (content := file.read_bytes())
        for number, line in enumerate(content.decode().splitlines(), start=1)
        if (found := pattern.search(line))
    ]


def imports_of(tree: ast.AST) -> Iterator[str]:
    """The top-level module of every import in a file, also of those within functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    """The project is the same wherever it is checked out."""
    assert places(MACHINE_PATHS) == []


def test_no_file_names_a_package_registry() -> None:
    """Packages come from wherever the machine is set up to fetch them."""
    assert places(REGISTRY_HOSTS) == []


def test_every_layer_keeps_its_place() -> None:
    """Imports go downwards, without circles, and a vendor stays in its adapter."""
    # In a process of its own: it sets logging up, and turns off every logger that is there.
    found = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"],
        cwd=ROOT,
        check=False,
        capture_output=True,
        encoding="utf-8",
    )
    assert found.returncode == 0, found.stdout + found.stderr


def test_the_package_imports_only_what_it_declares() -> None:
    """A name that `src` imports is of Python, of fishplate, or of a declared dependency."""
    declared = {canonicalize_name(requirement.name) for requirement in requirements_of_users()}
    distributions = packages_distributions()

    strangers = {
        f"{source.relative_to(ROOT)} imports {name}"
        for source in SOURCES
        for name in imports_of(ast.parse(source.read_bytes()))
        if name != "fishplate" and name not in sys.stdlib_module_names
        if not (declared | set(VOUCHED)) & set(map(canonicalize_name, distributions.get(name, [])))
    }

    assert strangers == set()


def test_no_source_turns_data_into_code() -> None:
    """Nothing that is read can run: no pickle, no eval, no YAML tags."""
    found: list[str] = []
    for source in SOURCES:
        tree = ast.parse(source.read_bytes())
        found += [f"{source.name}: {name}" for name in imports_of(tree) if name in CONVERTERS]
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Name(id=name)) if name in EVALUATORS:
                    if f"{source.parent.name}/{source.name}: {name}" not in COMPILERS:
                        found.append(f"{source.name}:{node.lineno}: {name}()")
                case ast.Attribute(value=ast.Name(id="yaml"), attr=name) if is_unsafe_yaml(name):
                    found.append(f"{source.name}:{node.lineno}: yaml.{name}")
                case _:
                    pass

    assert found == []


def test_every_data_class_is_cheap_to_define() -> None:
    """`fishplate.core.data` alone takes the standard decorator, which costs ten times as much."""
    standard = {
        str(source.relative_to(ROOT / "src" / "fishplate"))
        for source in SOURCES
        for node in ast.walk(ast.parse(source.read_bytes()))
        if isinstance(node, ast.ImportFrom) and node.module == "dataclasses"
        if "dataclass" in {alias.name for alias in node.names}
    }

    assert standard == {"core/data.py"}


def test_the_public_names_are_the_reviewed_ones() -> None:
    """A new or changed public name shows as a change of `tests/public_names.txt`."""
    reviewed = (ROOT / "tests" / "public_names.txt").read_text(encoding="utf-8")

    assert public_names() == reviewed, (
        "the public names have changed; if that is meant: "
        "python -m tests.public_names > tests/public_names.txt"
    )


def test_every_public_name_is_there() -> None:
    """What `fishplate.__all__` promises can be imported."""
    assert [name for name in fishplate.__all__ if not hasattr(fishplate, name)] == []


def test_every_changelog_fragment_can_be_published() -> None:
    """A fragment is named `<number or +word>.<type>.md` and holds whole sentences."""
    config = PYPROJECT["tool"]["towncrier"]
    types = "|".join(kind["directory"] for kind in config["type"])
    is_named_well = re.compile(rf"(\d+|\+[\w-]+)\.({types})(\.\d+)?\.md").fullmatch
    is_written_well = re.compile(r"\S.*\.\n", re.DOTALL).fullmatch

    bad = [
        file.name
        for file in (ROOT / config["directory"]).iterdir()
        if file.name not in config["ignore"]
        if not is_named_well(file.name) or not is_written_well(file.read_text(encoding="utf-8"))
    ]

    assert bad == []
