"""Which kind of archive a source is."""

from __future__ import annotations

import os
import stat

from firkin.errors import InvalidArgument, NotFound
from firkin.images.archive import BrokenArchive, Region
from firkin.images.directory_archive import DirectoryArchive
from firkin.images.tar_archive import SpooledTar, TarFile
from firkin.storage.reader import Limits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firkin.images.archive import Archive
    from firkin.storage.content import BlobStore, Readable


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
            raise NotFound(
                f"cannot open {source}: {os.strerror(error.errno or 0)}", hint="check the path", path=source
            ) from error
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
        fd, start = source.fileno(), source.tell()  # type: ignore[attr-defined]  # a Readable may have no descriptor: that is what the except is for
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
