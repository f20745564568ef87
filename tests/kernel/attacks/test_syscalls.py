"""System calls that the default policy forbids, made from Python in a container of the host's image."""

from __future__ import annotations

import json

import pytest

from firkin.linux import nr

pytestmark = pytest.mark.needs_root

PROGRAM = r"""
import ctypes, errno, json, os, sys
libc = ctypes.CDLL(None, use_errno=True)
buffer = ctypes.create_string_buffer(4096)
def call(number, *args):
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(a) if isinstance(a, int) else a for a in args])
    return result, errno.errorcode.get(ctypes.get_errno(), "")
clone = ctypes.create_string_buffer(88)
ctypes.memmove(clone, (0x10000000).to_bytes(8, "little"), 8)
X86 = os.uname().machine == "x86_64"
calls = {
    "clone3 newuser": (435, clone, 88), "unshare newuser": (272 if X86 else 97, 0x10000000), "unshare newns": (272 if X86 else 97, 0x20000),
    "setns": (308 if X86 else 268, 0, 0), "mount": (165 if X86 else 40, b"none\0", b"/tmp\0", b"tmpfs\0", 0, 0),
    "umount": (166 if X86 else 39, b"/proc/keys\0", 2), "open_tree": (428, -100, b"/\0", 1), "move_mount": (429, 0, b"", 0, b"", 4),
    "fsopen": (430, b"tmpfs\0", 0), "mount_setattr": (442, -100, b"/\0", 0x8000, buffer, 32),
    "open_by_handle_at": (304 if X86 else 265, -100, buffer, 0), "bpf": (321 if X86 else 280, 0, buffer, 72),
    "perf_event_open": (298 if X86 else 241, buffer, 0, -1, -1, 0), "keyctl": (250 if X86 else 219, 0, -3, 0, 0, 0),
    "add_key": (248 if X86 else 217, b"user\0", b"a\0", b"b\0", 1, -3), "request_key": (249 if X86 else 218, b"user\0", b"a\0", 0, -3),
    "userfaultfd": (323 if X86 else 282, 0), "io_uring_setup": (425, 4, buffer), "kexec_load": (246 if X86 else 104, 0, 0, 0, 0),
    "init_module": (175 if X86 else 105, buffer, 0, b"\0"), "finit_module": (313 if X86 else 273, 0, b"\0", 0),
    "pivot_root": (155 if X86 else 41, b"/\0", b"/\0"), "swapon": (167 if X86 else 224, b"/x\0", 0),
    "reboot": (169 if X86 else 142, 0, 0, 0, 0), "settimeofday": (164 if X86 else 170, buffer, 0), "acct": (163 if X86 else 89, b"/x\0"),
    "quotactl": (179 if X86 else 60, 0, 0, 0, 0), "personality": (135 if X86 else 92, 0x0040000 | 8), "vsock": (41 if X86 else 198, 40, 1, 0),
    "lookup_dcookie": (212 if X86 else 18, 0, buffer, 10), "move_pages": (279 if X86 else 239, 1, 0, 0, 0, 0, 0),
}
out = {}
only = sys.argv[1:] or calls
for name in only:
    args = calls[name]
    result, why = call(*args)
    if result == 0 and name.startswith("clone3"):
        os._exit(0)
    out[name] = why if result < 0 else "succeeded"
if only is calls:  # the breakout with two roots
    os.makedirs("/tmp/jail", exist_ok=True)
    before = os.stat("/").st_ino, os.stat("/").st_dev
    here = os.open("/", os.O_RDONLY)
    os.chroot("/tmp/jail"); os.fchdir(here)
    for _ in range(64):
        os.chdir("..")
    os.chroot(".")
    out["double chroot"] = "inside" if before == (os.stat("/").st_ino, os.stat("/").st_dev) else "succeeded"
print(json.dumps(out))
"""

DENIED = {"EPERM", "ENOSYS"}
# allowed to be called, and refused by the kernel for what it is
OTHERWISE = {"double chroot": {"inside"}, "vsock": {"EPERM", "EAFNOSUPPORT"}, "lookup_dcookie": {"EPERM", "ENOSYS"},
             "setns": {"EPERM"}, "move_pages": {"EPERM", "ENOSYS"}, "clone3 newuser": {"ENOSYS", "EPERM"}}  # fmt: skip


def answers(firkin, *flags: str, only: tuple[str, ...] = ()) -> dict[str, str]:
    told = firkin.out(
        "run", "--rm", "--network", "none", *flags, "host", "python3", "-I", "-c", PROGRAM, *only
    )
    return json.loads(told)


def test_system_calls_are_denied(firkin) -> None:
    got = answers(firkin)
    assert {name: why for name, why in got.items() if why not in OTHERWISE.get(name, DENIED)} == {}


def test_without_the_policy_some_of_them_are_not(firkin) -> None:
    """The attacks are real: unconfined, the kernel itself is asked."""
    some = ("userfaultfd", "keyctl", "personality", "unshare newuser", "unshare newns")
    got = answers(firkin, "--security-opt", "seccomp=unconfined", only=some)
    assert got["keyctl"] == got["unshare newuser"] == got["unshare newns"] == "succeeded"


def test_the_session_keyring_is_the_containers_own(firkin) -> None:
    script = ("import ctypes; l = ctypes.CDLL(None); b = ctypes.create_string_buffer(200); "
              f"l.syscall(ctypes.c_long({nr.KEYCTL}), 6, -3, b, 200, 0); print(b.value.decode())")  # fmt: skip
    told = firkin.out(
        "run",
        "--rm",
        "--network",
        "none",
        "--security-opt",
        "seccomp=unconfined",
        "host",
        "python3",
        "-I",
        "-c",
        script,
    )
    assert "_ses." in told, told
