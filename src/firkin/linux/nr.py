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
RENAMEAT2 = _number(316, 276)
SCHED_SETATTR = _number(314, 274)
IOPRIO_SET = _number(251, 30)
KEYCTL = _number(250, 219)
SET_MEMPOLICY = _number(238, 237)
PIVOT_ROOT = _number(155, 41)
RT_SIGACTION = _number(13, 134)
CAPGET = _number(125, 90)
CAPSET = _number(126, 91)
GETCWD = _number(79, 17)
PIDFD_SEND_SIGNAL = _number(424, 424)
OPEN_TREE = _number(428, 428)
MOVE_MOUNT = _number(429, 429)
FSOPEN = _number(430, 430)
FSCONFIG = _number(431, 431)
FSMOUNT = _number(432, 432)
CLONE3 = _number(435, 435)
CLOSE_RANGE = _number(436, 436)
OPENAT2 = _number(437, 437)
MOUNT_SETATTR = _number(442, 442)
