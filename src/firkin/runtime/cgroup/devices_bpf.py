"""The v2 device controller: a Verdict assembled into a BPF_PROG_TYPE_CGROUP_DEVICE program.

    struct bpf_cgroup_dev_ctx { u32 access_type; u32 major; u32 minor; }   access << 16 | type

    r2 = type, r3 = access, r4 = major, r5 = minor
    for each exception:      r2 != type            -> next
                             r4 != major           -> next   (unless *)
                             r5 != minor           -> next   (unless *)
        of deny all:         r3 & ~bits            -> next   (asks for more than is allowed)
        of allow all:        !(r3 & bits)          -> next   (asks for nothing that is denied)
                             return !default
    return default

Instructions are struct bpf_insn: u8 code, u4 dst, u4 src, s16 off, s32 imm (Documentation/bpf/standardization).
"""

from __future__ import annotations

import _struct

from firkin.runtime.cgroup.devices import ALL, ANY, Verdict

_LDXW = 0x61  # BPF_LDX | BPF_MEM | BPF_W
_MOV_X, _MOV_K = 0xBF, 0xB7  # BPF_ALU64 | BPF_MOV
_AND_K = 0x54  # BPF_ALU | BPF_AND | BPF_K: 32 bits
_RSH_K = 0x74  # BPF_ALU | BPF_RSH | BPF_K
_JNE_K = 0x55  # BPF_JMP | BPF_JNE | BPF_K
_JNE32_K = 0x56  # BPF_JMP32 | BPF_JNE | BPF_K (5.1): a major is 32 bits wide, an immediate sign-extends
_JEQ_K = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_EXIT = 0x95

_TYPES = {"b": 1, "c": 2}  # BPF_DEVCG_DEV_*

_pack = _struct.Struct("<BBhi").pack


def _insn(code: int, dst: int = 0, src: int = 0, offset: int = 0, immediate: int = 0) -> bytes:
    return _pack(code, src << 4 | dst, offset, (immediate ^ 0x80000000) - 0x80000000)


_START = b"".join((
    _insn(_LDXW, 2, 1, 0),
    _insn(_AND_K, 2, immediate=0xFFFF),
    _insn(_LDXW, 3, 1, 0),
    _insn(_RSH_K, 3, immediate=16),
    _insn(_LDXW, 4, 1, 4),
    _insn(_LDXW, 5, 1, 8),
))  # fmt: skip


def assemble(verdict: Verdict) -> bytes:
    """Return the program for ``verdict``; about 8 instructions an exception."""
    default = int(verdict.allow)
    blocks = [_START]
    for (kind, major, minor), access in verdict.exceptions.items():
        tests = [(_JNE_K, 2, _TYPES[kind])]
        if major != ANY:
            tests.append((_JNE32_K, 4, major))
        if minor != ANY:
            tests.append((_JNE32_K, 5, minor))
        body = b""
        verdict_size = 2
        if access != ALL or verdict.allow:
            mask, jump = (access, _JEQ_K) if verdict.allow else (ALL & ~access, _JNE_K)
            body = _insn(_MOV_X, 1, 3) + _insn(_AND_K, 1, immediate=mask)
            body += _insn(jump, 1, offset=verdict_size, immediate=0)
        body += _insn(_MOV_K, 0, immediate=1 - default) + _insn(_EXIT)
        length = len(body) // 8
        block = b""
        for i, (code, register, value) in enumerate(tests):
            block += _insn(code, register, offset=len(tests) - i - 1 + length, immediate=value)
        blocks.append(block + body)
    blocks.append(_insn(_MOV_K, 0, immediate=default) + _insn(_EXIT))
    return b"".join(blocks)
