"""Compressed streams -> plain chunks, one format after its magic number; bombs cost time, not memory.

gzip (several members, zero padding), zstd, xz, bzip2 or plain. The faster library is used where it is installed
(isal, zstandard); zstd falls back to the program of that name.
"""

from __future__ import annotations

from firkin.errors import InvalidArgument, Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from firkin.storage.content import Readable

CHUNK = 1 << 18
_FEED = 1 << 16
_ZSTD_WINDOW = 1 << 27  # what the zstd program allows by default
_XZ_MEMORY = 96 << 20  # xz -9 needs 65 MiB

_MAGIC = (
    (b"\x1f\x8b\x08", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\xfd7zXZ\0", "xz"),
    (b"BZh", "bzip2"),
)
MAGIC_SIZE = 6


def detect(head: bytes) -> str:
    """Return gzip, zstd, xz, bzip2 or none for a stream that begins with ``head`` (MAGIC_SIZE bytes or all)."""
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    # zstd:chunked and others begin with a skippable frame: 0x184D2A50 to 5F, little endian
    if len(head) >= 4 and head[1:4] == b"\x2a\x4d\x18" and head[0] & 0xF0 == 0x50:
        return "zstd"
    return "none"


class Resumed:
    """A stream whose first bytes were looked at already."""

    def __init__(self, head: bytes, stream: Readable) -> None:
        self._head = head
        self._stream = stream

    def read(self, size: int, /) -> bytes:
        if self._head:
            data, self._head = self._head[:size], self._head[size:]
            return data
        return self._stream.read(size)


def peek(stream: Readable, size: int = MAGIC_SIZE) -> tuple[bytes, Resumed]:
    """Return the first ``size`` bytes (fewer at the end) and the whole stream."""
    head = b""
    while len(head) < size:
        more = stream.read(size - len(head))
        if not more:
            break
        head += more
    return head, Resumed(head, stream)


def chunks(stream: Readable) -> Iterator[bytes]:
    """Yield the plain content of ``stream`` in pieces of at most CHUNK bytes.

    Raises InvalidArgument for damaged or truncated data, Unsupported where zstd has no reader here.
    """
    head, whole = peek(stream)
    kind = detect(head)
    if kind == "none":
        return iter(lambda: whole.read(CHUNK), b"")
    if kind == "gzip":
        return _gzip(whole)
    if kind == "zstd":
        return _zstd(whole)
    return _members(whole, kind)


def _gzip(stream: Readable) -> Iterator[bytes]:
    import zlib

    new: Callable[[int], Any] = zlib.decompressobj
    errors: tuple[Any, ...] = (zlib.error,)
    try:
        from isal import isal_zlib

        new, errors = isal_zlib.decompressobj, (zlib.error, isal_zlib.IsalError)
    except ImportError:
        pass
    data, member = stream.read(_FEED), 0
    try:
        while data:
            engine = new(31)
            while not engine.eof:
                data = data or stream.read(_FEED)
                ended = not data
                plain = engine.decompress(data, CHUNK)
                data = engine.unconsumed_tail
                if plain:
                    yield plain
                elif ended and not engine.eof:
                    raise _truncated("gzip")
            member += 1
            data = _next_member(engine.unused_data, stream)
            if data and not data.startswith(b"\x1f"):
                raise InvalidArgument("gzip stream has garbage behind its end")
    except errors as problem:
        raise InvalidArgument(f"gzip stream is damaged: {problem}", hint="get it again") from problem


def _members(stream: Readable, kind: str) -> Iterator[bytes]:
    new: Callable[[], Any]
    error: type[Exception]
    if kind == "xz":
        import lzma

        new, error = (lambda: lzma.LZMADecompressor(memlimit=_XZ_MEMORY)), lzma.LZMAError
    else:
        import bz2

        new, error = bz2.BZ2Decompressor, OSError
    data = stream.read(_FEED)
    while data:
        engine = new()
        while not engine.eof:
            if engine.needs_input and not data and not (data := stream.read(_FEED)):
                raise _truncated(kind)
            try:
                plain = engine.decompress(data, CHUNK)
            except (error, EOFError) as problem:
                raise InvalidArgument(
                    f"{kind} stream is damaged: {problem}", hint="get it again"
                ) from problem
            data = b""
            if plain:
                yield plain
        data = _next_member(engine.unused_data, stream)


def _next_member(rest: bytes, stream: Readable) -> bytes:
    """Return the data of the next member, past the zeros that tapes and some writers pad with; b"" at the end."""
    while True:
        rest = rest.lstrip(b"\0")
        if rest:
            return rest
        rest = stream.read(_FEED)
        if not rest:
            return b""


def _zstd(stream: Readable) -> Iterator[bytes]:
    try:
        import zstandard
    except ImportError:
        yield from _zstd_program(stream)
        return
    engine = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    try:
        reader = engine.stream_reader(
            stream,  # type: ignore[arg-type]  # read(n) is all it needs
            read_size=_FEED, read_across_frames=True, closefd=False,
        )  # fmt: skip
        while plain := reader.read(CHUNK):
            yield plain
    except zstandard.ZstdError as problem:
        raise InvalidArgument(f"zstd stream is damaged: {problem}", hint="get it again") from problem


def _zstd_program(stream: Readable) -> Iterator[bytes]:
    import subprocess
    import threading

    try:
        child = subprocess.Popen(["zstd", "-dcq"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE)  # fmt: skip
    except FileNotFoundError:
        raise Unsupported(
            "this archive is compressed with zstd, which nothing here can read",
            hint="apt-get install zstd, or pip install firkin[zstd]",
        ) from None
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stderr is not None
    stdin, stdout = child.stdin, child.stdout

    def feed() -> None:
        try:
            while data := stream.read(_FEED):
                stdin.write(data)
        except BrokenPipeError:
            pass
        finally:
            try:
                stdin.close()
            except BrokenPipeError:
                pass

    feeder = threading.Thread(target=feed, name="firkin-zstd", daemon=True)
    feeder.start()
    try:
        while plain := stdout.read1(CHUNK):  # type: ignore[attr-defined]  # Popen's pipe is buffered
            yield plain
        feeder.join()
        if child.wait():
            raise InvalidArgument(
                f"zstd stream is damaged: {child.stderr.read().decode(errors='replace').strip()}",
                hint="get it again",
            )
    finally:
        child.kill()
        child.wait()
        feeder.join(1)
        stdout.close()
        child.stderr.close()


def _truncated(kind: str) -> InvalidArgument:
    return InvalidArgument(f"{kind} stream is truncated", hint="get it again")
