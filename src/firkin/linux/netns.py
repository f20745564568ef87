"""Network namespaces without a name: made from inside, kept as a file descriptor.

unshare(2) moves the caller, so the caller must have a single thread (a monitor), and it comes back at once:

    open /proc/thread-self/ns/net -> home    unshare(CLONE_NEWNET)    do things there    open -> fd    setns(home)
"""

from __future__ import annotations

import os

from firkin.linux.libc import c_int, checked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

CLONE_NEWNET = 0x40000000
_SELF = "/proc/thread-self/ns/net"

_unshare = checked("unshare", c_int)
_setns = checked("setns", c_int, c_int)


def make(within: Callable[[], object]) -> int:
    """Return the fd of a new network namespace in which ``within`` was called. Raises SyscallError, OSError.

    The caller is back in its own namespace, whatever ``within`` raised.
    """
    home = os.open(_SELF, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _unshare(CLONE_NEWNET)
        try:
            fresh = os.open(_SELF, os.O_RDONLY | os.O_CLOEXEC)
            try:
                within()
            except BaseException:
                os.close(fresh)
                raise
        finally:
            _setns(home, CLONE_NEWNET)
        return fresh
    finally:
        os.close(home)


def visit(fd: int, within: Callable[[], object]) -> None:
    """Call ``within`` in the network namespace ``fd`` and come back. Raises SyscallError, OSError."""
    home = os.open(_SELF, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _setns(fd, CLONE_NEWNET)
        try:
            within()
        finally:
            _setns(home, CLONE_NEWNET)
    finally:
        os.close(home)
