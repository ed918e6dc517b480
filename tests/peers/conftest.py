"""The peers, started for all tests of this folder; without them, the tests are skipped."""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.peers.readers import MlflowPeer, Peer, PhoenixPeer
from tests.peers.servers import NOT_STARTED, mlflow, phoenix, wait_for


@pytest.fixture(scope="session")
def peers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Peer]]:
    """Both by name, ready to take spans."""
    programs = os.environ.get("FISHPLATE_PEERS")  # dev.py says so, after it has installed them
    if programs is None:
        pytest.skip(NOT_STARTED)
    folder = Path(programs)
    with ExitStack() as closing:
        # Side by side: each takes half a minute.
        first = closing.enter_context(phoenix(folder, tmp_path_factory.mktemp("phoenix")))
        second = closing.enter_context(mlflow(folder, tmp_path_factory.mktemp("mlflow")))
        wait_for(first, "/healthz")
        wait_for(second, "/health")
        reader = MlflowPeer(second.url, folder)
        closing.callback(reader.close)
        yield {"phoenix": PhoenixPeer(first.url), "mlflow": reader}


@pytest.fixture(params=["phoenix", "mlflow"])
def peer(peers: Mapping[str, Peer], request: pytest.FixtureRequest) -> Peer:
    """One of them, and then the other."""
    name: str = request.param
    return peers[name]
