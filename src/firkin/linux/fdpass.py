"""Descriptors over AF_UNIX sockets: SCM_RIGHTS, unix(7)."""

from __future__ import annotations

import os
from _struct import calcsize, pack, unpack

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket as _socket
else:
    import _socket


def pair() -> tuple[int, int]:
    """Return two connected sockets (close-on-exec) that keep message borders."""
    one, two = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC)
    return one.detach(), two.detach()


def send(sock: int, passed: int, message: bytes = b"\0") -> None:
    """Send descriptor ``passed`` with ``message`` (never empty) over the socket ``sock``."""
    end = _socket.socket(fileno=os.dup(sock))
    try:
        end.sendmsg([message], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, pack("i", passed))])
    finally:
        end.close()


def receive(sock: int, limit: int = 65536) -> tuple[bytes, int | None]:
    """Return the next message, empty when the other side has gone, and the descriptor that came with it."""
    end = _socket.socket(fileno=os.dup(sock))
    try:
        message, extra, _, _ = end.recvmsg(limit, _socket.CMSG_SPACE(calcsize("i")), _socket.MSG_CMSG_CLOEXEC)
    finally:
        end.close()
    for level, kind, data in extra:
        if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS:
            return message, unpack("i", data[: calcsize("i")])[0]
    return message, None
