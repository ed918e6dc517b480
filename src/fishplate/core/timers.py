"""Timers that are seldom reached: one of the loop's for all that end within the same second.

A time limit is nearly always taken back before it ends, and then its timer was made for nothing: a
handle, a method bound to the limit, a copy of the context, a place in the loop's heap. Here a limit
is put into the slot of the second in which it ends. When that second begins, what is still in the
slot gets a timer of its own; so limits are exact, and nearly none has ever had a timer.
"""

from __future__ import annotations

import asyncio
from math import floor
from typing import Final, Protocol

SLOT: Final = 1.0
"""Seconds of a slot."""


class Timed(Protocol):
    """What has an end."""

    def set_timer(self) -> None:
        """Set a timer for the end, since its slot has begun; it is in no slot any more."""
        ...


class TimerWheel:
    """The slots of one loop, made as they are needed; one that becomes empty is dropped.

    A wheel that comes to another loop begins anew there.
    """

    __slots__ = ("_loop", "_slots")

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._slots: dict[int, Slot] = {}

    def slot(self, loop: asyncio.AbstractEventLoop, end: float) -> Slot | None:
        """The slot of an end on the loop's clock; `None` if it has begun: set a timer instead."""
        number = floor(end / SLOT)
        found = self._slots.get(number) if loop is self._loop else None
        if found is None and number * SLOT > loop.time():
            if loop is not self._loop:
                self._loop, self._slots = loop, {}
            found = self._slots[number] = Slot(self._slots, number, loop)
        return found


class Slot:
    """What ends within one second."""

    __slots__ = ("_members", "_number", "_siblings", "_timer")

    def __init__(
        self, siblings: dict[int, Slot], number: int, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._siblings = siblings
        self._number = number
        self._members: dict[Timed, None] = {}  # in order: what ends together ends in this order
        self._timer = loop.call_at(number * SLOT, self._begin)

    def add(self, timed: Timed) -> None:
        """Hold what ends in this slot."""
        self._members[timed] = None

    def remove(self, timed: Timed) -> None:
        """Let go what ends no more; the slot has not begun."""
        del self._members[timed]
        if not self._members:
            self._timer.cancel()
            del self._siblings[self._number]

    def _begin(self) -> None:
        del self._siblings[self._number]
        for timed in self._members:
            timed.set_timer()
