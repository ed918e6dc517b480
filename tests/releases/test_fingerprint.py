"""Fingerprints: what changes a release, and in which of its parts. P8: a version is a fact."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from fishplate import Agent
from fishplate.releases.code import code_digest
from fishplate.releases.fingerprint import Release
from tests.project import ROOT
from tests.workflows.bodies import declared

SOURCE = '''
from __future__ import annotations
import re
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from pydantic import BaseModel, Field
from fishplate import *

SYSTEM = "You answer in one sentence."
WORDS = {"refund": 1, "late": 2}
LIMITS = frozenset({"b", "a"})
PATTERN = re.compile("[a-z]+")
prompts = {"short": ["Be brief.", {"tone": "kind"}]}
notes = ["start"]
asked = {}
count = 0

def remember(text: str) -> None:
    global count
    count += 1
    asked[text] = notes.append(text)

class Tone(Enum):
    POLITE = "please"

@dataclass(frozen=True)
class Options:
    temperature: float = 0.5

OPTIONS = Options()

class Query(BaseModel):
    text: str

class Reply(BaseModel):
    text: str
    note: str = "fine"

class Counter:
    step = 1
    def add(self, number: int) -> int:
        return number + self.step

def helper(text: str) -> str:
    """Make it shorter."""
    return text[:10]

def table(text: str) -> str:
    return text

STEPS = [table]

@agent
async def child(query: Query) -> Reply:
    return Reply(text=helper(query.text))

@agent(policy=Policy(timeout=2))
async def answer(query: Query) -> Reply:
    """Answer a query."""
    # A comment.
    prompt = f"{SYSTEM} {query.text}"
    number = Counter().add(1)
    found = [step(prompt) for step in STEPS]
    remember(prompts["short"][0] + str(len(asked)) + str(count))
    limits = sorted(LIMITS) + list(WORDS) + PATTERN.findall(prompt)
    return Reply(text=helper(prompt) + Tone.POLITE.value + str(OPTIONS.temperature))

@workflow
async def flow(query: Query) -> Reply:
    reply = await answer(query)
    return await child.using(Policy(timeout=3))(query)
'''

PARTS = ("contract", "behaviour", "policy")


NOTHING: Mapping[str, str] = {}


def release_of(name: str, folder: Path, changes: Mapping[str, str] = NOTHING) -> Release:
    """Declare the source with some texts replaced; the release of one of its agents."""
    source = SOURCE
    for old, new in changes.items():
        assert old in source, old
        source = source.replace(old, new)
    found: Agent[..., object] = getattr(declared(source, folder), name)
    return found.release


def changed_by(changes: Mapping[str, str], name: str, folder: Path) -> set[str]:
    """The parts of an agent's release that some replacements change."""
    before, after = release_of(name, folder), release_of(name, folder, changes)
    assert (before == after) == (before.fingerprint == after.fingerprint)
    return {part for part in PARTS if getattr(before, part) != getattr(after, part)}


SILENT = {
    "a comment": {"# A comment.": "# Another comment, and\n    # one more line."},
    "a docstring": {'"""Answer a query."""': '"""Say something."""'},
    "no docstring": {'    """Answer a query."""\n': ""},
    "a helper's docstring": {'    """Make it shorter."""\n': ""},
    "formatting": {
        "number = Counter().add(1)": "number = (\n        Counter()\n        .add(1,)\n    )"
    },
    "quotes": {'"You answer in one sentence."': "'You answer in one sentence.'"},
    "a text in two parts": {'"You answer in one sentence."': '"You answer " "in one sentence."'},
    "moved lines": {"SYSTEM =": "\n\n\n\n\nSYSTEM ="},
    "the order of a table": {'{"refund": 1, "late": 2}': '{"late": 2, "refund": 1}'},
    "the order of a set": {'frozenset({"b", "a"})': 'frozenset({"a", "b"})'},
    "an annotation inside": {"number = Counter()": "number: int = Counter()"},
    "a helper's annotation": {"def helper(text: str) -> str:": "def helper(text):"},
    "memory that starts otherwise": {
        "asked = {}": "asked = {'before': 1}",
        "count = 0": "count = 3",
    },
    "a list that the program writes to": {'["start"]': '["begin"]'},
    "what nobody mentions": {"SYSTEM =": "OTHER = 1\nSYSTEM ="},
}


@pytest.mark.parametrize("changes", SILENT.values(), ids=SILENT)
@pytest.mark.parametrize("name", ["answer", "flow"])
def test_what_does_nothing_changes_nothing(
    name: str, changes: Mapping[str, str], tmp_path: Path
) -> None:
    """Comments, docstrings, formatting, places and the order of tables are no part of a release."""
    assert changed_by(changes, name, tmp_path) == set()


