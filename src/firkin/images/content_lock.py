"""Who may delete content: nobody while somebody brings some in.

    RUN/locks/images   shared by load and import from their first blob to their commit; exclusive for deletion

A deleter that finds it shared does not wait: rows are gone already, and what they named is found unused by whoever
deletes next (or by the last load, when it leaves). A load that is killed leaves ``ROOT/tmp/load-*``, whose lock is then
free: the sign that ``recover`` has something to look for.
"""

from __future__ import annotations

import fcntl
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

    from firkin.paths import Paths

_MARK = "load-"


class Bringing:
    """``with Bringing(paths):`` content comes in; what it is not yet a row's is safe."""

    def __init__(self, paths: Paths) -> None:
        self._lock = f"{paths.locks}/images"
        self._mark = f"{paths.tmp}/{_MARK}{os.urandom(8).hex()}"
        self._fds: list[int] = []

    def __enter__(self) -> None:
        for path, kind in ((self._lock, fcntl.LOCK_SH), (self._mark, fcntl.LOCK_EX)):
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._fds.append(fd)
            fcntl.flock(fd, kind)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            os.unlink(self._mark)
        except FileNotFoundError:
            pass  # ``killed`` saw it between its making and its locking
        for fd in self._fds:
            os.close(fd)


class Deleting:
    """``with Deleting(paths) as alone:`` True when nobody brings content in; nobody can begin then."""

    def __init__(self, paths: Paths) -> None:
        self._lock = f"{paths.locks}/images"
        self._fd = -1

    def __enter__(self) -> bool:
        self._fd = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)


def marked(paths: Paths) -> bool:
    """Say whether somebody is bringing content in, or was killed while he did."""
    return any(name.startswith(_MARK) for name in os.listdir(paths.tmp))


def killed(paths: Paths) -> bool:
    """Say whether a load was killed, and take away its sign."""
    found = False
    for name in os.listdir(paths.tmp):
        if not name.startswith(_MARK):
            continue
        path = f"{paths.tmp}/{name}"
        try:
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(path)
            found = True
        except (BlockingIOError, FileNotFoundError):
            pass
        finally:
            os.close(fd)
    return found
