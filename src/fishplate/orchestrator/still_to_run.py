"""What a run has still to do, as far as its plan and its records tell.

Steps below an `each` or a `repeat` count as still to do, since their records stand under the
element or the iteration.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

from fishplate.agents.agent import AnyAgent
from fishplate.orchestrator.roster import all_of
from fishplate.workflows.plan import Block, CallStep, RouteStep, SwitchStep, blocks_of
from fishplate.workflows.workflow import Workflow


def still_to_run(unit: AnyAgent, path: str, recorded: AbstractSet[str]) -> Iterator[str]:
    """Names of the agents that a call may still run; some come more than once.

    Args:
        unit: What is called.
        path: Of the call, with what parts it from what stands below it; empty for a run's own.
        recorded: Paths of the steps that are recorded.
    """
    yield unit.name
    if not isinstance(unit, Workflow):
        for one in all_of(unit):
            yield one.name
        return
    yield from _left_in(unit.plan.block, unit.units, path, recorded)


def _left_in(
    block: Block, units: Mapping[str, AnyAgent], prefix: str, recorded: AbstractSet[str]
) -> Iterator[str]:
    for step in block.steps:
        path = prefix + step.name
        if isinstance(step, CallStep):
            if path in recorded:
                continue
            yield from still_to_run(units[step.agent], f"{path}/", recorded)
            for name in step.fallbacks:
                yield from still_to_run(units[name], f"{path}|", recorded)
            continue
        below = blocks_of(step)
        if isinstance(step, (RouteStep, SwitchStep)):  # where one was taken the others are not
            taken = [one for one in below if _has_begun(one, f"{path}/", recorded)]
            below = tuple(taken) or below
        for one in below:
            yield from _left_in(one, units, f"{path}/", recorded)


def _has_begun(block: Block, prefix: str, recorded: AbstractSet[str]) -> bool:
    paths = [prefix + step.name for step in block.steps]
    return any(
        key == path or key.startswith((f"{path}/", f"{path}.", f"{path}|"))
        for path in paths
        for key in recorded
    )
