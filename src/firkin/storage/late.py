"""What directories get only when their content is complete: mtime and default ACL. A million of them stay small.

Up to a few thousand are kept in memory, more in a file of the layer's scratch directory. The last word on a path wins.
"""

from __future__ import annotations

import marshal
import os

from firkin.linux import path as at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    Late = tuple[bytes, int, bytes]

_IN_MEMORY = 8192
_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


class LateDirectories:
    """(path, mtime in ns, default ACL or b"") for each directory entry, in the archive's order."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._kept: list[Late] = []
        self._file: BinaryIO | None = None

    def add(self, path: bytes, mtime_ns: int, default_acl: bytes) -> None:
        self._kept.append((path, mtime_ns, default_acl))
        if len(self._kept) >= _IN_MEMORY:
            if self._file is None:
                self._file = open(f"{self._folder}/directories", "w+b")  # noqa: SIM115 - open until close()
            marshal.dump(self._kept, self._file)
            self._kept = []

    def apply(self, root: int) -> None:
        """Set them all below ``root``; a directory that was replaced meanwhile is passed over."""
        for path, mtime_ns, default_acl in self._all():
            try:
                fd = at.open_in_root(root, os.fsdecode(path), _OPEN)
            except OSError:
                continue
            try:
                if default_acl:
                    os.setxattr(fd, "system.posix_acl_default", default_acl)
                os.utime(fd, ns=(mtime_ns, mtime_ns))
            finally:
                os.close(fd)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _all(self) -> Iterator[Late]:
        if self._file is not None:
            self._file.seek(0)
            while True:
                try:
                    yield from marshal.load(self._file)  # noqa: S302 - written above, in a directory of ours alone
                except EOFError:
                    break
        yield from self._kept
