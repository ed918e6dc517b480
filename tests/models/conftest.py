"""One server that stands for all providers, for the tests of a process."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from tests.models.fake_providers import FakeProviders, fake_providers


@pytest.fixture(scope="session")
def _server() -> Iterator[FakeProviders]:
    with fake_providers() as server:
        yield server


@pytest.fixture
def providers(_server: FakeProviders) -> Iterator[FakeProviders]:
    """The server, behaving normally.

    What is left of clients is collected here: one of them starts a task when it is collected while
    a loop runs, and that would be the loop of another test.
    """
    gc.collect()
    _server.behave()
    yield _server
    gc.collect()
