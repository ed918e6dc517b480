"""What an app is doing now, as gauges: runs, breakers, and who waits for a slot."""

from __future__ import annotations

from collections.abc import Iterator

from fishplate.orchestrator.pools import Pools
from fishplate.resilience.breaker import BreakerState
from fishplate.resilience.targets import Targets
from fishplate.traces.metrics import Gauge, gauge


def gauges(targets: Targets, pools: Pools, runs: int) -> Iterator[Gauge]:
    """The gauges of an app.

    They are read on another thread than the app's loop, so nothing is asked here that would change
    what it looks at, such as the window of a breaker.

    Args:
        targets: With breakers and bulkheads. A breaker has a gauge for each state: 1 for its own.
        pools: Of the app.
        runs: How many runs are in flight.
    """
    yield gauge("runs.active", runs)
    for name, pool in pools.named():
        yield gauge("pool.held", pool.held, pool=name)
        yield gauge("pool.queued", pool.queued, pool=name)
    for target in targets.known():
        if target.breaker is not None:
            now = target.breaker.state
            for state in BreakerState:
                is_now = int(state is now)
                yield gauge("breaker.state", is_now, target=target.key, state=state.value)
        if target.slots is not None:
            yield gauge("bulkhead.held", target.slots.in_flight, target=target.key)
            yield gauge("bulkhead.queued", target.slots.queued, target=target.key)
