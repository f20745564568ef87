"""flock(2) on files of the run root; the kernel frees them when the process dies.

    locks/network        shared: a container is being attached; exclusive: bridge and table are made, mended or removed
    locks/network-idle   exclusive: a process waits for the network to stay unused (Bridge.retire)

``network`` may be taken while ``network-idle`` is held, never the other way round; neither inside of a transaction.
"""

from __future__ import annotations

import fcntl
import os

SHARED, EXCLUSIVE = fcntl.LOCK_SH, fcntl.LOCK_EX


class Lock:
    """``with Lock(path, SHARED):`` waits; ``take_now`` says False instead."""

    def __init__(self, path: str, how: int) -> None:
        self._path = path
        self._how = how
        self._fd = -1

    def __enter__(self) -> None:
        self._take(self._how)

    def take_now(self) -> bool:
        """Take the lock if nobody is in the way; ``release`` it then."""
        try:
            self._take(self._how | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __exit__(self, *_: object) -> None:
        self.release()

    def _take(self, how: int) -> None:
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, how)
        except BaseException:
            self.release()
            raise
