"""PAX extended headers: ``LENGTH KEY=VALUE\\n`` records that overrule the ustar header behind them. Pure.

POSIX.1-2017 pax, "pax Extended Header"; xattrs as star (SCHILY.xattr.NAME, raw) and libarchive (LIBARCHIVE.xattr.NAME,
name percent-encoded, value base64) write them; sparse maps as GNU tar does (see sparse.py). ``hdrcharset`` needs no
care here: names stay bytes. An empty value takes the record away.
"""

from __future__ import annotations

from firkin.errors import InvalidArgument
from firkin.storage.header import DIRECTORY, FILE, Entry, shown

_SCHILY, _LIBARCHIVE = b"SCHILY.xattr.", b"LIBARCHIVE.xattr."
_DIGITS = frozenset(b"0123456789")
XATTR_NAME_MAX, XATTR_SIZE_MAX = 255, 65536  # linux/limits.h


def records(data: bytes, name: bytes) -> list[tuple[bytes, bytes]]:
    """Return the (key, value) pairs in order. Raises InvalidArgument naming the entry."""
    found = []
    at, end = 0, len(data)
    while at < end:
        space = data.find(b" ", at, at + 12)
        digits = data[at:space] if space > 0 else b""
        if not digits.isdigit():
            if not data[at:].strip(b"\0"):
                break  # padding that some writers count in
            raise _bad(name, "a record without length")
        stop = at + int(digits)
        if stop <= space + 1 or stop > end or data[stop - 1] != 10:
            raise _bad(name, "a record of the wrong length")
        key, equals, value = data[space + 1 : stop - 1].partition(b"=")
        if not equals or not key:
            raise _bad(name, "a record without key")
        found.append((key, value))
        at = stop
    return found


def apply(entry: Entry, pairs: list[tuple[bytes, bytes]]) -> None:
    """Overrule ``entry``'s fields. Raises InvalidArgument naming the entry."""
    for key, value in pairs:
        field = _FIELDS.get(key)
        if field is not None:
            if value:
                field(entry, value)
        elif key.startswith((_SCHILY, _LIBARCHIVE)):
            _xattr(entry, key, value)


def _path(entry: Entry, value: bytes) -> None:
    if entry.kind == FILE and value[-1:] == b"/" and not entry.size:
        entry.kind = DIRECTORY
    entry.name = _text(value, entry, "path")


def _linkpath(entry: Entry, value: bytes) -> None:
    entry.linkname = _text(value, entry, "linkpath")


def _size(entry: Entry, value: bytes) -> None:
    entry.size = entry.stored = _integer(value, entry, "size")


def _uid(entry: Entry, value: bytes) -> None:
    entry.uid = _integer(value, entry, "uid")


def _gid(entry: Entry, value: bytes) -> None:
    entry.gid = _integer(value, entry, "gid")


def _mtime(entry: Entry, value: bytes) -> None:
    entry.mtime_ns = nanoseconds(value, entry.name)


_FIELDS = {
    b"path": _path,
    b"linkpath": _linkpath,
    b"size": _size,
    b"uid": _uid,
    b"gid": _gid,
    b"mtime": _mtime,
}


def _xattr(entry: Entry, key: bytes, value: bytes) -> None:
    if key.startswith(_SCHILY):
        name = key[len(_SCHILY) :]
    else:
        import base64
        from urllib.parse import unquote_to_bytes

        name = unquote_to_bytes(key[len(_LIBARCHIVE) :])
        try:
            value = base64.b64decode(value + b"=" * (-len(value) % 4), validate=True)
        except ValueError:
            raise _bad(entry.name, f"xattr {shown(name)} that is no base64") from None
    if not name or len(name) > XATTR_NAME_MAX or b"\0" in name or b"." not in name:
        raise _bad(entry.name, f"an xattr named {shown(name)}")
    if len(value) > XATTR_SIZE_MAX:
        raise _bad(entry.name, f"xattr {shown(name)} of {len(value)} bytes")
    if entry.xattrs is None:
        entry.xattrs = {}
    entry.xattrs[name.decode("utf-8", "surrogateescape")] = value


def nanoseconds(value: bytes, name: bytes) -> int:
    """Return ``[-]SECONDS[.FRACTION]`` in nanoseconds, digits beyond them dropped."""
    sign = -1 if value[:1] == b"-" else 1
    whole, _, fraction = value.lstrip(b"-").partition(b".")
    if not (whole or fraction) or not _DIGITS.issuperset(whole + fraction) or len(whole) > 18:
        raise _bad(name, f"time {shown(value)}")
    return sign * (int(whole or b"0") * 1_000_000_000 + int(fraction[:9].ljust(9, b"0")))


def _integer(value: bytes, entry: Entry, what: str) -> int:
    if not value.isdigit() or len(value) > 19:
        raise _bad(entry.name, f"{what} {shown(value)}")
    return int(value)


def _text(value: bytes, entry: Entry, what: str) -> bytes:
    if b"\0" in value:
        raise _bad(entry.name, f"a {what} with a NUL in it")
    return value


def _bad(name: bytes, what: str) -> InvalidArgument:
    return InvalidArgument(f"tar entry {shown(name)}: PAX header has {what}", entry=shown(name))
