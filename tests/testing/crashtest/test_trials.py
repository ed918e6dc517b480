"""The crash test tells runs that survive from those that do not."""

from pathlib import Path

import pytest

from fishplate import App
from fishplate.core.errors import InputError, JsonValue, UsageError
from fishplate.testing.crashtest import CrashPoint, CrashTestError, Trial, crash_test
from tests.testing.crashtest.cast import (
    by_hand,
    careless,
    closing,
    counting,
    endless,
    keyed,
    moody,
    pay_in_time,
)

ORDER: JsonValue = {"order_id": "#W1"}


def test_a_keyed_effect_survives_every_crash() -> None:
    """Killed on both sides of every commit, a run with a keyed tool ends as it would have."""
    told: list[Trial] = []
    report = crash_test(App(keyed), keyed, ORDER, told=told.append)

    assert report.first_difference is None
    assert (report.state, report.count("same")) == ("succeeded", len(report.trials))
    assert list(report.trials) == told
    points = [trial.point for trial in report.trials]
    assert {CrashPoint(side=side, commit=3) for side in ("before", "after")} <= set(points)
    assert len(points) == len(set(points)) >= 8


def test_times_that_bodies_were_told_are_not_compared() -> None:
    """No two runs are told the same, so a time alone is no difference."""
    report = crash_test(App(pay_in_time), pay_in_time, ORDER)

    assert report.first_difference is None
    assert report.count("same") == len(report.trials)


def test_what_nobody_can_know_is_counted_apart() -> None:
    """Where a tool can neither be repeated nor asked, a person may have to decide."""
    report = crash_test(App(by_hand), by_hand, ORDER)

    assert report.first_difference is None
    assert report.count("unknown") >= 1
    assert report.count("same") == len(report.trials) - report.count("unknown")


def test_a_tool_that_breaks_its_word_is_found() -> None:
    """A keyed tool that sends no key pays twice, and the file that says so is named."""
    report = crash_test(App(careless), careless, ORDER)

    found = report.first_difference
    assert found is not None
    assert found.part == "the file 'bank.db'"
    assert [line for line in found.lines if line.startswith("+INSERT")] == [
        "+INSERT INTO \"charge\" VALUES('#W1',NULL);"
    ]


def test_a_refused_repetition_says_nothing_of_what_was_sent_before() -> None:
    """Whoever cannot repeat a call that a crash cut off asks somebody, and pays nowhere else."""
    report = crash_test(App(closing), closing, ORDER)

    different = [trial for trial in report.trials if trial.verdict == "different"]
    assert different
    for trial in different:
        assert "+needs_attention unknown_outcome" in trial.lines, trial


def test_a_file_that_is_left_out_is_not_compared() -> None:
    """What `ignored` names may differ."""
    assert crash_test(App(careless), careless, ORDER, ignored=["*.db"]).first_difference is None


def test_a_run_that_is_never_the_same_cannot_be_tested() -> None:
    """Two runs without a crash that leave different files are refused, and the file is named."""
    with pytest.raises(UsageError, match="differ in the file 'mood'") as found:
        crash_test(App(moody), moody, {})
    assert found.value.code == "not_repeatable"
    assert crash_test(App(moody), moody, {}, ignored=["mood"]).first_difference is None


def test_a_life_that_does_not_end_is_told() -> None:
    """A run that waits for ever breaks the test off."""
    with pytest.raises(CrashTestError, match="did not end in 1 seconds") as found:
        crash_test(App(endless), endless, {}, seconds=1)
    assert found.value.code == "crash_test_stuck"


def test_every_trial_works_on_a_copy(tmp_path: Path) -> None:
    """The files that a run needs are copied for each trial, and stay as they are."""
    file = tmp_path / "runs.txt"
    file.write_text("7", encoding="utf-8")
    report = crash_test(App(counting), counting, {}, files=[file])

    # It changes something and is no tool: killed before its end is kept, it counts once more.
    found = report.first_difference
    assert found is not None
    assert '+{"output":9,"reasons":[]}' in found.lines
    assert file.read_text(encoding="utf-8") == "7"


def test_a_wrong_input_is_refused_before_anything_runs() -> None:
    """The input has to keep the contract."""
    with pytest.raises(InputError):
        crash_test(App(keyed), keyed, {"order": "#W1"})


def test_an_app_that_cannot_open_breaks_the_test_off() -> None:
    """What a life raises is told, with the last line of what it said."""

    def refused() -> Path:
        raise PermissionError("the shop is closed")

    with pytest.raises(CrashTestError, match="PermissionError"):
        crash_test(App(keyed, resources={Path: refused}), keyed, ORDER)
