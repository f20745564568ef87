"""OCI profiles compiled to BPF: every verdict beside what the rules say, and beside libseccomp's own program."""

from __future__ import annotations

import random

import pytest
from bpf_machine import LIB_ARCHES, by_libseccomp, libseccomp, run

from firkin.errors import InvalidArgument, Unsupported
from firkin.runtime.seccomp import abi as abis
from firkin.runtime.seccomp.cache import cached_filter
from firkin.runtime.seccomp.compile import compile_filter
from firkin.runtime.seccomp.profile import flags_of
from firkin.specgen.seccomp_default import default_profile

ALLOW, EPERM, ENOSYS, KILL = 0x7FFF0000, 0x50001, 0x50026, 0x80000000
X86_64, I386, AARCH64, ARM = 0xC000003E, 0x40000003, 0xC00000B7, 0x40000028
X32 = 0x40000000
ALL = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]
DEFAULT_CAPS = {
    "CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_MKNOD", "CAP_NET_RAW",
    "CAP_NET_BIND_SERVICE", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
}  # fmt: skip


def profile(*rules, default="SCMP_ACT_ERRNO", architectures=ALL, **more):
    return {"defaultAction": default, "architectures": architectures, "syscalls": list(rules), **more}


def allow(*names, args=None, action="SCMP_ACT_ALLOW"):
    return {"names": list(names), "action": action, **({"args": args} if args else {})}


def arg(op, value, index=0, two=0):
    return {"index": index, "op": f"SCMP_CMP_{op}", "value": value, "valueTwo": two}


def test_every_abi_is_told_apart():
    program = compile_filter(profile(allow("read", "getpid")), "x86_64")
    assert run(program, X86_64, 0) == run(program, X86_64, 39) == ALLOW
    assert run(program, X86_64, 1) == EPERM
    assert run(program, X86_64, X32 | 39) == ALLOW
    assert run(program, X86_64, X32 | 1) == EPERM
    assert run(program, I386, 3) == run(program, I386, 20) == ALLOW
    assert run(program, I386, 0) == EPERM
    assert run(program, AARCH64, 63) == KILL


def test_an_abi_that_is_not_listed_kills_but_a_skipped_call_does_not():
    program = compile_filter(profile(allow("read"), architectures=["SCMP_ARCH_X86_64"]), "x86_64")
    assert run(program, X86_64, X32) == run(program, I386, 3) == KILL
    assert run(program, X86_64, -1) == EPERM


def test_arm_and_its_private_calls():
    listed = ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"]
    program = compile_filter(profile(allow("read", "set_tls", "openat2"), architectures=listed), "aarch64")
    assert run(program, AARCH64, 63) == run(program, ARM, 3) == run(program, ARM, 0xF0005) == ALLOW
    assert run(program, AARCH64, 438) == run(program, ARM, 438) == run(program, ARM, 1000) == ENOSYS
    assert run(program, ARM, 4) == EPERM


def test_calls_newer_than_the_profile_do_not_exist():
    program = compile_filter(profile(allow("read", "openat2")), "x86_64")
    assert run(program, X86_64, 436) == EPERM
    assert run(program, X86_64, 437) == ALLOW
    assert run(program, X86_64, 438) == run(program, X86_64, 100000) == ENOSYS
    assert run(program, X86_64, X32 | 438) == run(program, X86_64, X32 | 600) == ENOSYS
    permissive = compile_filter(
        profile(allow("openat2", action="SCMP_ACT_ERRNO"), default="SCMP_ACT_ALLOW"), "x86_64"
    )
    assert run(permissive, X86_64, 5000) == ALLOW


def test_names_that_nobody_knows_are_skipped():
    program = compile_filter(profile(allow("read", "no_such_call", "breakpoint")), "x86_64")
    assert run(program, X86_64, 0) == ALLOW