BEHAVIOUR = {
    "one character in the body": {'f"{SYSTEM} {query.text}"': 'f"{SYSTEM}  {query.text}"'},
    "one character of a constant": {"one sentence.": "one sentence!"},
    "one character of a helper": {"text[:10]": "text[:11]"},
    "a value of a table": {'"refund": 1': '"refund": 2'},
    "a prompt in a table without capitals": {"Be brief.": "Be brief!"},
    "a value deep in a table": {'"tone": "kind"': '"tone": "dry"'},
    "a member of a set": {'{"b", "a"}': '{"b", "c"}'},
    "a pattern": {'re.compile("[a-z]+")': 're.compile("[a-z]*")'},
    "a value of an enum": {'POLITE = "please"': 'POLITE = "pray"'},
    "a frozen option": {"OPTIONS = Options()": "OPTIONS = Options(temperature=0.6)"},
    "a method of a class": {"return number + self.step": "return number - self.step"},
    "a value of a class": {"    step = 1": "    step = 2"},
    "a function in a list": {"    return text\n\nSTEPS": "    return text.upper()\n\nSTEPS"},
    "the kind": {
        "@agent(policy=Policy(timeout=2))\nasync def": "@agent(policy=Policy(timeout=2))\ndef"
    },
}


@pytest.mark.parametrize("changes", BEHAVIOUR.values(), ids=BEHAVIOUR)
@pytest.mark.parametrize("name", ["answer", "flow"])
def test_what_the_code_does_changes_the_behaviour_alone(
    name: str, changes: Mapping[str, str], tmp_path: Path
) -> None:
    """A prompt in the body, in a constant or a helper counts, and reaches every ancestor."""
    assert changed_by(changes, name, tmp_path) == {"behaviour"}


POLICIES = [
    "timeout=9",
    "timeout=2, attempt_timeout=1",
    "timeout=2, reserve=1",
    "timeout=2, retry=Retry()",
    "timeout=2, retry='off'",
    "timeout=2, breaker=Breaker()",
    "timeout=2, bulkhead=Bulkhead()",
    "timeout=2, rate_limit=RateLimit(requests_per_minute=60)",
    "timeout=2, cache=Cache(ttl=1, scope='orders')",
]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", ["answer", "flow"])
def test_a_policy_changes_the_policy_alone(name: str, policy: str, tmp_path: Path) -> None:
    """How an agent is protected is a part of its own, whichever policy it is."""
    changes = {"Policy(timeout=2)": f"Policy({policy})"}

    assert changed_by(changes, name, tmp_path) == {"policy"}


def test_each_number_of_a_policy_counts(tmp_path: Path) -> None:
    """Two policies that differ in one number are two releases."""
    found = {
        release_of("answer", tmp_path, {"timeout=2": f"timeout=2, {words}"}).policy
        for words in ("retry=Retry()", "retry=Retry(base=0.4)", "retry=Retry(attempts=2)")
    }

    assert len(found) == 3


def test_the_policy_of_a_step_changes_the_policy_alone(tmp_path: Path) -> None:
    """A workflow that protects a step otherwise does the same as before."""
    changes = {"Policy(timeout=3)": "Policy(timeout=9)"}

    assert changed_by(changes, "flow", tmp_path) == {"policy"}


def test_a_new_field_changes_the_contract(tmp_path: Path) -> None:
    """A field is a matter of the contract, and a caller's behaviour has its callees' in it."""
    query = "class Query(BaseModel):\n    text: str"
    changes = {query: f"{query}\n    more: int"}

    assert changed_by(changes, "answer", tmp_path) == {"contract"}
    assert changed_by(changes, "flow", tmp_path) == {"contract", "behaviour"}


def test_a_default_of_a_class_that_the_body_builds_changes_both(tmp_path: Path) -> None:
    """A default is code too: the body gives another answer without a change of its own."""
    changes = {'note: str = "fine"': 'note: str = "well"'}

    assert changed_by(changes, "answer", tmp_path) == {"behaviour"}
    reply = 'note: str = "fine"'
    assert changed_by({reply: f"{reply}\n    more: int = 1"}, "answer", tmp_path) == {
        "contract",
        "behaviour",
    }


def test_a_renamed_class_is_no_other_contract(tmp_path: Path) -> None:
    """What is accepted and given counts, not what the types are called."""
    assert "contract" not in changed_by({"Query": "Question"}, "child", tmp_path)


def test_the_order_of_steps_changes_the_behaviour(tmp_path: Path) -> None:
    """A plan is behaviour: its steps, their order and their arguments."""
    first, second = "await answer(query)", "await child.using(Policy(timeout=3))(query)"
    swapped = {first: "[first]", second: first, "[first]": second}

    assert changed_by(swapped, "flow", tmp_path) == {"behaviour"}


