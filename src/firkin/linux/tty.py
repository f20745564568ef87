"""Pseudo terminals: pts(4), ioctl_tty(2), termios(3)."""

from __future__ import annotations

import fcntl
import os
from _struct import pack, unpack

from firkin.errors import PermissionDenied, SyscallError
from firkin.linux.path import DEVPTS_SUPER_MAGIC, RESOLVE_NO_SYMLINKS, filesystem_magic, open_in_root

_TIOCSCTTY = 0x540E
_TIOCGWINSZ, _TIOCSWINSZ = 0x5413, 0x5414
_TIOCSPTLCK = 0x40045431
_TIOCGPTPEER = 0x5441
_PTMX = os.makedev(5, 2)


def open_pair(root: int) -> tuple[int, int]:
    """Return (master, slave) of a new terminal of the devpts at ``root``/dev/pts.

    What stands there is checked (a container may have put anything), and the slave is asked of the master, never opened
    by name (CVE-2025-52565). Raises PermissionDenied when it is not devpts, SyscallError.
    """
    master = open_in_root(
        root, "dev/pts/ptmx", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC, resolve=RESOLVE_NO_SYMLINKS
    )
    try:
        if filesystem_magic(master) != DEVPTS_SUPER_MAGIC or os.fstat(master).st_rdev != _PTMX:
            raise PermissionDenied("/dev/pts/ptmx is not a terminal multiplexer on devpts")
        return master, open_peer(master)
    except BaseException:
        os.close(master)
        raise


def open_host_pair() -> tuple[int, int]:
    """Return (master, slave) of a new terminal of this process's own /dev/pts."""
    try:
        master = os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        raise SyscallError(error.errno or 0, "open", "/dev/ptmx") from None
    try:
        return master, open_peer(master)
    except BaseException:
        os.close(master)
        raise


def open_peer(master: int) -> int:
    """Return a new slave descriptor of the terminal ``master``, whatever its name may lead to by now."""
    fcntl.ioctl(master, _TIOCSPTLCK, bytes(4))
    return fcntl.ioctl(master, _TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)


def make_controlling(fd: int) -> None:
    """Make ``fd`` the controlling terminal of the calling session leader."""
    fcntl.ioctl(fd, _TIOCSCTTY, 0)


def set_size(fd: int, rows: int, columns: int) -> None:
    """Set the window size; the foreground group gets SIGWINCH."""
    fcntl.ioctl(fd, _TIOCSWINSZ, pack("4H", rows, columns, 0, 0))


def get_size(fd: int) -> tuple[int, int]:
    """Return (rows, columns)."""
    rows, columns, _, _ = unpack("4H", fcntl.ioctl(fd, _TIOCGWINSZ, bytes(8)))
    return rows, columns
