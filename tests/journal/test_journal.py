"""The journal of runs: what is written comes back, and what was acknowledged survives."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fishplate.journal.journal import INLINE_BYTES, MOST_BYTES, Journal, PayloadTooLargeError
from fishplate.journal.run_rows import NewRun, StepRecord, find_run, steps_of
from fishplate.journal.store import open_reader, open_store
from fishplate.journal.writer import Writer


async def _journal(path: Path) -> Journal:
    return Journal(Writer(await asyncio.to_thread(open_store, path), path, "normal"))


def _new(run_id: str, plan: bytes | None = b'{"steps": []}') -> NewRun:
    return NewRun(run_id, "support", "1.0.0", b"[]", plan, b'{"x": 1}', b"{}", "0" * 32, 7)


async def test_a_run_comes_back_as_it_was_written(tmp_path: Path) -> None:
    """Start, steps in order and end are read back equal."""
    journal = await _journal(tmp_path / "runs.db")
    log = journal.begin(_new("r1"))
    log.step("intent", "value", b'"a"', ended_ms=8)
    log.step("refund/0.pay", "failure", b"{}", ended_ms=9, arguments="ab", reasons=b"[1]")
    await log.settled()
    assert [run.id for run in await journal.unfinished()] == ["r1"]
    assert await journal.steps("r1") == [
        StepRecord(1, "intent", "value", None, b'"a"', None, 8),
        StepRecord(2, "refund/0.pay", "failure", "ab", b"{}", b"[1]", 9),
    ]
    await log.enter("degraded", ended_ms=10, outcome=b'"done"')
    found = await journal.find("r1")
    assert found is not None
    assert (found.state, found.ended_ms, found.outcome) == ("degraded", 10, b'"done"')
    assert (found.plan, found.input, found.units) == (b'{"steps": []}', b'{"x": 1}', b"[]")
    assert await journal.unfinished() == []
    assert await journal.find("r2") is None
    await asyncio.to_thread(journal.writer.close)


async def test_a_plan_is_kept_once_for_all_its_runs(tmp_path: Path) -> None:
    """Runs of one plan share one document, and a plain agent has none."""
    journal = await _journal(tmp_path / "runs.db")
    for number in range(5):
        await journal.begin(_new(f"r{number}")).settled()
    await journal.begin(_new("plain", plan=None)).settled()
    plain = await journal.find("plain")
    assert plain is not None
    assert plain.plan is None
    documents = await journal.writer.change(
        journal.begin(_new("r9")),
        lambda c: c.execute("SELECT count(*) FROM document").fetchone()[0],
    )
    assert documents == 2
    await asyncio.to_thread(journal.writer.close)


async def test_a_large_value_stands_outside_of_its_row(tmp_path: Path) -> None:
    """A value above the limit is kept once under its digest and read back whole."""
    journal = await _journal(tmp_path / "runs.db")
    large = b'"' + b"x" * INLINE_BYTES + b'"'
    log = journal.begin(_new("r1"))
    log.step("a", "value", large, ended_ms=1)
    log.step("b", "value", large, ended_ms=2)
    await log.settled()
    assert [record.data for record in await journal.steps("r1")] == [large, large]
    await asyncio.to_thread(journal.writer.close)


async def test_a_value_that_is_too_large_is_refused(tmp_path: Path) -> None:
    """Above the most that is kept the step is told so, and nothing of it is written."""
    journal = await _journal(tmp_path / "runs.db")
    log = journal.begin(_new("r1"))
    with pytest.raises(PayloadTooLargeError, match="at most") as refused:
        log.step("a", "value", b"x" * (MOST_BYTES + 1), ended_ms=1)
    assert refused.value.code == "payload_too_large"
    await log.settled()
    assert await journal.steps("r1") == []
    await asyncio.to_thread(journal.writer.close)


KILLED = """
import asyncio, sys
from pathlib import Path
from fishplate.journal.journal import Journal
from fishplate.journal.run_rows import NewRun
from fishplate.journal.store import open_store
from fishplate.journal.writer import Writer

async def main():
    path = Path(sys.argv[1])
    journal = Journal(Writer(open_store(path), path, "normal"))
    log = journal.begin(NewRun("r1", "a", "1", b"[]", None, b"1", b"{}", "0" * 32, 1))
    for number in range(1_000_000):
        log.step(f"step{number}", "value", b"1", ended_ms=1)
        await log.settled()
        print(number, flush=True)

asyncio.run(main())
"""


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    """After `kill -9` every step that was reported as kept is in the store."""
    path = tmp_path / "runs.db"
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) == 50:
                os.kill(process.pid, signal.SIGKILL)
                break
        acknowledged = [50, *(int(line) for line in process.stdout if line.endswith("\n"))]
    open_store(path).close()
    reader = open_reader(path)
    assert find_run(reader, "r1") is not None
    steps = [record.key for record in steps_of(reader, "r1")]
    reader.close()
    assert len(steps) >= max(acknowledged) + 1
    assert steps == [f"step{number}" for number in range(len(steps))]
