"""Scheduling, I/O priority, memory policy: sched_setattr(2), ioprio_set(2), set_mempolicy(2)."""

from __future__ import annotations

from _struct import pack

from firkin.linux import nr
from firkin.linux.libc import syscall

POLICIES = {
    "SCHED_OTHER": 0, "SCHED_FIFO": 1, "SCHED_RR": 2, "SCHED_BATCH": 3,
    "SCHED_ISO": 4, "SCHED_IDLE": 5, "SCHED_DEADLINE": 6,
}  # fmt: skip
POLICY_FLAGS = {
    "SCHED_FLAG_RESET_ON_FORK": 0x01, "SCHED_FLAG_RECLAIM": 0x02, "SCHED_FLAG_DL_OVERRUN": 0x04,
    "SCHED_FLAG_KEEP_POLICY": 0x08, "SCHED_FLAG_KEEP_PARAMS": 0x10, "SCHED_FLAG_UTIL_CLAMP_MIN": 0x20,
    "SCHED_FLAG_UTIL_CLAMP_MAX": 0x40,
}  # fmt: skip
IO_CLASSES = {"IOPRIO_CLASS_RT": 1, "IOPRIO_CLASS_BE": 2, "IOPRIO_CLASS_IDLE": 3}
MEMORY_MODES = {
    "MPOL_DEFAULT": 0, "MPOL_PREFERRED": 1, "MPOL_BIND": 2, "MPOL_INTERLEAVE": 3, "MPOL_LOCAL": 4,
    "MPOL_PREFERRED_MANY": 5, "MPOL_WEIGHTED_INTERLEAVE": 6,
}  # fmt: skip
MEMORY_FLAGS = {
    "MPOL_F_NUMA_BALANCING": 1 << 13,
    "MPOL_F_RELATIVE_NODES": 1 << 14,
    "MPOL_F_STATIC_NODES": 1 << 15,
}

_WHO_PROCESS = 1
_NODES = 1024


def set_scheduler(
    policy: int, flags: int, nice: int, priority: int, runtime: int, deadline: int, period: int
) -> None:
    """sched_setattr(2) on the caller; times in ns."""
    attributes = pack("IIQiIQQQ", 48, policy, flags, nice, priority, runtime, deadline, period)
    syscall("sched_setattr", nr.SCHED_SETATTR, 0, attributes, 0)


def set_io_priority(io_class: int, priority: int) -> None:
    """ioprio_set(2) on the caller."""
    syscall("ioprio_set", nr.IOPRIO_SET, _WHO_PROCESS, 0, io_class << 13 | priority)


def set_memory_policy(mode: int, nodes: frozenset[int]) -> None:
    """set_mempolicy(2); ``mode`` with its flags, ``nodes`` below 1024."""
    bits = sum(1 << node for node in nodes)
    words = bits.to_bytes(_NODES // 8, "little")
    syscall("set_mempolicy", nr.SET_MEMPOLICY, mode, words if nodes else None, _NODES + 1 if nodes else 0)
