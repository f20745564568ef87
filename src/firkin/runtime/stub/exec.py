"""The exec stub: the program between firkin and the container's, so that /proc/self/exe is never the interpreter.

os.execve(exec_fd(), exec_argv(path, args, status_fd), env) is execveat(fd, "", argv, envp, AT_EMPTY_PATH): no /proc
is needed. The status pipe's write end must be inheritable; its read end tells the outcome:

    end of file           the program runs (its execve closed the pipe)
    4 bytes               errno of its execve, native order (``read_status``); the exit code is 126 or 127;
                          with FILTER_REFUSED added when it was the seccomp program that the kernel did not take
"""

from __future__ import annotations

import os
import sys

from firkin.runtime.stub.sealed import Stub, argv

FILTER_REFUSED = 0x10000

_stub = Stub("exec")

exec_fd = _stub.fd
exec_argv = argv


def read_status(fd: int) -> int:
    """Block until the program runs (0) or could not be executed (errno); ``fd`` is the pipe's read end."""
    data = b""
    while len(data) < 4:
        more = os.read(fd, 4 - len(data))
        if not more:
            break
        data += more
    return int.from_bytes(data, sys.byteorder) if len(data) == 4 else 0
