"""How often blame is right about order support and elsewhere, and that the cases are as said."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from examples.order_support.blame_cases import FIRST_HALF
from examples.order_support.blame_elsewhere_by_confidence import FOLLOWED
from examples.order_support.blame_elsewhere_by_sums import WRONG_BESIDE
from examples.order_support.blame_more_cases import RIGHT, SECOND_HALF
from examples.order_support.report_blame import (
    ELSEWHERE,
    Judged,
    judge,
    judge_elsewhere,
    report,
    report_elsewhere,
)

RIGHT_AT_LEAST = 27
WITH_A_MODEL = 8
ELSEWHERE_AT_LEAST = 95
WRONG_AT_LEAST = 26


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Judged]:
    """Play every case once."""
    return list(judge((*FIRST_HALF, *SECOND_HALF, *RIGHT), tmp_path_factory.mktemp("blame")))


def test_the_cases_are_of_every_kind() -> None:
    """Thirty wrong answers, of which eight are a model's from right inputs, and ten right ones."""
    wrong = (*FIRST_HALF, *SECOND_HALF)
    by_model = [case for case in wrong if case.world.model and case.blame == "reasoning"]

    assert (len(FIRST_HALF), len(SECOND_HALF), len(RIGHT)) == (15, 15, 10)
    assert len(by_model) >= WITH_A_MODEL
    assert {case.blame for case in wrong} == {
        *("retrieval", "tool", "reasoning", "contract", "policy")
    }
    assert {case.blame for case in RIGHT} == {"none"}


def test_what_is_spoiled_spoils_the_answer(judged: Sequence[Judged]) -> None:
    """Each wrong answer differs from the one of the same world with nothing spoiled."""
    for one in judged:
        if one.sound_reply is not None:
            assert one.sound_reply != (one.state, one.reply), one.case.name
            assert one.sound_reply[0] == "succeeded", one.case.name


def test_blame_is_right_about_nine_of_ten(judged: Sequence[Judged]) -> None:
    """At least 27 of 30 have the right verdict at the right step, and a right answer has none."""
    wrong = [one for one in judged if one.case.blame != "none"]
    found = [one for one in wrong if one.is_right and one.step == one.case.step]

    assert len(found) >= RIGHT_AT_LEAST, report(judged)
    assert [one.case.name for one in judged if one.case.blame == "none" and not one.is_right] == []


def test_blame_beats_the_first_span_that_is_not_ok(judged: Sequence[Judged]) -> None:
    """The simple rule, which the report prints beside it, is right less often."""
    wrong = [one for one in judged if one.case.blame != "none"]
    printed = report(judged)

    assert sum(one.is_baseline_right for one in wrong) < sum(one.is_right for one in wrong)
    assert "explain 27 of 30 (with its step 27), first span not OK  3 of 30" in printed
    assert "right answers                explain 10 of 10" in printed


def test_no_right_answer_of_another_trade_is_blamed(tmp_path: Path) -> None:
    """What only looks odd is a doubt at most, whatever an application does for a living."""
    judged = list(judge_elsewhere(ELSEWHERE, tmp_path))
    blamed = [one.answer.name for one in judged if one.found.verdict != "none"]

    assert len(judged) >= ELSEWHERE_AT_LEAST
    assert blamed == []
    assert f"explain {len(judged)} of {len(judged)}" in report_elsewhere(judged)


def test_wrong_answers_beside_the_right_ones_are_blamed(tmp_path: Path) -> None:
    """A wrong sum, an id that nobody has and an unsure label are found; their like is right."""
    judged = list(judge_elsewhere((*WRONG_BESIDE, *FOLLOWED), tmp_path))

    assert len(judged) >= WRONG_AT_LEAST
    assert [one.answer.name for one in judged if one.found.verdict != "reasoning"] == []
