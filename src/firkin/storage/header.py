"""One tar header block (512 bytes) -> Entry. Pure.

    offset 0 name 100 mode 108 uid 116 gid 124 size 136 mtime 148 checksum 156 type 157 linkname 257 magic
           265 uname 297 gname 329 major 337 minor 345 prefix (ustar) | atime ctime ... sparse map (old GNU, 386)

POSIX.1-2017 pax, "ustar Interchange Format"; GNU tar manual, "Basic Tar Format". Names are bytes throughout: a tar
has no encoding. Numbers are octal or, with the first bit set, base-256 (GNU).
"""

from __future__ import annotations

from zlib import adler32

from firkin.errors import InvalidArgument

BLOCK = 512
ZERO = bytes(BLOCK)

FILE, LINK, SYMLINK, CHAR, BLOCKDEV, DIRECTORY, FIFO = b"0123456"
CONTIGUOUS = b"7"[0]
GNU_SPARSE, GNU_LONGNAME, GNU_LONGLINK = b"SLK"
PAX, PAX_GLOBAL, PAX_SOLARIS = b"xgX"
GNU_DUMPDIR, GNU_MULTIVOLUME, GNU_VOLUME = b"DMV"

_ADLER = 65521


class Entry:
    """What an archive says about one name. ``size`` is the length of the file, ``stored`` that of its data here."""

    __slots__ = (
        "gid", "kind", "linkname", "major", "minor", "mode", "mtime_ns", "name", "size", "sparse", "stored", "uid",
        "xattrs",
    )  # fmt: skip

    name: bytes
    kind: int
    mode: int
    uid: int
    gid: int
    size: int
    stored: int
    mtime_ns: int
    linkname: bytes
    major: int
    minor: int
    sparse: list[tuple[int, int]] | None
    xattrs: dict[str, bytes] | None


def shown(name: bytes) -> str:
    """Return ``name`` as a message may show it: quoted, escaped, not endless."""
    text = repr(name if len(name) <= 200 else name[:200] + b"...")
    return text[1:]


def number(field: bytes, what: str, name: bytes) -> int:
    """Return an octal or base-256 number. Raises InvalidArgument naming the entry."""
    if field[0] & 0x80:
        bits = 8 * len(field) - 1
        value = int.from_bytes(field, "big") & ((1 << bits) - 1)
        return value - (1 << bits) if value >> (bits - 1) else value
    text = field.strip(b" \0")
    if not text:
        return 0
    if b"\0" in text:
        text = text[: text.index(b"\0")].rstrip(b" ")
    if text.isdigit():
        try:
            return int(text, 8)
        except ValueError:
            pass
    raise InvalidArgument(f"tar entry {shown(name)}: {what} {field!r} is not a number", entry=shown(name))


def checksum_is_right(block: bytes) -> bool:
    """Say whether the header's checksum is that of its bytes, summed unsigned (POSIX) or signed (old Suns)."""
    text = block[148:156].strip(b" \0").partition(b"\0")[0].rstrip(b" ")
    try:
        stored = int(text, 8)
    except ValueError:
        return False
    # adler32's low half is 1 + the sum of the bytes modulo 65521: C's speed. The field itself counts as spaces.
    if (adler32(block[156:], adler32(block[:148])) & 0xFFFF) - 1 == (stored - 256) % _ADLER:
        return sum(block[:148]) + 256 + sum(block[156:]) == stored if stored > _ADLER else True
    signed = sum(b - 256 if b > 127 else b for b in block[:148] + block[156:]) + 256
    return signed == stored


def cut(block: bytes, start: int, length: int) -> bytes:
    """Return the NUL-terminated text of a field."""
    end = block.find(0, start, start + length)
    return block[start : end if end >= 0 else start + length]


def parse(block: bytes) -> Entry:
    """Return the entry of a header block (not yet what PAX and GNU extensions add). Raises InvalidArgument."""
    entry = Entry()
    name = cut(block, 0, 100)
    if block[257:263] == b"ustar\0" and block[345]:
        # "star" keeps times in the last bytes of the prefix and says so at the end
        name = cut(block, 345, 131 if block[508:512] == b"tar\0" else 155) + b"/" + name
    entry.name = name
    if not checksum_is_right(block):
        raise InvalidArgument(
            f"tar entry {shown(name)}: header checksum is wrong",
            hint="the archive is damaged, or no tar archive",
            entry=shown(name),
        )
    kind = block[156]
    entry.mode = number(block[100:108], "mode", name)
    entry.uid = number(block[108:116], "uid", name)
    entry.gid = number(block[116:124], "gid", name)
    entry.size = entry.stored = number(block[124:136], "size", name)
    entry.mtime_ns = number(block[136:148], "mtime", name) * 1_000_000_000
    entry.linkname = cut(block, 157, 100) if block[157] else b""
    entry.major = entry.minor = 0
    entry.sparse = entry.xattrs = None
    if kind in (FILE, 0, CONTIGUOUS):
        # Before ustar there was no type for directories but the slash at the end of their name.
        kind = DIRECTORY if name[-1:] == b"/" and not entry.size else FILE
    elif kind in (CHAR, BLOCKDEV):
        entry.major = number(block[329:337], "major", name)
        entry.minor = number(block[337:345], "minor", name)
    entry.kind = kind
    return entry
