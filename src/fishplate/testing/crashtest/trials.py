"""The crash test: a run is killed before and after each of its commits, and has to end as ever."""

from __future__ import annotations

import difflib
import itertools
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, Literal, TypeAlias

from fishplate.agents.agent import AnyAgent
from fishplate.app import App
from fishplate.core.data import dataclass
from fishplate.core.errors import FishplateError, JsonValue, UsageError
from fishplate.testing.crashtest.evidence import Evidence, gather
from fishplate.testing.crashtest.lives import SIDES, CrashPoint, Place, Subject

Verdict: TypeAlias = Literal["same", "unknown", "different"]

SECONDS: Final = 60
"""How long one life may take by default."""

MOST_LINES: Final = 40
"""Lines of a difference that are told."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """What came of one crash.

    Attributes:
        point: Where the process died.
        verdict: `same`: all is as without a crash; `unknown`: a person has to decide, since a tool
            declares that nobody can know whether its effect has happened; `different`.
        part: What differs first, e.g. `its effects` or `the file 'bank.db'`; empty if nothing does.
        lines: How it differs: lines that are gone begin with `-`, those that came with `+`.
    """

    point: CrashPoint
    verdict: Verdict
    part: str = ""
    lines: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class CrashReport:
    """What came of a crash test.

    Attributes:
        state: How the run ends without a crash.
        trials: One for each crash point, in order.
    """

    state: str
    trials: Sequence[Trial]

    @property
    def first_difference(self) -> Trial | None:
        """The first crash after which something is not as it would have been."""
        return next((one for one in self.trials if one.verdict == "different"), None)

    def count(self, verdict: Verdict) -> int:
        """How many crashes came to a verdict."""
        return sum(one.verdict == verdict for one in self.trials)


def crash_test(  # noqa: PLR0913 -- what a test is about, keyword-only
    app: App,
    agent: AnyAgent,
    document: JsonValue,
    *,
    files: Sequence[str | os.PathLike[str]] = (),
    ignored: Sequence[str] = (),
    seconds: int = SECONDS,
    told: Callable[[Trial], object] | None = None,
) -> CrashReport:
    """Kill a run before and after each commit of its store, resume it, and compare how it ends.

    Every trial has a store and a working folder of its own, and each of its lives is a fork of this
    process. What the run leaves in the working folder is compared. Whoever calls this has no
    running event loop, and better no other threads.

    Args:
        app: What the agent runs in; not entered. Its own store is left alone.
        agent: What runs.
        document: Its input, as JSON.
        files: Files and folders that the run needs; each trial gets a copy in its working folder.
        ignored: Patterns of files in the working folder that are not compared, as of `fnmatch`.
        seconds: How long one life may take; whole, above 0.
        told: Called with each trial when it is over.

    Raises:
        InputError: The document breaks the agent's contract.
        UsageError: Two runs without a crash end differently (code `not_repeatable`), or this system
            does not fork processes (code `no_fork`).
        CrashTestError: A life broke off (code `crash_test`), or did not end (`crash_test_stuck`).
    """
    agent.signature.decode(document, subject=f"the input of {agent.about.subject}")
    subject = Subject(
        app=app, agent=agent, document=document, files=[Path(one) for one in files], seconds=seconds
    )
    with tempfile.TemporaryDirectory(prefix="fishplate-") as folder:
        test = _CrashTest(Path(folder), subject, ignored)
        expected = test.undisturbed()
        trials: list[Trial] = []
        for trial in test.trials(expected):
            trials.append(trial)
            if told is not None:
                told(trial)
    return CrashReport(state=expected.state, trials=trials)


class _CrashTest:
    """The trials of one subject.

    Args:
        folder: For everything that they leave.
        subject: What runs.
        ignored: Patterns of files that are not compared.
    """

    def __init__(self, folder: Path, subject: Subject, ignored: Sequence[str]) -> None:
        self._folder = folder
        self._subject = subject
        self._ignored = ignored
        self._places = itertools.count(1)

    def undisturbed(self) -> Evidence:
        """What a run leaves that nobody kills; twice, since else nothing could be compared.

        Raises:
            UsageError: The second one leaves something else (code `not_repeatable`).
        """
        found: list[Evidence] = []
        for _ in range(2):
            place = self._place()
            place.live(self._subject, None)
            found.append(self._evidence(place))
        part, lines = _difference(*found)
        if part:
            shown = "; ".join(line for line in lines if not line.startswith(("---", "+++", "@@")))
            msg = (
                f"two runs of {self._subject.agent.name!r} without a crash differ in {part}: "
                f"{shown}: take time and randomness out of what is written, e.g. by --mock, or "
                "leave the file out by --ignore"
            )
            raise UsageError(msg, code="not_repeatable")
        return found[0]

    def trials(self, expected: Evidence) -> Iterator[Trial]:
        """Kill a run at its first commit, another one at its second, and so on."""
        left = list(SIDES)
        for commit in itertools.count(1):
            for side in tuple(left):
                point = CrashPoint(side=side, commit=commit)
                place = self._place()
                if not place.live(self._subject, point):
                    left.remove(side)  # it has no commit of that number
                    continue
                place.live(self._subject, None)
                yield self._judged(point, place, expected)
            if not left:
                return

    def _place(self) -> Place:
        return Place(self._folder / str(next(self._places)), self._subject.files)

    def _evidence(self, place: Place) -> Evidence:
        return gather(place.store, place.work, self._ignored)

    def _judged(self, point: CrashPoint, place: Place, expected: Evidence) -> Trial:
        try:
            found = self._evidence(place)
        except FishplateError as error:
            if error.code != "lost_run":
                raise
            return Trial(point=point, verdict="different", part="the runs", lines=[error.message])
        part, lines = _difference(expected, found)
        if part and found.is_open_question:
            return Trial(point=point, verdict="unknown")
        return Trial(point=point, verdict="different" if part else "same", part=part, lines=lines)


def _difference(expected: Evidence, found: Evidence) -> tuple[str, list[str]]:
    """What differs first, and how; nothing if all is equal."""
    for part in (*expected.parts, *(one for one in found.parts if one not in expected.parts)):
        before, after = expected.parts.get(part, ()), found.parts.get(part, ())
        if before != after or (part in expected.parts) != (part in found.parts):
            lines = difflib.unified_diff(
                list(before), list(after), "without a crash", "after the crash", lineterm="", n=0
            )
            return part, list(itertools.islice(lines, MOST_LINES))
    return "", []
