"""Capabilities: capabilities(7), capget(2), capset(2), and the PR_CAP* calls of prctl(2). Sets are bit masks."""

from __future__ import annotations

import errno
from _struct import pack

from firkin.errors import SyscallError
from firkin.linux import nr
from firkin.linux.libc import buffer, c_int, c_ulong, checked, syscall

NAMES = (
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
    "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
    "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
    "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
    "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
    "CHECKPOINT_RESTORE",
)  # fmt: skip
NUMBERS = {f"CAP_{name}": number for number, name in enumerate(NAMES)}

_PR_CAPBSET_READ, _PR_CAPBSET_DROP = 23, 24
_PR_CAP_AMBIENT, _RAISE, _CLEAR_ALL = 47, 2, 4
_VERSION_3 = 0x20080522
_prctl = checked("prctl", c_int, c_ulong, c_ulong, c_ulong, c_ulong)


def mask(names: object) -> tuple[int, list[str]]:
    """Return the bit mask of ``CAP_*`` names, and those that this table does not know."""
    bits, unknown = 0, []
    for name in names if isinstance(names, list | tuple) else ():
        number = NUMBERS.get(name)
        if number is None:
            unknown.append(name)
        else:
            bits |= 1 << number
    return bits, unknown


def names(bits: int) -> list[str]:
    """Return the ``CAP_*`` names of a bit mask; CAP_41 and so on for those younger than this table."""
    return [f"CAP_{NAMES[n] if n < len(NAMES) else n}" for n in range(bits.bit_length()) if bits >> n & 1]


def get(pid: int = 0) -> tuple[int, int, int]:
    """Return (effective, permitted, inheritable) of ``pid`` (0: the caller)."""
    data = bytearray(24)
    syscall("capget", nr.CAPGET, pack("Ii", _VERSION_3, pid), buffer(data))
    words = [int.from_bytes(data[at : at + 4], "little") for at in range(0, 24, 4)]
    return words[0] | words[3] << 32, words[1] | words[4] << 32, words[2] | words[5] << 32


def set_all(effective: int, permitted: int, inheritable: int) -> None:
    """Set the caller's three sets."""
    sets = (effective, permitted, inheritable)
    data = pack("6I", *(bits & 0xFFFFFFFF for bits in sets), *(bits >> 32 for bits in sets))
    syscall("capset", nr.CAPSET, pack("Ii", _VERSION_3, 0), data)


def last() -> int:
    """Return the kernel's highest capability number (/proc/sys/kernel/cap_last_cap)."""
    number = len(NAMES) - 1
    if in_bounding_set(number + 1) is not None:
        while in_bounding_set(number + 1) is not None:
            number += 1
    else:
        while in_bounding_set(number) is None:
            number -= 1
    return number


def in_bounding_set(number: int) -> bool | None:
    """Say whether the bounding set has capability ``number``; None when the kernel does not know it."""
    try:
        return _prctl(_PR_CAPBSET_READ, number, 0, 0, 0) == 1
    except SyscallError as error:
        if error.errno == errno.EINVAL:
            return None
        raise


def limit_bounding_set(keep: int) -> None:
    """Drop from the bounding set all that is not in ``keep`` (needs CAP_SETPCAP for what it drops)."""
    for number in range(64):
        if keep >> number & 1:
            continue
        try:
            _prctl(_PR_CAPBSET_DROP, number, 0, 0, 0)
        except SyscallError as error:
            if error.errno == errno.EINVAL:  # past the last one
                return
            if in_bounding_set(number):
                raise


def set_ambient(bits: int) -> int:
    """Make the ambient set ``bits``; return those that the kernel refused (not permitted or not inheritable)."""
    refused = 0
    _prctl(_PR_CAP_AMBIENT, _CLEAR_ALL, 0, 0, 0)
    for number in range(bits.bit_length()):
        if bits >> number & 1:
            try:
                _prctl(_PR_CAP_AMBIENT, _RAISE, number, 0, 0)
            except SyscallError:
                refused |= 1 << number
    return refused
