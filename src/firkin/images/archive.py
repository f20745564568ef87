"""An archive's files by name, whatever it comes as; what the layouts (docker_archive.py, oci_layout.py) read.

    directory            DirectoryArchive   files are opened when asked for
    plain tar file       TarFile            one pass over the headers, the data are read in place, never copied
    stdin, gzip, zstd    SpooledTar         one pass: large files go into the content store while they stream by
                                            (a docker archive's manifest comes last), small ones into memory

Bounds: 100,000 names, 32 MiB of small files in memory; metadata are read up to 8 MiB.
"""

from __future__ import annotations

import os
import stat

from firkin.errors import InvalidArgument, NotFound
from firkin.oci.digest import PREFIX, is_digest
from firkin.oci.strict import MAX_BYTES
from firkin.storage import header
from firkin.storage.reader import Limits, TarReader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from firkin.storage.content import BlobStore, Readable

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


MAX_FILES = 100_000
IN_MEMORY = 1 << 20
ALL_IN_MEMORY = 32 << 20
_HOPS = 8
_CHUNK = 1 << 18


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


def plain(name: str) -> str:
    """Return ``name`` without ``.``, ``..`` and doubled slashes; it is looked up here, never on a disk."""
    return os.path.normpath(f"/{name}").lstrip("/")


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
            raise _missing(self.title, name) from None

    def has(self, name: str) -> bool:
        return self._names.real(plain(name)) in self._places

    def size(self, name: str) -> int:
        return self._place(name)[1]

    def read(self, name: str, limit: int = MAX_BYTES) -> bytes:
        return _whole(self, name, limit)

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
                    self._small[name] = b"".join(iter(lambda: reader.read(_CHUNK), b""))
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
        raise _missing(self.title, name)

    def read(self, name: str, limit: int = MAX_BYTES) -> bytes:
        return _whole(self, name, limit)

    def open(self, name: str) -> Source:
        import io

        real = self._names.real(plain(name))
        if real in self._small:
            return io.BytesIO(self._small[real])
        if real in self._large:
            return self._blobs.open(self._large[real])
        raise _missing(self.title, name)

    def stored(self, name: str) -> str | None:
        """Return the digest under which the file is in the content store already."""
        return self._large.get(self._names.real(plain(name)))

    def close(self) -> None:
        self._small.clear()


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
        return _whole(self, name, limit)

    def open(self, name: str) -> _WholeFile:
        try:
            fd = self._open(name)
        except OSError as error:
            if isinstance(error, FileNotFoundError) or error.errno in (2, 20):
                raise _missing(self.title, name) from error
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


def _missing(title: str, name: str) -> BrokenArchive:
    return BrokenArchive(title, "not in the archive", name, hint="get the archive again")


def _whole(archive: Archive, name: str, limit: int) -> bytes:
    size = archive.size(name)
    if size > limit:
        raise BrokenArchive(archive.title, f"{size} bytes, at most {limit >> 20} MiB are allowed", name)
    source = archive.open(name)
    try:
        return b"".join(iter(lambda: source.read(_CHUNK), b""))
    finally:
        source.close()


def open_archive(source: str | int | Readable, blobs: BlobStore, spooled: set[str]) -> Archive:
    """Open what ``firkin load`` was given: a path, a file descriptor (stdin) or a binary stream.

    Raises NotFound for no such file, BrokenArchive, InvalidArgument and ResourceExhausted from the streams below.
    """
    if isinstance(source, str):
        if os.path.isdir(source):
            return DirectoryArchive(source)
        try:
            fd = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise NotFound(f"cannot open {source}: {os.strerror(error.errno or 0)}", path=source) from error
        try:
            return _of_descriptor(fd, source, blobs, spooled)
        finally:
            os.close(fd)
    if isinstance(source, int):
        return _of_descriptor(source, "stdin" if source == 0 else f"file descriptor {source}", blobs, spooled)
    name = getattr(source, "name", "")
    title = "stdin" if name == "<stdin>" else name if isinstance(name, str) and name else "stream"
    try:
        # A buffered reader of a regular file may have read ahead; ``tell`` says where its user is.
        fd, start = source.fileno(), source.tell()  # type: ignore[attr-defined]
    except (AttributeError, OSError):
        return _of_stream(source, title, blobs, spooled)
    return _of_descriptor(fd, title, blobs, spooled, start)


def _of_descriptor(
    fd: int, title: str, blobs: BlobStore, spooled: set[str], start: int | None = None
) -> Archive:
    from firkin.storage.decompress import MAGIC_SIZE, detect

    status = os.fstat(fd)
    if stat.S_ISDIR(status.st_mode):
        return DirectoryArchive(f"/proc/self/fd/{fd}")
    if stat.S_ISREG(status.st_mode):
        if start is None:
            start = os.lseek(fd, 0, os.SEEK_CUR)
        if detect(os.pread(fd, MAGIC_SIZE, start)) == "none":
            return TarFile(fd, title, start)
        return _of_stream(Region(fd, start, status.st_size - start, title), title, blobs, spooled)
    return _of_stream(Descriptor(fd), title, blobs, spooled)


class Descriptor:
    """read(2) as a stream; the descriptor stays its owner's."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def read(self, size: int, /) -> bytes:
        return os.read(self._fd, size)


def _of_stream(stream: Readable, title: str, blobs: BlobStore, spooled: set[str]) -> Archive:
    from firkin.storage.decompress import detect, peek
    from firkin.storage.pump import Pump

    head, whole = peek(stream)
    limits = Limits()
    if detect(head) == "none":
        return SpooledTar(whole, title, blobs, spooled, limits)
    try:
        with Pump(whole) as pump:  # decompresses in a thread of its own
            return SpooledTar(pump, title, blobs, spooled, limits)
    except BrokenArchive:
        raise
    except InvalidArgument as error:
        raise BrokenArchive(title, error.message, hint=error.hint) from error
