"""The contract of runtime/cgroup/api.py, with real effects. Runs on v1 here and, by `make cgroup2`, on v2 in a VM."""

from __future__ import annotations

import errno
import mmap
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from firkin.errors import Conflict, FirkinError, InvalidArgument, NotFound, Unsupported
from firkin.runtime.cgroup.api import Cgroup, list_containers
from firkin.runtime.cgroup.layout import layout

pytestmark = pytest.mark.needs_root

PARENT = "firkin-test-confinement/e1"
MIB = 1 << 20


@pytest.fixture
def make():
    made = []

    def create(name="c1", **resources):
        cgroup = Cgroup.create(f"{PARENT}/{name}", resources)
        made.append(cgroup)
        return cgroup

    yield create
    for cgroup in made:
        cgroup.kill()
        cgroup.remove()
    left = [
        m
        for m in {*layout().v1.values(), layout().unified}
        if m and Path(m, "firkin-test-confinement").exists()
    ]
    assert left == []


def run_in(cgroup, program, *, wait=True):
    """Run ``program`` (Python source) in the cgroup; return its exit code, or its pid."""
    pid = os.fork()
    if pid == 0:
        try:
            cgroup.enter(0)
            os.execv(sys.executable, [sys.executable, "-I", "-S", "-c", program])
        finally:
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) if wait else pid


def read(cgroup, controller, file):
    directories = cgroup.directories()
    return Path(directories.get(controller) or directories[""], file).read_text().strip()


def on(version):
    return pytest.mark.skipif(
        bool(layout().v1) != (version == "v1"),
        reason=f"this machine's cgroups are {layout().kind}; {version} is tested apart",
    )


def until(condition):
    for _ in range(500):
        if condition():
            return
        time.sleep(0.01)
    pytest.fail("it did not happen within 5 s")


def test_make_enter_list_remove(make):
    cgroup = make()
    pid = run_in(cgroup, "import time; time.sleep(60)", wait=False)
    until(lambda: cgroup.pids() == [pid])
    assert list_containers(PARENT) == ["c1"]
    paths = Path(f"/proc/{pid}/cgroup").read_text()
    assert paths.count(f":/{PARENT}/c1\n") == len(set(cgroup.directories().values()))
    cgroup.kill()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    cgroup.remove()
    cgroup.remove()
    assert list_containers(PARENT) == []
    assert cgroup.pids() == []


def test_a_process_can_be_moved_from_outside(make):
    cgroup = make()
    child = subprocess.Popen(["sleep", "60"])
    cgroup.enter(child.pid)
    assert cgroup.pids(all=False) == [child.pid]
    cgroup.kill()
    assert child.wait() == -signal.SIGKILL


def test_entering_what_is_gone_names_the_cgroup(make):
    cgroup = make()
    cgroup.remove()
    with pytest.raises(OSError) as caught:
        cgroup.enter(os.getpid())
    assert caught.value.errno == errno.ENOENT
    assert f"cgroup {PARENT}/c1" in caught.value.__notes__[0]
    with pytest.raises(NotFound):
        cgroup.stats()
    with pytest.raises(NotFound):
        cgroup.freeze()


def test_remove_kills_and_waits_for_stragglers(make):
    cgroup = make()
    pid = run_in(cgroup, "import time; time.sleep(60)", wait=False)
    until(lambda: cgroup.pids() == [pid])
    cgroup.remove()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    assert list_containers(PARENT) == []


def test_remove_takes_along_what_the_container_made(make):
    cgroup = make()
    for directory in set(cgroup.directories().values()):
        for below in ("a", "a/b", "c"):
            Path(directory, below).mkdir()
    cgroup.remove()
    assert list_containers(PARENT) == []


def test_a_used_cgroup_is_not_taken_over_and_a_leftover_is_replaced(make):
    first = make(pids={"limit": 7})
    second = make(pids={"limit": -1})
    assert read(second, "pids", "pids.max") == "max"
    pid = run_in(first, "import time; time.sleep(60)", wait=False)
    until(lambda: first.pids() == [pid])
    with pytest.raises(Conflict):
        make()
    assert first.pids() == [pid]
    first.kill()
    os.waitpid(pid, 0)


