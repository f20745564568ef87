"""An archive's files by name, whatever it comes as; what the layouts (docker_archive.py, oci_layout.py) read.

    directory            DirectoryArchive   files are opened when asked for                  directory_archive.py
    plain tar file       TarFile            one pass over the headers, data read in place    tar_archive.py
    stdin, gzip, zstd    SpooledTar         one pass: large files go into the content store  tar_archive.py
                                            while they stream by (a docker archive's manifest
                                            comes last), small ones into memory

Bounds: 100,000 names, 32 MiB of small files in memory; metadata are read up to 8 MiB.
"""

from __future__ import annotations

import os

from firkin.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from firkin.oci.strict import MAX_BYTES
    from firkin.storage.content import Readable

    class Source(Readable, Protocol):
        """A file of an archive, read from its beginning; ``close`` when done."""

        def close(self) -> None: ...

    class Archive(Protocol):
        """Files by name. ``title`` is for messages."""

        title: str

        def has(self, name: str) -> bool: ...

        def size(self, name: str) -> int: ...

        def read(self, name: str, limit: int = MAX_BYTES) -> bytes: ...

        def open(self, name: str) -> Source: ...

        def stored(self, name: str) -> str | None: ...

        def close(self) -> None: ...


CHUNK = 1 << 18


class BrokenArchive(InvalidArgument):
    """Truncated, corrupt or not complete; ``fields['archive']`` and ``fields['file']``."""

    def __init__(self, archive: str, what: str, file: str = "", hint: str | None = None) -> None:
        where = f"{archive}: {file}: {what}" if file else f"{archive}: {what}"
        super().__init__(where, hint=hint, archive=archive, file=file)


class Region:
    """``size`` bytes of a file from ``offset``, by pread(2): any number may be read at once."""

    def __init__(self, fd: int, offset: int, size: int, title: str) -> None:
        self._fd = os.dup(fd)
        self._at = offset
        self._end = offset + size
        self._title = title

    def read(self, size: int, /) -> bytes:
        data = os.pread(self._fd, min(size, self._end - self._at), self._at)
        if not data and self._at < self._end:
            raise BrokenArchive(self._title, "truncated", hint="get it again")
        self._at += len(data)
        return data

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __del__(self) -> None:
        self.close()


def plain(name: str) -> str:
    """Return ``name`` without ``.``, ``..`` and doubled slashes; it is looked up here, never on a disk."""
    return os.path.normpath(f"/{name}").lstrip("/")


def missing(title: str, name: str) -> BrokenArchive:
    return BrokenArchive(title, "not in the archive", name, hint="get the archive again")


def whole(archive: Archive, name: str, limit: int) -> bytes:
    size = archive.size(name)
    if size > limit:
        raise BrokenArchive(archive.title, f"{size} bytes, at most {limit >> 20} MiB are allowed", name)
    source = archive.open(name)
    try:
        return b"".join(iter(lambda: source.read(CHUNK), b""))
    finally:
        source.close()
