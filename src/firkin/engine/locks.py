"""One lock a container, RUN/locks/ID: an OFD lock that the kernel drops when its holder dies.

The order, from the outside in; nobody takes a lock to the left of one that he holds:

    container (two of them: lower id first)  ->  what storage and network lock  ->  database transaction

Who owns what: a container with a live monitor belongs to that monitor, which takes no lock. Commands only send it
signals and wait for its end. A container without a live monitor belongs to whoever holds its lock. So a command
may hold the lock while it waits for a monitor, and no two can wait for each other.

Never held across a network transfer or while a container runs.
"""

from __future__ import annotations

import os

from firkin.linux import flock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firkin.paths import Paths


class Lock:
    """A held lock; ``with`` or ``release`` gives it back, or Ctrl-C just before its ``with``."""

    _fd = -1

    def __init__(self, fd: int) -> None:
        self._pid = os.getpid()
        self._fd = fd

    def __del__(self) -> None:
        if self._fd >= 0 and self._pid == os.getpid():
            self.release()

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        if self._fd >= 0:
            # Said, and not left to close(2): a host that forked meanwhile has a copy of the descriptor in its child.
            flock.release(self._fd)
            os.close(self._fd)
            self._fd = -1


def forget(paths: Paths, container_id: str) -> None:
    """Remove the lock's file, for the container is gone; who waits for it notices and starts anew."""
    try:
        os.unlink(f"{paths.locks}/{container_id}")
    except FileNotFoundError:
        pass


def lock(paths: Paths, container_id: str) -> Lock:
    """Wait for the container's lock."""
    # Not kept in a variable: a traceback would hold it (see __del__).
    return _take(paths, container_id, wait=True)  # type: ignore[return-value]


def try_lock(paths: Paths, container_id: str) -> Lock | None:
    """Return the container's lock, or None when somebody is at work on it."""
    return _take(paths, container_id, wait=False)


def _take(paths: Paths, container_id: str, *, wait: bool) -> Lock | None:
    path = f"{paths.locks}/{container_id}"
    while True:
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:  # the run root was emptied under us
            os.makedirs(paths.locks, mode=0o711, exist_ok=True)
            continue
        try:
            if not flock.acquire(fd, wait=wait):
                os.close(fd)
                return None
            if _still(fd, path):
                return Lock(fd)
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)  # retired while we waited: the name means another file now


def _still(fd: int, path: str) -> bool:
    try:
        there = os.stat(path)
    except FileNotFoundError:
        return False
    return there.st_ino == os.fstat(fd).st_ino