def test_the_parents_stay_while_somebody_needs_them(make):
    one, two = make("one"), make("two")
    one.remove()
    assert list_containers(PARENT) == ["two"]
    two.remove()
    assert list_containers("firkin-test-confinement") == []


def test_racing_creators_and_removers():
    """Eight processes make and remove containers below parents that keep vanishing."""
    children = []
    for n in range(8):
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                for i in range(15):
                    cgroup = Cgroup.create(f"{PARENT}/race{n}-{i}", {"pids": {"limit": 10}})
                    inner = os.fork()
                    if inner == 0:
                        cgroup.enter(0)
                        os._exit(0)
                    if os.waitpid(inner, 0)[1]:
                        os._exit(2)
                    cgroup.remove()
                code = 0
            finally:
                os._exit(code)
        children.append(pid)
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children] == [0] * 8
    assert list_containers("firkin-test-confinement") == []


@pytest.mark.parametrize("path", ["", "/", "..", "firkin/../x", "a//b", "firkin/."])
def test_paths_that_leave_the_hierarchy_are_refused(path):
    with pytest.raises(InvalidArgument):
        Cgroup.create(path, {})


def test_a_failed_create_leaves_nothing(make):
    with pytest.raises(FirkinError):
        make(cpu={"cpus": "999"})
    assert list_containers(PARENT) == []


# --- limits


EAT = "b = bytearray({0} << 20)\nfor i in range(0, len(b), 4096): b[i] = 1"


def test_memory_limit_kills_and_says_whose_limit_it_was(make):
    cgroup = make(memory={"limit": 32 * MIB, "swap": 32 * MIB})
    assert run_in(cgroup, EAT.format(64)) == -signal.SIGKILL
    assert cgroup.oom_kills() == 1
    report = cgroup.oom_report()
    assert (report["kills"], report["level"], report["limit"]) == (1, f"{PARENT}/c1", 32 * MIB)
    assert report["peak"] is None or 31 * MIB < report["peak"] <= 32 * MIB


def test_the_death_of_a_child_alone_counts(make):
    cgroup = make(memory={"limit": 48 * MIB, "swap": 48 * MIB})
    parent = f"import os\npid = os.fork()\nif pid == 0:\n exec({EAT.format(96)!r})\n os._exit(0)\nos.waitpid(pid, 0)"
    assert run_in(cgroup, parent) == 0
    assert cgroup.oom_kills() == 1


def test_a_parents_limit_is_named(make):
    cgroup = make()
    directories = cgroup.directories()
    above = Path(directories.get("memory") or directories[""]).parent
    file = "memory.limit_in_bytes" if cgroup.version == "v1" else "memory.max"
    (above / file).write_text(str(24 * MIB))
    if cgroup.version == "v1":
        (above / "memory.memsw.limit_in_bytes").write_text(str(24 * MIB))
    assert run_in(cgroup, EAT.format(64)) == -signal.SIGKILL
    report = cgroup.oom_report()
    assert (report["level"], report["limit"]) == (PARENT, 24 * MIB)


def test_no_kill_no_level(make):
    cgroup = make(memory={"limit": 64 * MIB})
    assert run_in(cgroup, "pass") == 0
    assert cgroup.oom_report() == {"kills": 0, "level": None, "limit": None, "peak": None}


FORKS = """
import os, sys
n = 0
try:
    while n < 50:
        if os.fork() == 0:
            import time; time.sleep(30); os._exit(0)
        n += 1
except BlockingIOError:
    pass
sys.exit(n)
"""


def test_pids_limit_refuses_the_fork(make):
    cgroup = make(pids={"limit": 5})
    assert run_in(cgroup, FORKS) == 4
    cgroup.kill()


def test_zero_is_a_limit_of_pids(make):
    assert run_in(make(pids={"limit": 0}), FORKS) == 0


