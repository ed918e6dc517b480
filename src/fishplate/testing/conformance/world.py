"""The world outside of the runs: what has reached it, in which life, and under which key."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from fishplate.core.current import current
from fishplate.testing.conformance.crash import Crash


class Reached(NamedTuple):
    """A call that has begun.

    Attributes:
        name: Of what was done.
        about: What it was done with: an order, a parcel.
    """

    name: str
    about: str


class World:
    """What the suite's agents do, they do here; `current().resource(World)` gives it.

    Attributes:
        lives: The calls of each life of the process, in the order in which they began.
        keys: By what was done, the idempotency keys under which it was: one each, if all is well.
        held: Names of what does not come to its end.
        deadly: Names of what its process does not survive.
        cut: Calls that were cancelled, of this life.
    """

    def __init__(self) -> None:
        self.lives: list[list[Reached]] = []
        self.keys: dict[Reached, set[str]] = {}
        self.held: set[str] = set()
        self.deadly: set[str] = set()
        self.cut: list[Reached] = []
        self._crash = Crash()
        self._news = asyncio.Event()

    def begin(self, crash: Crash) -> None:
        """Begin a life; called on its event loop."""
        self.lives.append([])
        self.cut = []
        self._crash = crash
        self._news = asyncio.Event()

    @property
    def calls(self) -> list[Reached]:
        """What has begun in this life."""
        return self.lives[-1]

    def names(self) -> list[str]:
        """The names of what has begun in this life."""
        return [call.name for call in self.calls]

    async def call(self, name: str, about: str, *, key: str | None = None) -> None:
        """Be called; with a key by something that changes the world."""
        call = Reached(name, about)
        if self._crash.has_happened:
            await _forever()
        self.calls.append(call)
        if key is not None:
            self.keys.setdefault(call, set()).add(key)
        self._tell()
        if name in self.deadly:
            self._crash.now()
        try:
            while name in self.held or self._crash.has_happened:
                await self._next()
        except asyncio.CancelledError:
            self.cut.append(call)
            raise

    async def reached(self, name: str, times: int = 1) -> None:
        """Wait until calls of that name have begun in this life."""
        while self.names().count(name) < times:
            await self._next()

    def die(self) -> None:
        """Let the process die."""
        self._crash.now()

    def release(self, name: str) -> None:
        """Let what is held come to its end."""
        self.held.remove(name)
        self._tell()

    async def _next(self) -> None:
        await self._news.wait()

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()


def world() -> World:
    """The world of the running agent."""
    return current().resource(World)


async def _forever() -> None:
    await asyncio.get_running_loop().create_future()
