"""Netlink's framing: messages and attributes between bytes and values. Pure.

    nlmsghdr  | len u32 | type u16 | flags u16 | seq u32 | pid u32 |  body, padded to 4
    nlattr    | len u16 | type u16 |                                  payload, padded to 4

All integers are in the machine's order unless an attribute says big-endian. Sources: netlink(7),
include/uapi/linux/netlink.h, Documentation/userspace-api/netlink/intro.rst.

What comes from a socket is judged, never trusted: a length that is too short or runs past the end is Malformed.
"""

from __future__ import annotations

import _struct

from firkin.errors import Internal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

NLMSG_NOOP = 1
NLMSG_ERROR = 2
NLMSG_DONE = 3
NLMSG_OVERRUN = 4

NLM_F_REQUEST = 0x1
NLM_F_MULTI = 0x2
NLM_F_ACK = 0x4
NLM_F_DUMP_INTR = 0x10
NLM_F_DUMP = 0x300
NLM_F_REPLACE = 0x100
NLM_F_EXCL = 0x200
NLM_F_CREATE = 0x400
NLM_F_APPEND = 0x800
NLM_F_CAPPED = 0x100  # in an NLMSG_ERROR: the request's body was cut off
NLM_F_ACK_TLVS = 0x200  # in an NLMSG_ERROR: attributes follow

NLMSGERR_ATTR_MSG = 1
NLMSGERR_ATTR_OFFS = 2

NLA_F_NESTED = 0x8000
NLA_TYPE_MASK = 0x3FFF

_HEADER = _struct.Struct("=IHHII")
_ATTR = _struct.Struct("=HH")
_U32_ATTR = _struct.Struct("=HHI")
_BE32_ATTR = _struct.Struct(">I")
_ERRNO = _struct.Struct("=i")
_PAD = (b"", b"\0\0\0", b"\0\0", b"\0")
HEADER_SIZE = 16


class Malformed(Internal):
    """Bytes that no kernel would send."""


class Request:
    """One message to send: ``name`` and ``target`` are for the error (RTM_NEWLINK, fv3f9c...)."""

    __slots__ = ("body", "flags", "kind", "name", "target")

    def __init__(self, kind: int, flags: int, body: bytes, name: str, target: str | None = None) -> None:
        self.kind = kind
        self.flags = flags
        self.body = body
        self.name = name
        self.target = target

    def pack(self, seq: int, more_flags: int = 0) -> bytes:
        """Return the message with its header, padded."""
        flags = NLM_F_REQUEST | self.flags | more_flags
        size = HEADER_SIZE + len(self.body)
        return _HEADER.pack(size, self.kind, flags, seq, 0) + self.body + _PAD[size & 3]


class Message:
    """One message received."""

    __slots__ = ("body", "flags", "kind", "seq")

    def __init__(self, kind: int, flags: int, seq: int, body: bytes) -> None:
        self.kind = kind
        self.flags = flags
        self.seq = seq
        self.body = body


def messages(data: bytes) -> Iterator[Message]:
    """Yield the messages of one datagram. Raises Malformed."""
    offset, end = 0, len(data)
    while offset < end:
        if end - offset < HEADER_SIZE:
            raise Malformed(f"netlink datagram ends within a header ({end - offset} bytes)")
        size, kind, flags, seq, _pid = _HEADER.unpack_from(data, offset)
        if size < HEADER_SIZE or size > end - offset:
            raise Malformed(f"netlink message of {size} bytes where {end - offset} are left")
        yield Message(kind, flags, seq, data[offset + HEADER_SIZE : offset + size])
        offset += (size + 3) & ~3


def attributes(data: bytes, offset: int = 0) -> dict[int, bytes]:
    """Return the attributes from ``offset`` on, by type; the last of a type wins. Raises Malformed."""
    return dict(sequence(data, offset))


def sequence(data: bytes, offset: int = 0) -> Iterator[tuple[int, bytes]]:
    """Yield (type, payload) from ``offset`` on, in order. Raises Malformed."""
    end = len(data)
    if offset > end:
        raise Malformed(f"netlink body of {end} bytes is shorter than its fixed part of {offset}")
    while end - offset >= 4:
        size, kind = _ATTR.unpack_from(data, offset)
        if size < 4 or size > end - offset:
            raise Malformed(f"netlink attribute of {size} bytes where {end - offset} are left")
        yield kind & NLA_TYPE_MASK, data[offset + 4 : offset + size]
        offset += (size + 3) & ~3
    if end > offset:
        raise Malformed(f"{end - offset} stray bytes after the last netlink attribute")


def failure(message: Message) -> tuple[int, str]:
    """Return (errno, what the kernel adds) of an NLMSG_ERROR; errno 0 is an acknowledgement.

    NLMSG_DONE carries the same since Linux 4.20 when a dump fails. Raises Malformed.
    """
    body = message.body
    if len(body) < 4:
        if message.kind == NLMSG_DONE:
            return 0, ""
        raise Malformed(f"netlink error of {len(body)} bytes")
    (code,) = _ERRNO.unpack_from(body)
    if not message.flags & NLM_F_ACK_TLVS:
        return -code, ""
    offset = 4
    if message.kind == NLMSG_ERROR:
        if len(body) < 4 + HEADER_SIZE:
            raise Malformed(f"netlink error of {len(body)} bytes")
        # The request follows: its header alone when capped, else all of it.
        size = HEADER_SIZE if message.flags & NLM_F_CAPPED else u32_of(body[4:8])
        offset += (size + 3) & ~3
    return -code, text_of(attributes(body, offset).get(NLMSGERR_ATTR_MSG, b""))


def attr(kind: int, payload: bytes) -> bytes:
    """Return one attribute, padded."""
    size = 4 + len(payload)
    return _ATTR.pack(size, kind) + payload + _PAD[size & 3]


def nested(kind: int, *parts: bytes) -> bytes:
    """Return an attribute that holds attributes."""
    return attr(kind | NLA_F_NESTED, b"".join(parts))


def u8(kind: int, value: int) -> bytes:
    return attr(kind, bytes((value,)))


def u32(kind: int, value: int) -> bytes:
    return _U32_ATTR.pack(8, kind, value)


def be32(kind: int, value: int) -> bytes:
    """Return a big-endian u32, as all integers of nfnetlink are."""
    return _ATTR.pack(8, kind) + _BE32_ATTR.pack(value & 0xFFFFFFFF)


def text(kind: int, value: str) -> bytes:
    """Return a NUL-terminated string."""
    return attr(kind, value.encode() + b"\0")


def u32_of(payload: bytes) -> int:
    """Read a native u32. Raises Malformed."""
    return _exactly(payload, 4, "little")


def be32_of(payload: bytes) -> int:
    """Read a big-endian u32. Raises Malformed."""
    return _exactly(payload, 4, "big")


def text_of(payload: bytes) -> str:
    """Read a string up to its first NUL; bytes that are not UTF-8 are replaced."""
    return payload.split(b"\0", 1)[0].decode("utf-8", "replace")


def _exactly(payload: bytes, size: int, order: str) -> int:
    if len(payload) != size:
        raise Malformed(f"netlink integer of {len(payload)} bytes where {size} were expected")
    # The machines that linux/nr.py knows are little-endian.
    return int.from_bytes(payload, "big" if order == "big" else "little")
