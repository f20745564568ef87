"""A program's 0, 1 and 2: pipes or a pty; our ends and theirs."""

from __future__ import annotations

import fcntl
import os

from firkin.engine.frames import STDERR, STDOUT
from firkin.linux import tty
from firkin.runtime.job import Stdio

_PIPE_SIZE = 256 << 10


class Streams:
    """Our ends. ``outputs`` maps a descriptor to its stream; ``spare`` is kept open until the program has ended."""

    def __init__(self) -> None:
        self.outputs: dict[int, int] = {}
        self.stdin = -1
        self.terminal = -1
        self.spare: list[int] = []


def open_stdio(streams: Streams, *, terminal: bool, stdin: bool) -> Stdio:
    """Make both ends. A terminal is made inside, by the runtime: see ``adopt_terminal``. Raises OSError."""
    if terminal:
        null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        return Stdio(stdin=null, stdout=null, stderr=null, terminal=None)
    out_read, out_write = _pipe()
    error_read, error_write = _pipe()
    streams.outputs = {out_read: STDOUT, error_read: STDERR}
    if stdin:
        stdin_read, streams.stdin = _pipe()
    else:
        stdin_read = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
    return Stdio(stdin=stdin_read, stdout=out_write, stderr=error_write, terminal=None)


def adopt_terminal(streams: Streams, master: int | None) -> None:
    """Take over the terminal that the runtime has made in the container."""
    if master is None:
        return
    streams.terminal = streams.stdin = master
    streams.outputs = {master: STDOUT}
    # A slave of our own: without it the master answers EIO whenever the program closes its last one.
    streams.spare.append(tty.open_peer(master))


def _pipe() -> tuple[int, int]:
    read, write = os.pipe2(os.O_CLOEXEC)
    try:
        fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
    except OSError:
        pass  # the user's share of pipe buffers is used up: the default will do
    return read, write


def close_theirs(stdio: Stdio) -> None:
    """Close the program's ends once it has its own copies."""
    for fd in {stdio.stdin, stdio.stdout, stdio.stderr}:
        os.close(fd)
