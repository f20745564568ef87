"""What concerns a file system or an inode as such and ``os`` lacks: write-back, chattr flags."""

from __future__ import annotations

import fcntl

from firkin.linux.libc import c_int, checked

# linux/fs.h (FS_IOC_*): the attributes that forbid removal
_FS_IOC_GETFLAGS, _FS_IOC_SETFLAGS = 0x80086601, 0x40086602
_FS_IMMUTABLE_FL, _FS_APPEND_FL = 0x10, 0x20

_syncfs = checked("syncfs", c_int)


def syncfs(fd: int) -> None:
    """Write back the whole file system of ``fd``."""
    _syncfs(fd)


def clear_attributes(fd: int) -> bool:
    """Take ``chattr +i`` and ``+a`` off; say whether anything was there to take."""
    buffer = bytearray(8)
    try:
        fcntl.ioctl(fd, _FS_IOC_GETFLAGS, buffer)
        flags = int.from_bytes(buffer[:4], "little")
        if not flags & (_FS_IMMUTABLE_FL | _FS_APPEND_FL):
            return False
        flags &= ~(_FS_IMMUTABLE_FL | _FS_APPEND_FL)
        fcntl.ioctl(fd, _FS_IOC_SETFLAGS, bytearray(flags.to_bytes(8, "little")))
    except OSError:
        return False
    return True
