"""A classic BPF interpreter for seccomp programs, and a compiler to compare with: libseccomp through ctypes."""

from __future__ import annotations

import ctypes
import os
import struct


def run(program: bytes, audit: int, number: int, args=(), steps=None) -> int:
    """Return the verdict of ``program`` for a call, as kernel/bpf/core.c decides."""
    data = struct.pack("<IIQ6Q", number & 0xFFFFFFFF, audit, 0, *(*args, *([0] * (6 - len(args)))))
    code = list(struct.iter_unpack("<HBBI", program))
    at = accumulator = count = 0
    while True:
        opcode, jt, jf, k = code[at]
        at += 1
        count += 1
        if opcode == 0x20:
            accumulator = struct.unpack_from("<I", data, k)[0]
        elif opcode == 0x06:
            if steps is not None:
                steps.append(count)
            return k
        elif opcode == 0x05:
            at += k
        elif opcode == 0x54:
            accumulator &= k
        elif opcode in (0x15, 0x25, 0x35, 0x45):
            holds = {
                0x15: accumulator == k,
                0x25: accumulator > k,
                0x35: accumulator >= k,
                0x45: accumulator & k != 0,
            }[opcode]
            at += jt if holds else jf
        else:
            raise AssertionError(f"opcode {opcode:#x}")


class _Arg(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


def libseccomp():
    """Return the library, None where it is not installed."""
    try:
        library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    except OSError:
        return None
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_syscall_resolve_name_arch.argtypes = [ctypes.c_uint32, ctypes.c_char_p]
    library.seccomp_rule_add_array.argtypes = [
        ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.POINTER(_Arg),
    ]  # fmt: skip
    for name in ("seccomp_arch_add", "seccomp_export_bpf"):
        getattr(library, name).argtypes = [ctypes.c_void_p, ctypes.c_uint32]
    library.seccomp_release.argtypes = [ctypes.c_void_p]
    return library


LIB_ARCHES = {
    "SCMP_ARCH_X86_64": 0xC000003E,
    "SCMP_ARCH_X86": 0x40000003,
    "SCMP_ARCH_X32": 0x4000003E,
    "SCMP_ARCH_AARCH64": 0xC00000B7,
    "SCMP_ARCH_ARM": 0x40000028,
}
LIB_ACTIONS = {
    "SCMP_ACT_KILL": 0, "SCMP_ACT_KILL_THREAD": 0, "SCMP_ACT_KILL_PROCESS": 0x80000000, "SCMP_ACT_TRAP": 0x30000,
    "SCMP_ACT_ERRNO": 0x50000, "SCMP_ACT_TRACE": 0x7FF00000, "SCMP_ACT_LOG": 0x7FFC0000, "SCMP_ACT_ALLOW": 0x7FFF0000,
}  # fmt: skip
LIB_OPERATORS = {"NE": 1, "LT": 2, "LE": 3, "EQ": 4, "GE": 5, "GT": 6, "MASKED_EQ": 7}


def by_libseccomp(library, seccomp) -> bytes:
    """Compile as runc and crun do, for the architectures of the profile. The machine running this is x86_64."""

    def action(holder, name, errno_name):
        value = LIB_ACTIONS[holder[name]]
        return value | (holder.get(errno_name) or 1) if value in (0x50000, 0x7FF00000) else value

    default = action(seccomp, "defaultAction", "defaultErrnoRet")
    context = library.seccomp_init(default)
    for name in seccomp["architectures"]:
        if name != "SCMP_ARCH_X86_64":
            assert library.seccomp_arch_add(context, LIB_ARCHES[name]) == 0
    for rule in seccomp["syscalls"]:
        verdict = action(rule, "action", "errnoRet")
        if verdict == default:
            continue
        args = [
            _Arg(
                a["index"], LIB_OPERATORS[a["op"].removeprefix("SCMP_CMP_")], a["value"], a.get("valueTwo", 0)
            )
            for a in rule.get("args", ())
        ]
        repeated = len({a.arg for a in args}) < len(args)
        for name in rule["names"]:
            number = library.seccomp_syscall_resolve_name_arch(0, name.encode())
            if number == -1:
                continue
            for group in [[a] for a in args] if repeated else [args]:
                array = (_Arg * len(group))(*group)
                library.seccomp_rule_add_array(context, verdict, number, len(group), array)
    reading, writing = os.pipe()
    if os.fork() == 0:
        os._exit(int(library.seccomp_export_bpf(context, writing) != 0))
    os.close(writing)
    with open(reading, "rb") as file:
        program = file.read()
    os.wait()
    library.seccomp_release(context)
    return program
