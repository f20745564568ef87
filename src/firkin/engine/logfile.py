"""A container's log: its output as it came, in frames, one a read.

    ROOT/containers/ID/log      log.1 ... older files when --log-opt max-size and max-file are given

    frame   time in ns (8 bytes) | length (4) | stream (1) | b"fkl" | the bytes | size of the whole frame (4)

Nothing is parsed or escaped, so logging costs one writev per read however long the lines are, and binary output and
unfinished lines survive. The size at the end lets `logs -n 10` read a huge file backwards. A frame that a crash or a
full disk tore is cut off before the next one is written, and readers stop at it. What could not be written is
counted, and said in a frame of stream LOST before the next frame that can be.
"""

from __future__ import annotations

import _struct
import errno
import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

LOST = 0
_HEAD = _struct.Struct("<QIB3s")
_TAIL = _struct.Struct("<I")
_MAGIC = b"fkl"
OVERHEAD = _HEAD.size + _TAIL.size
LARGEST = 1 << 20  # no frame has more bytes; a reader takes a bigger one for damage


class Frame:
    """One read's worth of output."""

    __slots__ = ("data", "stream", "time_ns")

    def __init__(self, time_ns: int, stream: int, data: bytes) -> None:
        self.time_ns = time_ns
        self.stream = stream
        self.data = data


class LogWriter:
    """Appends frames. Never raises for a full disk: the container goes on, and the loss is counted."""

    def __init__(self, path: str, max_size: int = 0, max_files: int = 1, fd: int = -1) -> None:
        self.path = path
        self.max_size = max_size
        self.max_files = max_files
        self.lost = 0  # bytes since the last frame that could be written
        self._why = 0
        self.fd = fd
        if fd < 0:
            self._open()
            self._mend()
        self._size = os.fstat(self.fd).st_size

    def _open(self) -> None:
        self.fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def _mend(self) -> None:
        size = os.fstat(self.fd).st_size
        if size and not _ends_whole(self.fd, size):
            os.ftruncate(self.fd, _whole_length(self.fd, size))

    def write(self, stream: int, data: bytes) -> None:
        """Append ``data`` with the time of now."""
        now = time.time_ns()
        if self.lost and not self._append(now, LOST, f"{self.lost} {self._why}".encode()):
            self.lost += len(data)
            return
        if self._append(now, stream, data):
            self.lost = 0
        else:
            self.lost += len(data)
        if self.max_size and self._size >= self.max_size:
            self._rotate()

    def _append(self, now: int, stream: int, data: bytes) -> bool:
        total = OVERHEAD + len(data)
        parts = [_HEAD.pack(now, len(data), stream, _MAGIC), data, _TAIL.pack(total)]
        try:
            written = os.writev(self.fd, parts)
        except OSError as error:
            self._why = error.errno or errno.EIO
            written = 0
        if written == total:
            self._size += total
            return True
        if written:
            self._why = errno.ENOSPC
            try:
                os.ftruncate(self.fd, self._size)
            except OSError:
                self._size += written  # the reader will stop here: nothing better can be done
        return False

    def _rotate(self) -> None:
        try:
            for number in range(self.max_files - 1, 0, -1):
                older = self.path if number == 1 else f"{self.path}.{number - 1}"
                if os.path.exists(older):
                    os.rename(older, f"{self.path}.{number}")
            if self.max_files <= 1:
                os.ftruncate(self.fd, 0)
            else:
                os.close(self.fd)
                self._open()
            self._size = os.fstat(self.fd).st_size
        except OSError as error:
            self._why = error.errno or errno.EIO

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def read_forward(fd: int, start: int = 0) -> Iterator[tuple[int, Frame]]:
    """Yield (offset after it, frame) from ``start`` to the end of the file or to the first torn frame."""
    held = b""
    while True:
        data = os.pread(fd, 256 << 10, start + len(held))
        if not data:
            return
        held = held + data if held else data
        at, end = 0, len(held)
        while end - at >= OVERHEAD:
            time_ns, length, stream, magic = _HEAD.unpack_from(held, at)
            if magic != _MAGIC or length > LARGEST:
                return
            stop = at + OVERHEAD + length
            if stop > end:
                break
            body = at + _HEAD.size
            frame = Frame(time_ns, stream, held[body : body + length])
            at = stop
            yield start + at, frame
        held = held[at:]
        start += at


def read_backward(fd: int, end: int) -> Iterator[tuple[int, Frame]]:
    """Yield (offset of it, frame) from the frame that ends at ``end`` to the first."""
    window, base = b"", end
    while end >= OVERHEAD:  # less is a torn one
        if end - base < OVERHEAD:
            window, base = _widen(fd, window, base, end)
        (total,) = _TAIL.unpack_from(window, end - base - _TAIL.size)
        if not OVERHEAD <= total <= min(end, LARGEST + OVERHEAD):
            return
        while end - base < total:
            window, base = _widen(fd, window, base, end)
        at = end - total - base
        time_ns, length, stream, magic = _HEAD.unpack_from(window, at)
        if magic != _MAGIC or length + OVERHEAD != total:
            return
        body = at + _HEAD.size
        end -= total
        yield end, Frame(time_ns, stream, window[body : body + length])


def _widen(fd: int, window: bytes, base: int, end: int) -> tuple[bytes, int]:
    take = min(base, 256 << 10)
    return os.pread(fd, take, base - take) + window[: end - base], base - take


def _ends_whole(fd: int, size: int) -> bool:
    if size < OVERHEAD:
        return False
    for _ in read_backward(fd, size):
        return True
    return False


def _whole_length(fd: int, size: int) -> int:
    """Return the length of the part that is whole; ``size`` is not."""
    last = 0
    for offset, _ in read_forward(fd):
        last = offset
    return min(last, size)
