"""Prints how often blame is right: `python -m examples.order_support.report_blame`.

Every case of `blame_cases` is played, and judged from what the trace store has kept of it, by
`fishplate.traces.explain` and by a rule that is simple: the first span that is not OK. So are the
right answers of other trades, in which blame must find nothing: `blame_elsewhere`.
"""

import asyncio
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from examples.order_support.blame_cases import FIRST_HALF, Case
from examples.order_support.blame_elsewhere import PLAIN, RightAnswer
from examples.order_support.blame_elsewhere_by_confidence import BY_CONFIDENCE
from examples.order_support.blame_elsewhere_by_model import BY_MODEL, MODEL
from examples.order_support.blame_elsewhere_by_sums import BY_SUMS
from examples.order_support.blame_more_cases import RIGHT, SECOND_HALF
from examples.order_support.blame_world import Stage, World, traces_of
from examples.order_support.intents import IntentClassifier
from examples.order_support.payment_process import PaymentProcess
from examples.order_support.shop import Shop
from fishplate import App
from fishplate.testing import ScriptedModel
from fishplate.traces.explain import Explanation, explain
from fishplate.traces.findings import Verdict, verdict_of_failure
from fishplate.traces.queries import WholeTrace, runs_beside, whole_trace
from fishplate.traces.store import open_trace_reader

ELSEWHERE: Final = (*PLAIN, *BY_MODEL, *BY_SUMS, *BY_CONFIDENCE)

_WIDTH: Final = 68


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """What was said about a case.

    Attributes:
        case: The case.
        state: In which its run ended.
        reply: What the customer was told.
        sound_reply: What they should have been told, and in which state.
        verdict: By `explain`.
        step: Name of the step that it blames; empty if it blames none.
        evidence: The first of it; empty if there is none.
        baseline: The verdict by the first span that is not OK.
    """

    case: Case
    state: str
    reply: str
    sound_reply: tuple[str, str] | None
    verdict: Verdict
    step: str
    evidence: str
    baseline: Verdict

    @property
    def is_right(self) -> bool:
        """Whether `explain` blames what is to blame."""
        return self.verdict == self.case.blame

    @property
    def is_baseline_right(self) -> bool:
        """Whether the baseline does."""
        return self.baseline == self.case.blame


def judge(cases: Sequence[Case], folder: Path) -> Iterator[Judged]:
    """Play cases one by one, and judge what came of each.

    Args:
        cases: In this order.
        folder: Empty; holds what is kept of their runs.
    """
    Shop.open(str(folder / "shop.db")).close()
    classifier = IntentClassifier()
    payments = PaymentProcess(file=folder / "payments.db")
    stage = Stage(classifier, payments)
    try:
        for number, case in enumerate(cases):
            yield _judged(stage, case, _world_folder(folder, number))
    finally:
        payments.close()


def _world_folder(folder: Path, number: int) -> Callable[[str], Path]:
    def make(name: str) -> Path:
        made = folder / f"{number}-{name}"
        made.mkdir()
        shutil.copy(folder / "shop.db", made)
        return made

    return make


def _judged(stage: Stage, case: Case, make: Callable[[str], Path]) -> Judged:
    def play(name: str, world: World) -> tuple[Path, str, str, str]:
        where = make(name)
        played = stage.play(where, world, case.query)
        return where, played.run, played.state, played.reply

    where, run, state, reply = play("played", case.world)
    sound = None if case.sound is None else play("sound", case.sound)
    trace, found = _explained(traces_of(where), run)
    return Judged(
        case=case,
        state=state,
        reply=reply,
        sound_reply=None if sound is None else (sound[2], sound[3]),
        verdict=found.verdict,
        step=_name_in(found.findings[0].path) if found.findings else "",
        evidence=found.findings[0].evidence if found.findings else "",
        baseline=first_not_ok(trace),
    )


def _explained(traces: str, run: str) -> tuple[WholeTrace, Explanation]:
    with closing(open_trace_reader(traces)) as connection:
        trace = whole_trace(connection, run)
        assert trace is not None, "the run has ended, and with the app its traces were written"
        return trace, explain(trace, runs_beside(connection, trace))


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgedElsewhere:
    """What was said about a right answer of another trade.

    Attributes:
        answer: The answer.
        found: By `explain`.
        baseline: The verdict by the first span that is not OK.
    """

    answer: RightAnswer
    found: Explanation
    baseline: Verdict


