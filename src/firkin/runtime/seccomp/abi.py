"""The ABIs through which a process can call the kernel: audit number, width of arguments, names of calls.

machine   SCMP_ARCH_X86_64   SCMP_ARCH_X86   SCMP_ARCH_X32                  SCMP_ARCH_AARCH64   SCMP_ARCH_ARM
audit     C000003E           40000003        C000003E, numbers | 40000000   C00000B7            40000028
"""

from __future__ import annotations

from firkin.errors import InvalidArgument, Unsupported
from firkin.record import Record

X32_BIT = 0x40000000


class Abi(Record):
    """``multiplexed`` maps a call to (multiplexer, value of its first argument): i386's socketcall(2) and ipc(2).

    From ``base + apart`` on there is a second row of numbers, which new calls of the first row never reach.
    """

    name: str
    audit: int
    wide: bool
    base: int = 0
    apart: int = 1 << 30
    multiplexed: dict[str, tuple[str, int]] = {}


# include/uapi/linux/net.h SYS_*, include/uapi/linux/ipc.h
_SOCKETCALL = (
    "socket", "bind", "connect", "listen", "accept", "getsockname", "getpeername", "socketpair", "send", "recv",
    "sendto", "recvfrom", "shutdown", "setsockopt", "getsockopt", "sendmsg", "recvmsg", "accept4", "recvmmsg",
    "sendmmsg",
)  # fmt: skip
_IPC = {
    "semop": 1, "semget": 2, "semctl": 3, "semtimedop": 4, "msgsnd": 11, "msgrcv": 12, "msgget": 13, "msgctl": 14,
    "shmat": 21, "shmdt": 22, "shmget": 23, "shmctl": 24,
}  # fmt: skip
_MULTIPLEXED = {
    **{name: ("socketcall", i) for i, name in enumerate(_SOCKETCALL, 1)},
    **{name: ("ipc", i) for name, i in _IPC.items()},
}

ABIS = {
    "SCMP_ARCH_X86_64": Abi(name="x86_64", audit=0xC000003E, wide=True),
    "SCMP_ARCH_X86": Abi(name="i386", audit=0x40000003, wide=False, multiplexed=_MULTIPLEXED),
    "SCMP_ARCH_X32": Abi(name="x32", audit=0xC000003E, wide=False, base=X32_BIT, apart=512),
    "SCMP_ARCH_AARCH64": Abi(name="aarch64", audit=0xC00000B7, wide=True),
    "SCMP_ARCH_ARM": Abi(name="arm", audit=0x40000028, wide=False, apart=0xF0000),
}
# Of every machine the spec names; those that this machine's programs cannot use are left out of the filter.
_FOREIGN = frozenset((
    "SCMP_ARCH_MIPS", "SCMP_ARCH_MIPS64", "SCMP_ARCH_MIPS64N32", "SCMP_ARCH_MIPSEL", "SCMP_ARCH_MIPSEL64",
    "SCMP_ARCH_MIPSEL64N32", "SCMP_ARCH_PPC", "SCMP_ARCH_PPC64", "SCMP_ARCH_PPC64LE", "SCMP_ARCH_S390",
    "SCMP_ARCH_S390X", "SCMP_ARCH_PARISC", "SCMP_ARCH_PARISC64", "SCMP_ARCH_RISCV64", "SCMP_ARCH_LOONGARCH64",
    "SCMP_ARCH_M68K", "SCMP_ARCH_SH", "SCMP_ARCH_SHEB",
))  # fmt: skip
NATIVE = {
    "x86_64": ("SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"),
    "aarch64": ("SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"),
}


def chosen(architectures: tuple[str, ...], machine: str) -> list[Abi]:
    """Return the ABIs that the filter must know: the machine's own always, the others as the profile lists them."""
    if machine not in NATIVE:
        raise Unsupported(f"no seccomp tables for {machine}", hint="use --security-opt seccomp=unconfined")
    native = NATIVE[machine]
    for name in architectures:
        if name not in ABIS and name not in _FOREIGN:
            raise InvalidArgument(f"linux.seccomp.architectures: unknown architecture {name!r}")
    return [ABIS[name] for name in native if name == native[0] or name in architectures]


def numbers(abi: Abi) -> dict[str, int]:
    """Return the numbers of the ABI's calls by name."""
    module = __import__(f"firkin.runtime.seccomp.tables.{abi.name}", fromlist=["TABLE"])
    table: dict[str, int] = {}
    number = 0
    for word in str(module.TABLE).split():
        if word.isdigit():
            number = int(word)
        else:
            table[word] = abi.base + number
            number += 1
    return table
