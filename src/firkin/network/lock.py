"""flock(2) on files of the run root; the kernel frees them when the process dies, whatever kills it.

    locks/network-users  shared: by each monitor, from attach to detach; exclusive: bridge and table are removed
    locks/network        exclusive: bridge and table are made or mended, orphans looked for
    locks/network-idle   exclusive: a process waits for the network to stay unused (Bridge.retire)

Order: idle, users, network. None of them is waited for inside of a transaction.
"""

from __future__ import annotations

import fcntl
import os

SHARED, EXCLUSIVE = fcntl.LOCK_SH, fcntl.LOCK_EX
USERS, BUILD, IDLE = "network-users", "network", "network-idle"


class Lock:
    """``with Lock(folder, BUILD, EXCLUSIVE):`` or ``take`` waits; ``take_now`` says False instead."""

    def __init__(self, folder: str, name: str, how: int) -> None:
        self._path = f"{folder}/{name}"
        self._how = how
        self._fd = -1

    def fileno(self) -> int:
        return self._fd

    def take(self) -> None:
        self._take(self._how)

    def take_now(self) -> bool:
        """Take the lock if nobody is in the way."""
        try:
            self._take(self._how | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> None:
        self.take()

    def __exit__(self, *_: object) -> None:
        self.release()

    def _take(self, how: int) -> None:
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, how)
        except BaseException:
            self.release()
            raise
