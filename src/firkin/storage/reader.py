"""A tar stream -> entries and their data, in one pass, in bounded memory, believing nothing.

    reader = TarReader(stream)
    for entry in reader:
        reader.copy_to(fd)        or  reader.read(n)  or  nothing: the next step skips what is left

ustar, v7, GNU (long names, base-256, sparse) and PAX. Every refusal is an InvalidArgument or a ResourceExhausted that
names the entry. A PAX global header is passed over, as docker and containerd do.
"""

from __future__ import annotations

import os

from firkin.errors import InvalidArgument, ResourceExhausted
from firkin.storage import header, pax, sparse
from firkin.storage.header import BLOCK, ZERO, Entry, shown
from firkin.storage.limits import Limits as Limits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from firkin.storage.content import Readable

CHUNK = 1 << 18
_LARGEST = 1 << 62
_LATEST = (1 << 60) * 1_000_000_000  # well inside time_t; the file system clamps to what it can hold
_NO_ID = (1 << 32) - 1  # chown(2): "leave it"

# Types whose size field is no length of data (POSIX leaves it undefined; some writers give a hard link its file's).
_HEADER_ONLY = frozenset(b"123456")
_SPECIAL = frozenset(
    (
        header.PAX,
        header.PAX_SOLARIS,
        header.PAX_GLOBAL,
        header.GNU_LONGNAME,
        header.GNU_LONGLINK,
        header.GNU_VOLUME,
    )
)


