"""A directory tree -> a tar layer: the same tree always gives the same bytes.

Directories come before their content, names sorted; ustar where a field fits, a PAX header where it does not (long
names, ids above 2^21, nanoseconds, xattrs, 8 GiB). A second name of an inode becomes a hard link. No user names, no
sockets. Of an overlay's upper side the marks become a layer's own words:

    character device 0:0, xattr overlay.whiteout    ->  .wh.NAME, an empty file
    xattr overlay.opaque=y of a directory           ->  DIR/.wh..wh..opq, an empty file
    other overlay.* xattrs                          ->  nothing
"""

from __future__ import annotations

import os
from _stat import S_ISBLK, S_ISCHR, S_ISDIR, S_ISFIFO, S_ISLNK, S_ISREG

from firkin.errors import Conflict
from firkin.linux import path as at
from firkin.storage import tree
from firkin.storage.changes import is_deletion
from firkin.storage.header import BLOCK, BLOCKDEV, CHAR, DIRECTORY, FIFO, FILE, LINK, SYMLINK, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Writable(Protocol):
        """Where the archive goes."""

        def write(self, data: bytes, /) -> object: ...


_CHUNK = 1 << 18
_SECOND = 1_000_000_000
_OVERLAY = ("trusted.overlay.", "user.overlay.")
_OPAQUE = ("trusted.overlay.opaque", "user.overlay.opaque")
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class TreeWriter:
    """Writes trees to ``out``; ``mtime_ns`` caps all times (SOURCE_DATE_EPOCH), ``overlay`` translates its marks."""

    def __init__(self, out: Writable, *, overlay: bool = False, mtime_ns: int | None = None) -> None:
        self._write = out.write
        self._overlay = overlay
        self._cap = mtime_ns
        self._linked: dict[tuple[int, int], bytes] = {}

    def add_tree(self, root: int, name: bytes = b"./") -> None:
        """Write the directory ``root`` (a descriptor) and all below it; ``name`` is the directory's own in the archive.

        Raises Conflict when a file changes its size meanwhile, OSError.
        """
        prefix = b"" if name in (b".", b"./") else name.rstrip(b"/") + b"/"
        for path, fd, entries in tree.walk(root):
            where = prefix + path + b"/" if path else prefix or b"./"
            xattrs = _xattrs(fd)
            self._header(where, os.fstat(fd), DIRECTORY, xattrs=xattrs)
            inside = b"" if where == b"./" else where
            if self._overlay and any(key in xattrs for key in _OPAQUE):
                self._empty(inside + b".wh..wh..opq")
            for entry, info in entries:
                if not S_ISDIR(info.st_mode):
                    self._entry(fd, entry, inside, info)

    def finish(self) -> None:
        """Write the end of the archive."""
        self._write(bytes(2 * BLOCK))

    def _entry(self, directory: int, name: bytes, inside: bytes, info: os.stat_result) -> None:
        text, path = os.fsdecode(name), inside + name
        if self._overlay and is_deletion(info, directory, text):
            self._empty(inside + b".wh." + name)
            return
        first = self._linked.get((info.st_dev, info.st_ino))
        if first is not None:
            self._header(path, info, LINK, link=first)
            return
        if info.st_nlink > 1:
            self._linked[info.st_dev, info.st_ino] = path
        if S_ISREG(info.st_mode):
            self._file(directory, name, path)
            return
        xattrs = {k: at.get_xattr_at(directory, text, k) for k in at.list_xattrs_at(directory, text)}
        if S_ISLNK(info.st_mode):
            self._header(path, info, SYMLINK, link=os.readlink(name, dir_fd=directory), xattrs=xattrs)
            return
        for test, kind in ((S_ISCHR, CHAR), (S_ISBLK, BLOCKDEV), (S_ISFIFO, FIFO)):
            if test(info.st_mode):
                self._header(path, info, kind, xattrs=xattrs)

    def _file(self, directory: int, name: bytes, path: bytes) -> None:
        fd = os.open(name, _READ, dir_fd=directory)
        try:
            info = os.fstat(fd)
            self._header(path, info, FILE, size=info.st_size, xattrs=_xattrs(fd))
            left = info.st_size
            while left:
                data = os.read(fd, min(left, _CHUNK))
                if not data:
                    raise Conflict(
                        f"file {shown(path)} shrank while it was read", hint="stop what writes to it"
                    )
                self._write(data)
                left -= len(data)
            if info.st_size % BLOCK:
                self._write(bytes(-info.st_size % BLOCK))
        finally:
            os.close(fd)

    def _empty(self, path: bytes) -> None:
        mtime_ns = 0 if self._cap is None else min(0, self._cap)
        self._emit(path, FILE, 0o600, 0, 0, 0, mtime_ns, b"", 0, [])

    def _header(
        self,
        path: bytes,
        info: os.stat_result,
        kind: int,
        *,
        size: int = 0,
        link: bytes = b"",
        xattrs: dict[str, bytes] | None = None,
    ) -> None:
        mtime_ns = info.st_mtime_ns if self._cap is None else min(info.st_mtime_ns, self._cap)
        records = [
            (b"SCHILY.xattr." + os.fsencode(key), value)
            for key, value in sorted((xattrs or {}).items())
            if not (self._overlay and key.startswith(_OVERLAY))
        ]
        device = info.st_rdev if kind in (CHAR, BLOCKDEV) else 0
        self._emit(
            path, kind, info.st_mode & 0o7777, info.st_uid, info.st_gid, size, mtime_ns, link, device, records
        )  # fmt: skip

    def _emit(
        self,
        path: bytes,
        kind: int,
        mode: int,
        uid: int,
        gid: int,
        size: int,
        mtime_ns: int,
        link: bytes,
        device: int,
        records: list[tuple[bytes, bytes]],
    ) -> None:
        seconds, fraction = divmod(mtime_ns, _SECOND)
        if fraction or seconds < 0 or seconds >= 1 << 33:
            records.append((b"mtime", _decimal(mtime_ns)))
        records += [
            (key, b"%d" % value)
            for key, value, most in ((b"uid", uid, 1 << 21), (b"gid", gid, 1 << 21), (b"size", size, 1 << 33))
            if value >= most
        ]
        records += [(key, text) for key, text in ((b"path", path), (b"linkpath", link)) if len(text) > 100]
        if records:
            if not all(_is_utf8(value) for key, value in records if key in (b"path", b"linkpath")):
                records.insert(0, (b"hdrcharset", b"BINARY"))
            body = b"".join(_record(key, value) for key, value in records)
            self._write(
                _block(b"PaxHeaders/" + path[-80:].strip(b"/"), b"x"[0], 0o644, 0, 0, len(body), 0, b"", 0)
            )
            self._write(body + bytes(-len(body) % BLOCK))
        in_range = seconds if 0 <= seconds < 1 << 33 else 0
        self._write(
            _block(
                path[:100],
                kind,
                mode,
                uid % (1 << 21),
                gid % (1 << 21),
                size % (1 << 33),
                in_range,
                link[:100],
                device,
            )
        )


def _block(
    name: bytes, kind: int, mode: int, uid: int, gid: int, size: int, mtime: int, link: bytes, device: int
) -> bytes:
    major, minor = (os.major(device), os.minor(device)) if device else (0, 0)
    block = b"".join(
        (
            name[:100].ljust(100, b"\0"),
            b"%07o\0%07o\0%07o\0%011o\0%011o\0" % (mode, uid, gid, size, mtime),
            b" " * 8,
            bytes((kind,)),
            link.ljust(100, b"\0"),
            b"ustar\x0000".ljust(72, b"\0"),
            b"%07o\0%07o\0" % (major, minor),
            bytes(167),
        )
    )
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def _record(key: bytes, value: bytes) -> bytes:
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest) + len(str(len(rest)))
    length = len(rest) + len(str(length))
    return b"%d" % length + rest


def _decimal(nanoseconds: int) -> bytes:
    seconds, fraction = divmod(abs(nanoseconds), _SECOND)
    text = f"{seconds}.{fraction:09d}".rstrip("0").rstrip(".")
    return f"{'-' if nanoseconds < 0 else ''}{text}".encode()


def _xattrs(fd: int) -> dict[str, bytes]:
    return {key: os.getxattr(fd, key) for key in os.listxattr(fd)}


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
