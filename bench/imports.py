"""The row `import`: what a process pays before it can declare its first agent."""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import fishplate
from bench.budgets import Budget, Figure
from bench.measure import Pace, Sample, compare
from bench.row import Row

ROUNDS: Final = 15
LIMIT: Final = "from pydantic import BaseModel; import asyncio, jsonschema_rs"
OURS: Final = "import fishplate"
# Asked of the process itself, so that it is CPU time on every platform.
REPORT: Final = "; import time; print(time.process_time())"


def cpu_millis(code: str, environment: dict[str, str]) -> Sample:
    """Samples of the CPU milliseconds of a new interpreter that runs the code, start included."""
    command = [sys.executable, "-c", code + REPORT]

    async def take() -> float:
        answer = subprocess.run(  # noqa: ASYNC221 -- nothing else runs on this loop
            command, env=environment, check=True, stdout=subprocess.PIPE, encoding="utf-8"
        )
        return float(answer.stdout) * 1000

    return take


async def measure(pace: Pace) -> tuple[Figure, ...]:
    """CPU of the import with compiled bytecode, whatever the environment says about writing it."""
    with TemporaryDirectory(prefix="fishplate-bench-") as bytecode:
        environment = dict(os.environ)
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        environment["PYTHONPYCACHEPREFIX"] = bytecode
        environment["PYTHONPATH"] = str(Path(fishplate.__file__).parents[1])
        comparison = await compare(  # its first samples write the bytecode and are dropped
            cpu_millis(LIMIT, environment),
            cpu_millis(OURS, environment),
            name="import",
            rounds=pace.rounds(ROUNDS),
            tell=pace.tell,
        )
    return (Figure(row="import", unit="ms", comparison=comparison, budget=Budget(times=1.4)),)


IMPORT: Final = Row(name="import", measure=measure)
