"""Sparse files in tar: where the stored data belongs, in the four ways that GNU tar has written it. Pure.

    old GNU  type S; 4 pairs in the header at 386, then blocks of 21 while the byte behind them is set; size at 483
    PAX 0.0  GNU.sparse.size, and GNU.sparse.offset / GNU.sparse.numbytes again and again
    PAX 0.1  GNU.sparse.size, GNU.sparse.map = off,len,off,len
    PAX 1.0  GNU.sparse.major = 1, .name, .realsize; the map is decimal lines at the head of the data, padded to 512

GNU tar manual, "Storing Sparse Files". A map is a list of (offset, length), ascending, without overlap.
"""

from __future__ import annotations

from firkin.errors import InvalidArgument
from firkin.storage.header import BLOCK, Entry, number, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Map = list[tuple[int, int]]

MAP_LIMIT = 1 << 20  # bytes of map in the archive
_LARGEST = 1 << 62


def old_gnu(entry: Entry, block: bytes, take: Callable[[], bytes]) -> None:
    """Read the map of a type S header; ``take`` gives the next block."""
    pairs: Map = []
    _old_pairs(entry, block, 386, 4, pairs)
    entry.size = number(block[483:495], "real size", entry.name)
    more, read = block[482], 0
    while more:
        read += BLOCK
        if read > MAP_LIMIT:
            raise _bad(entry, f"more than {MAP_LIMIT} bytes")
        extension = take()
        _old_pairs(entry, extension, 0, 21, pairs)
        more = extension[504]
    entry.sparse = pairs


def _old_pairs(entry: Entry, block: bytes, start: int, count: int, pairs: Map) -> None:
    for at in range(start, start + 24 * count, 24):
        if not block[at] and not block[at + 12]:
            return
        offset = number(block[at : at + 12], "sparse offset", entry.name)
        pairs.append((offset, number(block[at + 12 : at + 24], "sparse length", entry.name)))


def from_pax(entry: Entry, records: list[tuple[bytes, bytes]], take: Callable[[], bytes]) -> None:
    """Read a PAX sparse file's map, if ``records`` speak of one; ``take`` gives the next block of its data."""
    fields, numbers = _fields(entry, records)
    if not fields:
        return
    entry.name = fields.get(b"name") or entry.name
    if b"\0" in entry.name:
        raise _bad(entry, "a name with a NUL in it")
    version = (fields.get(b"major", b"0"), fields.get(b"minor", b"0"))
    if version == (b"1", b"0"):
        numbers = _leading_map(entry, take)
        entry.size = _integer(entry, fields.get(b"realsize", b""))
    elif version[0] == b"0":
        if b"map" in fields:
            numbers = [_integer(entry, part) for part in fields[b"map"].split(b",")] if fields[b"map"] else []
        size = fields.get(b"size", fields.get(b"realsize"))
        if size is None and not numbers:
            return
        entry.size = _integer(entry, size or b"")
    else:
        raise _bad(entry, f"the unknown version {shown(version[0])}.{shown(version[1])}")
    if len(numbers) % 2:
        raise _bad(entry, "an offset without length")
    entry.sparse = list(zip(numbers[::2], numbers[1::2], strict=True))


def _fields(entry: Entry, records: list[tuple[bytes, bytes]]) -> tuple[dict[bytes, bytes], list[int]]:
    """Return what follows ``GNU.sparse.`` by name, and 0.0's list of offsets and lengths."""
    fields: dict[bytes, bytes] = {}
    numbers: list[int] = []
    for key, value in records:
        if key in (b"GNU.sparse.offset", b"GNU.sparse.numbytes"):
            # 0.0: each offset is followed by its length
            if (key == b"GNU.sparse.offset") != (len(numbers) % 2 == 0):
                raise _bad(entry, "offsets and lengths that do not alternate")
            numbers.append(_integer(entry, value))
        elif key.startswith(b"GNU.sparse."):
            fields[key[11:]] = value
    return fields, numbers


def _leading_map(entry: Entry, take: Callable[[], bytes]) -> list[int]:
    """Read the decimal lines at the head of the data; what they took is no longer part of the data."""
    numbers: list[int] = []
    rest, wanted, read = b"", 1, 0
    while len(numbers) < wanted:
        read += BLOCK
        if read > min(MAP_LIMIT, entry.stored):
            raise _bad(entry, f"more than {min(MAP_LIMIT, entry.stored)} bytes")
        *lines, rest = (rest + take()).split(b"\n")
        for line in lines:
            if len(numbers) < wanted:
                numbers.append(_integer(entry, line))
                wanted = 1 + 2 * numbers[0]
    entry.stored -= read
    return numbers[1:]


def check(entry: Entry) -> None:
    """Refuse a map that does not fit the file or the data."""
    pairs = entry.sparse or []
    position = total = 0
    for offset, length in pairs:
        if offset < position or length < 0:
            raise _bad(entry, "overlapping or unordered pieces")
        position = offset + length
        total += length
    if position > entry.size or not 0 <= entry.size <= _LARGEST:
        raise _bad(entry, "a piece behind the end of the file")
    if total != entry.stored:
        raise _bad(entry, f"{total} bytes of pieces but {entry.stored} of data")


def _integer(entry: Entry, value: bytes) -> int:
    if not value.isdigit() or len(value) > 19:
        raise _bad(entry, f"the number {shown(value)}")
    return int(value)


def _bad(entry: Entry, what: str) -> InvalidArgument:
    return InvalidArgument(f"tar entry {shown(entry.name)}: sparse map has {what}", entry=shown(entry.name))
