"""fishplate's own engines and journal conform."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from typing_extensions import override

from fishplate import App
from fishplate.journal.writer import Writer
from fishplate.testing.conformance import EngineConformance, JournalConformance, Life


class TestInMemory(EngineConformance):
    """The engine without a store."""

    @override
    @asynccontextmanager
    async def opened(self, life: Life) -> AsyncGenerator[App]:
        async with life.app(App) as app:
            yield app


class TestOverSqlite(EngineConformance, JournalConformance):
    """The engine over a store of SQLite."""

    @override
    @asynccontextmanager
    async def opened(self, life: Life) -> AsyncGenerator[App]:
        app = life.app(App)
        app.keep_in(
            f"sqlite:///{life.place / 'runs.db'}",
            durability="normal",  # the machine does not lose its power here
            open_writer=life.crash.around(Writer),
        )
        async with app:
            yield app
