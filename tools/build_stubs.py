#!/usr/bin/env python3
"""Build runtime/stub/*.elf from the C beside them: `tools/build_stubs.py [DIRECTORY]`.

Needs gcc, gcc-aarch64-linux-gnu and linux-libc-dev-arm64-cross.
"""

from __future__ import annotations

import os
import subprocess
import sys

SOURCE = os.path.join(os.path.dirname(__file__), "../src/firkin/runtime/stub")
COMPILERS = {"x86_64": "x86_64-linux-gnu-gcc", "aarch64": "aarch64-linux-gnu-gcc"}
STUBS = ("exec", "reaper")
BUILT_WITH = {  # made the shipped bytes; another compiler's may differ
    "x86_64": "(Debian 12.2.0-14+deb12u1) 12.2.0",
    "aarch64": "(Debian 12.2.0-14) 12.2.0",
}
FLAGS = [
    "-std=gnu11", "-Os", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-fno-pic", "-fno-pie", "-no-pie",
    "-fno-ident", "-fno-stack-protector", "-fno-asynchronous-unwind-tables", "-nostdlib", "-static", "-s",
    "-Wl,--build-id=none,-z,noseparate-code,-z,noexecstack,-z,norelro,-n",
]  # fmt: skip
OWN_FLAGS = {
    "x86_64": ["-fcf-protection=none"],
    "aarch64": ["-mbranch-protection=none", "-mno-outline-atomics"],
}


def compiler(machine: str) -> str:
    """Return the version line of the machine's compiler, "" when it is not installed."""
    try:
        shown = subprocess.run([COMPILERS[machine], "--version"], capture_output=True, text=True, check=True)
    except FileNotFoundError:
        return ""
    return shown.stdout.splitlines()[0].split(" ", 1)[1]


def build(stub: str, machine: str, target: str) -> None:
    source = f"{SOURCE}/{stub}.c"
    subprocess.run(
        [COMPILERS[machine], *FLAGS, *OWN_FLAGS[machine], "-o", target, source], check=True, cwd=SOURCE
    )
    with open(target, "r+b") as file:
        file.truncate(trimmed(file))


def trimmed(file) -> int:
    """Drop the section headers (the kernel loads by program headers) and return the size that stays."""
    header = bytearray(file.read(64))
    sections = int.from_bytes(header[40:48], "little")
    header[40:48] = bytes(8)  # e_shoff
    header[58:64] = bytes(6)  # e_shentsize, e_shnum, e_shstrndx
    programs = file.read(sections - 64)
    end = 0
    for i in range(header[56]):
        entry = programs[i * 56 : (i + 1) * 56]
        offset, size = (int.from_bytes(entry[a : a + 8], "little") for a in (8, 32))
        end = max(end, offset + size)
    file.seek(0)
    file.write(header)
    return end


def main() -> None:
    directory = sys.argv[1] if len(sys.argv) > 1 else SOURCE
    for machine in COMPILERS:
        for stub in STUBS:
            target = f"{directory}/{stub}-{machine}.elf"
            build(stub, machine, target)
            os.chmod(target, 0o644)
            print(f"{os.path.getsize(target):6} {os.path.basename(target)}  {compiler(machine)}")


if __name__ == "__main__":
    main()
