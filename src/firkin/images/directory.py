"""A directory as a tar stream: the same tree gives the same bytes. For ``firkin import DIRECTORY``.

    ./                      the root's own mode, owner, time
    bin/ ... bin/sh         parents first, sorted by name; hard links to the first name of their file
    PAX records             long or large values, nanoseconds, xattrs (SCHILY.xattr.*), holes (GNU.sparse 1.0)

Mounts below the directory are empty directories here, sockets are left out, no link is followed.
"""

from __future__ import annotations

import os
from stat import S_IMODE, S_ISBLK, S_ISCHR, S_ISDIR, S_ISFIFO, S_ISLNK, S_ISREG, S_ISSOCK

from firkin.errors import InvalidArgument
from firkin.linux import path as at
from firkin.storage import tree
from firkin.storage.header import BLOCK, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from types import TracebackType

    Pax = list[tuple[bytes, bytes]]

_CHUNK = 1 << 18
_SMALL_ID = 0o7777777
_SMALL_SIZE = 0o77777777777
_LEFT_OUT = ("trusted.overlay.", "user.overlay.", "security.selinux")
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class DirectoryTar:
    """``with DirectoryTar(path) as stream: stream.read(n)``. ``leave_out`` are directories (firkin's own state)."""

    def __init__(self, path: str, leave_out: Sequence[str] = ()) -> None:
        self._root = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._leave_out = {_identity(os.stat(one)) for one in leave_out if os.path.isdir(one)}
        self._linked: dict[tuple[int, int], bytes] = {}
        self._chunks = self._archive()
        self._rest = b""

    def __enter__(self) -> DirectoryTar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._chunks.close()
        os.close(self._root)

    def read(self, size: int, /) -> bytes:
        """Return about ``size`` bytes (headers are gathered), b"" at the end. Raises OSError, InvalidArgument."""
        parts, length = [self._rest] if self._rest else [], len(self._rest)
        self._rest = b""
        while length < size:
            chunk = next(self._chunks, b"")
            if not chunk:
                break
            parts.append(chunk)
            length += len(chunk)
        return b"".join(parts)

    def _archive(self) -> Generator[bytes, None, None]:
        info = os.fstat(self._root)
        yield _header(b"./", info, b"5", pax=_xattrs(_proc(self._root), follow=True))
        for path, fd, entries in tree.walk(self._root):
            prefix = path + b"/" if path else b""
            entries[:] = [(name, child) for name, child in entries if _identity(child) not in self._leave_out]
            for name, child in entries:
                if not S_ISSOCK(child.st_mode):
                    yield from self._entry(prefix + name, name, fd, child)
        yield bytes(2 * BLOCK)

    def _entry(self, path: bytes, name: bytes, directory: int, info: os.stat_result) -> Iterator[bytes]:
        if name.startswith(b".wh."):
            raise InvalidArgument(
                f"{shown(path)}: a layer cannot hold names that begin with .wh. (they mean deletion)"
            )
        if not S_ISDIR(info.st_mode) and info.st_nlink > 1:
            first = self._linked.setdefault(_identity(info), path)
            if first != path:
                yield _header(path, info, b"1", link=first)
                return
        pax = _xattrs(f"/proc/self/fd/{directory}/{os.fsdecode(name)}", follow=False)
        if S_ISREG(info.st_mode):
            yield from _file(path, name, directory, pax)
        elif S_ISLNK(info.st_mode):
            target = os.readlink(name, dir_fd=directory)
            yield _header(path, info, b"2", link=os.fsencode(target), pax=pax)
        elif S_ISDIR(info.st_mode):
            yield _header(path + b"/", info, b"5", pax=pax)
        else:
            kind = {S_ISCHR: b"3", S_ISBLK: b"4", S_ISFIFO: b"6"}
            letter = next((letter for test, letter in kind.items() if test(info.st_mode)), b"")
            yield _header(path, info, letter, pax=pax)


def _identity(info: os.stat_result) -> tuple[int, int]:
    return info.st_dev, info.st_ino


def _proc(fd: int) -> str:
    return at.proc_fd(fd)


