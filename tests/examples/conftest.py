"""A shop of one's own for every test, copied from one that was filled once."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from examples.order_support.payments import Book, PaymentServer
from examples.order_support.shop import Shop


@pytest.fixture(scope="session")
def filled_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fill a database file with the shop's data; nobody changes it."""
    path = tmp_path_factory.mktemp("shop") / "shop.db"
    Shop.open(str(path)).close()
    return path


@pytest.fixture
def database(filled_database: Path, tmp_path: Path) -> Path:
    """Copy the filled database file."""
    return Path(shutil.copy(filled_database, tmp_path / "shop.db"))


@pytest.fixture
def shop(database: Path) -> Iterator[Shop]:
    """Open the shop on the copy."""
    with Shop.open(str(database)) as shop:
        yield shop


@pytest.fixture(scope="session")
def memory_shop() -> Iterator[Shop]:
    """Open one shop for tests that change nothing in it."""
    with Shop.open(":memory:") as shop:
        yield shop


@pytest.fixture
def left_url(tmp_path: Path) -> str:
    """An address at which a service was listening, and nobody is now."""
    book = Book(tmp_path / "payments.db")
    with PaymentServer(book) as server:
        book.close()
        return server.url
