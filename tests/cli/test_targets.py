"""Targets: a file or a module, one name in it, and what is said when that is not there."""

import sys

import pytest

from fishplate.cli.targets import Target
from tests.cli.conftest import SHOP, Program

ONE = """
from fishplate import agent

@agent
async def double(number: int) -> int:
    return number * 2
"""
INPUT = ("--input", '{"number": 2}')


@pytest.mark.parametrize(
    ("text", "place", "name"),
    [
        ("shop.py:support", "shop.py", "support"),
        ("some/shop.py", "some/shop.py", None),
        ("package.shop:support", "package.shop", "support"),
        ("package.shop", "package.shop", None),
        (r"C:\work\shop.py", r"C:\work\shop.py", None),
        (r"C:\work\shop.py:support", r"C:\work\shop.py", "support"),
    ],
)
def test_a_target_is_a_place_and_a_name(text: str, place: str, name: str | None) -> None:
    """The last colon parts the place from the name, but for the one of a Windows drive."""
    assert Target.parse(text) == Target(place=place, name=name)


@pytest.mark.parametrize("text", ["shop.py:", ":support", "", "shop.py:12", "shop.py:a.b", "a b"])
def test_what_is_no_target_is_bad_usage(cli: Program, text: str) -> None:
    """A target of another form is refused with the form that it should have."""
    ended = cli("run", text, "--json")

    assert ended.code == 2
    assert ended.json["error"]["code"] == "bad_target"
    assert "FILE.py:NAME or package.module:NAME" in ended.json["error"]["message"]


def test_a_module_is_found_from_the_working_folder(cli: Program) -> None:
    """`package.module:NAME` is imported as `python -m` would do it."""
    cli.write("parts/numbers.py", ONE)

    assert cli("run", "parts.numbers:double", *INPUT).out == "4\n"


def test_a_lone_file_runs_from_anywhere(cli: Program) -> None:
    """A file is a module of its own, and its neighbours can be imported by their names."""
    cli.write("elsewhere/helper.py", "FACTOR = 3\n")
    cli.write(
        "elsewhere/tripling.py",
        "from fishplate import agent\nfrom helper import FACTOR\n\n@agent\n"
        "async def triple(number: int) -> int:\n    return number * FACTOR\n",
    )

    assert cli("run", "elsewhere/tripling.py:triple", *INPUT).out == "6\n"
    assert cli("run", cli.folder / "elsewhere" / "tripling.py", *INPUT).out == "6\n"


@pytest.mark.parametrize("has_init", [True, False])
def test_a_file_of_a_package_gets_its_full_name(cli: Program, has_init: bool) -> None:
    """A file that its neighbours import by a dotted name is imported once, under that name."""
    if has_init:
        cli.write("house/__init__.py", "")
        cli.write("house/room/__init__.py", "")
    cli.write("house/room/parts.py", f"{ONE}\nimport house.room.app as app\n")
    cli.write(
        "house/room/app.py",
        "print('imported as', __name__)\nfrom house.room.parts import double\n",
    )
    ended = cli("run", "house/room/app.py:double", *INPUT)

    assert (ended.out, ended.err) == ("4\n", "imported as house.room.app\n")


def test_relative_imports_work(cli: Program) -> None:
    """A file with relative imports is a module of the package that they speak of."""
    cli.write("pack/parts.py", ONE)
    cli.write("pack/front.py", "from .parts import double\n")

    assert cli("run", "pack/front.py:double", *INPUT).out == "4\n"


def test_the_name_may_be_left_out_where_there_is_one(cli: Program) -> None:
    """The one agent of a file is the target, and stderr says which it is."""
    cli.write("single.py", ONE)
    ended = cli("run", "single.py", *INPUT)

    assert ended.out == "4\n"
    assert ended.err == "running agent 'double' (single.py:4)\n"


def test_one_workflow_goes_before_many_agents(cli: Program) -> None:
    """Where there is one workflow, its agents are no other choice; imported ones neither."""
    cli.write("numbers.py", ONE)
    cli.write(
        "whole.py",
        "from numbers_ import double\nfrom fishplate import workflow\n\n@workflow\n"
        "async def whole(number: int) -> int:\n    return await double(number)\n",
    )
    cli.write("numbers_.py", ONE)
    ended = cli("run", "whole.py", *INPUT)

    assert ended.out == "4\n"
    assert "running workflow 'whole'" in ended.err


