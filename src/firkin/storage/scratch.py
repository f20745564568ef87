"""Half-made things: each has a name of its own in ROOT/tmp, a lock while its maker lives, and ends by a rename.

    tmp/layer-5f3a.../    flock held by the maker     rename -> layers/HEX         (made)
    tmp/blob-81bc...      flock held by the maker     rename -> blobs/sha256/HEX   (made)
    tmp/trash-09d1.../    was renamed to here: already gone for everybody else, being deleted

Whoever dies on the way leaves a file or a directory whose lock is free: ``sweep`` removes it. The lock is flock(2) on
the file or directory itself, so nothing is left beside it.
"""

from __future__ import annotations

import errno
import fcntl
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

_KINDS = ("layer-", "blob-", "trash-", "volume-")


class Scratch:
    """One half-made file or directory: ``path`` and an open, locked ``fd``. A context manager that removes it."""

    def __init__(self, folder: str, kind: str, *, directory: bool) -> None:
        self._folder = folder
        self._directory = directory
        while True:
            self.path = f"{folder}/{kind}-{os.urandom(8).hex()}"
            if directory:
                os.mkdir(self.path, 0o700)
                self.fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            else:
                flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                self.fd = os.open(self.path, flags, 0o600)
            try:
                fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(self.fd)  # a sweeper took it between the two calls; it will remove it
                continue
            if os.fstat(self.fd).st_nlink:
                return
            os.close(self.fd)

    def rename(self, target: str, source: str | None = None) -> bool:
        """Move ``source`` (the whole by default) to ``target``; False when something is there already."""
        try:
            os.rename(source or self.path, target)
        except OSError as error:
            if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
                return False
            raise
        return True

    def __enter__(self) -> Scratch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._directory:
                _remove(self.path)
            else:
                os.unlink(self.path)
        except FileNotFoundError:
            pass
        finally:
            os.close(self.fd)


def discard(path: str, folder: str) -> bool:
    """Make the directory at ``path`` vanish in one rename, then delete it; False when there is none.

    Raises InUse (a mount point inside), OSError, after deleting what could be; the rest waits for ``sweep``.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)  # before it is in reach of a sweeper
        trash = f"{folder}/trash-{os.urandom(8).hex()}"
        try:
            os.rename(path, trash)
        except FileNotFoundError:
            return False  # somebody else was faster
        _remove(trash)
    finally:
        os.close(fd)
    return True


def sweep(folder: str) -> list[str]:
    """Remove what dead makers left in ``folder``; return the names."""
    removed = []
    for name in os.listdir(folder):
        if not name.startswith(_KINDS):
            continue
        path = f"{folder}/{name}"
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(path)
            removed.append(name)
        except OSError:
            pass  # alive, or finished meanwhile; or it cannot go now (a mount): the next sweep tries again
        finally:
            os.close(fd)
    return removed


def _remove(path: str) -> None:
    from firkin.storage import tree  # 1 ms that the start of a container has no need of

    tree.remove(path)
