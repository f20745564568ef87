"""As much of an ELF file as the kernel looks at before it refuses it (elf(5)). Pure: bytes in, values out."""

from __future__ import annotations

from struct import error as StructError  # noqa: TID253 - loaded only to explain a failure
from struct import unpack_from  # noqa: TID253 - loaded after a failure only

from firkin.record import Record

MAGIC = b"\x7fELF"
# e_machine -> the name that uname -m uses. The two ends of MIPS and PowerPC are told apart by EI_DATA.
MACHINES = {3: "i386", 8: "mips", 20: "ppc", 21: "ppc64", 22: "s390x", 40: "arm", 43: "sparc64", 50: "ia64",
            62: "x86_64", 183: "aarch64", 243: "riscv64", 258: "loongarch64"}  # fmt: skip
# What a kernel for the left runs without help, beside its own.
COMPATIBLE = {"x86_64": ("i386",), "aarch64": ("arm",)}
ET_EXEC, ET_DYN = 2, 3
PT_LOAD, PT_INTERP = 1, 3
_TYPES = {
    0: "no type",
    1: "a relocatable object (.o)",
    ET_EXEC: "an executable",
    ET_DYN: "a shared object",
    4: "a core dump",
}


class Elf(Record):
    """``interpreter`` is PT_INTERP's path, "" for a static program; ``damage`` says what is wrong, "" if nothing."""

    machine: str
    bits: int
    type: int
    interpreter: str = ""
    loads: int = 0
    damage: str = ""

    @property
    def type_name(self) -> str:
        return _TYPES.get(self.type, f"of type {self.type}")


def parse(head: bytes, size: int) -> Elf:
    """Read the first bytes of a file of ``size`` bytes that begins with MAGIC. Never raises."""
    try:
        return _parse(head, size)
    except (StructError, IndexError):
        return Elf(machine="", bits=0, type=0, damage=f"it ends after {size} bytes, inside its header")


def _parse(head: bytes, size: int) -> Elf:
    bits = {1: 32, 2: 64}.get(head[4], 0)
    order = {1: "<", 2: ">"}.get(head[5], "")
    if not bits or not order:
        return Elf(machine="", bits=0, type=0, damage="its class or byte order is not valid")
    kind, number = unpack_from(f"{order}HH", head, 16)
    machine = MACHINES.get(number, f"machine {number}")
    if machine == "ppc64" and order == "<":
        machine = "ppc64le"
    offset, entry_size, count = (
        (*unpack_from(f"{order}Q", head, 32), *unpack_from(f"{order}HH", head, 54))
        if bits == 64
        else (*unpack_from(f"{order}I", head, 28), *unpack_from(f"{order}HH", head, 42))
    )
    interpreter, loads = "", 0
    for index in range(min(count, 512)):
        at = offset + index * entry_size
        if bits == 64:
            p_type, _, p_offset, _, _, p_size = unpack_from(f"{order}IIQQQQ", head, at)
        else:
            p_type, p_offset, _, _, p_size = unpack_from(f"{order}IIIII", head, at)
        loads += p_type == PT_LOAD
        if p_type == PT_LOAD and p_offset + p_size > size:
            damage = f"it ends after {size} bytes, a segment needs {p_offset + p_size}"
            return Elf(machine=machine, bits=bits, type=kind, damage=damage)
        if p_type == PT_INTERP:
            interpreter = (
                head[p_offset : p_offset + min(p_size, 4096)].split(b"\0")[0].decode(errors="replace")
            )
    damage = "" if loads else "it has no loadable segment"
    return Elf(machine=machine, bits=bits, type=kind, interpreter=interpreter, loads=loads, damage=damage)


def runs_on(machine: str, here: str) -> bool:
    """Say whether a kernel for ``here`` (uname -m) can run programs for ``machine``."""
    return machine == here or machine in COMPATIBLE.get(here, ())