EDGES = [0, 1, 5, 0xFFFFFFFF, 1 << 32, (1 << 32) + 5, (5 << 32) + 1, (1 << 64) - 1]
MEANING = {
    "NE": lambda a, v, _: a != v,
    "LT": lambda a, v, _: a < v,
    "LE": lambda a, v, _: a <= v,
    "EQ": lambda a, v, _: a == v,
    "GE": lambda a, v, _: a >= v,
    "GT": lambda a, v, _: a > v,
    "MASKED_EQ": lambda a, v, two: a & v == two & v,
}


@pytest.mark.parametrize("op", MEANING)
@pytest.mark.parametrize("index", [0, 5])
def test_operators_on_64_bits(op, index):
    for value in EDGES[index % 2 :: 2]:
        for two in (0, 5, value) if op == "MASKED_EQ" else (0,):
            program = compile_filter(profile(allow("read", args=[arg(op, value, index, two)])), "x86_64")
            for given in (*EDGES, value ^ 1, value + 1 & (1 << 64) - 1, value - 1 & (1 << 64) - 1):
                args = [7] * 6
                args[index] = given
                expected = ALLOW if MEANING[op](given, value, two) else EPERM
                assert run(program, X86_64, 0, args) == expected, (op, value, two, given)


@pytest.mark.parametrize("op", MEANING)
def test_operators_on_32_bits_ignore_the_high_word(op):
    program = compile_filter(profile(allow("read", args=[arg(op, 5, two=5)])), "x86_64")
    for given in (4, 5, 6):
        expected = ALLOW if MEANING[op](given, 5, 5) else EPERM
        assert run(program, I386, 3, [given]) == run(program, I386, 3, [given | 9 << 32]) == expected


def test_comparisons_of_different_arguments_hold_together():
    program = compile_filter(
        profile(allow("read", args=[arg("EQ", 1), arg("GT", 2, 1), arg("NE", 3, 2)])), "x86_64"
    )
    assert run(program, X86_64, 0, [1, 3, 4]) == ALLOW
    for wrong in ([2, 3, 4], [1, 2, 4], [1, 3, 3]):
        assert run(program, X86_64, 0, wrong) == EPERM


def test_comparisons_of_one_argument_twice_are_alternatives():
    """runc issue 2735: libseccomp cannot join them, so each is a rule."""
    program = compile_filter(profile(allow("read", args=[arg("EQ", 1), arg("EQ", 5)])), "x86_64")
    assert [run(program, X86_64, 0, [v]) for v in (1, 5, 3)] == [ALLOW, ALLOW, EPERM]


def test_rules_of_one_call_are_alternatives_and_the_unconditional_wins():
    rules = [allow("read", args=[arg("EQ", v)]) for v in (1, 2)]
    program = compile_filter(profile(*rules), "x86_64")
    assert [run(program, X86_64, 0, [v]) for v in (1, 2, 3)] == [ALLOW, ALLOW, EPERM]
    assert run(compile_filter(profile(*rules, allow("read")), "x86_64"), X86_64, 0, [9]) == ALLOW
    assert run(compile_filter(profile(allow("read"), *rules), "x86_64"), X86_64, 0, [9]) == ALLOW


def test_a_rule_that_says_what_the_default_does_is_no_rule():
    program = compile_filter(profile(allow("read"), allow("read", action="SCMP_ACT_ERRNO")), "x86_64")
    assert run(program, X86_64, 0) == ALLOW


def test_socketcall_brings_what_it_multiplexes():
    program = compile_filter(profile(allow("socket", "semop")), "x86_64")
    assert run(program, I386, 102, [1]) == run(program, I386, 117, [1]) == run(program, I386, 359) == ALLOW
    assert run(program, I386, 102, [2]) == run(program, I386, 117, [2]) == EPERM


