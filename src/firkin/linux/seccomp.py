"""seccomp(2): install a filter, ask what the kernel knows. Flags and actions keep the kernel's names (seccomp.h)."""

from __future__ import annotations

import _struct

from firkin.errors import SyscallError
from firkin.linux import libc, nr

SET_MODE_FILTER = 1
GET_ACTION_AVAIL = 2

FILTER_FLAG_TSYNC = 1
FILTER_FLAG_LOG = 2
FILTER_FLAG_SPEC_ALLOW = 4
FILTER_FLAG_NEW_LISTENER = 8
FILTER_FLAG_TSYNC_ESRCH = 16
FILTER_FLAG_WAIT_KILLABLE_RECV = 32

RET_KILL_PROCESS = 0x80000000
RET_KILL_THREAD = 0x00000000
RET_TRAP = 0x00030000
RET_ERRNO = 0x00050000
RET_USER_NOTIF = 0x7FC00000
RET_TRACE = 0x7FF00000
RET_LOG = 0x7FFC0000
RET_ALLOW = 0x7FFF0000


def load(program: bytes, flags: int = 0) -> int:
    """Confine the calling thread by a BPF program (8 bytes an instruction); nothing is imported here.

    Needs CAP_SYS_ADMIN in its user namespace, or no_new_privs. Returns the listener's descriptor (close-on-exec)
    with FILTER_FLAG_NEW_LISTENER, else 0. Raises SyscallError; EINVAL is a wrong program or an unknown flag.
    """
    code = bytearray(program)
    filter_ = bytearray(_struct.pack("HxxxxxxQ", len(code) // 8, libc.address(code)))  # struct sock_fprog
    return libc.syscall("seccomp", nr.SECCOMP, SET_MODE_FILTER, flags, libc.buffer(filter_))


def action_available(action: int) -> bool:
    """Say whether the kernel knows the SECCOMP_RET_* ``action`` (Linux 4.14)."""
    try:
        libc.syscall("seccomp", nr.SECCOMP, GET_ACTION_AVAIL, 0, libc.buffer(_struct.pack("=I", action)))
    except SyscallError:
        return False
    return True


def flag_available(flag: int) -> bool:
    """Say whether the kernel knows a FILTER_FLAG_*: a known one with no program is EFAULT, an unknown one EINVAL."""
    from errno import EFAULT

    try:
        libc.syscall("seccomp", nr.SECCOMP, SET_MODE_FILTER, flag, None)
    except SyscallError as error:
        return error.errno == EFAULT
    return True
