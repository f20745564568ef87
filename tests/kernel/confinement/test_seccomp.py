"""Filters in the real kernel, and beside the ones that runc has loaded for docker and podman."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import platform
import shutil
import signal
from pathlib import Path

import bpf_machine
import pytest
import target

from firkin.linux import caps, seccomp
from firkin.runtime.seccomp import abi as abis
from firkin.runtime.seccomp.compile import compile_filter
from firkin.runtime.seccomp.profile import flags_of
from firkin.specgen.seccomp_default import BY_CAPABILITY, default_profile

REPO = Path(__file__).resolve().parents[3]
DEFAULT_CAPS = {
    "CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_MKNOD", "CAP_NET_RAW",
    "CAP_NET_BIND_SERVICE", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
}  # fmt: skip
MACHINE = platform.machine()
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.restype = ctypes.c_long
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def confined(policy, action):
    """Fork, load the policy, and return what ``action`` returns, as the exit code; a signal is negative."""
    program, flags = compile_filter(policy, MACHINE), flags_of(policy)
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
            seccomp.load(program, flags)
            code = action()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def errno_of(*call):
    """Do a raw system call; return its errno, 0 for success."""
    number = abis.numbers(abis.ABIS[abis.NATIVE[MACHINE][0]])[call[0]]
    return ctypes.get_errno() if libc.syscall(number, *map(ctypes.c_ulong, call[1:])) < 0 else 0


def policy(*rules, default="SCMP_ACT_ALLOW", **more):
    listed = list(abis.NATIVE[MACHINE])
    return {"defaultAction": default, "architectures": listed, "syscalls": list(rules), **more}


DEFAULT = default_profile(DEFAULT_CAPS, MACHINE, (6, 18))


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (("unshare", 0x10000000), errno.EPERM),
        (("mount", 0, 0, 0, 0, 0), errno.EPERM),
        (("keyctl", 0, 0, 0, 0, 0), errno.EPERM),
        (("io_uring_setup", 0, 0), errno.EPERM),
        (("clone3", 0, 0), errno.ENOSYS),
        (("socket", 38, 5, 0), errno.EPERM),
        (("socket", 40, 1, 0), errno.EPERM),
        (("socket", 1, 1, 0), 0),
        (("personality", 0xFFFFFFFF), 0),
        (("personality", 0x40000), errno.EPERM),
        (("getpid",), 0),
        (("open_tree_attr", 0, 0, 0, 0, 0), errno.ENOSYS),
    ],
)
def test_the_default_policy_in_the_kernel(call, expected):
    assert confined(DEFAULT, lambda: errno_of(*call)) == expected


def test_programs_run_under_the_default_policy():
    def action():
        import subprocess
        import threading

        threads = [threading.Thread(target=lambda: None) for _ in range(3)]
        for thread in threads:
            thread.start()
            thread.join()
        return subprocess.run(["/bin/sh", "-c", "ls / | wc -l >/dev/null && exit 5"]).returncode

    assert confined(DEFAULT, action) == 5


@pytest.mark.skipif(MACHINE != "x86_64", reason="int 0x80 is x86's")
def test_the_32_bit_door_is_guarded_too():
    """unshare is 310 on i386: through int 0x80, with machine code of our own."""
    code = bytes.fromhex("53b836010000bb00000010cd805bc3")  # push rbx; mov eax,310; mov ebx,NEWUSER; int 80

    def action():
        import mmap

        memory = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        memory.write(code)
        call = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(memory)))
        return -call()

    assert confined(DEFAULT, action) == errno.EPERM
    only_native = {**DEFAULT, "architectures": [abis.NATIVE[MACHINE][0]]}
    assert confined(only_native, action) == -signal.SIGSYS


@pytest.mark.parametrize(
    ("action", "code"),
    [
        ({"action": "SCMP_ACT_ERRNO", "errnoRet": 77}, 77),
        ({"action": "SCMP_ACT_KILL"}, -signal.SIGSYS),
        ({"action": "SCMP_ACT_KILL_PROCESS"}, -signal.SIGSYS),
        ({"action": "SCMP_ACT_TRAP"}, -signal.SIGSYS),
        ({"action": "SCMP_ACT_LOG"}, errno.EINVAL),
        ({"action": "SCMP_ACT_TRACE"}, errno.ENOSYS),  # nobody traces
        ({"action": "SCMP_ACT_ALLOW"}, errno.EINVAL),
    ],
)
def test_actions(action, code):
    rules = policy({"names": ["clone3"], **action}, default="SCMP_ACT_ALLOW")
    if action["action"] == "SCMP_ACT_ALLOW":
        rules = policy(default="SCMP_ACT_ALLOW")
    assert confined(rules, lambda: errno_of("clone3", 0, 0)) == code


def test_a_listener_answers_for_the_kernel():
    """SCMP_ACT_NOTIFY: the call waits until the holder of the descriptor decides."""
    rules = policy({"names": ["getppid"], "action": "SCMP_ACT_NOTIFY"})
    flags = flags_of(rules)
    assert flags & seccomp.FILTER_FLAG_NEW_LISTENER

    def action():
        pid = os.getpid()
        listener = seccomp.load(compile_filter(rules, MACHINE), flags)
        if os.fork() == 0:  # inherits the filter, and may answer: it does not call getppid
            request = bytearray(80)
            libc.ioctl(
                listener, 0xC0502100, (ctypes.c_char * 80).from_buffer(request)
            )  # SECCOMP_IOCTL_NOTIF_RECV
            answer = bytearray(24)
            answer[0:8] = request[0:8]
            answer[16:20] = (-66 & 0xFFFFFFFF).to_bytes(4, "little")
            libc.ioctl(listener, 0xC0182101, (ctypes.c_char * 24).from_buffer(answer))
            os._exit(0 if int.from_bytes(request[8:12], "little") == pid else 1)
        refused = errno_of("getppid")
        return refused if os.wait()[1] == 0 else 98

    program = os.fork()
    if program == 0:
        code = 99
        try:
            libc.prctl(38, 1, 0, 0, 0)
            code = action()
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(program, 0)[1]) == 66


def test_what_the_kernel_offers():
    assert all(
        seccomp.action_available(a)
        for a in (0, 0x80000000, 0x30000, 0x50000, 0x7FC00000, 0x7FF00000, 0x7FFC0000)
    )
    assert not seccomp.action_available(0x12340000)
    assert seccomp.flag_available(seccomp.FILTER_FLAG_SPEC_ALLOW)
    assert not seccomp.flag_available(1 << 20)


def test_a_wrong_program_is_refused():
    with pytest.raises(OSError) as caught:
        seccomp.load(bytes(8))
    assert caught.value.errno == errno.EINVAL


# --- beside docker and podman


def loaded(pid):
    """Return the filter of a process, as the kernel gives it back (needs CONFIG_CHECKPOINT_RESTORE)."""
    assert libc.ptrace(0x4206, pid, None, None) == 0  # PTRACE_SEIZE
    assert libc.ptrace(0x4207, pid, None, None) == 0  # PTRACE_INTERRUPT
    os.waitpid(pid, 0x40000000)
    try:
        count = libc.ptrace(0x420C, pid, 0, None)  # PTRACE_SECCOMP_GET_FILTER
        if count < 0:
            pytest.skip(f"the kernel does not show filters: {os.strerror(ctypes.get_errno())}")
        program = ctypes.create_string_buffer(count * 8)
        assert libc.ptrace(0x420C, pid, 0, program) == count
    finally:
        libc.ptrace(17, pid, None, None)
    return program.raw


ARGUMENTS = {
    "clone": [(0x11,), (0x20011,), (0x10000000,), (0x40000000,)],
    "socket": [(family,) for family in (1, 2, 10, 16, 38, 39, 40, 41)],
    "personality": [(p,) for p in (0, 8, 0x20000, 0x20008, 0xFFFFFFFF, 1, 0x40000)],
}
ALLOW = seccomp.RET_ALLOW


def differences(ours, theirs, name, newest=470):
    """Return {(our verdict, theirs): {call or (call, argument)}} over one ABI."""
    abi = abis.ABIS[name]
    names: dict[int, str] = {}
    for call, number in abis.numbers(abi).items():
        names.setdefault(number, call)
    found: dict[tuple[int, int], set[object]] = {}
    for number in range(abi.base, abi.base + newest):
        call = names.get(number, number)
        for args in ARGUMENTS.get(call, [()]):
            pair = tuple(bpf_machine.run(p, abi.audit, number, args) for p in (ours, theirs))
            if pair[0] != pair[1]:
                found.setdefault(pair, set()).add((call, *args) if args else call)
    return found


def unlike(found):
    """Return (allowed by us alone, allowed by them alone)."""
    ours = {c for (a, b), calls in found.items() if a == ALLOW for c in calls}
    theirs = {c for (a, b), calls in found.items() if b == ALLOW for c in calls}
    return ours, theirs


@pytest.fixture
def engine(tmp_path_factory):
    """Start a reference engine in a short-lived home; yield a function that runs busybox and gives its pid and profile."""
    running = []

    def start(name, *options):
        home = Path("/tmp/firkin-test-confinement") / name
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        reference = target.TARGETS[name](home)
        running.append(reference)
        reference.start()
        reference.out("load", "-i", str(REPO.parent / "shared/images/busybox.docker.tar"))
        before = ["--runtime=runc"] if name == "podman" else []  # crun refuses hybrid cgroups
        limits = ["--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024"]
        words = [*before, "run", "-d", "--network=none", *limits, *options, "busybox", "sleep", "60"]
        container = reference.out(*words).split()[-1]
        pid = int(reference.out("inspect", "-f", "{{.State.Pid}}", container))
        (config,) = home.glob(f"**/{container}*/**/config.json")
        try:
            return loaded(pid), json.loads(config.read_text())["linux"]["seccomp"]
        finally:
            reference.run("kill", container)

    yield start
    for reference in running:
        reference.stop()
        shutil.rmtree(reference.home.parent)


# What Docker has changed between 20.10.24 (Debian 12) and 28.
NEWLY_ALLOWED = {
    "cachestat", "fchmodat2", "futex_requeue", "futex_wait", "futex_wake", "getxattrat", "listmount", "listxattrat",
    "map_shadow_stack", "mseal", "name_to_handle_at", "pkey_alloc", "pkey_free", "pkey_mprotect", "process_vm_readv",
    "process_vm_writev", "removexattrat", "setxattrat", "statmount", "uretprobe",
}  # fmt: skip
NEWLY_REFUSED = {"io_uring_enter", "io_uring_register", "io_uring_setup", ("socket", 38), ("socket", 40)}
NEW_WITH_CAPABILITIES = {
    "lsm_get_self_attr",
    "lsm_list_modules",
    "lsm_set_self_attr",
    "set_mempolicy_home_node",
}


@pytest.mark.needs_root
@pytest.mark.needs_docker
@pytest.mark.needs_shared
@pytest.mark.skipif(MACHINE != "x86_64", reason="the list of differences is x86_64's")
def test_docker_differs_only_as_documented(engine):
    theirs, profile = engine("docker")
    found = differences(compile_filter(DEFAULT, MACHINE), theirs, "SCMP_ARCH_X86_64")
    assert unlike(found) == (NEWLY_ALLOWED, NEWLY_REFUSED)
    found = differences(compile_filter(DEFAULT, MACHINE), theirs, "SCMP_ARCH_X86")
    assert unlike(found) == (NEWLY_ALLOWED - {"uretprobe"}, NEWLY_REFUSED)
    assert_compiled_as_by_runc(profile, theirs)


# CAP_SYS_RESOURCE and others may be missing on the machine that tests; these bring calls.
ADDED = sorted(c for c in BY_CAPABILITY if c not in DEFAULT_CAPS and c not in ("CAP_BPF", "CAP_PERFMON"))


@pytest.mark.needs_root
@pytest.mark.needs_docker
@pytest.mark.needs_shared
@pytest.mark.skipif(MACHINE != "x86_64", reason="the list of differences is x86_64's")
def test_docker_with_capabilities_differs_only_as_documented(engine):
    status = Path("/proc/self/status").read_text().splitlines()
    held = int(next(line.split()[1] for line in status if line.startswith("CapBnd")), 16)
    added = [c for c in ADDED if held >> caps.NUMBERS[c] & 1]
    theirs, _ = engine("docker", *(f"--cap-add={c}" for c in added))
    ours = compile_filter(default_profile(DEFAULT_CAPS | set(added), MACHINE, (6, 18)), MACHINE)
    allowed, refused = unlike(differences(ours, theirs, "SCMP_ARCH_X86_64"))
    gone_with_ptrace = {"process_vm_readv", "process_vm_writev"} if "CAP_SYS_PTRACE" in added else set()
    assert allowed == (NEWLY_ALLOWED | NEW_WITH_CAPABILITIES) - gone_with_ptrace - {"name_to_handle_at"}
    assert refused == NEWLY_REFUSED


# podman lets a container without CAP_SYS_ADMIN make namespaces and mounts in them; docker, and we, do not.
PODMAN_ALLOWS = {
    "clone3", "fsconfig", "fsmount", "fsopen", "fspick", "get_mempolicy", "keyctl", "mbind", "mount", "mount_setattr",
    "move_mount", "open_tree", "pidfd_getfd", "pivot_root", "reboot", "set_mempolicy", "setns", "syslog", "umount2",
    "unshare", ("clone", 0x20011), ("clone", 0x10000000), ("clone", 0x40000000), ("socket", 38), ("socket", 40),
}  # fmt: skip
PODMAN_REFUSES = NEWLY_ALLOWED - {
    "name_to_handle_at", "pkey_alloc", "pkey_free", "pkey_mprotect", "process_vm_readv", "process_vm_writev",
} | {"futex_waitv", "io_pgetevents", "vmsplice"}  # fmt: skip


@pytest.mark.needs_root
@pytest.mark.needs_podman
@pytest.mark.needs_shared
@pytest.mark.skipif(MACHINE != "x86_64", reason="the list of differences is x86_64's")
def test_podman_differs_only_as_documented(engine):
    theirs, profile = engine("podman")
    found = differences(compile_filter(DEFAULT, MACHINE), theirs, "SCMP_ARCH_X86_64")
    assert unlike(found) == (PODMAN_REFUSES, PODMAN_ALLOWS)
    assert_compiled_as_by_runc(profile, theirs)


def assert_compiled_as_by_runc(profile, theirs):
    """The same config.json through our compiler and through runc with libseccomp: the same verdicts.

    But for calls that runc's libseccomp does not know, and the numbers between a profile's newest call and the legacy
    row, which on x32 are "not yet known" for us and EPERM for runc.
    """
    library = bpf_machine.libseccomp()
    for rule in profile["syscalls"]:
        rule["names"] = [
            n for n in rule["names"] if library.seccomp_syscall_resolve_name_arch(0, n.encode()) != -1
        ]
    ours = compile_filter(profile, MACHINE)
    assert differences(ours, theirs, "SCMP_ARCH_X86_64", 600) == {}
    assert differences(ours, theirs, "SCMP_ARCH_X86", 600) == {}
    assert differences(ours, theirs, "SCMP_ARCH_X32", 440) == {}
