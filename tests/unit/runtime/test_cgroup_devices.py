"""Device rules folded as runc folds them, and what the BPF program decides (run by a small interpreter)."""

from __future__ import annotations

import itertools
import struct

import pytest

from firkin.errors import InvalidArgument
from firkin.runtime.cgroup.devices import (
    ALL,
    ANY,
    EVERYTHING,
    MKNOD,
    READ,
    WRITE,
    Verdict,
    parse_list,
    transition,
    verdict,
)
from firkin.runtime.cgroup.devices_bpf import assemble

DENY = {"allow": False, "access": "rwm"}
ALLOW = {"allow": True, "access": "rwm"}


def rule(allow, kind, major, minor, access):
    return {"allow": allow, "type": kind, "major": major, "minor": minor, "access": access}


def fold(*rules):
    return verdict({"devices": list(rules)})


def allows(v, kind, major, minor, access):
    """The meaning of a verdict (devices cgroup: __devcgroup_check_permission)."""
    for (k, a, b), bits in v.exceptions.items():
        if k == kind and a in (ANY, major) and b in (ANY, minor):
            if v.allow and bits & access:
                return False
            if not v.allow and access & ~bits == 0:
                return True
    return v.allow


def run(program, kind, major, minor, access):
    """Interpret the few instructions that devices_bpf uses."""
    memory = {0: access << 16 | {"b": 1, "c": 2}[kind], 4: major, 8: minor}
    registers, at = [0] * 11, 0
    instructions = list(struct.iter_unpack("<BBhi", program))
    while True:
        code, both, offset, value = instructions[at]
        dst, src = both & 15, both >> 4
        wide = value & 0xFFFFFFFFFFFFFFFF
        at += 1
        if code == 0x61:
            registers[dst] = memory[offset]
        elif code == 0xBF:
            registers[dst] = registers[src]
        elif code == 0xB7:
            registers[dst] = wide
        elif code == 0x54:
            registers[dst] = registers[dst] & wide & 0xFFFFFFFF
        elif code == 0x74:
            registers[dst] = (registers[dst] & 0xFFFFFFFF) >> value
        elif code == 0x55:
            at += offset if registers[dst] != wide else 0
        elif code == 0x56:
            at += offset if registers[dst] & 0xFFFFFFFF != wide & 0xFFFFFFFF else 0
        elif code == 0x15:
            at += offset if registers[dst] == wide else 0
        elif code == 0x95:
            return bool(registers[0])
        else:
            raise AssertionError(hex(code))


def test_no_rules_no_verdict():
    assert verdict({}) is None
    assert verdict({"devices": []}) is None


def test_deny_all_leaves_the_promised():
    v = fold(DENY)
    assert not v.allow
    assert v.exceptions["c", 1, 3] == ALL
    assert v.exceptions["c", ANY, ANY] == MKNOD
    assert ("c", 1, 11) not in v.exceptions


def test_allow_all_is_everything():
    assert fold(DENY, rule(True, "c", 1, 11, "r"), ALLOW) == EVERYTHING


def test_permissions_of_one_device_add_up_and_are_taken_back():
    v = fold(DENY, rule(True, "b", 8, 0, "r"), rule(True, "b", 8, 0, "w"), rule(False, "b", 8, 0, "r"))
    assert v.exceptions["b", 8, 0] == WRITE


def test_a_hole_in_a_wider_rule_is_refused():
    with pytest.raises(
        InvalidArgument, match=r"devices\[2\] would make a hole in an earlier rule for b 8:\* w"
    ):
        fold(DENY, rule(True, "b", 8, -1, "rw"), rule(False, "b", 8, 1, "w"))


def test_taking_back_other_permissions_of_a_wider_rule_is_no_hole():
    assert (
        fold(DENY, rule(True, "b", 8, None, "r"), rule(False, "b", 8, 1, "w")).exceptions["b", 8, ANY] == READ
    )


@pytest.mark.parametrize(
    "bad",
    [
        {"allow": True, "type": "x", "access": "r"},
        {"allow": True, "type": "c", "access": ""},
        {"allow": True, "type": "c", "access": "rx"},
        {"allow": True, "type": "c", "major": "1", "access": "r"},
        {"allow": 1, "type": "c", "access": "r"},
        {"allow": True, "type": "c", "major": 1 << 32, "access": "r"},
    ],
)
def test_wrong_rules(bad):
    with pytest.raises(InvalidArgument, match=r"devices\[0\]"):
        fold(bad)


VERDICTS = [
    EVERYTHING,
    Verdict(allow=False, exceptions={}),
    fold(DENY),
    fold(
        DENY, rule(True, "b", 8, -1, "rw"), rule(True, "c", 0xFFFFFFFF, 3, "r"), rule(True, "c", -1, 9, "m")
    ),
    fold(ALLOW, rule(False, "b", 8, -1, "w"), rule(False, "c", 1, 11, "rwm"), rule(False, "c", -1, 200, "r")),
]


@pytest.mark.parametrize("v", VERDICTS)
def test_the_program_decides_as_the_verdict_means(v):
    program = assemble(v)
    for kind, major, minor, access in itertools.product(
        "bc", (1, 5, 8, 136, 0xFFFFFFFF), (0, 3, 9, 11, 200), range(1, 8)
    ):
        assert run(program, kind, major, minor, access) == allows(v, kind, major, minor, access), (
            kind,
            major,
            minor,
            access,
        )


def test_transitions():
    deny = Verdict(allow=False, exceptions={("c", 1, 3): ALL, ("b", 8, 0): READ | WRITE})
    assert transition(EVERYTHING, EVERYTHING) == []
    assert transition(EVERYTHING, deny) == [
        ("devices.deny", "a"), ("devices.allow", "c 1:3 rwm"), ("devices.allow", "b 8:0 rw"),
    ]  # fmt: skip
    more = Verdict(allow=False, exceptions={("c", 1, 3): ALL, ("b", 8, 0): READ | MKNOD})
    assert transition(deny, more) == [("devices.deny", "b 8:0 w"), ("devices.allow", "b 8:0 m")]
    assert transition(deny, EVERYTHING) == [("devices.allow", "a")]


def test_devices_list_is_read_back():
    text = "c 1:3 rwm\nb *:* m\nc 136:* rw\n"
    assert parse_list(text) == Verdict(
        allow=False, exceptions={("c", 1, 3): ALL, ("b", ANY, ANY): MKNOD, ("c", 136, ANY): READ | WRITE}
    )
    assert parse_list("a *:* rwm\n") == EVERYTHING