def test_other_names_and_versions_are_other_releases(tmp_path: Path) -> None:
    """The name is in the fingerprint; the version is the author's word, and stands before it."""
    release = release_of("answer", tmp_path, {"timeout=2)": "timeout=2), version='1.2.0'"})
    before = release_of("answer", tmp_path)

    assert release.label == f"1.2.0+fp.{before.fingerprint[:12]}"
    assert release_of("child", tmp_path).fingerprint != before.fingerprint


def test_a_release_is_equal_in_every_process(tmp_path: Path) -> None:
    """The order of sets and tables, which Python seeds anew, is not in it."""
    (tmp_path / "app.py").write_text(SOURCE, encoding="utf-8")
    program = "import app; print(app.answer.release.fingerprint, app.flow.release.fingerprint)"
    found = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=tmp_path,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT / "src")},
            check=True,
            capture_output=True,
            encoding="utf-8",
        ).stdout
        for seed in ("0", "1", "77")
    }

    assert len(found) == 1


def test_the_state_of_an_object_is_part_of_its_method(tmp_path: Path) -> None:
    """A method behaves as its object is set; what the object keeps for itself does not count."""
    source = """
from fishplate import *

class Desk:
    def __init__(self, threshold: float, seen: int = 0):
        self.threshold = threshold
        self._seen = seen
    async def judge(self, text: str) -> bool:
        return len(text) > self.threshold

low, high, busy = (
    agent(desk.judge, name="judge") for desk in (Desk(0.1), Desk(0.9), Desk(0.1, seen=3))
)
"""
    module = declared(source, tmp_path)

    assert module.low.release.behaviour != module.high.release.behaviour
    assert module.low.release == module.busy.release


def test_a_private_prompt_of_an_object_counts_and_what_its_methods_write_does_not(
    tmp_path: Path,
) -> None:
    """An object's data is behaviour unless a method changes it, in a table or a slot too."""
    source = """
from collections import Counter
from fishplate import *

class Desk:
    __slots__ = ("_prompt", "_words", "_calls", "_seen")
    def __init__(self, prompt="a", word="b", calls=0, seen=""):
        self._prompt, self._words, self._calls = prompt, {"first": [word]}, calls
        self._seen = Counter(seen)
    async def judge(self, text: str) -> str:
        self._calls += 1
        return self._prompt + self._words["first"][0] + str(self._seen[text])

plain, prompt, word, busy = (
    agent(desk.judge, name="judge")
    for desk in (Desk(), Desk(prompt="z"), Desk(word="z"), Desk(calls=3, seen="x"))
)
"""
    module = declared(source, tmp_path)

    assert module.plain.release.behaviour != module.prompt.release.behaviour
    assert module.plain.release.behaviour != module.word.release.behaviour
    assert module.plain.release == module.busy.release


def test_a_table_that_another_module_writes_to_is_no_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What any function of the project changes is memory, wherever the agent stands."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    found: list[str] = []
    for number, (prompt, seen) in enumerate([("a", "x"), ("a", "y"), ("b", "x")]):
        module = f"words = [{prompt!r}]\nseen = [{seen!r}]\ndef see(word):\n    seen.append(word)\n"
        (tmp_path / f"memory_{number}.py").write_text(module, encoding="utf-8")
        source = f"""
from memory_{number} import seen, words
from fishplate import *
@agent
async def answer(text: str) -> str:
    return words[0] + seen[0]
"""
        agent: Agent[..., str] = declared(source, tmp_path).answer
        found.append(agent.release.behaviour)

    assert found[0] == found[1] != found[2]


def test_a_table_within_itself_is_fingerprinted(tmp_path: Path) -> None:
    """A cycle ends the reading of a table, and not the program."""
    source = """
from fishplate import *
words = ["a"]
words.append(words)
@agent
async def answer(text: str) -> str:
    return words[0]
"""
    assert declared(source, tmp_path).answer.release.behaviour


def test_helpers_of_the_same_project_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A prompt in a module beside the agent's is behaviour."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    found: list[str] = []
    for number, prompt in enumerate(["a", "a", "b"]):
        module = f"SYSTEM = {prompt!r}\ndef make(text):\n    return SYSTEM + text\n"
        (tmp_path / f"prompts_{number}.py").write_text(module, encoding="utf-8")
        source = f"""
import prompts_{number} as prompts
from fishplate import *
@agent
async def answer(text: str) -> str:
    return prompts.make(text)
"""
        agent: Agent[..., str] = declared(source, tmp_path).answer
        found.append(agent.release.behaviour)

    assert found[0] == found[1] != found[2]


def test_what_a_library_does_is_its_own_matter(tmp_path: Path) -> None:
    """Functions of other packages stand in a release by name alone."""
    source = """
import json
from fishplate import *
@agent
async def answer(text: str) -> str:
    return json.dumps(text)
"""
    module = declared(source, tmp_path)
    pieces = code_digest(module.answer.about.function)

    assert isinstance(pieces, list)
    assert len(pieces) == 1
