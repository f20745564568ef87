"""Tar archives made byte by byte: the honest, the broken and the hostile ones that no tar program writes."""

from __future__ import annotations

END = bytes(1024)


def octal(value: int, width: int) -> bytes:
    return f"{value:0{width - 1}o}".encode() + b"\0"


def base256(value: int, width: int) -> bytes:
    raw = (value & ((1 << (8 * width - 1)) - 1)).to_bytes(width, "big")
    return bytes([raw[0] | 0x80]) + raw[1:]


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


def signed(block: bytes) -> bytes:
    """Give a header its checksum."""
    block = block[:148] + b" " * 8 + block[156:]
    return block[:148] + f"{sum(block):06o}".encode() + b"\0 " + block[156:]


def member(
    name: bytes,
    data: bytes = b"",
    kind: bytes = b"0",
    *,
    mode: int = 0o644,
    uid: int = 0,
    gid: int = 0,
    mtime: int = 0,
    link: bytes = b"",
    size: int | None = None,
    size_field: bytes | None = None,
    uid_field: bytes | None = None,
    mtime_field: bytes | None = None,
    device: tuple[int, int] = (0, 0),
    magic: bytes = b"ustar\x0000",
    prefix: bytes = b"",
) -> bytes:
    length = len(data) if size is None else size
    block = b"".join(
        (
            name[:100].ljust(100, b"\0"),
            octal(mode, 8),
            uid_field or octal(uid, 8),
            octal(gid, 8),
            size_field or octal(length, 12),
            mtime_field or octal(mtime, 12),
            b" " * 8,
            kind,
            link[:100].ljust(100, b"\0"),
            magic,
            b"root".ljust(32, b"\0"),
            b"root".ljust(32, b"\0"),
            octal(device[0], 8),
            octal(device[1], 8),
            prefix.ljust(155, b"\0"),
            bytes(12),
        )
    )
    return signed(block) + padded(data)


def directory(name: bytes, mode: int = 0o755, **more: object) -> bytes:
    return member(name, kind=b"5", mode=mode, **more)  # type: ignore[arg-type]


def symlink(name: bytes, target: bytes) -> bytes:
    return member(name, kind=b"2", link=target, mode=0o777)


def hardlink(name: bytes, target: bytes) -> bytes:
    return member(name, kind=b"1", link=target)


def record(key: bytes, value: bytes) -> bytes:
    body = b" " + key + b"=" + value + b"\n"
    length = len(body)
    while len(str(length).encode()) + len(body) != length:
        length = len(str(length).encode()) + len(body)
    return str(length).encode() + body


def pax(*pairs: tuple[bytes, bytes], kind: bytes = b"x") -> bytes:
    return member(b"PaxHeaders/x", b"".join(record(k, v) for k, v in pairs), kind)


def long_name(name: bytes) -> bytes:
    return member(b"././@LongLink", name + b"\0", b"L", magic=b"ustar  \0")


def long_link(name: bytes) -> bytes:
    return member(b"././@LongLink", name + b"\0", b"K", magic=b"ustar  \0")


def archive(*members: bytes) -> bytes:
    return b"".join(members) + END


class Drip:
    """A stream that gives ``step`` bytes at a time."""

    def __init__(self, data: bytes, step: int) -> None:
        self.data, self.step, self.at = data, step, 0

    def read(self, size: int, /) -> bytes:
        piece = self.data[self.at : self.at + min(size, self.step)]
        self.at += len(piece)
        return piece
