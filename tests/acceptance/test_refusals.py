"""P1: what does not fit does not start. Each refusal says what, where, and what to do instead."""

from pathlib import Path

import pytest

from fishplate import DeclarationError
from tests.workflows.bodies import HEAD, Refused, declared, misfits, refused_bodies

BODIES = {body.name: body for body in refused_bodies()}
MISFITS = {misfit.name: misfit for misfit in misfits()}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_what_a_plan_cannot_hold_is_refused(body: Refused, tmp_path: Path) -> None:
    """A body that would record a wrong plan is refused at its line, with what to write instead."""
    _check(body, tmp_path)


@pytest.mark.parametrize("misfit", MISFITS.values(), ids=MISFITS)
def test_what_does_not_fit_is_refused(misfit: Refused, tmp_path: Path) -> None:
    """A misfit is one clear problem, with the step, the pointer and a counterexample or a line."""
    refusal = _check(misfit, tmp_path)

    assert len(refusal.problems) == 1, str(refusal)
    problem = refusal.problems[0]
    assert problem.step == misfit.step or misfit.step is None
    assert problem.pointer == misfit.pointer or misfit.pointer is None
    assert problem.has_counterexample or not misfit.has_example


def test_a_refused_body_does_not_run(tmp_path: Path) -> None:
    """What cannot be recorded is refused before any of its calls could act."""
    mark = tmp_path / "mark"
    source = f"""{HEAD}
from pathlib import Path
@workflow
async def flow(query: Query) -> Reply:
    Path({str(mark)!r}).touch()
    return await greet(query)
"""

    with pytest.raises(DeclarationError, match="a statement kept for its effect"):
        declared(source, tmp_path)
    assert not mark.exists()


def test_all_problems_of_a_declaration_are_told_at_once(tmp_path: Path) -> None:
    """Nobody mends a workflow one refusal at a time."""
    source = f"""{HEAD}
@workflow(version="one", errors=[NotFound])
async def flow(query: Query) -> Order:
    what = await intent(query)
    reply = await route(order_status, refund, on=what)
    lost = polish(reply)
    count = await stock(query.text)
    await say(query.text, reply)
    return await polish(reply)
"""

    with pytest.raises(DeclarationError) as refusal:
        declared(source, tmp_path)

    assert [problem.code for problem in refusal.value.problems] == [
        "bad_version",
        "forgotten_case",
        "not_granted",
        "mismatched_edge",
        "lost_step",
        "mismatched_result",
        "unused_error",
    ]


def test_all_misuses_of_a_body_are_told_at_once(tmp_path: Path) -> None:
    """The reader goes on after the first thing that it refuses."""
    source = f"""{HEAD}
@workflow(version="one")
async def flow(query: Query) -> Reply:
    if query.urgent:
        pass
    print(query)
    assert query.text
    return await say(query.text[:3])
"""

    with pytest.raises(DeclarationError) as refusal:
        declared(source, tmp_path)

    assert [problem.where for problem in refusal.value.problems] == [
        f"{file}:{line}" for file in tmp_path.glob("*.py") for line in (10, 12, 14, 15, 16)
    ]


def _check(refused: Refused, folder: Path) -> DeclarationError:
    with pytest.raises(DeclarationError) as refusal:
        declared(refused.source, folder)

    problem = refusal.value.problems[0]
    assert problem.code == refused.code, str(refusal.value)
    for part in refused.says:
        assert part in problem.message
    file, _, line = (problem.where or "").rpartition(":")
    assert not refused.line or int(line) == refused.line, str(refusal.value)
    assert not refused.line or file.startswith(str(folder))
    return refusal.value
