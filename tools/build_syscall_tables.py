#!/usr/bin/env python3
"""Write src/firkin/runtime/seccomp/tables/*.py from the kernel's headers: names and numbers of five ABIs.

    tools/build_syscall_tables.py [ARM_INCLUDE] [AARCH64_INCLUDE]

Debian: linux-libc-dev, linux-libc-dev-armhf-cross, linux-libc-dev-arm64-cross (12: Linux 6.1). Calls that are newer than
the headers are listed here; since 5.1 all ABIs give a new call the same number (scripts/syscall.tbl).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap

TARGET = os.path.join(os.path.dirname(__file__), "../src/firkin/runtime/seccomp/tables")
NEWER = (
    "451 cachestat fchmodat2 map_shadow_stack futex_wake futex_wait futex_requeue statmount listmount"
    " lsm_get_self_attr lsm_set_self_attr lsm_list_modules mseal setxattrat getxattrat listxattrat removexattrat"
    " open_tree_attr file_getattr file_setattr"
)  # up to Linux 6.17
OWN_NEWER = {
    "x86_64": {"uretprobe": 335, "uprobe": 336},
    "x32": {"uretprobe": 335, "uprobe": 336},
    "arm": {"breakpoint": 0xF0001, "cacheflush": 0xF0002, "usr26": 0xF0003, "usr32": 0xF0004, "set_tls": 0xF0005,
            "get_tls": 0xF0006},
}  # fmt: skip
# libseccomp's names for what the headers call otherwise.
ALIASES = {"arm": {"sync_file_range2": "arm_sync_file_range"}}


def preprocessed(include: str, header: str, *flags: str) -> dict[str, int]:
    """Return the __NR_ numbers that ``header`` defines, by way of the C preprocessor."""
    base = ["gcc", "-E", "-nostdinc", "-undef", f"-I{include}", *flags, "-x", "c", "-"]
    defined = subprocess.run(
        [*base, "-dM"], input=f"#include <{header}>\n", text=True, capture_output=True, check=True
    )
    names = re.findall(r"^#define __NR_(\w+) ", defined.stdout, re.MULTILINE)
    skip = {"syscalls", "SYSCALL_BASE", "OABI_SYSCALL_BASE", "arch_specific_syscall", "SYSCALL_MASK"}
    names = [n for n in names if n not in skip and not n.startswith("3264_")]
    asked = f"#include <{header}>\n" + "".join(f"@{n} = __NR_{n}\n" for n in names)
    shown = subprocess.run(base, input=asked, text=True, capture_output=True, check=True).stdout
    found = {}
    for name, value in re.findall(r"^@ ?(\w+) = (.+)$", shown, re.MULTILINE):
        try:
            found[name] = eval(value, {"__builtins__": {}})
        except (NameError, SyntaxError):
            print(f"{header}: {name} = {value}?", file=sys.stderr)
    return found


def with_newer(abi: str, table: dict[str, int]) -> dict[str, int]:
    number, *names = NEWER.split()
    base = 0x40000000 if abi == "x32" else 0
    for i, name in enumerate(names):
        table.setdefault(name, base + int(number) + i)
    for name, own in OWN_NEWER.get(abi, {}).items():
        table.setdefault(name, base + own)
    for name, alias in ALIASES.get(abi, {}).items():
        table[alias] = table[name]
    return table


def write(abi: str, audit: str, table: dict[str, int]) -> None:
    words, expected = [], None
    base = 0x40000000 if abi == "x32" else 0
    for name, number in sorted(table.items(), key=lambda item: (item[1], item[0])):
        if number != expected:
            words.append(str(number - base))
        words.append(name)
        expected = number + 1
    body = "\n".join(textwrap.wrap(" ".join(words), 108))
    with open(f"{TARGET}/{abi}.py", "w") as file:
        file.write(
            f'"""System calls of {abi} ({audit}): a number starts a run of consecutive names.\n\n'
            "Made by tools/build_syscall_tables.py.\n"
            f'"""\n\nTABLE = """\n{body}\n"""\n'
        )
    print(f"{abi}: {len(table)} calls, up to {max(table.values()) - base}")


def main() -> None:
    arm = sys.argv[1] if len(sys.argv) > 1 else "/usr/arm-linux-gnueabihf/include"
    aarch64 = sys.argv[2] if len(sys.argv) > 2 else "/usr/aarch64-linux-gnu/include"
    x86 = "/usr/include/x86_64-linux-gnu"
    sources = {
        "x86_64": ("AUDIT_ARCH_X86_64", (x86, "asm/unistd_64.h")),
        "i386": ("AUDIT_ARCH_I386", (x86, "asm/unistd_32.h")),
        "x32": ("AUDIT_ARCH_X86_64 with 0x40000000", (x86, "asm/unistd_x32.h", "-D__X32_SYSCALL_BIT=0x40000000")),
        "aarch64": ("AUDIT_ARCH_AARCH64", (aarch64, "asm/unistd.h", "-D__aarch64__", "-D__LP64__", "-D__BITS_PER_LONG=64")),
        "arm": ("AUDIT_ARCH_ARM", (arm, "asm/unistd.h", "-D__ARM_EABI__")),
    }  # fmt: skip
    for abi, (audit, arguments) in sources.items():
        write(abi, audit, with_newer(abi, preprocessed(*arguments)))


if __name__ == "__main__":
    main()
