"""The loopback interface of the calling process's network namespace: netdevice(7)."""

from __future__ import annotations

import fcntl
from _struct import pack, unpack_from

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket as _socket
else:
    import _socket

_SIOCGIFFLAGS, _SIOCSIFFLAGS = 0x8913, 0x8914
_IFF_UP = 0x1


def bring_up() -> None:
    """Set ``lo`` up (its addresses come by themselves). Raises OSError."""
    sock = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC, 0)
    try:
        request = fcntl.ioctl(sock.fileno(), _SIOCGIFFLAGS, pack("16sH22x", b"lo", 0))
        flags = unpack_from("H", request, 16)[0]
        fcntl.ioctl(sock.fileno(), _SIOCSIFFLAGS, pack("16sH22x", b"lo", flags | _IFF_UP))
    finally:
        sock.close()
