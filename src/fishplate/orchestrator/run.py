"""A run: one execution of an agent, in a task of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Generic, Literal, TypeAlias, TypeVar, cast

from typing_extensions import override

from fishplate.agents.agent import Agent, AnyAgent
from fishplate.core.errors import ErrorClass, NeedsAttention, StepError
from fishplate.core.ids import trace_hex
from fishplate.core.outcome import Reason
from fishplate.core.run_context import RunContext
from fishplate.core.spending import RunUsage
from fishplate.core.text import TextFeeds, TextPiece, TextWithdrawn
from fishplate.orchestrator.effects import Marked

R_co = TypeVar("R_co", covariant=True)

RunState: TypeAlias = Literal[
    "queued",
    "running",
    "waiting",
    "succeeded",
    "degraded",
    "failed",
    "cancelled",
    "needs_attention",
]


class Run(Generic[R_co]):
    """One execution of an agent.

    Attributes:
        agent: What runs.
    """

    def __init__(
        self, agent: Agent[..., R_co], context: RunContext, task: asyncio.Future[object]
    ) -> None:
        self.agent = agent
        self._context = context
        self._task = task

    @property
    def id(self) -> str:
        """Time-ordered text."""
        return self._context.run_id

    @property
    def trace_id(self) -> str:
        """32 hex digits, as in W3C Trace Context; the caller's if it was started in its trace."""
        return trace_hex(self._context.shown_trace_id)

    @property
    def key(self) -> int:
        """What its spans share: the trace id of a run that has a trace of its own."""
        return self._context.trace_id

    @property
    def release(self) -> str:
        """Version and fingerprint of the agent, with the app's models: `1.2.0+fp.9c3e12ab34cd`."""
        return self._context.around.heads.head(self.agent)[2]

    @property
    def state(self) -> RunState:
        """Where the run is."""
        if not self._task.done():
            return "running"
        if self._task.cancelled():
            return "cancelled"
        failure = self._task.exception()
        if failure is not None:
            return "needs_attention" if isinstance(failure, NeedsAttention) else "failed"
        return "degraded" if self.degraded else "succeeded"

    @property
    def degraded(self) -> tuple[Reason, ...]:
        """Why the output is degraded; empty if it is not, or not there yet."""
        if not self._task.done() or self._task.cancelled() or self._task.exception() is not None:
            return ()
        found = self._task.result()
        return found.reasons if type(found) is Marked else ()

    @property
    def usage(self) -> RunUsage | None:
        """What it has spent so far: requests, tokens, costs; what nobody knows is counted apart.

        Of a run that was resumed it tells what the recorded answers of models took, and what was
        spent since; its `is_whole` is false then, since requests that were cut off or failed, and
        what bodies paid for themselves, are in no record. `None` if another process drove the run
        and it was not resumed here: then its kept traces tell.
        """
        return self._context.spending.usage

    @property
    def cost(self) -> Mapping[str, int] | None:
        """What it has cost so far, in billionths by currency; empty if nothing was to be paid.

        Of a run that was resumed it is the least that it can have been, over all of its lives; see
        `usage`. `None` if nobody knows, be it of a single request, or because the run was not
        resumed here.
        """
        usage = self.usage
        return None if usage is None or usage.unpriced_requests else usage.costs

    async def result(self) -> R_co:
        """Wait for the output, however long the run itself waits. A cancelled wait cancels no run.

        Raises:
            FishplateError: The run failed, or it was cancelled (code `run_cancelled`), or its app
                was left while it waits (code `still_waiting`).
            DeclaredError: The agent raised an error that its contract declares.
        """
        await self._settle()
        if self._task.cancelled():
            raise run_cancelled(self.agent)
        found = self._task.result()
        return cast("R_co", found.value if type(found) is Marked else found)

    def text(self) -> AsyncIterator[TextPiece | TextWithdrawn]:
        """Read along with what models say, from now on, until the run ends.

        Told is the text of the model agents whose output is text, as it comes and before it is
        judged: what is told and not withdrawn is the output of its agent. An answer that is
        recorded, remembered or fixed is not told, and neither is one that has begun before.
        Whoever reads slowly is told longer pieces, and costs the run nothing.

        Returns:
            What is told, until the run ends. It raises `UsageError` (code `slow_reader`) if more is
            unread than it may hold.
        """
        around = self._context.around
        if around.texts is None:
            around.texts = TextFeeds()
        return around.texts.read(self._context.trace_id, self._ahead)

    def cancel(self) -> None:
        """Ask the run to end; every step that runs is cancelled, and no other begins."""
        self._task.cancel()

    async def ended(self) -> RunState:
        """Wait for the end, whatever it is; the state."""
        await self._settle()
        return self.state

    async def ended_or_waiting(self) -> RunState:
        """Wait until the run has ended or waits, whatever comes first; the state."""
        while not self._task.done():  # a run that waited goes on in another task
            await asyncio.wait([self._task])
        return self.state

    async def _settle(self) -> None:
        while (ahead := self._ahead()) is not None:
            await asyncio.wait([ahead])  # others may wait too: it is not ours to cancel

    def _ahead(self) -> asyncio.Future[object] | asyncio.Future[None] | None:
        """What ends next of the run; `None` if it has ended."""
        return None if self._task.done() else self._task

    @override
    def __repr__(self) -> str:
        return f"<run {self.id} of {self.agent.name!r}: {self.state}>"


def run_cancelled(agent: AnyAgent) -> StepError:
    """The error of whoever waits for a run that was cancelled."""
    return StepError(
        f"the run of {agent.name!r} was cancelled",
        step=agent.name,
        code="run_cancelled",
        error_class=ErrorClass.CANCELLED,
        where=agent.about.where,
    )
