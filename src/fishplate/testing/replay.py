"""`replay`: a recorded run once more, on the same agents or on others, and the first difference."""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import Literal, TypeAlias

from fishplate.agents.agent import AnyAgent
from fishplate.app import App
from fishplate.core.data import dataclass
from fishplate.core.errors import DeclarationError, FishplateError, InputError, UsageError
from fishplate.core.outcome import DeclaredError
from fishplate.orchestrator.choices import choices_of, compare_choices
from fishplate.orchestrator.effects import Marked, Suspended
from fishplate.orchestrator.recording import (
    ABSENT,
    UNKNOWN,
    Choice,
    Difference,
    Outcome,
    Recording,
)
from fishplate.orchestrator.replay import Replay
from fishplate.testing.recordings import recorded_run
from fishplate.traces.redaction import Redactor, secrets_of

__all__ = [
    "ABSENT",
    "UNKNOWN",
    "Difference",
    "Recording",
    "Replayed",
    "Verdict",
    "recorded_run",
    "replay",
]


Verdict: TypeAlias = Literal["same", "different", "nothing_compared"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Replayed:
    """What came of a replay.

    Attributes:
        difference: The first one; `None`: as far as is known the run went as it was recorded.
        compared: How many calls were compared.
        answered: How many of them were answered from the record.
        inputs: Of how many what they were given was compared.
        outputs: Of how many what they gave, the run itself among them.
        choices: How many decisions, searches and doubts were the same; `None`: there is no trace
            that has recorded any.
        unchecked: Paths of calls of which something is not recorded whole, and was not compared;
            empty for the run itself.
        before: Version and fingerprint of the agent that was recorded.
        now: The same of the agent that was replayed.
    """

    difference: Difference | None
    compared: int
    answered: int
    inputs: int
    outputs: int
    choices: int | None
    unchecked: tuple[str, ...]
    before: str
    now: str

    @property
    def verdict(self) -> Verdict:
        """Whether it went as it was recorded; `nothing_compared`: nobody can say."""
        if self.difference is not None:
            return "different"
        if not (self.inputs or self.outputs or self.choices):
            return "nothing_compared"
        return "same"


async def replay(
    app: App, agent: AnyAgent, recording: Recording, *, recorded: Collection[str] = ()
) -> Replayed:
    """Run a recorded run again, and compare it with its record call by call.

    Tools, requests to models, remembered answers and waits are answered from the record; everything
    else runs, with the ids, the principal and the times of then. So no tool is executed, and
    nothing is kept. Decisions, searches and doubts are compared if the recording has a trace with
    contents. Messages of failures, ages of degraded answers, and what else was noted, are not.

    Args:
        app: Not entered yet; what its resources are is what agents that ask for them get.
        agent: What is run: the agent that was recorded, or another version of it.
        recording: From `recorded_run`.
        recorded: Names of agents that are answered from the record too, since what they give
            depends on more than what they are given.

    Raises:
        UsageError: The app is entered already (code `app_entered`), or the record does not suffice
            or the agent is one that is answered from it (code `not_replayable`).
        DeclarationError: The app cannot run the agent.
    """
    found = Replay(recording, recorded, Redactor(secrets_of(os.environ)).text)
    if found.is_answered(agent):
        msg = (
            f"{agent.about.subject} would be answered from the record, and is all that is to be "
            "run: replay a run of an agent or a workflow that calls it"
        )
        raise UsageError(msg, code="not_replayable")
    app.replay(found)
    told: list[Choice] = []
    try:
        await _run(app, agent, recording, found, told)
    except Suspended:
        assert found.difference or found.refusal, "nobody else ends a replay so"
    if found.refusal is not None:
        raise found.refusal
    difference, choices = found.difference, None
    if recording.choices is not None:
        # What was decided otherwise comes before what came of it.
        choices, other = compare_choices(
            recording.choices, told, answered=found.answered, is_ended=difference is None
        )
        difference = other or difference
    return Replayed(
        difference=difference,
        compared=found.compared,
        answered=len(found.answered),
        inputs=found.inputs,
        outputs=found.outputs,
        choices=choices,
        unchecked=tuple(dict.fromkeys(found.unchecked)),
        before=recording.release,
        now=app.release(agent).label,
    )


async def _run(
    app: App, agent: AnyAgent, recording: Recording, found: Replay, told: list[Choice]
) -> None:
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
        finally:
            told += choices_of(sorted(app.spans(run), key=lambda one: one.start_ns))
        found.ended("", ended, recording.outcome)
