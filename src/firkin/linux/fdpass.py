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


def send(sock: int, passed: int) -> None:
    """Send descriptor ``passed`` over the socket ``sock``."""
    end = _socket.socket(fileno=os.dup(sock))
    try:
        end.sendmsg([b"\0"], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, pack("i", passed))])
    finally:
        end.close()


def receive(sock: int) -> int | None:
    """Return the descriptor (close-on-exec) that ``send`` sent; None when the other side has gone."""
    end = _socket.socket(fileno=os.dup(sock))
    try:
        _, extra, _, _ = end.recvmsg(1, _socket.CMSG_SPACE(calcsize("i")), _socket.MSG_CMSG_CLOEXEC)
    finally:
        end.close()
    for level, kind, data in extra:
        if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS:
            fd: int = unpack("i", data[: calcsize("i")])[0]
            return fd
    return None
