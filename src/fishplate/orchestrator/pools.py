"""Pools: named bulkheads inside one process. A call holds a slot from its start to its end."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping

from fishplate.core.errors import JsonValue
from fishplate.resilience.checks import check_count


class Pool:
    """A bounded number of slots, first come, first served.

    Args:
        limit: Most calls at a time; at least 1.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0
        self._waiters: deque[asyncio.Future[None]] = deque()

    @property
    def queued(self) -> int:
        """How many wait for a slot."""
        return len(self._waiters)

    async def acquire(self) -> None:
        """Take a slot, waiting for one if all are held; a cancelled wait leaves the queue."""
        if self.held < self.limit and not self._waiters:
            self.held += 1
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        except BaseException:  # cancelled, or closed where it stands
            if waiter.done() and not waiter.cancelled():
                self._pass_on()
            elif waiter in self._waiters:
                self._waiters.remove(waiter)
            raise

    def release(self) -> None:
        """Give a slot back, to the one who waits longest."""
        self._pass_on()

    def _pass_on(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self.held -= 1


class Pools:
    """The pools of an app by name.

    Args:
        limits: Slots of the pools that are not of the default size.
        default: Slots of every other pool.
    """

    def __init__(self, limits: Mapping[str, int], default: int) -> None:
        self._default = default
        for name, limit in limits.items():
            check_count("App", f"pools[{name!r}]", limit)
        self._pools = {name: Pool(limit) for name, limit in limits.items()}

    def get(self, name: str) -> Pool:
        """The pool of that name."""
        found = self._pools.get(name)
        if found is None:
            found = self._pools[name] = Pool(self._default)
        return found

    def named(self) -> tuple[tuple[str, Pool], ...]:
        """The pools by name, in the order in which they were first named; a copy."""
        return tuple(self._pools.items())

    def report(self) -> list[dict[str, JsonValue]]:
        """Every pool's name, slots held and limit, in the order in which they were first named."""
        return [
            {"pool": name, "held": pool.held, "limit": pool.limit}
            for name, pool in self._pools.items()
        ]
