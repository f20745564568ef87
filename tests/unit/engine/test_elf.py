from __future__ import annotations

import struct
import sys

from hypothesis import given
from hypothesis import strategies as st

from firkin.engine.explain import elf


def program(machine=62, bits=64, kind=2, interpreter=b"", load=True):
    """A little-endian ELF file with a PT_LOAD and, if asked for, a PT_INTERP."""
    headers = []
    if bits == 64:
        base = 64 + 56 * (load + bool(interpreter))
        if interpreter:
            headers.append(struct.pack("<IIQQQQQQ", 3, 4, base, 0, 0, len(interpreter) + 1, 0, 1))
        if load:
            headers.append(struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, 64, 64, 4096))
        head = (
            b"\x7fELF\x02\x01\x01"
            + bytes(9)
            + struct.pack("<HHIQQQIHHHHHH", kind, machine, 1, 0, 64, 0, 0, 64, 56, len(headers), 0, 0, 0)
        )
    else:
        headers.append(struct.pack("<IIIIIIII", 1, 0, 0, 0, 52, 52, 5, 4096))
        head = (
            b"\x7fELF\x01\x01\x01"
            + bytes(9)
            + struct.pack("<HHIIIIIHHHHHH", kind, machine, 1, 0, 52, 0, 0, 52, 32, len(headers), 0, 0, 0)
        )
    return head + b"".join(headers) + (interpreter + b"\0" if interpreter else b"")


def test_reads_machine_type_and_interpreter():
    data = program(machine=183, kind=3, interpreter=b"/lib/ld-linux-aarch64.so.1")
    found = elf.parse(data, len(data))
    assert (found.machine, found.bits, found.type, found.interpreter, found.damage) == (
        "aarch64",
        64,
        3,
        "/lib/ld-linux-aarch64.so.1",
        "",
    )


def test_reads_32_bit():
    data = program(machine=3, bits=32)
    found = elf.parse(data, len(data))
    assert (found.machine, found.bits, found.loads, found.damage) == ("i386", 32, 1, "")


def test_reads_this_interpreter():
    with open(sys.executable, "rb") as stream:
        data = stream.read()
    found = elf.parse(data[:65536], len(data))
    assert found.damage == ""
    assert found.interpreter.startswith("/lib")


def test_truncation_is_damage():
    data = program()
    assert "inside its header" in elf.parse(data[:40], 40).damage
    assert "a segment needs" in elf.parse(data, 60).damage
    assert "no loadable segment" in elf.parse(program(load=False), 64).damage


def test_what_runs_where():
    assert elf.runs_on("x86_64", "x86_64")
    assert elf.runs_on("i386", "x86_64")
    assert not elf.runs_on("aarch64", "x86_64")
    assert not elf.runs_on("x86_64", "aarch64")


@given(st.binary(max_size=300))
def test_never_raises(data):
    elf.parse(elf.MAGIC + data, len(data) + 4)
