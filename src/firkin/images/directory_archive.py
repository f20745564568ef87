"""An OCI layout in a directory."""

from __future__ import annotations

import os
import stat

from firkin.images.archive import BrokenArchive, Region, missing, plain, whole
from firkin.oci.strict import MAX_BYTES


class DirectoryArchive:
    """An OCI layout (or an unpacked docker archive) in a directory; links are not followed out of it."""

    def __init__(self, path: str) -> None:
        self.title = path
        self._fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def _open(self, name: str) -> int:
        from firkin.linux.path import open_in_root

        fd = open_in_root(self._fd, plain(name), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise BrokenArchive(self.title, "not a regular file", name)
        return fd

    def has(self, name: str) -> bool:
        try:
            os.close(self._open(name))
        except OSError:
            return False
        return True

    def size(self, name: str) -> int:
        source = self.open(name)
        try:
            return source.length
        finally:
            source.close()

    def read(self, name: str, limit: int = MAX_BYTES) -> bytes:
        return whole(self, name, limit)

    def open(self, name: str) -> _WholeFile:
        try:
            fd = self._open(name)
        except OSError as error:
            if isinstance(error, FileNotFoundError) or error.errno in (2, 20):
                raise missing(self.title, name) from error
            raise
        try:
            return _WholeFile(fd, f"{self.title}/{name}")
        finally:
            os.close(fd)

    def stored(self, name: str) -> str | None:
        return None

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class _WholeFile(Region):
    def __init__(self, fd: int, title: str) -> None:
        self.length = os.fstat(fd).st_size
        super().__init__(fd, 0, self.length, title)
