"""`replay`: a recorded run once more, on the same agents or on others, and the first difference."""

from __future__ import annotations

from collections.abc import Collection

from fishplate.agents.agent import AnyAgent
from fishplate.app import App
from fishplate.core.data import dataclass
from fishplate.core.errors import DeclarationError, FishplateError, InputError
from fishplate.core.outcome import DeclaredError
from fishplate.orchestrator.effects import Marked, Suspended
from fishplate.orchestrator.recording import ABSENT, UNKNOWN, Difference, Outcome, Recording
from fishplate.orchestrator.replay import Replay
from fishplate.testing.recordings import recorded_run

__all__ = [
    "ABSENT",
    "UNKNOWN",
    "Difference",
    "Recording",
    "Replayed",
    "recorded_run",
    "replay",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Replayed:
    """What came of a replay.

    Attributes:
        difference: The first one; `None`: as far as is known the run went as it was recorded.
        compared: How many calls were compared.
        answered: How many of them were answered from the record.
        unchecked: Paths of calls of which something is not recorded whole, and was not compared;
            empty for the run itself.
        before: Version and fingerprint of the agent that was recorded.
        now: The same of the agent that was replayed.
    """

    difference: Difference | None
    compared: int
    answered: int
    unchecked: tuple[str, ...]
    before: str
    now: str


async def replay(
    app: App, agent: AnyAgent, recording: Recording, *, recorded: Collection[str] = ()
) -> Replayed:
    """Run a recorded run again, and compare it with its record call by call.

    Tools, requests to models, remembered answers and waits are answered from the record; everything
    else runs, with the ids, the principal and the times of then. So no tool is executed, and
    nothing is kept. Messages of failures, and ages of degraded answers, are not compared.

    Args:
        app: Not entered yet; what its resources are is what agents that ask for them get.
        agent: What is run: the agent that was recorded, or another version of it.
        recording: From `recorded_run`.
        recorded: Names of agents that are answered from the record too, since what they give
            depends on more than what they are given.

    Raises:
        UsageError: The app is entered already (code `app_entered`), or the record does not suffice
            (code `not_replayable`).
        DeclarationError: The app cannot run the agent.
    """
    found = Replay(recording, recorded)
    app.replay(found)
    try:
        await _run(app, agent, recording, found)
    except Suspended:
        assert found.difference or found.refusal, "nobody else ends a replay so"
    if found.refusal is not None:
        raise found.refusal
    return Replayed(
        difference=found.difference,
        compared=found.compared,
        answered=found.answered,
        unchecked=tuple(dict.fromkeys(found.unchecked)),
        before=recording.release,
        now=app.release(agent).label,
    )


async def _run(app: App, agent: AnyAgent, recording: Recording, found: Replay) -> None:
    async with app:
        try:
            run = app.start_json(agent, recording.input, principal=recording.principal)
        except InputError as error:
            found.differ(
                Difference(
                    path="",
                    part="input",
                    pointer=error.pointer,
                    before=recording.input,
                    explanation=f"{agent.about.subject} refuses what it took then: {error}",
                )
            )
        try:
            value: object = await run.result()
        except DeclarationError:
            raise
        except (FishplateError, DeclaredError) as failure:
            ended = Outcome.of_failure(failure)
        else:
            degraded = run.degraded
            ended = Outcome.of_answer(agent, Marked(value, degraded) if degraded else value)
        found.ended("", ended, recording.outcome)
