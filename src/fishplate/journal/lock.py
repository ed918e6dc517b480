"""One driving process per store: a lock that the kernel takes back when its owner dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from fishplate.core.errors import ErrorClass, FishplateError
from fishplate.journal.store import StoreUnavailableError

# Advisory locks of these are absent, or only promised: two machines could drive one store.
NETWORK_FILE_SYSTEMS: Final = frozenset(
    {"9p", "afs", "ceph", "cifs", "fuse.sshfs", "glusterfs", "lustre", "nfs", "nfs4", "smb3"}
)
MOUNTS: Final = Path("/proc/self/mounts")


_HELD: Final[set[DrivingLock]] = set()


class StoreLockedError(FishplateError):
    """Another process drives the store."""

    code = "store_locked"
    error_class = ErrorClass.LOCAL_REJECTION


class DrivingLock:
    """Holds the right to drive a store, until `release` or the end of the process.

    Args:
        store: Path of the store's file; the lock is `flock` on the file of that name with `.lock`
            after it, which stays when the lock is gone.

    Raises:
        StoreLockedError: Another process holds it (names its process id), or the file stands on a
            network file system (code `network_store`).
        StoreUnavailableError: The lock's file cannot be made.
    """

    def __init__(self, store: Path, *, mounts: Path = MOUNTS) -> None:
        kind = file_system_of(store.absolute().parent, mounts)
        if kind in NETWORK_FILE_SYSTEMS:
            raise StoreLockedError(
                f"the store {str(store)!r} stands on the network file system {kind!r}, where no "
                "lock keeps a second machine away: put it on a local disk",
                code="network_store",
            )
        path = store.with_name(store.name + ".lock")
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            msg = f"the store's lock {str(path)!r} cannot be made: {error.strerror}"
            raise StoreUnavailableError(msg) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(self._file, 32, 0).decode("ascii", "replace").strip()
            os.close(self._file)
            raise StoreLockedError(
                f"the store {str(store)!r} is driven by process {owner or 'unknown'}: "
                "stop that one first, or read it with 'fishplate runs', which needs no lock"
            ) from None
        # A fork would hold the lock for as long as it lives, also when its parent is dead.
        _HELD.add(self)
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Give the right back; a second time does nothing."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        _HELD.discard(self)


def file_system_of(folder: Path, mounts: Path = MOUNTS) -> str:
    """The type of the file system that holds a folder; empty where the kernel does not tell.

    Args:
        folder: An absolute path.
        mounts: The kernel's table: device, mount point and type in a line; later lines win.
    """
    place = folder.resolve()
    found, depth = "", -1
    for point, kind in _mounts(mounts):
        if place.is_relative_to(point) and len(point.parts) >= depth:
            found, depth = kind, len(point.parts)
    return found


def _mounts(table: Path) -> Iterator[tuple[Path, str]]:
    if not table.exists():
        return
    for line in table.read_text(errors="replace").splitlines():
        fields = line.split(" ")
        # The kernel spells blanks in paths as octal escapes.
        yield Path(fields[1].replace("\\040", " ")), fields[2]


def _forget_all() -> None:
    for lock in tuple(_HELD):
        lock.release()  # closes this process's copy, and leaves the lock to the one that forked


os.register_at_fork(after_in_child=_forget_all)
