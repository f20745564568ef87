"""System call numbers, per machine. A machine that is not in this table is refused, never guessed.

Only calls without a wrapper in every libc that we meet (glibc 2.31+, musl) are here; the others go by name through
``libc.checked``. Sources: arch/x86/entry/syscalls/syscall_64.tbl and scripts/syscall.tbl of Linux 6.18.
"""

from __future__ import annotations

import os
import sys

from firkin.errors import Unsupported

MACHINE = os.uname().machine
_COLUMNS = {"x86_64": 0, "aarch64": 1}


def column_of(machine: str, wide: bool) -> int:
    """Return the table's column for ``machine``; ``wide`` says that this process is 64-bit (not ILP32)."""
    if machine not in _COLUMNS or not wide:
        raise Unsupported(
            f"no system call numbers for machine {machine}{'' if wide else ' with 32-bit programs'}",
            hint="firkin runs on x86_64 and aarch64",
        )
    return _COLUMNS[machine]


_column = column_of(MACHINE, sys.maxsize > 2**32)


def _number(*by_machine: int) -> int:
    return by_machine[_column]


#                             x86_64 aarch64
BPF = _number(321, 280)
SECCOMP = _number(317, 277)
EXECVEAT = _number(322, 281)
MEMFD_CREATE = _number(319, 279)
GETRANDOM = _number(318, 278)
RENAMEAT2 = _number(316, 276)
SCHED_SETATTR = _number(314, 274)
SCHED_GETATTR = _number(315, 275)
IOPRIO_SET = _number(251, 30)
IOPRIO_GET = _number(252, 31)
KEYCTL = _number(250, 219)
SET_MEMPOLICY = _number(238, 237)
PIVOT_ROOT = _number(155, 41)
CAPGET = _number(125, 90)
CAPSET = _number(126, 91)
GETCWD = _number(79, 17)
KCMP = _number(312, 272)
STATX = _number(332, 291)
PIDFD_SEND_SIGNAL = _number(424, 424)
OPEN_TREE = _number(428, 428)
MOVE_MOUNT = _number(429, 429)
FSOPEN = _number(430, 430)
FSCONFIG = _number(431, 431)
FSMOUNT = _number(432, 432)
FSPICK = _number(433, 433)
PIDFD_OPEN = _number(434, 434)
CLONE3 = _number(435, 435)
CLOSE_RANGE = _number(436, 436)
OPENAT2 = _number(437, 437)
PIDFD_GETFD = _number(438, 438)
FACCESSAT2 = _number(439, 439)
MOUNT_SETATTR = _number(442, 442)
QUOTACTL_FD = _number(443, 443)
PROCESS_MRELEASE = _number(448, 448)
FCHMODAT2 = _number(452, 452)
STATMOUNT = _number(457, 457)
LISTMOUNT = _number(458, 458)
SETXATTRAT = _number(463, 463)
GETXATTRAT = _number(464, 464)
LISTXATTRAT = _number(465, 465)
REMOVEXATTRAT = _number(466, 466)
OPEN_TREE_ATTR = _number(467, 467)
