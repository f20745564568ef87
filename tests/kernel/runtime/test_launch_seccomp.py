"""The filter is installed at the right moment, by launch and by execute."""

from __future__ import annotations

import pytest
from box import exec_spec, make_spec, run, run_exec

pytestmark = pytest.mark.needs_root


def deny(spec, *names, errno=1):
    spec["linux"]["seccomp"] = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"][:1],
        "syscalls": [{"names": list(names), "action": "SCMP_ACT_ERRNO", "errnoRet": errno}],
    }
    return spec


@pytest.mark.parametrize("no_new_privileges", [False, True])
@pytest.mark.parametrize("uid", [0, 1000])
def test_filter(root, no_new_privileges, uid):
    spec = deny(
        make_spec(root, "sh", "-c", "mkdir /tmp/x; grep Seccomp: /proc/self/status"),
        "mkdir",
        "mkdirat",
        errno=95,
    )
    spec["process"]["noNewPrivileges"] = no_new_privileges
    spec["process"]["user"] = {"uid": uid, "gid": uid}
    box = run(spec)
    assert "can't create directory '/tmp/x': Not supported" in box.out.replace(
        "Operation not supported", "Not supported"
    )
    assert "Seccomp:\t2" in box.lines


def test_with_no_new_privileges_it_comes_after_everything_that_launch_does(root):
    """Calls that only the launch needs may be forbidden then."""
    spec = deny(
        make_spec(root, "ls", "/proc/self/fd"),
        "execveat",
        "capset",
        "setresuid",
        "setgroups",
        "chdir",
        "close_range",
        "pivot_root",
        "prctl",
    )
    spec["process"]["noNewPrivileges"] = True
    assert run(spec).lines == ["0", "1", "2", "3"]
    assert run(spec, init=True).lines == ["0", "1", "2", "3"]


def test_a_filter_that_forbids_execve_is_reported(root):
    box = run(deny(make_spec(root, "true"), "execve", errno=13))
    assert box.error["kind"] == "CannotRun"
    assert box.error["fields"]["errno"] == 13
    assert box.left == []


def test_exec_has_the_containers_filter_unless_privileged(root):
    spec = deny(make_spec(root, "sleep", "60"), "mkdir", "mkdirat", errno=95)
    one = exec_spec(spec, "grep", "Seccomp:", "/proc/self/status")
    assert run_exec(spec, one)[0].lines == ["Seccomp:\t2"]
    assert run_exec(spec, one, privileged=True)[0].lines == ["Seccomp:\t0"]


def test_a_wrong_profile_is_refused_before_anything_is_made(root):
    spec = make_spec(root, "true")
    spec["linux"]["seccomp"] = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["read"], "action": "SCMP_ACT_MAYBE"}],
    }
    box = run(spec)
    assert box.error["kind"] == "InvalidArgument"
    assert box.left == []