def _file(path: bytes, name: bytes, directory: int, pax: Pax) -> Iterator[bytes]:
    fd = os.open(name, _READ, dir_fd=directory)
    try:
        info = os.fstat(fd)
        if not S_ISREG(info.st_mode):
            raise InvalidArgument(f"{shown(path)} changed while it was read")
        extents = _extents(fd, info)
        if extents is None:
            yield _header(path, info, b"0", size=info.st_size, pax=pax)
            yield from _data(fd, 0, info.st_size)
            yield bytes(-info.st_size % BLOCK)
            return
        # GNU tar manual, "Storing Sparse Files", version 1.0: the map is the beginning of the data.
        numbers = [len(extents), *(value for extent in extents for value in extent)]
        text = b"".join(b"%d\n" % number for number in numbers)
        text += bytes(-len(text) % BLOCK)
        stored = len(text) + sum(length for _, length in extents)
        sparse = [(b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"), (b"GNU.sparse.name", path),
                  (b"GNU.sparse.realsize", b"%d" % info.st_size)]  # fmt: skip
        yield _header(path, info, b"0", size=stored, pax=[*pax, *sparse])
        yield text
        for start, length in extents:
            yield from _data(fd, start, length)
        yield bytes(-stored % BLOCK)
    finally:
        os.close(fd)


def _extents(fd: int, info: os.stat_result) -> list[tuple[int, int]] | None:
    """Return (offset, length) of the data of a file with holes, None for one without."""
    if info.st_blocks * 512 >= info.st_size:
        return None
    found: list[tuple[int, int]] = []
    position = 0
    while position < info.st_size:
        try:
            start = os.lseek(fd, position, os.SEEK_DATA)
        except OSError:
            break  # ENXIO: a hole up to the end
        position = min(os.lseek(fd, start, os.SEEK_HOLE), info.st_size)
        if position > start:
            found.append((start, position - start))
    return None if found == [(0, info.st_size)] else found


def _data(fd: int, start: int, length: int) -> Iterator[bytes]:
    """Yield exactly ``length`` bytes; zeros for what a file that shrinks has no more."""
    end = start + length
    while start < end:
        data = os.pread(fd, min(_CHUNK, end - start), start) or bytes(min(_CHUNK, end - start))
        start += len(data)
        yield data


def _xattrs(path: str, *, follow: bool) -> Pax:
    try:
        names = os.listxattr(path, follow_symlinks=follow)
    except OSError:
        return []
    return [
        (b"SCHILY.xattr." + os.fsencode(name), os.getxattr(path, name, follow_symlinks=follow))
        for name in sorted(names)
        if not name.startswith(_LEFT_OUT)
    ]


def _header(
    path: bytes,
    info: os.stat_result,
    kind: bytes,
    *,
    link: bytes = b"",
    size: int = 0,
    pax: Pax | None = None,
) -> bytes:
    """Return the header of one entry, with an extended one before it where ustar's fields do not suffice."""
    records = list(pax or ())
    seconds, nanoseconds = divmod(info.st_mtime_ns, 1_000_000_000)
    if nanoseconds or not 0 <= seconds <= _SMALL_SIZE:
        records.append((b"mtime", _decimal(info.st_mtime_ns)))
    for key, value, most in (
        (b"uid", info.st_uid, _SMALL_ID),
        (b"gid", info.st_gid, _SMALL_ID),
        (b"size", size, _SMALL_SIZE),
    ):
        if value > most:
            records.append((key, b"%d" % value))
    if len(path) > 100:
        records.append((b"path", path))
    if len(link) > 100:
        records.append((b"linkpath", link))
    device = (os.major(info.st_rdev), os.minor(info.st_rdev)) if kind in (b"3", b"4") else (0, 0)
    mode = S_IMODE(info.st_mode)
    block = _block(
        path, mode, (info.st_uid, info.st_gid), size, min(max(seconds, 0), _SMALL_SIZE), kind, link, device
    )
    if not records:
        return block
    body = b"".join(_record(key, value) for key, value in records)
    extended = _block(b"PaxHeaders/" + path[-80:], 0o644, (0, 0), len(body), 0, b"x", b"", (0, 0))
    return extended + body + bytes(-len(body) % BLOCK) + block


def _decimal(nanoseconds: int) -> bytes:
    """Return seconds with a fraction; Python's divmod would round a negative time the wrong way."""
    sign = "-" if nanoseconds < 0 else ""
    seconds, fraction = divmod(abs(nanoseconds), 1_000_000_000)
    return (f"{sign}{seconds}.{fraction:09d}".rstrip("0").rstrip(".")).encode()


def _record(key: bytes, value: bytes) -> bytes:
    body = b" " + key + b"=" + value + b"\n"
    length = len(body) + len(str(len(body)))
    if len(str(length)) + len(body) != length:
        length = len(body) + len(str(length))
    return b"%d" % length + body


def _block(
    path: bytes,
    mode: int,
    owner: tuple[int, int],
    size: int,
    mtime: int,
    kind: bytes,
    link: bytes,
    device: tuple[int, int],
) -> bytes:
    uid, gid = (number if number <= _SMALL_ID else 0 for number in owner)
    fields = (
        path[:100].ljust(100, b"\0"), b"%07o\0" % mode, b"%07o\0" % uid, b"%07o\0" % gid,
        b"%011o\0" % (size if size <= _SMALL_SIZE else 0), b"%011o\0" % mtime, b" " * 8, kind,
        link[:100].ljust(100, b"\0"), b"ustar\x0000", bytes(64), b"%07o\0" % device[0], b"%07o\0" % device[1],
        bytes(167),
    )  # fmt: skip
    block = b"".join(fields)
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]