@pytest.mark.parametrize(
    ("action", "errno", "verdict"),
    [
        ("SCMP_ACT_KILL", None, 0), ("SCMP_ACT_KILL_THREAD", None, 0), ("SCMP_ACT_KILL_PROCESS", None, 0x80000000),
        ("SCMP_ACT_TRAP", None, 0x30000), ("SCMP_ACT_ERRNO", 38, 0x50026), ("SCMP_ACT_ERRNO", 0, 0x50000),
        ("SCMP_ACT_TRACE", 7, 0x7FF00007), ("SCMP_ACT_LOG", None, 0x7FFC0000), ("SCMP_ACT_NOTIFY", None, 0x7FC00000),
    ],
)  # fmt: skip
def test_actions(action, errno, verdict):
    rule = allow("read", action=action)
    if errno is not None:
        rule["errnoRet"] = errno
    assert run(compile_filter(profile(rule, default="SCMP_ACT_ALLOW"), "x86_64"), X86_64, 0) == verdict


@pytest.mark.parametrize(
    ("broken", "where"),
    [
        (profile(default="SCMP_ACT_NICE"), "defaultAction"),
        (profile(default="SCMP_ACT_NOTIFY"), "defaultAction"),
        (profile(default="SCMP_ACT_KILL", defaultErrnoRet=5), "defaultErrnoRet"),
        (profile({"names": [], "action": "SCMP_ACT_ALLOW"}), "syscalls[0].names"),
        (profile({"names": ["read"], "action": "SCMP_ACT_ALLOW", "errnoRet": 1}), "syscalls[0].errnoRet"),
        (profile({"names": ["read"], "action": "SCMP_ACT_ERRNO", "errnoRet": 5000}), "syscalls[0].errnoRet"),
        (profile(allow("read"), allow("read", args=[arg("ABOUT", 1)])), "syscalls[1].args[0].op"),
        (profile(allow("read", args=[arg("EQ", 1, 6)])), "syscalls[0].args[0].index"),
        (profile(allow("read", args=[arg("EQ", -1)])), "syscalls[0].args[0].value"),
        (profile(allow("read", args=[{"index": 0, "op": "SCMP_CMP_EQ"}])), "syscalls[0].args[0].value"),
        (profile({"names": "read", "action": "SCMP_ACT_ALLOW"}), "syscalls[0].names"),
        (profile(architectures=["SCMP_ARCH_VAX"]), "architectures"),
        (profile({"names": ["write"], "action": "SCMP_ACT_NOTIFY"}), "syscalls[0]"),
    ],
)
def test_wrong_profiles_name_the_place(broken, where):
    with pytest.raises(InvalidArgument) as caught:
        compile_filter(broken, "x86_64")
    assert f"linux.seccomp.{where}:" in str(caught.value)


def test_a_machine_without_tables():
    with pytest.raises(Unsupported):
        compile_filter(profile(allow("read")), "riscv64")


def test_a_profile_that_the_kernel_cannot_hold():
    with pytest.raises(InvalidArgument, match="instructions"):
        compile_filter(profile(*(allow("read", args=[arg("EQ", v)]) for v in range(2000))), "x86_64")


def test_far_jumps():
    """Chains longer than a conditional jump's byte, on both sides of the tree."""
    rules = [allow(name, args=[arg("EQ", v)]) for name in ("read", "getpid", "openat2") for v in range(100)]
    program = compile_filter(profile(*rules), "x86_64")
    for number in (0, 39, 437):
        assert [run(program, X86_64, number, [v]) for v in (0, 99, 100)] == [ALLOW, ALLOW, EPERM]
    assert run(program, X86_64, 1) == EPERM
    assert run(program, I386, 3, [99]) == ALLOW


