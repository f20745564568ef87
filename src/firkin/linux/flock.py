"""Open-file-description locks (fcntl(2), "Open file description locks").

Unlike POSIX locks they belong to the open file, not to the process: they are not lost when some other part of
the process closes the same file, they work between threads, and the kernel releases them at the death of the
last process that holds the file open.
"""

from __future__ import annotations

import _struct
import errno
import fcntl

_F_OFD_GETLK, _F_OFD_SETLK, _F_OFD_SETLKW = 36, 37, 38  # include/uapi/asm-generic/fcntl.h
_FLOCK = "hhqqi4x"  # struct flock of 64-bit machines: l_type, l_whence, l_start, l_len, l_pid
_EXCLUSIVE = _struct.pack(_FLOCK, fcntl.F_WRLCK, 0, 0, 0, 0)
_NONE = _struct.pack(_FLOCK, fcntl.F_UNLCK, 0, 0, 0, 0)


def acquire(fd: int, *, wait: bool = True) -> bool:
    """Lock the whole file exclusively; without ``wait`` return False when somebody else holds it.

    ``fd`` must be open for writing. Raises OSError.
    """
    try:
        fcntl.fcntl(fd, _F_OFD_SETLKW if wait else _F_OFD_SETLK, _EXCLUSIVE)
    except OSError as error:
        if not wait and error.errno in (errno.EAGAIN, errno.EACCES):
            return False
        raise
    return True


def held(fd: int) -> bool:
    """Say whether some other open file description holds a lock on the file of ``fd``."""
    answer = fcntl.fcntl(fd, _F_OFD_GETLK, _EXCLUSIVE)
    return bool(_struct.unpack(_FLOCK, answer)[0] != fcntl.F_UNLCK)


def release(fd: int) -> None:
    """Unlock the file."""
    fcntl.fcntl(fd, _F_OFD_SETLK, _NONE)
