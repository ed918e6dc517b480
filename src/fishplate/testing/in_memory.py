"""Letting tools with effects run in a test that has no app."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from fishplate.app import App
from fishplate.core.call import SCOPE


@contextmanager
def effects() -> Generator[App]:
    """Run what is awaited inside in memory, tools with effects included.

    Example: `with effects(): await issue_refund("W1", Decimal(5))`

    Yields:
        The app that the calls run in, for their spans. It has no resources: a tool that asks for
        one needs `async with App(resources=...)`. It takes no call after the block.
    """
    app = App().open_in_memory(allows_effects=True)
    token = SCOPE.set(app)
    try:
        yield app
    finally:
        SCOPE.reset(token)
        app.close_in_memory()
