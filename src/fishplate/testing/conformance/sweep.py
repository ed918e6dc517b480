"""Crashes at every record: one process for each number of records that are kept, until none dies.

Which records a journal writes is its own matter. What has to hold is told by the world outside:
what was done in which life, and under which key.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Final

from fishplate.agents.agent import Call
from fishplate.app import App
from fishplate.testing.conformance.case import Case, End, NotConformingError, end_of, expect
from fishplate.testing.conformance.cast import Parcel
from fishplate.testing.conformance.world import Reached

MOST_RECORDS: Final = 1_000
"""Of one run of the suite, with all that is read while its app is opened."""

EFFECTS: Final = frozenset({"pay", "bill"})


def crash_at_every_record(
    open_case: Callable[[], AbstractContextManager[Case]],
    call: Callable[[], Call[object]],
    *,
    end: object,
    branches: Sequence[Sequence[Reached]],
) -> None:
    """Crash a run after its first record, another one after two, and so on; resume each of them.

    Args:
        open_case: Opens a case of its own for each.
        call: What is started; whoever starts it does so in each life anew, under one key, and
            answers it when it waits.
        end: The output that it gives.
        branches: What it does, by branch, in the order in which it does it.

    Raises:
        NotConformingError: A run did not end as it should, or something was done twice.
    """
    for kept in range(MOST_RECORDS):
        with open_case() as case:
            told: list[str] = []

            async def act(app: App, told: list[str] = told) -> End:
                run = await app.start_once(call(), key="one")
                told.append(run.id)
                while await run.ended_or_waiting() == "waiting":
                    await app.signal(run.id, "parcel", Parcel(number="P1"))
                return await end_of(run)

            has_crashed = case.crash(act, kept=kept)
            for life in ("second", "third"):
                expect(
                    rule=f"a run that crashed after {kept} records ends in its {life} life as ever",
                    found=case.live(act),
                    wanted=End("succeeded", end),
                )
            expect(
                rule="a start that was answered is not forgotten",
                found=len(set(told)),
                wanted=1,
            )
            _check_lives(case, branches, kept)
            if not has_crashed and kept == 0:
                msg = "the process did not crash at its first record: hand on `life.crash`"
                raise NotConformingError(msg)
            if not has_crashed:
                return
    msg = f"after {MOST_RECORDS} records the process still crashes: a run here needs fewer"
    raise NotConformingError(msg)


def _check_lives(case: Case, branches: Sequence[Sequence[Reached]], kept: int) -> None:
    first, second, third = case.world.lives
    after = f"after a crash with {kept} records kept"
    expect(rule=f"what has ended is not run again {after}", found=third, wanted=[])
    for branch in branches:
        before = [call for call in first if call in branch]
        again = [call for call in second if call in branch]
        expect(
            rule=f"the second life does the rest of a branch, in order and once, {after}",
            found=again,
            wanted=list(branch[len(branch) - len(again) :]),
        )
        reached = [place for place, one in enumerate(branch) if one in before]
        # Before an effect is sent the run waits until all that led to it is kept.
        sent = max((place for place in reached if branch[place].name in EFFECTS), default=0)
        expect(
            rule=f"what an effect was built on is not run again {after}",
            found=[call for call in again if call in branch[:sent]],
            wanted=[],
        )
        expect(
            rule=f"the two lives together do all of a branch {after}",
            found=set(itertools.chain(before, again)),
            wanted=set(branch),
        )
    expect(
        rule=f"an effect is sent again under its own key only {after}",
        found={call: len(keys) for call, keys in case.world.keys.items() if len(keys) > 1},
        wanted={},
    )