def judge_elsewhere(answers: Sequence[RightAnswer], folder: Path) -> Iterator[JudgedElsewhere]:
    """Ask one question after the other, each of an app of its own, and judge what came of it.

    Args:
        answers: In this order.
        folder: Empty; holds what is kept of their runs.
    """
    for number, answer in enumerate(answers):
        traces = f"sqlite:///{folder / f'elsewhere-{number}.db'}"
        trace, found = _explained(traces, asyncio.run(_ask(answer, traces)))
        yield JudgedElsewhere(answer=answer, found=found, baseline=first_not_ok(trace))


async def _ask(answer: RightAnswer, traces: str) -> str:
    models = {MODEL: ScriptedModel(answer.said)} if answer.said else None
    async with App(answer.asked, traces=traces, models=models) as app:
        run = app.start(answer.asked, answer.given)
        await run.result()
        return run.id


def _name_in(path: str) -> str:
    """The last name of a path such as `route/refund/0.customer_order`."""
    return path.rpartition("/")[2].rpartition(".")[2]


def first_not_ok(trace: WholeTrace) -> Verdict:
    """The baseline: whose fault the first span is that is not OK, in order of start."""
    found = next((one for one in trace.spans if one.span.status not in {"ok", "cancelled"}), None)
    return "none" if found is None else verdict_of_failure(found)


def report(judged: Sequence[Judged]) -> str:
    """A line for each case, and the sums."""
    lines = [f"{'':3} {'case':<{_WIDTH}} {'to blame':<10} {'explain':<11} first span not OK"]
    for number, one in enumerate(judged, start=1):
        mark = "" if one.is_right else " !"
        lines.append(
            f"{number:>3} {one.case.name:<{_WIDTH}} {one.case.blame:<10} "
            f"{one.verdict + mark:<11} {one.baseline}"
        )
    wrong = [one for one in judged if one.case.blame != "none"]
    right = [one for one in judged if one.case.blame == "none"]
    first = wrong[: len(FIRST_HALF)]
    second = wrong[len(FIRST_HALF) :]
    lines.append("")
    for name, some in (
        ("wrong answers", wrong),
        ("  seen while fitting", first),
        ("  written afterwards", second),
        ("right answers", right),
    ):
        explained = sum(one.is_right for one in some)
        steps = sum(one.is_right and one.step == one.case.step for one in some)
        baseline = sum(one.is_baseline_right for one in some)
        lines.append(
            f"{name:<28} explain {explained:>2} of {len(some)} (with its step {steps:>2}), "
            f"first span not OK {baseline:>2} of {len(some)}"
        )
    return "\n".join(lines)


def report_elsewhere(judged: Sequence[JudgedElsewhere]) -> str:
    """A line for each right answer that something is odd about, and the sum."""
    lines = [f"{'':3} {'right answer elsewhere':<{_WIDTH}} {'explain':<10} in doubt"]
    for number, one in enumerate(judged, start=1):
        doubts = ", ".join(doubt.verdict for doubt in one.found.doubts)
        lines.append(f"{number:>3} {one.answer.name:<{_WIDTH}} {one.found.verdict:<10} {doubts}")
    explained = sum(one.found.verdict == "none" for one in judged)
    baseline = sum(one.baseline == "none" for one in judged)
    doubted = sum(bool(one.found.doubts) for one in judged)
    lines.append("")
    lines.append(
        f"{'right answers elsewhere':<28} explain {explained:>2} of {len(judged)} "
        f"(something in doubt {doubted:>2}), first span not OK {baseline:>2} of {len(judged)}"
    )
    return "\n".join(lines)


def main(write: Callable[[str], None] = print) -> int:
    """Judge every case, and print the table."""
    with TemporaryDirectory(prefix="order_support-") as folder:
        judged = list(judge((*FIRST_HALF, *SECOND_HALF, *RIGHT), Path(folder)))
        elsewhere = list(judge_elsewhere(ELSEWHERE, Path(folder)))
    write(report_elsewhere(elsewhere))
    write("")
    write(report(judged))
    return 0


if __name__ == "__main__":
    sys.exit(main())
