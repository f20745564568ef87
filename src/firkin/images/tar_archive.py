"""Archives that are tars: read in place, or while they stream by."""

from __future__ import annotations

import os

from firkin.errors import InvalidArgument
from firkin.images.archive import CHUNK, BrokenArchive, Region, missing, plain, whole
from firkin.oci.digest import PREFIX, is_digest
from firkin.oci.strict import MAX_BYTES
from firkin.storage import header
from firkin.storage.reader import Limits, TarReader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firkin.images.archive import Source
    from firkin.storage.content import BlobStore, Readable

MAX_FILES = 100_000
IN_MEMORY = 1 << 20
ALL_IN_MEMORY = 32 << 20
_HOPS = 8


class _Names:
    """Names as a tar writes them (``./a``, symbolic and hard links) -> the name that has the data."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.links: dict[str, str] = {}
        self.count = 0

    def add(self, entry: header.Entry) -> str:
        """Note the entry; return its plain name, "" for what is not a file."""
        self.count += 1
        if self.count > MAX_FILES:
            raise BrokenArchive(self.title, f"more than {MAX_FILES} files")
        name = plain(os.fsdecode(entry.name))
        self.links.pop(name, None)
        if entry.kind == header.SYMLINK:
            self.links[name] = plain(f"{os.path.dirname(name)}/{os.fsdecode(entry.linkname)}")
        elif entry.kind == header.LINK:
            self.links[name] = plain(os.fsdecode(entry.linkname))
        elif entry.kind == header.FILE:
            if entry.sparse is not None:
                raise BrokenArchive(self.title, "a sparse file", name)
            return name
        return ""

    def real(self, name: str) -> str:
        for _ in range(_HOPS):
            if name not in self.links:
                return name
            name = self.links[name]
        raise BrokenArchive(self.title, "too many links", name)


class TarFile:
    """A plain tar in a regular file, indexed once: only headers are read, data are skipped by their size."""

    def __init__(self, fd: int, title: str, start: int = 0) -> None:
        self.title = title
        self._fd = os.dup(fd)
        self._names = _Names(title)
        self._places: dict[str, tuple[int, int]] = {}
        try:
            self._index(start, os.fstat(fd).st_size)
        except BaseException:
            self.close()
            raise

    def _index(self, at: int, end: int) -> None:
        while True:
            window = _Window(self._fd, at)
            try:
                entry = TarReader(window).next()
            except InvalidArgument as error:
                raise BrokenArchive(self.title, error.message, hint=error.hint) from error
            if entry is None:
                return
            name = self._names.add(entry)
            if window.at + entry.stored > end:
                raise BrokenArchive(self.title, "truncated", name, hint="get it again")
            if name:
                self._places[name] = (window.at, entry.stored)
            at = window.at + entry.stored + -entry.stored % header.BLOCK

    def _place(self, name: str) -> tuple[int, int]:
        try:
            return self._places[self._names.real(plain(name))]
        except KeyError:
            raise missing(self.title, name) from None

    def has(self, name: str) -> bool:
        return self._names.real(plain(name)) in self._places

    def size(self, name: str) -> int:
        return self._place(name)[1]

    def read(self, name: str, limit: int = MAX_BYTES) -> bytes:
        return whole(self, name, limit)

    def open(self, name: str) -> Region:
        offset, size = self._place(name)
        return Region(self._fd, offset, size, f"{self.title}: {name}")

    def stored(self, name: str) -> str | None:
        return None

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class _Window:
    """Gives the reader one block at a time, so that after a header ``at`` is where its data begin."""

    def __init__(self, fd: int, at: int) -> None:
        self._fd = fd
        self.at = at

    def read(self, _size: int, /) -> bytes:
        data = os.pread(self._fd, header.BLOCK, self.at)
        self.at += len(data)
        return data


class SpooledTar:
    """A tar that streams by once. ``spooled`` are the digests that came into the store for it."""

    def __init__(
        self, stream: Readable, title: str, blobs: BlobStore, spooled: set[str], limits: Limits
    ) -> None:
        self.title = title
        self._blobs = blobs
        self._names = _Names(title)
        self._small: dict[str, bytes] = {}
        self._large: dict[str, str] = {}
        self._spooled = spooled
        reader = TarReader(stream, limits)
        kept = 0
        try:
            for entry in reader:
                name = self._names.add(entry)
                if not name:
                    continue
                self._small.pop(name, None)
                self._large.pop(name, None)
                if entry.stored <= IN_MEMORY and kept + entry.stored <= ALL_IN_MEMORY:
                    self._small[name] = b"".join(iter(lambda: reader.read(CHUNK), b""))
                    kept += entry.stored
                else:
                    self._large[name] = self._spool(name, reader)
        except BrokenArchive:
            raise
        except InvalidArgument as error:
            raise BrokenArchive(title, error.message, hint=error.hint) from error

    def _spool(self, name: str, reader: TarReader) -> str:
        expected = PREFIX + name.rpartition("/")[2]
        digest, _ = self._blobs.ingest(
            reader, expected if name.startswith("blobs/sha256/") and is_digest(expected) else None
        )
        self._spooled.add(digest)
        return digest

    def has(self, name: str) -> bool:
        real = self._names.real(plain(name))
        return real in self._small or real in self._large

    def size(self, name: str) -> int:
        real = self._names.real(plain(name))
        if real in self._small:
            return len(self._small[real])
        if real in self._large:
            return self._blobs.size(self._large[real])
        raise missing(self.title, name)

    def read(self, name: str, limit: int = MAX_BYTES) -> bytes:
        return whole(self, name, limit)

    def open(self, name: str) -> Source:
        import io

        real = self._names.real(plain(name))
        if real in self._small:
            return io.BytesIO(self._small[real])
        if real in self._large:
            return self._blobs.open(self._large[real])
        raise missing(self.title, name)

    def stored(self, name: str) -> str | None:
        """Return the digest under which the file is in the content store already."""
        return self._large.get(self._names.real(plain(name)))

    def close(self) -> None:
        self._small.clear()