def test_flags():
    assert flags_of({}) == 4
    assert flags_of({"flags": []}) == 0
    assert flags_of({"flags": ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_TSYNC"]}) == 3
    notify = {"syscalls": [allow("mkdir", action="SCMP_ACT_NOTIFY")]}
    assert (
        flags_of({"flags": ["SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"], **notify})
        == 40
    )
    with pytest.raises(InvalidArgument):
        flags_of({"flags": ["SECCOMP_FILTER_FLAG_FUN"]})


def test_the_cache_serves_what_was_compiled_and_survives_damage(tmp_path):
    policy = profile(allow("read"))
    program = cached_filter(policy, "x86_64", str(tmp_path / "cache"))
    (file,) = (tmp_path / "cache").iterdir()
    whole = file.read_bytes()
    assert (
        cached_filter(policy, "x86_64", str(tmp_path / "cache"))
        == program
        == compile_filter(policy, "x86_64")
    )
    for damage in (b"", whole[:-8], whole[:-1] + b"x", b"x" + whole[1:]):
        file.write_bytes(damage)
        assert cached_filter(policy, "x86_64", str(tmp_path / "cache")) == program
        assert file.read_bytes() == whole
    other = cached_filter(profile(allow("write")), "x86_64", str(tmp_path / "cache"))
    assert other != program
    assert len(list((tmp_path / "cache").iterdir())) == 2
    assert (
        cached_filter(policy, "x86_64", "/proc/nowhere") == cached_filter(policy, "x86_64", None) == program
    )


# --- the default policy


def verdicts(caps=DEFAULT_CAPS, kernel=(6, 18), machine="x86_64"):
    program = compile_filter(default_profile(set(caps), machine, kernel), machine)
    native = abis.ABIS[abis.NATIVE[machine][0]]
    numbers = abis.numbers(native)
    return lambda name, *args: run(program, native.audit, numbers[name], args)


def test_default_policy():
    of = verdicts()
    assert of("clone", 0x11) == of("ptrace") == of("chroot") == of("mseal") == of("arch_prctl") == ALLOW
    for name in (
        "mount",
        "unshare",
        "setns",
        "io_uring_setup",
        "keyctl",
        "bpf",
        "userfaultfd",
        "kexec_load",
        "swapon",
    ):
        assert of(name) == EPERM, name
    for flag in (0x20000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000):
        assert of("clone", flag | 0x11) == EPERM
    assert of("clone3") == of("open_tree_attr") == ENOSYS
    assert [of("socket", family) for family in (1, 2, 10, 16, 38, 39, 40, 41)] == [ALLOW] * 4 + [
        EPERM,
        ALLOW,
        EPERM,
        ALLOW,
    ]
    assert [of("personality", p) for p in (0, 8, 0x20000, 0x20008, 0xFFFFFFFF, 0x40000)] == [ALLOW] * 5 + [
        EPERM
    ]


def test_capabilities_bring_their_calls():
    admin = verdicts(DEFAULT_CAPS | {"CAP_SYS_ADMIN"})
    assert (
        admin("mount") == admin("clone3") == admin("clone", 0x10000000) == admin("lsm_list_modules") == ALLOW
    )
    assert verdicts({"CAP_SYS_TIME"})("settimeofday") == ALLOW
    assert verdicts({"CAP_SYS_TIME"})("chroot") == EPERM
    assert verdicts({"CAP_SYS_PTRACE"}, (4, 4))("ptrace") == ALLOW
    assert verdicts(set(), (4, 4))("ptrace") == EPERM


def test_default_policy_on_aarch64():
    of = verdicts(machine="aarch64")
    assert of("openat") == of("clone", 0x11) == ALLOW
    assert of("mount") == EPERM


def test_the_search_is_short():
    """libseccomp's list is a hundred comparisons long for a common call."""
    program = compile_filter(default_profile(DEFAULT_CAPS, "x86_64", (6, 18)), "x86_64")
    steps: list[int] = []
    for number in range(460):
        run(program, X86_64, number, steps=steps)
    assert max(steps) < 30
    assert sum(steps) / len(steps) < 16


# --- beside libseccomp

needs_libseccomp = pytest.mark.skipif(libseccomp() is None, reason="libseccomp.so.2 is not installed")


@needs_libseccomp
@pytest.mark.parametrize("name", LIB_ARCHES)
def test_tables_agree_with_libseccomp(name):
    library = libseccomp()
    abi = abis.ABIS[name]
    wrong = {}
    for call, number in abis.numbers(abi).items():
        theirs = library.seccomp_syscall_resolve_name_arch(LIB_ARCHES[name], call.encode())
        theirs = theirs if theirs < 0 or name != "SCMP_ARCH_X32" else theirs | X32
        if theirs >= 0 and theirs != number:
            wrong[call] = (number, theirs)
    assert wrong == {}
    assert library.seccomp_syscall_resolve_name_arch(LIB_ARCHES[name], b"openat2") >= 0


@needs_libseccomp
def test_verdicts_agree_with_libseccomp_on_the_default_policy():
    library = libseccomp()
    policy = default_profile(DEFAULT_CAPS, "x86_64", (6, 18))
    for rule in policy["syscalls"]:  # calls that are newer than the library
        rule["names"] = [
            n for n in rule["names"] if library.seccomp_syscall_resolve_name_arch(0, n.encode()) != -1
        ]
    compare(policy, by_libseccomp(library, policy), random.Random(1), newest=450)


@needs_libseccomp
@pytest.mark.parametrize("seed", range(5))
def test_verdicts_agree_with_libseccomp_on_random_policies(seed):
    """One conditional rule a call: libseccomp orders overlapping ones as it likes."""
    chance = random.Random(seed)
    library = libseccomp()
    names = sorted(abis.numbers(abis.ABIS["SCMP_ARCH_X86_64"]))
    names = [n for n in names if library.seccomp_syscall_resolve_name_arch(0, n.encode()) != -1]
    # A multiplexed call with comparisons is refused by libseccomp on i386; we apply it to the direct call.
    names = [
        n for n in names if n not in abis.ABIS["SCMP_ARCH_X86"].multiplexed and n not in ("ipc", "socketcall")
    ]
    actions = ["SCMP_ACT_ALLOW", "SCMP_ACT_TRAP", "SCMP_ACT_LOG", "SCMP_ACT_KILL_PROCESS"]
    rules = []
    for name in chance.sample(names, 60):
        indices = chance.sample(range(6), chance.randrange(4))
        args = [
            arg(chance.choice(list(MEANING)), chance.choice(EDGES[:5]), i, chance.choice(EDGES[:5]))
            for i in indices
        ]
        for a in args:
            if a["op"] == "SCMP_CMP_MASKED_EQ":
                a["valueTwo"] &= a["value"]
        rules.append(allow(name, args=args, action=chance.choice(actions)))
    policy = profile(*rules)
    compare(policy, by_libseccomp(library, policy), chance, newest=450)


def compare(policy, theirs, chance, newest):
    """Every number of every ABI with random arguments, and with those that the rules name."""
    ours = compile_filter(policy, "x86_64")
    highest = {}
    for abi_name, base in (("SCMP_ARCH_X86_64", 0), ("SCMP_ARCH_X86", 0), ("SCMP_ARCH_X32", X32)):
        table = abis.numbers(abis.ABIS[abi_name])
        named = [table[n] for rule in policy["syscalls"] for n in rule["names"] if n in table]
        highest[abi_name] = max(n for n in named if n - base < 512)
    values = sorted({a["value"] for r in policy["syscalls"] for a in r.get("args", ())} | {0, 1})
    for abi_name, audit, base in (
        ("SCMP_ARCH_X86_64", X86_64, 0), ("SCMP_ARCH_X86", I386, 0), ("SCMP_ARCH_X32", X86_64, X32),
    ):  # fmt: skip
        wide = abis.ABIS[abi_name].wide
        for number in range(base, min(base + newest, highest[abi_name] + 1)):
            for _ in range(2):
                args = [chance.choice(values) for _ in range(6)]
                if not wide:
                    args = [a & 0xFFFFFFFF for a in args]
                assert run(ours, audit, number, args) == run(theirs, audit, number, args), (
                    abi_name,
                    number,
                    args,
                )