OPEN = "import os, sys\ntry: os.open('{0}', os.O_{1})\nexcept PermissionError as e: sys.exit(e.errno)"
DENY_ALL = {"allow": False, "access": "rwm"}


def test_devices_are_denied_but_for_the_promised_and_the_listed(make):
    cgroup = make(devices=[DENY_ALL, {"allow": True, "type": "c", "major": 10, "minor": 229, "access": "r"}])
    assert run_in(cgroup, OPEN.format("/dev/null", "RDWR")) == 0
    assert run_in(cgroup, OPEN.format("/dev/urandom", "RDONLY")) == 0
    kmsg = f"import os\n{mknod('c', 1, 11)}"
    assert run_in(cgroup, kmsg + OPEN.format("/dev/firkin-test-node", "RDONLY")) == errno.EPERM
    fuse = f"import os\n{mknod('c', 10, 229)}"
    assert run_in(cgroup, fuse + OPEN.format("/dev/firkin-test-node", "RDWR")) == errno.EPERM
    Path("/dev/firkin-test-node").unlink()


def mknod(kind, major, minor):
    flag = {"c": 0o20600, "b": 0o60600}[kind]
    return (
        "p = '/dev/firkin-test-node'\nif os.path.exists(p): os.unlink(p)\n"
        f"os.mknod(p, {flag}, os.makedev({major}, {minor}))\n"
    )


def test_mknod_is_refused_where_m_is_not_given(make):
    """A hole in the promised `c *:* m` is refused, so deny all is narrowed by an allow-all list instead."""
    cgroup = make(
        devices=[
            {"allow": True, "access": "rwm"},
            {"allow": False, "type": "c", "major": 1, "minor": 11, "access": "m"},
        ]
    )
    code = f"import os, sys\ntry:\n {mknod('c', 1, 11).replace(chr(10), chr(10) + ' ')}\nexcept PermissionError as e: sys.exit(e.errno)"
    assert run_in(cgroup, code) == errno.EPERM
    assert run_in(cgroup, code.replace("11)", "3)")) == 0
    Path("/dev/firkin-test-node").unlink()


def test_devices_can_be_updated_both_ways(make):
    cgroup = make(devices=[DENY_ALL])
    node = f"import os\n{mknod('c', 1, 11)}" + OPEN.format("/dev/firkin-test-node", "RDONLY")
    codes = [run_in(cgroup, node)]
    for rules in ([{"allow": True, "access": "rwm"}], [DENY_ALL], [DENY_ALL, kmsg_rule()], [DENY_ALL]):
        cgroup.update({"devices": rules})
        codes.append(run_in(cgroup, node))
    assert codes == [1, 0, 1, 0, 1]
    Path("/dev/firkin-test-node").unlink()


def kmsg_rule():
    return {"allow": True, "type": "c", "major": 1, "minor": 11, "access": "r"}


def test_cpu_quota_throttles(make):
    cgroup = make(cpu={"quota": 5000, "period": 50000})
    assert (
        run_in(cgroup, "import time\nend = time.process_time() + 0.05\nwhile time.process_time() < end: pass")
        == 0
    )
    cpu = cgroup.stats()["cpu"]
    assert cpu["throttled"] > 0
    assert cpu["usage_ns"] > 40_000_000


def test_freeze_stops_and_thaw_goes_on(make, tmp_path):
    cgroup = make()
    shared = mmap.mmap(-1, 4096)
    pid = os.fork()
    if pid == 0:
        cgroup.enter(0)
        while True:
            shared[0] = (shared[0] + 1) % 256
            time.sleep(0.001)
    until(lambda: shared[0] > 3)
    cgroup.freeze()
    before = shared[:1]
    time.sleep(0.05)
    assert shared[:1] == before
    cgroup.thaw()
    until(lambda: shared[:1] != before)
    cgroup.freeze()
    cgroup.kill()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL


def test_a_fork_bomb_is_killed(make):
    cgroup = make(pids={"limit": 60})
    run_in(
        cgroup,
        "import os, time\nwhile True:\n try: os.fork()\n except BlockingIOError: time.sleep(0.001)",
        wait=False,
    )
    until(lambda: len(cgroup.pids()) > 30)
    cgroup.kill()
    cgroup.remove()
    assert list_containers(PARENT) == []
    os.waitpid(-1, 0)


def test_kill_reaches_nested_cgroups(make):
    cgroup = make()
    pid = run_in(cgroup, "import time; time.sleep(60)", wait=False)
    until(lambda: cgroup.pids() == [pid])
    for directory in set(cgroup.directories().values()):
        if "/cpuset/" not in f"{directory}/":
            Path(directory, "below").mkdir()
            Path(directory, "below/cgroup.procs").write_text(str(pid))
    assert cgroup.pids(all=False) == []
    assert cgroup.pids() == [pid]
    cgroup.kill()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL


def test_stats_count(make):
    cgroup = make(pids={"limit": 9}, memory={"limit": 100 * MIB})
    pid = run_in(cgroup, EAT.format(20) + "\nimport time; time.sleep(60)", wait=False)
    until(lambda: cgroup.stats()["memory"]["usage"] > 20 * MIB)
    stats = cgroup.stats()
    assert stats["pids"] == {"current": 1, "limit": 9}
    assert stats["memory"]["limit"] == 100 * MIB
    assert stats["cpu"]["usage_ns"] > 0
    cgroup.kill()
    os.waitpid(pid, 0)


def test_a_limit_below_use_is_refused_when_asked_to_look(make):
    cgroup = make(memory={"limit": 100 * MIB})
    pid = run_in(cgroup, EAT.format(20) + "\nimport time; time.sleep(60)", wait=False)
    until(lambda: cgroup.stats()["memory"]["usage"] > 20 * MIB)
    with pytest.raises(Conflict):
        cgroup.update({"memory": {"limit": 10 * MIB, "checkBeforeUpdate": True}})
    cgroup.kill()
    os.waitpid(pid, 0)


def test_a_wrong_value_names_its_field(make):
    with pytest.raises(InvalidArgument) as caught:
        make(cpu={"period": 3})
    assert caught.value.fields["field"] == "cpu.period"


@on("v1")
def test_a_missing_controller_is_named(make):
    if "net_cls" in layout().v1:
        pytest.skip("this machine has net_cls")
    with pytest.raises(Unsupported) as caught:
        make(network={"classID": 3})
    assert (caught.value.fields["field"], caught.value.fields["controller"]) == ("network.classID", "net_cls")


def test_memory_can_be_raised_and_lowered(make):
    cgroup = make(memory={"limit": 64 * MIB, "swap": 64 * MIB})
    for limit in (128, 32, 96):
        cgroup.update({"memory": {"limit": limit * MIB, "swap": 2 * limit * MIB}})
        assert cgroup.stats()["memory"]["limit"] == limit * MIB
    cgroup.update({"memory": {"limit": -1}})
    assert cgroup.stats()["memory"]["limit"] is None


# --- v1's own files


@on("v1")
@pytest.mark.parametrize(
    ("resources", "controller", "file", "shown"),
    [
        ({"memory": {"reservation": 16 * MIB}}, "memory", "memory.soft_limit_in_bytes", str(16 * MIB)),
        ({"memory": {"swappiness": 7}}, "memory", "memory.swappiness", "7"),
        ({"cpu": {"shares": 512}}, "cpu", "cpu.shares", "512"),
        ({"cpu": {"quota": 20000, "burst": 10000}}, "cpu", "cpu.cfs_burst_us", "10000"),
        ({"cpu": {"idle": 1}}, "cpu", "cpu.idle", "1"),
        ({"cpu": {"cpus": "1", "mems": "0"}}, "cpuset", "cpuset.cpus", "1"),
        ({"cpu": {"shares": 2}}, "cpuset", "cpuset.cpus", Path("/sys/fs/cgroup/cpuset/cpuset.cpus")),
    ],
)
def test_v1_files(make, resources, controller, file, shown):
    if isinstance(shown, Path):
        shown = shown.read_text().strip()
    assert read(make(**resources), controller, file) == shown