def test_several_agents_ask_for_a_name(cli: Program) -> None:
    """Which of several is meant is nobody's guess."""
    ended = cli("run", SHOP, *INPUT)

    assert ended.code == 2
    assert "error[ambiguous_target]: " in ended.err
    assert "has 2 workflows: name one, as in " in ended.err


def test_tools_are_not_meant_where_there_is_an_agent(cli: Program) -> None:
    """The one agent of a file is its target, however many tools it has."""
    cli.write(
        "asking.py",
        "from fishplate import agent, tool\n\n\n"
        '@tool(effect="readonly")\nasync def first(number: int) -> int:\n    return number\n\n\n'
        '@tool(effect="readonly")\nasync def second(number: int) -> int:\n    return number\n\n\n'
        "@agent(tools=[first, second])\n"
        "async def ask(number: int) -> int:\n    return await first(number)\n",
    )

    assert cli("run", "asking.py", *INPUT).out == "2\n"


def test_an_unknown_name_is_told_the_one_that_is_meant(cli: Program) -> None:
    """A close name alone, else all that are there: both at once hide each other."""
    close, far = cli("run", f"{SHOP}:suport"), cli("run", f"{SHOP}:xyz")

    assert (close.code, far.code) == (2, 2)
    assert close.err.endswith("has no 'suport'. Did you mean 'support'?\n")
    assert "has no 'xyz'. It has: find_order (tool), " in far.err


def test_what_cannot_be_chosen_between_is_listed_alone(cli: Program) -> None:
    """Of two workflows one is meant, so the agents beside them are not listed."""
    ended = cli("run", SHOP)

    assert "error[ambiguous_target]" in ended.err
    assert ended.err.endswith("It has: support (workflow), shipping (workflow)\n")


def test_a_class_is_told_to_be_one(cli: Program) -> None:
    """A model in place of an agent is no riddle about its metaclass."""
    ended = cli("run", f"{SHOP}:Question")

    assert "'Question' in " in ended.err
    assert " is a class and no agent. It has: " in ended.err


def test_a_name_that_is_no_agent_says_what_it_is(cli: Program) -> None:
    """A plain function or class is named as what it is."""
    cli.write("plain.py", "def double(number): return number\n")
    ended = cli("run", "plain.py:double")

    assert ended.code == 2
    assert "error[not_an_agent]: 'double' in 'plain.py' is of type 'function'" in ended.err
    assert "There is none in the module: decorate a function" in ended.err


def test_a_file_without_agents_is_no_target(cli: Program) -> None:
    """There is nothing to run in a file that declares nothing."""
    cli.write("empty.py", "")

    assert "error[unknown_target]: 'empty.py' has no agent" in cli("run", "empty.py").err


@pytest.mark.parametrize(
    ("target", "code", "message"),
    [
        ("nowhere.py:x", "no_such_file", "there is no file 'nowhere.py'"),
        ("some/place:x", "no_such_file", "there is no file 'some/place'"),
        ("notes/a.txt:x", "no_such_file", "'notes/a.txt' is no Python module"),
        ("a.txt", "no_such_file", "'a.txt' is no Python module"),
        ("a.yaml", "no_such_file", "A contract file is compared by 'fishplate diff OLD NEW'"),
        ("./notes", "no_such_file", "'notes' is a folder: name a file in it"),
        ("nowhere.at_all:x", "no_such_module", "there is no module 'nowhere'"),
        ("json.nowhere:x", "no_such_module", "there is no module 'json.nowhere'"),
    ],
)
def test_a_place_that_is_not_there_is_bad_usage(
    cli: Program, target: str, code: str, message: str
) -> None:
    """A missing file or module is named."""
    for place in ("notes/a.txt", "a.txt", "a.yaml"):
        cli.write(place, "")
    ended = cli("run", target, "--json")

    assert ended.code == 2
    assert ended.json["error"]["code"] == code
    assert message in ended.json["error"]["message"]


