"""Processes: clone3(2), pidfds, prctl(2), signals, descriptors and limits, as far as ``os`` lacks them."""

from __future__ import annotations

import errno
import gc
import os
from _struct import pack, unpack

from firkin.errors import SyscallError
from firkin.linux import nr
from firkin.linux.libc import (
    address,
    buffer,
    c_char_p,
    c_int,
    c_uint,
    c_ulong,
    c_void_p,
    checked,
    clone3_holding,
    syscall,
)  # fmt: skip

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
else:
    import _signal  # the module without the enums, 4 ms cheaper

CLONE_PIDFD = 0x1000
CLONE_PARENT = 0x8000
CLONE_INTO_CGROUP = 0x200000000

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
_PR_GET_DUMPABLE = 3
PR_SET_KEEPCAPS = 8
PR_SET_SECUREBITS = 28
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_SET_NAME = 15

CLOSE_RANGE_CLOEXEC = 4
_ALL_SIGNALS = frozenset(int(number) for number in _signal.valid_signals())
_LAST_FD = 0xFFFFFFFF

_prctl = checked("prctl", c_int, c_ulong, c_ulong, c_ulong, c_ulong)
_prctl_name = checked("prctl", c_int, c_char_p)
_prlimit = checked("prlimit", c_int, c_uint, c_void_p, c_void_p)
_personality = checked("personality", c_ulong)


def prctl(option: int, value: int = 0) -> int:
    """prctl(2) with one number."""
    return _prctl(option, value, 0, 0, 0)


def get_dumpable() -> int:
    """Return what ``prctl(PR_SET_DUMPABLE)`` puts back; 2 (root only) cannot be asked for, 0 is as strict."""
    return prctl(_PR_GET_DUMPABLE) & 1


def set_name(name: str) -> None:
    """Set the name that ps shows (15 bytes)."""
    _prctl_name(PR_SET_NAME, os.fsencode(name)[:15])


def set_subreaper() -> None:
    """Have orphans below this process handed to it, not to pid 1."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)


def set_parent_death_signal(number: int) -> None:
    """Have the kernel send ``number`` to this process when the thread that forked it ends."""
    prctl(PR_SET_PDEATHSIG, number)


def clone3(flags: int, cgroup: int = -1, *, parent: bool = False) -> tuple[int, int]:
    """Fork into the new namespaces of ``flags``; return (pid, pidfd) in the parent and (0, -1) in the child.

    The caller must have one thread. The child is a copy as after fork(2), except that no at-fork handlers have run; it
    must end with execve or ``os._exit``. Its signals are blocked: ``reset_signals`` before execve. With ``cgroup``
    (an open directory of cgroup v2) it is born in there; with ``parent`` it becomes a sibling, not a child.
    Garbage collection is off in it: nobody's finalizers run twice.
    """
    pidfd = bytearray(4)
    into = CLONE_INTO_CGROUP if cgroup >= 0 else 0
    sibling = CLONE_PARENT if parent else 0
    arguments = bytearray(
        pack(
            "11Q", flags | CLONE_PIDFD | into | sibling, address(pidfd), 0, 0, 0 if parent else _signal.SIGCHLD,
            0, 0, 0, 0, 0, cgroup if cgroup >= 0 else 0,
        )
    )  # fmt: skip
    before = _signal.pthread_sigmask(_signal.SIG_SETMASK, _ALL_SIGNALS)
    try:
        pid = clone3_holding(nr.CLONE3, arguments)
    except SyscallError:
        _signal.pthread_sigmask(_signal.SIG_SETMASK, before)
        raise
    if pid == 0:
        gc.disable()
        return 0, -1
    _signal.pthread_sigmask(_signal.SIG_SETMASK, before)
    return pid, unpack("i", pidfd)[0]


# The first real-time signals belong to libc, which refuses to touch them; a parent may have had them ignored.
_OF_LIBC = (32, 33)


def reset_signals() -> None:
    """Give every signal its default action and unblock all: what a program expects to be born with."""
    default, getsignal = _signal.SIG_DFL, _signal.getsignal
    for number in _ALL_SIGNALS:
        if getsignal(number) is not default and number not in (_signal.SIGKILL, _signal.SIGSTOP):
            _signal.signal(number, default)
    for number in _OF_LIBC:
        try:
            syscall("rt_sigaction", nr.RT_SIGACTION, number, bytes(32), None, 8)
        except SyscallError as error:
            if error.errno != errno.ENOSYS:
                raise
    _signal.pthread_sigmask(_signal.SIG_SETMASK, ())


def close_range(first: int, last: int = _LAST_FD, flags: int = 0) -> None:
    """Close, or mark close-on-exec, all descriptors from ``first`` to ``last``."""
    if first > last:
        return
    try:
        syscall("close_range", nr.CLOSE_RANGE, first, last, flags)
    except SyscallError as error:
        if error.errno != errno.ENOSYS and not (flags and error.errno == errno.EINVAL):
            raise
        _close_each(first, last, flags)


def _close_each(first: int, last: int, flags: int) -> None:
    # Linux before 5.9 (5.11 for CLOSE_RANGE_CLOEXEC)
    for name in os.listdir("/proc/self/fd"):
        if first <= int(name) <= last:
            try:
                if flags & CLOSE_RANGE_CLOEXEC:
                    os.set_inheritable(int(name), False)
                else:
                    os.close(int(name))
            except OSError:
                pass  # what listed the directory is closed by now


def pidfd_open(pid: int) -> int:
    """Return a pidfd (close-on-exec) of ``pid``."""
    try:
        return os.pidfd_open(pid)
    except OSError as error:
        raise SyscallError(error.errno or 0, "pidfd_open", f"/proc/{pid}") from None


def pidfd_send_signal(pidfd: int, number: int) -> bool:
    """Send a signal to ``pidfd``'s process; say whether it was still there."""
    try:
        syscall("pidfd_send_signal", nr.PIDFD_SEND_SIGNAL, pidfd, number, None, 0)
    except SyscallError as error:
        if error.errno == errno.ESRCH:
            return False
        raise
    return True


def wait_pidfd(pidfd: int) -> int:
    """Reap ``pidfd``'s process, a child of ours; return its exit code, 128+n when signal n ended it."""
    result = os.waitid(os.P_PIDFD, pidfd, os.WEXITED)
    if result is None:
        raise SyscallError(errno.ECHILD, "waitid")
    return result.si_status if result.si_code == os.CLD_EXITED else 128 + result.si_status


def start_time(pid: int) -> int:
    """Return when ``pid`` started, in clock ticks since boot; (pid, start time) names a process for good.

    Raises FileNotFoundError or ProcessLookupError when it is gone.
    """
    with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
        line = file.read(4096)
    return int(line[line.rindex(b")") + 2 :].split()[19])  # field 22; the name may hold anything, ")" too


def getcwd() -> str:
    """Return the kernel's own answer, which begins with ``(unreachable)`` outside the root (libc hides that)."""
    memory = bytearray(4096)
    length = syscall("getcwd", nr.GETCWD, buffer(memory), len(memory))
    return os.fsdecode(bytes(memory[: length - 1]))


def set_limit(pid: int, resource: int, soft: int, hard: int) -> None:
    """prlimit(2) on ``pid``; RLIM_INFINITY is 2**64-1."""
    limits = bytearray(pack("QQ", soft, hard))
    _prlimit(pid, resource, buffer(limits), None)


def set_personality(persona: int) -> None:
    """personality(2)."""
    _personality(persona)