class TarReader:
    """Iterates the entries of ``stream``; ``read``, ``copy_to`` give the data of the current one."""

    def __init__(self, stream: Readable, limits: Limits | None = None) -> None:
        self._stream = stream
        self.limits = limits or Limits()
        self._chunk = b""
        self._at = 0
        self._left = 0  # bytes of data (and, behind them, padding) of the current entry still to come
        self._padding = 0
        self._total = 0
        self.entries = 0
        self.name = b""
        self.ended = False  # the zero block that ends an archive has been seen

    def __iter__(self) -> Iterator[Entry]:
        while (entry := self.next()) is not None:
            yield entry

    def next(self) -> Entry | None:
        """Return the next entry, None at the end. Raises InvalidArgument, ResourceExhausted."""
        extended: list[tuple[bytes, bytes]] = []
        longname: bytes | None = None
        longlink: bytes | None = None
        while (block := self._header()) is not None:
            entry = header.parse(block)
            self._begin(entry)
            kind = entry.kind
            if kind not in _SPECIAL:
                if longname is not None:
                    entry.name = longname
                if longlink is not None:
                    entry.linkname = longlink
                self._complete(entry, block, extended)
                return entry
            data = self._extension(entry)
            if kind == header.GNU_LONGNAME:
                longname = data.partition(b"\0")[0]
            elif kind == header.GNU_LONGLINK:
                longlink = data.partition(b"\0")[0]
            elif kind in (header.PAX, header.PAX_SOLARIS):
                extended = pax.records(data, entry.name)
        if extended or longname is not None or longlink is not None:
            raise InvalidArgument("tar archive is truncated: an extended header without entry")
        return None

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes of the current entry's stored data, b"" at its end."""
        if not self._left:
            return b""
        if self._at >= len(self._chunk):
            self._fill()
        data = self._chunk[self._at : self._at + min(size, self._left)]
        self._at += len(data)
        self._left -= len(data)
        return data

    def copy_to(self, fd: int, size: int | None = None) -> None:
        """Write ``size`` bytes of stored data (all by default) to ``fd``."""
        left = self._left if size is None else min(size, self._left)
        self._left -= left
        while left:
            if self._at >= len(self._chunk):
                self._fill()
            end = min(self._at + left, len(self._chunk))
            if self._at == 0 and end == len(self._chunk):
                written = os.write(fd, self._chunk)
            else:
                written = os.write(fd, memoryview(self._chunk)[self._at : end])
            self._at += written
            left -= written

    def drain(self) -> None:
        """Read what follows the end of the archive (it belongs to the digest), and drop it."""
        self._at = len(self._chunk)
        while chunk := self._stream.read(CHUNK):
            self._count(len(chunk))

    def _header(self) -> bytes | None:
        if self._left or self._padding:
            self._skip(self._left + self._padding)
            self._left = self._padding = 0
        return self._block()

    def _begin(self, entry: Entry) -> None:
        self.name = entry.name
        self.entries += 1
        if self.entries > self.limits.entries:
            raise ResourceExhausted(
                f"tar entry {shown(entry.name)}: more than {self.limits.entries} entries",
                limit=self.limits.entries,
            )

    def _complete(self, entry: Entry, block: bytes, extended: list[tuple[bytes, bytes]]) -> None:
        if extended:
            pax.apply(entry, extended)
        if entry.kind in _HEADER_ONLY:
            entry.stored = 0
            if entry.size < 0:
                raise self._bad(entry, f"negative size {entry.size}")
        self.name = entry.name
        stored = entry.stored
        if not 0 <= stored <= _LARGEST:
            raise self._bad(entry, f"size {stored}")
        if entry.kind == header.GNU_SPARSE:
            sparse.old_gnu(entry, block, self._must_block)
            entry.kind = header.FILE
        elif extended and entry.kind == header.FILE:
            sparse.from_pax(entry, extended, self._must_block)
        if entry.sparse is not None:
            sparse.check(entry)
        if len(entry.name) > self.limits.name or len(entry.linkname) > self.limits.name:
            raise self._bad(entry, f"a name of more than {self.limits.name} bytes")
        if not (0 <= entry.uid < _NO_ID and 0 <= entry.gid < _NO_ID):
            raise self._bad(entry, f"owner {entry.uid}:{entry.gid}")
        if not -_LATEST < entry.mtime_ns < _LATEST:
            raise self._bad(entry, f"time {entry.mtime_ns // 1_000_000_000}")
        self._data_follows(entry, entry.stored)

    def _data_follows(self, entry: Entry, stored: int) -> None:
        if not 0 <= stored <= _LARGEST:
            raise self._bad(entry, f"size {stored}")
        self._left = stored
        self._padding = -stored % BLOCK

    def _extension(self, entry: Entry) -> bytes:
        if not 0 <= entry.size <= self.limits.extended_header:
            raise ResourceExhausted(
                f"tar entry {shown(entry.name)}: extended header of {entry.size} bytes,"
                f" at most {self.limits.extended_header} are allowed",
                limit=self.limits.extended_header,
            )
        data = self._exactly(entry.size)
        self._skip(-entry.size % BLOCK)
        return data

    def _block(self) -> bytes | None:
        """Return the next header block, None at the end (two zero blocks, or the end of the stream between entries)."""
        at = self._at
        block = self._chunk[at : at + BLOCK]
        if len(block) == BLOCK:
            self._at = at + BLOCK
        else:
            if not block and not self._more():
                return None
            block = self._exactly(BLOCK)
        if block == ZERO:
            second = self._exactly(BLOCK) if self._at < len(self._chunk) or self._more() else ZERO
            if second != ZERO:
                raise InvalidArgument(f"tar archive is damaged: a zero block behind entry {shown(self.name)}")
            self.ended = True
            return None
        return block

    def _must_block(self) -> bytes:
        return self._exactly(BLOCK)

    def _exactly(self, size: int) -> bytes:
        end = self._at + size
        if end <= len(self._chunk):
            data = self._chunk[self._at : end]
            self._at = end
            return data
        parts, missing = [], size
        while missing:
            if self._at >= len(self._chunk):
                self._fill()
            part = self._chunk[self._at : self._at + missing]
            self._at += len(part)
            missing -= len(part)
            parts.append(part)
        return b"".join(parts)

    def _skip(self, size: int) -> None:
        while size:
            if self._at >= len(self._chunk):
                self._fill()
            step = min(size, len(self._chunk) - self._at)
            self._at += step
            size -= step

    def _fill(self) -> None:
        if not self._more():
            raise InvalidArgument(
                f"tar archive is truncated in entry {shown(self.name)}",
                hint="get it again",
                entry=shown(self.name),
            )

    def _more(self) -> bool:
        self._chunk = self._stream.read(CHUNK)
        self._at = 0
        self._count(len(self._chunk))
        return bool(self._chunk)

    def _count(self, size: int) -> None:
        self._total += size
        if self._total > self.limits.size:
            raise ResourceExhausted(
                f"tar entry {shown(self.name)}: archive unpacks to more than {self.limits.size} bytes",
                limit=self.limits.size,
            )

    def _bad(self, entry: Entry, what: str) -> InvalidArgument:
        return InvalidArgument(
            f"tar entry {shown(entry.name)}: {what} is not possible", entry=shown(entry.name)
        )