@pytest.mark.parametrize(
    ("source", "code", "message"),
    [
        ("\n\ndef broken(:\n", "syntax_error", "bad.py:3: invalid syntax"),
        ("  x = 1\n y = 2\n", "syntax_error", "bad.py:"),
        ("\nimport no_such_thing\n", "missing_module", "bad.py:2: the module 'no_such_thing' is"),
        ("from json import no_such_name", "import_failed", "bad.py:1: the module cannot be"),
        ("\n1 / 0\n", "import_failed", "imported: ZeroDivisionError: division by zero"),
        ("import asyncio\nasyncio.run(None)", "import_failed", "bad.py:2: the module cannot be"),
        ("import sys\nsys.exit(3)", "import_failed", "it calls sys.exit(3)"),
        ("class Odd(BaseException): ...\nraise Odd('no')", "import_failed", "Odd: no"),
        ("import bad2", "syntax_error", "bad2.py:1: "),
    ],
)
def test_a_module_that_fails_is_told_in_one_line(
    cli: Program, source: str, code: str, message: str
) -> None:
    """Whatever a module raises when it is imported is contained, with file and line."""
    cli.write("bad.py", source)
    cli.write("bad2.py", "a b")
    ended = cli("run", "bad.py:x", "--json")

    assert ended.code == 2
    assert ended.json["error"]["code"] == code
    assert message in ended.json["error"]["message"]


def test_debug_shows_why_a_module_fails(cli: Program) -> None:
    """`--debug` adds the traceback of the module's own error."""
    cli.write("bad.py", "def helper():\n    1 / 0\n\nhelper()\n")
    ended = cli("run", "bad.py:x", "--debug")

    assert "in helper" in ended.err
    assert "error[import_failed]: bad.py:2: " in ended.err


def test_a_name_that_python_has_taken_is_refused(cli: Program) -> None:
    """A file cannot be a module whose name another module has."""
    cli.write("asyncio.py", ONE)
    ended = cli("run", "asyncio.py:double")

    assert ended.code == 2
    assert "error[name_taken]: 'asyncio.py' cannot be imported" in ended.err


def test_a_missing_extra_names_the_pip_command(cli: Program) -> None:
    """An optional part of fishplate that is not installed says how to install it."""
    cli.write(
        "lacking.py",
        "from fishplate.core.errors import MissingExtraError\n"
        "raise MissingExtraError('onnxruntime', 'local')\n",
    )
    ended = cli("run", "lacking.py:x")

    assert ended.code == 2
    assert "error[missing_extra]: 'onnxruntime' is not installed." in ended.err
    assert "pip install 'fishplate[local]'" in ended.err


def test_a_module_that_an_extra_brings_names_the_extra(
    cli: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing import is looked up in what fishplate's extras would install."""
    cli.write(
        "fishplate-0.0.1.dist-info/METADATA",
        "Metadata-Version: 2.1\nName: fishplate\nVersion: 0.0.1\n"
        'Requires-Dist: Some.Client>=2 ; extra == "http"\n',
    )
    cli.write("lacking.py", "import some_client.session\n")
    monkeypatch.setattr(sys, "path", [str(cli.folder), *sys.path])
    ended = cli("run", "lacking.py:x")

    assert ended.code == 2
    assert "error[missing_extra]: 'some_client' is not installed." in ended.err
    assert "pip install 'fishplate[http]'" in ended.err


def test_a_refused_declaration_is_a_failure(cli: Program) -> None:
    """What does not fit does not run: exit code 1, and every problem with its place."""
    cli.write("odd.py", "from fishplate import agent\n\n@agent\nasync def odd(x) -> int: ...\n")
    ended = cli("run", "odd.py:odd", "--json")

    assert ended.code == 1
    [problem] = ended.json["error"]["problems"]
    assert problem["where"] == "odd.py:3"


def test_nothing_stays_behind(cli: Program) -> None:
    """What one command imports is what its folders hold; `apart` forgets it afterwards."""
    cli.write("single.py", ONE)
    cli("run", "single.py", *INPUT)

    assert str(cli.folder) in sys.path
    assert "single" in sys.modules
