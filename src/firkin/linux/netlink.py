"""AF_NETLINK sockets: datagrams of bytes out and in. What the bytes mean is ``wire``'s to say.

The kernel works a request off inside sendto(2), so its answer is there when send returns: receiving never blocks, and
nothing there is None. A socket stays in the network namespace that it was made in, wherever its process goes.
"""

from __future__ import annotations

import _socket
import errno

from firkin.errors import SyscallError

NETLINK_ROUTE = 0
NETLINK_NETFILTER = 12

_AF_NETLINK = 16
_SOL_NETLINK = 270
_NETLINK_CAP_ACK = 10  # an error carries the request's header alone,
_NETLINK_EXT_ACK = 11  # and the reason in words
_SO_SNDBUFFORCE = 32
_MSG_TRUNC = 0x20
_MSG_DONTWAIT = 0x40
_BUFFER = 1 << 16  # the kernel never makes a datagram of a dump larger than 32 KiB
_SEND_DEFAULT = 1 << 16


class NetlinkSocket:
    """One socket of ``protocol``. All of it raises SyscallError."""

    def __init__(self, protocol: int) -> None:
        try:
            self._socket = _socket.socket(_AF_NETLINK, _socket.SOCK_RAW | _socket.SOCK_CLOEXEC, protocol)
            for option in (_NETLINK_EXT_ACK, _NETLINK_CAP_ACK):
                self._socket.setsockopt(_SOL_NETLINK, option, 1)
        except OSError as error:
            raise SyscallError(error.errno or 0, "socket(AF_NETLINK)") from error

    def close(self) -> None:
        self._socket.close()

    def abandon(self) -> None:
        """Forget the socket without closing it: after a fork its number may be another file's already."""
        self._socket.detach()

    def send(self, data: bytes, name: str, target: str | None = None) -> None:
        """Send one datagram; ``name`` and ``target`` are for the error."""
        try:
            if len(data) > _SEND_DEFAULT:
                # A batch is one datagram, so it must fit whole; SO_SNDBUFFORCE is not bound by wmem_max.
                self._socket.setsockopt(_socket.SOL_SOCKET, _SO_SNDBUFFORCE, 2 * len(data))
            self._socket.send(data)
        except OSError as error:
            raise SyscallError(error.errno or 0, f"send {name}", target) from error

    def receive(self, name: str, target: str | None = None) -> bytes | None:
        """Return the next datagram, or None when there is none."""
        try:
            data, _, flags, _ = self._socket.recvmsg(_BUFFER, 0, _MSG_DONTWAIT)
        except BlockingIOError:
            return None
        except OSError as error:
            raise SyscallError(error.errno or 0, f"recv {name}", target) from error
        if flags & _MSG_TRUNC:
            raise SyscallError(errno.EMSGSIZE, f"recv {name}", target)
        return data
