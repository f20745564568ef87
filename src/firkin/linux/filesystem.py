"""What concerns a file system or an inode as such and ``os`` lacks: write-back, the flags of chattr(1)."""

from __future__ import annotations

import fcntl
import os

# linux/fs.h
_FS_IOC_GETFLAGS, _FS_IOC_SETFLAGS = 0x80086601, 0x40086602
_FS_IMMUTABLE_FL, _FS_APPEND_FL = 0x10, 0x20  # the two that forbid removal
_FS_TOPDIR_FL = 0x20000


def syncfs(fd: int) -> None:
    """Write back the whole file system of ``fd``."""
    from firkin.linux.libc import c_int, checked  # the rest of this module does without ctypes

    checked("syncfs", c_int)(fd)


def clear_attributes(fd: int) -> bool:
    """Take ``chattr +i`` and ``+a`` off; say whether anything was there to take."""
    return _change_flags(fd, 0, _FS_IMMUTABLE_FL | _FS_APPEND_FL)


def spread_subdirectories(path: str) -> bool:
    """``chattr +T``: tell ext4 that what is made in the directory belongs to different hierarchies.

    It then looks for the inodes of each new one in a block group with room of its own (Orlov allocator). Otherwise all
    land in the group of the last removed one, and ext4 walks over every inode deleted there in the last minutes
    (recently_deleted in fs/ext4/ialloc.c): creating a file then costs half a millisecond instead of ten microseconds.
    """
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return _change_flags(fd, _FS_TOPDIR_FL, 0)
    finally:
        os.close(fd)


def _change_flags(fd: int, add: int, take: int) -> bool:
    """Say whether anything changed; a file system without these flags changes nothing."""
    buffer = bytearray(8)
    try:
        fcntl.ioctl(fd, _FS_IOC_GETFLAGS, buffer)
        flags = int.from_bytes(buffer[:4], "little")
        wanted = (flags | add) & ~take
        if wanted != flags:
            fcntl.ioctl(fd, _FS_IOC_SETFLAGS, bytearray(wanted.to_bytes(8, "little")))
    except OSError:
        return False
    return wanted != flags
