"""One driving process: the lock is the kernel's, and goes with its owner."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fishplate.journal.lock import DrivingLock, StoreLockedError, file_system_of
from fishplate.journal.store import StoreUnavailableError

HOLDER = """
import sys
from pathlib import Path
from fishplate.journal.lock import DrivingLock
lock = DrivingLock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def _holder(store: Path) -> subprocess.Popen[str]:
    """A process that holds the lock until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(store)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_process_is_refused_and_told_who_drives(tmp_path: Path) -> None:
    """While a process drives a store no other may, and the refusal names it."""
    store = tmp_path / "runs.db"
    with _holder(store) as first:
        with pytest.raises(StoreLockedError, match=f"process {first.pid}"):
            DrivingLock(store)
        assert first.stdin is not None
        first.stdin.close()
    DrivingLock(store).release()


def test_a_killed_owner_leaves_no_lock(tmp_path: Path) -> None:
    """After `kill -9` the store can be driven at once."""
    store = tmp_path / "runs.db"
    with _holder(store) as first:
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
        lock = DrivingLock(store)
    lock.release()
    lock.release()


def test_a_network_file_system_is_refused(tmp_path: Path) -> None:
    """Where locks of other machines are not seen, nobody may drive."""
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/sda / ext4 rw 0 0\nserver:/export {tmp_path.resolve()} nfs4 rw 0 0\n")
    with pytest.raises(StoreLockedError, match="nfs4") as refused:
        DrivingLock(tmp_path / "runs.db", mounts=mounts)
    assert refused.value.code == "network_store"


def test_the_longest_mount_point_holds_a_folder(tmp_path: Path) -> None:
    """A folder belongs to the innermost mount, and of two at one place to the later."""
    mounts = tmp_path / "mounts"
    mounts.write_text("a / ext4 rw 0 0\nb /data nfs rw 0 0\nc /data xfs rw 0 0\nd /d\\040e tmpfs\n")
    assert file_system_of(Path("/data/runs"), mounts) == "xfs"
    assert file_system_of(Path("/database"), mounts) == "ext4"
    assert file_system_of(Path("/d e"), mounts) == "tmpfs"
    assert file_system_of(Path("/data"), tmp_path / "none") == ""


def test_a_lock_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    """A missing folder is told as such."""
    with pytest.raises(StoreUnavailableError, match="cannot be made"):
        DrivingLock(tmp_path / "nowhere" / "runs.db")