def disk():
    return next(
        tuple(map(int, (p / "dev").read_text().split(":")))
        for p in sorted(Path("/sys/block").iterdir())
        if (p / "dev").exists()
    )


def test_block_throttles_are_written(make):
    major, minor = disk()
    at = {"major": major, "minor": minor}
    cgroup = make(
        blockIO={
            "throttleReadBpsDevice": [{**at, "rate": 1 << 20}],
            "throttleWriteIOPSDevice": [{**at, "rate": 100}],
        }
    )
    if cgroup.version == "v1":
        assert read(cgroup, "blkio", "blkio.throttle.read_bps_device") == f"{major}:{minor} {1 << 20}"
        assert read(cgroup, "blkio", "blkio.throttle.write_iops_device") == f"{major}:{minor} 100"
    else:
        assert read(cgroup, "", "io.max") == f"{major}:{minor} rbps={1 << 20} wbps=max riops=max wiops=100"


def test_block_weight_is_written_or_refused_by_name(make):
    files = [
        Path(d, name)
        for d in make("bare").directories().values()
        for name in WEIGHTS
        if Path(d, name).exists()
    ]
    if files:
        cgroup = make(blockIO={"weight": 200})
        shown = [Path(d, name) for d in cgroup.directories().values() for name in WEIGHTS]
        assert {"200", "1920"} & {
            path.read_text().split()[-1] for path in shown if path.exists()
        }  # io.weight is scaled
    else:
        with pytest.raises(Unsupported) as caught:
            make(blockIO={"weight": 200})
        assert caught.value.fields["field"] == "blockIO.weight"


WEIGHTS = ("blkio.bfq.weight", "blkio.weight", "io.bfq.weight", "io.weight")


HUGE = Path("/sys/kernel/mm/hugepages/hugepages-2048kB").exists()


@pytest.mark.skipif(not HUGE, reason="this kernel has no 2 MB huge pages")
def test_huge_pages_are_limited_wherever_their_controller_is(make):
    """Here the machine is hybrid and hugetlb is on the cgroup2 side."""
    cgroup = make(hugepageLimits=[{"pageSize": "2MB", "limit": 2 * MIB}], pids={"limit": 9})
    mounts = {*layout().v1.values(), layout().unified}
    files = [
        f for m in mounts if m for f in Path(m, cgroup.path).glob("hugetlb.2MB.[lm]*") if "rsvd" not in f.name
    ]
    assert [f.read_text() for f in files if f.name.endswith(("max", "limit_in_bytes"))] == [f"{2 * MIB}\n"]
    pid = run_in(cgroup, "import time; time.sleep(60)", wait=False)
    until(lambda: str(pid) in Path(files[0].parent, "cgroup.procs").read_text())
    cgroup.update({"hugepageLimits": [{"pageSize": "2MB", "limit": 4 * MIB}]})
    cgroup.kill()
    os.waitpid(pid, 0)
    cgroup.remove()
    assert not files[0].parent.exists()


@on("v1")
def test_the_oom_killer_can_be_switched_off(make):
    cgroup = make(memory={"limit": 32 * MIB, "disableOOMKiller": True})
    assert "oom_kill_disable 1" in read(cgroup, "memory", "memory.oom_control")


@on("v1")
def test_unified_needs_v2(make):
    with pytest.raises(Unsupported):
        make(unified={"memory.high": "1000000"})


@on("v1")
def test_killing_without_a_freezer(make):
    """The rounds of kill_all, as when the processes do not freeze."""
    from firkin.runtime.cgroup.freeze import kill_all

    cgroup = make(pids={"limit": 20})
    run_in(
        cgroup,
        "import os, time\nwhile True:\n try: os.fork()\n except BlockingIOError: time.sleep(0.01)",
        wait=False,
    )
    until(lambda: len(cgroup.pids()) > 10)
    until(lambda: kill_all(cgroup.directories()["pids"], None, f"/{cgroup.path}") or not cgroup.pids())
    os.waitpid(-1, 0)
