"""What only cgroup v2 has. Run with `make cgroup2` (a VM), together with the contract in tests/kernel/confinement."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path

import pytest

from firkin.errors import Unsupported
from firkin.linux import bpf
from firkin.runtime.cgroup import freeze
from firkin.runtime.cgroup.api import Cgroup

pytestmark = [pytest.mark.needs_cgroup2, pytest.mark.needs_root]

MIB = 1 << 20


@pytest.fixture
def make():
    made = []

    def create(**resources):
        cgroup = Cgroup.create(f"firkin-test-confinement/e2/c{len(made)}", resources)
        made.append(cgroup)
        return cgroup

    yield create
    for cgroup in made:
        cgroup.kill()
        cgroup.remove()
    assert not Path("/sys/fs/cgroup/firkin-test-confinement").exists()


def read(cgroup, file):
    return Path(cgroup.directories()[""], file).read_text().strip()


@pytest.mark.parametrize(
    ("resources", "file", "shown"),
    [
        ({"memory": {"limit": 64 * MIB, "swap": 96 * MIB}}, "memory.swap.max", str(32 * MIB)),
        ({"memory": {"limit": 64 * MIB, "swap": 64 * MIB}}, "memory.swap.max", "0"),
        ({"memory": {"limit": 64 * MIB, "swap": -1}}, "memory.swap.max", "max"),
        ({"memory": {"reservation": 16 * MIB}}, "memory.low", str(16 * MIB)),
        ({"cpu": {"shares": 512}}, "cpu.weight", "59"),
        ({"cpu": {"quota": 20000}}, "cpu.max", "20000 100000"),
        ({"cpu": {"period": 50000}}, "cpu.max", "max 50000"),
        ({"cpu": {"quota": 20000, "burst": 10000}}, "cpu.max.burst", "10000"),
        ({"cpu": {"idle": 1}}, "cpu.idle", "1"),
        ({"unified": {"memory.high": str(8 * MIB), "pids.max": "9"}}, "memory.high", str(8 * MIB)),
    ],
)
def test_v2_files(make, resources, file, shown):
    assert read(make(**resources), file) == shown


def test_a_period_alone_keeps_the_quota(make):
    cgroup = make(cpu={"quota": 20000})
    cgroup.update({"cpu": {"period": 50000}})
    assert read(cgroup, "cpu.max") == "20000 50000"


@pytest.mark.parametrize(
    "resources",
    [{"memory": {"swappiness": 3}}, {"memory": {"disableOOMKiller": True}}, {"network": {"classID": 3}}],
)
def test_what_v2_lacks_is_refused(make, resources):
    with pytest.raises(Unsupported) as caught:
        make(**resources)
    assert caught.value.fields["field"].startswith(next(iter(resources)))


def test_a_unified_key_of_a_missing_controller_is_named(make):
    with pytest.raises(Unsupported) as caught:
        make(unified={"nosuch.max": "1"})
    assert caught.value.fields["controller"] == "nosuch"


def test_clone_into_cgroup(make):
    """What open_fd is for: the child is born in the cgroup."""
    cgroup = make(pids={"limit": 5})
    fd = cgroup.open_fd()
    arguments = (ctypes.c_uint64 * 11)()
    arguments[0], arguments[4], arguments[10] = 0x200000000, signal.SIGCHLD, fd  # CLONE_INTO_CGROUP
    libc = ctypes.CDLL(None)
    pid = libc.syscall(435, arguments, 88)
    if pid == 0:
        os._exit(0 if "firkin-test-confinement" in Path("/proc/self/cgroup").read_text() else 1)
    assert pid > 0
    os.close(fd)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_one_program_however_often_updated(make):
    deny = {"allow": False, "access": "rwm"}
    cgroup = make(devices=[deny])
    for _ in range(3):
        cgroup.update(
            {"devices": [deny, {"allow": True, "type": "c", "major": 10, "minor": 229, "access": "rw"}]}
        )
    fd = cgroup.open_fd()
    assert len(bpf.attached(fd)) == 1
    cgroup.update({"devices": [{"allow": True, "access": "rwm"}]})
    assert bpf.attached(fd) == []
    os.close(fd)


def test_the_verifiers_words_are_kept():
    with pytest.raises(OSError) as caught:
        bpf.load_device_program(b"\x95" + bytes(7))  # exit without a value in r0
    assert "R0 !read_ok" in "".join(caught.value.__notes__)


def test_exec_goes_where_the_containers_first_process_is(make):
    """A container with cgroups of its own has nobody in its upper one (the no-internal-process rule)."""
    cgroup = make()
    top = Path(cgroup.directories()[""])
    pid = os.fork()
    if pid == 0:
        os.execv("/bin/sleep", ["sleep", "60"])
    cgroup.enter(pid)
    (top / "init.scope").mkdir()
    (top / "init.scope/cgroup.procs").write_text(str(pid))
    (top / "cgroup.subtree_control").write_text("+memory")
    other = os.fork()
    if other == 0:
        os.execv("/bin/sleep", ["sleep", "60"])
    with pytest.raises(OSError, match="busy"):
        cgroup.enter(other)
    cgroup.enter(other, beside=pid)
    assert sorted(cgroup.pids()) == sorted([pid, other])
    cgroup.kill()
    for each in (pid, other):
        assert os.waitstatus_to_exitcode(os.waitpid(each, 0)[1]) == -signal.SIGKILL


def test_kill_on_a_kernel_without_cgroup_kill(make):
    cgroup = make(pids={"limit": 30})
    pid = os.fork()
    if pid == 0:
        cgroup.enter(0)
        bomb = "import os, time\nwhile True:\n try: os.fork()\n except BlockingIOError: time.sleep(0.01)"
        os.execv(sys.executable, [sys.executable, "-I", "-S", "-c", bomb])
    while len(cgroup.pids()) < 20:
        os.sched_yield()
    where = cgroup.directories()[""]
    freeze.kill_all(where, freeze.V2(where), f"/{cgroup.path}")
    os.waitpid(pid, 0)
    cgroup.remove()
    assert not Path(where).exists()
