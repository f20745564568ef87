"""Whether a process that a row names is still the same one: (pid, start time) names it."""

from __future__ import annotations

import os


def _state(pid: int, start_time: int) -> bytes:
    """Return the process's state letter, b"" when it is another one or none. Costs 10 us."""
    if pid <= 0:
        return b""
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        line = os.read(fd, 4096)
    except OSError:  # ESRCH: it ended between the two calls
        return b""
    finally:
        os.close(fd)
    fields = line[line.rindex(b")") + 2 :].split(b" ", 20)
    return fields[0] if int(fields[19]) == start_time else b""


def start_time(pid: int) -> int:
    """Return when the process started, in clock ticks since boot. Raises OSError when it is gone."""
    with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
        line = file.read(4096)
    return int(line[line.rindex(b")") + 2 :].split(b" ", 20)[19])


def alive(pid: int, start_time: int) -> bool:
    """Say whether a process of ours (one thread: a monitor, an owner) still runs."""
    return _state(pid, start_time) not in (b"", b"Z", b"X")


def owner_alive(owner: str) -> bool:
    """Say whether the program that a row's owner (PID:START_TIME:NONCE) names still runs."""
    pid, _, rest = owner.partition(":")
    start = rest.partition(":")[0]
    return pid.isdigit() and start.isdigit() and alive(int(pid), int(start))


def running(pid: int, start_time: int) -> bool:
    """Say whether a container's program still runs. Its first thread may have ended before the others (state Z)."""
    state = _state(pid, start_time)
    if state != b"Z":
        return state not in (b"", b"X")
    import select

    try:
        fd = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        return not poll.poll(0)
    finally:
        os.close(fd)
