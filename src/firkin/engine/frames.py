"""The private protocol between a monitor and its clients, on a stream socket.

frame    kind (1 byte) | length (4 bytes, little endian) | payload

starter -> monitor   PLAN      JSON: what to start; once, then the starter is a client like any other
client  -> monitor   HELLO     JSON: {"streams": [...]}; first frame of a connection to attach.sock
                     STDIN     bytes for the container, STDIN_END, RESIZE (rows, columns)
monitor -> starter   MARKS     JSON: phases for --profile; then STARTED or FAILED, JSON
monitor -> client    STDOUT, STDERR   bytes of the container
                     EXIT      JSON: how it ended; end of file follows when all is cleaned up
                     LEFT      before that: the row is not settled, it is the heir's to do (engine/settle.inherit)
"""

from __future__ import annotations

import _struct

STDIN, STDOUT, STDERR, EXIT, STDIN_END, RESIZE, HELLO, PLAN, STARTED, FAILED, MARKS, LEFT = range(12)

_HEAD = _struct.Struct("<BI")
HEAD_SIZE = _HEAD.size
LARGEST = 16 << 20  # a plan with an 8 MiB image config fits


def head(kind: int, length: int) -> bytes:
    """Return the header of a frame."""
    return _HEAD.pack(kind, length)


def pack(kind: int, payload: bytes = b"") -> bytes:
    """Return a whole frame."""
    return _HEAD.pack(kind, len(payload)) + payload


def pack_json(kind: int, value: object) -> bytes:
    """Return a frame whose payload is JSON."""
    from firkin.wire import json

    return pack(kind, json.dumps(value).encode())


def pack_size(rows: int, columns: int) -> bytes:
    """Return a RESIZE frame."""
    return pack(RESIZE, _struct.pack("<HH", min(rows, 65535), min(columns, 65535)))


def unpack_size(payload: bytes) -> tuple[int, int]:
    """Return (rows, columns). Raises ValueError."""
    if len(payload) != 4:
        raise ValueError("a RESIZE frame has 4 bytes")
    rows, columns = _struct.unpack("<HH", payload)
    return rows, columns


class Unpacker:
    """Bytes in, frames out; holds at most one incomplete frame."""

    def __init__(self) -> None:
        self._held = b""

    def partial(self) -> bool:
        """Say whether the beginning of a frame is held."""
        return bool(self._held)

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """Return the frames that ``data`` completes. Raises ValueError for one that is too long."""
        if self._held:
            data = self._held + data
        found = []
        start, end = 0, len(data)
        while end - start >= HEAD_SIZE:
            kind, length = _HEAD.unpack_from(data, start)
            if length > LARGEST:
                raise ValueError(f"a frame of {length} bytes")
            stop = start + HEAD_SIZE + length
            if stop > end:
                break
            found.append((kind, data[start + HEAD_SIZE : stop]))
            start = stop
        self._held = data[start:]
        return found
