"""Going on with a coroutine that has already run to its first suspension, so that a timer is armed only then."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Resumption(Generic[T]):
    """Awaits the rest of a coroutine whose first `send(None)` gave `yielded`, in the same task."""

    __slots__ = ("_coroutine", "_yielded")

    def __init__(self, coroutine: Coroutine[Any, Any, T], yielded: object) -> None:
        self._coroutine = coroutine
        self._yielded = yielded

    def __await__(self) -> Generator[object, object, T]:
        """Pass on what the coroutine waits for, and what it is sent or thrown, as `yield from` would."""
        coroutine, yielded = self._coroutine, self._yielded
        try:
            while True:
                try:
                    sent = yield yielded
                except GeneratorExit:
                    coroutine.close()
                    raise
                except BaseException as error:  # noqa: BLE001 -- cancellation has to reach the coroutine
                    yielded = coroutine.throw(error)
                else:
                    yielded = coroutine.send(sent)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]  # StopIteration is not generic


class OutOfTimeError(Exception):
    """The time given to `within` is over."""


async def within(seconds: float, coroutine: Coroutine[Any, Any, T]) -> T:
    """Await a coroutine for at most `seconds`; a coroutine that never suspends costs no timer.

    Raises:
        OutOfTimeError: The time was over; the coroutine was cancelled and has ended.
    """
    try:
        yielded = coroutine.send(None)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]  # StopIteration is not generic
    timer = asyncio.timeout(max(seconds, 0.0))
    try:
        async with timer:
            return await Resumption(coroutine, yielded)
    except TimeoutError:
        if timer.expired():
            raise OutOfTimeError from None
        raise
