"""inotify(7): be told of changes to a file without asking again and again."""

from __future__ import annotations

import os

from firkin.linux.libc import c_char_p, c_int, c_uint, checked

IN_MODIFY = 0x2
IN_CLOSE_WRITE = 0x8
IN_MOVE_SELF = 0x800
IN_DELETE_SELF = 0x400

_init = checked("inotify_init1", c_int)
_add = checked("inotify_add_watch", c_int, c_char_p, c_uint)


def watch(path: str, events: int) -> int:
    """Return a non-blocking descriptor that becomes readable at one of ``events`` on ``path``. Raises SyscallError."""
    fd = _init(os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        _add(fd, os.fsencode(path), events, path=path)
    except BaseException:
        os.close(fd)
        raise
    return fd


def forget(fd: int) -> None:
    """Take the events that have come so far, whatever they are."""
    try:
        while os.read(fd, 4096):
            pass
    except BlockingIOError:
        pass
