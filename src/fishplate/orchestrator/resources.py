"""What bodies work with: opened when the app is entered, closed in reverse when it is left."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import sys
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import cast

from fishplate.core.errors import FishplateError, UsageError


class Resources:
    """The resources of an app.

    Args:
        factories: How to open what is declared under a type: an async or a plain function that
            gives the resource, or an (async) context manager around it. What is not async runs in
            a thread, so that the loop stays free.

    Attributes:
        opened: What is open, by the type that it is declared under.
    """

    def __init__(self, factories: Mapping[type, Callable[[], object]]) -> None:
        self.opened: dict[type, object] = {}
        self._factories = dict(factories)
        self._parts: dict[type, object] = {}
        self._stack = contextlib.AsyncExitStack()

    def __bool__(self) -> bool:
        """Whether there is anything to open."""
        return bool(self._factories)

    def provide(self, kind: type, part: object) -> None:
        """Have a part of the app among what is open, for as long as the app is there."""
        self._parts[kind] = self.opened[kind] = part

    async def open(self) -> None:
        """Open everything in the order of declaration; if one fails, close what is open.

        Raises:
            UsageError: A factory failed (code `resource_failed`); its exception is the cause.
        """
        try:
            for kind, factory in self._factories.items():
                self.opened[kind] = await self._opened(kind, factory)
        except BaseException:
            await self.close(*sys.exc_info())
            raise

    async def close(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close everything in reverse order; each context manager hears how the app ended."""
        stack, self._stack = self._stack, contextlib.AsyncExitStack()
        self.opened.clear()
        self.opened.update(self._parts)
        await stack.__aexit__(kind, error, trace)

    async def _opened(self, kind: type, factory: Callable[[], object]) -> object:
        try:
            found = await _made(factory)
            if hasattr(found, "__aenter__"):
                manager = cast("contextlib.AbstractAsyncContextManager[object]", found)
                return await self._stack.enter_async_context(manager)
            if hasattr(found, "__enter__"):
                inner = cast("contextlib.AbstractContextManager[object]", found)
                return await self._stack.enter_async_context(_Threaded(inner))
        except FishplateError:
            raise
        except Exception as error:
            msg = f"the resource {kind.__name__!r} could not be opened: {type(error).__name__}"
            raise UsageError(msg, code="resource_failed") from error
        return found


async def _made(factory: Callable[[], object]) -> object:
    if inspect.iscoroutinefunction(factory) or hasattr(factory, "__aenter__"):
        found = factory()  # an async class is made where it is used: it may ask for the loop
    else:
        found = await asyncio.to_thread(factory)
    return await found if inspect.isawaitable(found) else found


class _Threaded:
    """A plain context manager that is entered and left in a thread."""

    def __init__(self, inner: contextlib.AbstractContextManager[object]) -> None:
        self._inner = inner

    async def __aenter__(self) -> object:
        return await asyncio.to_thread(self._inner.__enter__)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        return await asyncio.to_thread(self._inner.__exit__, kind, error, trace)
