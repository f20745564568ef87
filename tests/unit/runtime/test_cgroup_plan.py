"""linux.resources -> control files, for both versions, and where the hierarchies are mounted."""

from __future__ import annotations

import pytest

from firkin.errors import InvalidArgument, Unsupported
from firkin.runtime.cgroup import v1_plan, v2_plan
from firkin.runtime.cgroup.layout import parse
from firkin.runtime.cgroup.v2_plan import swap_of, weight_of


def v1(now=None, **resources):
    return [(s.file, s.value) for s in v1_plan.plan(resources, memory_now=now)]


def v2(fresh=True, **resources):
    return [(s.file, s.value) for s in v2_plan.plan(resources, fresh=fresh)]


def test_nothing_wanted_nothing_written():
    empty = {"memory": {}, "cpu": None, "pids": {"limit": -1}, "hugepageLimits": [], "blockIO": {"weight": 0}}
    assert v1(**empty) == v2(**empty) == []


def test_defaults_are_written_to_an_old_cgroup_only():
    assert v1(memory={"limit": -1}, cpu={"quota": -1}) == []
    assert v1(5, memory={"limit": -1}, cpu={"quota": -1}, pids={"limit": -1}) == [
        ("memory.memsw.limit_in_bytes", "-1"), ("memory.limit_in_bytes", "-1"), ("cpu.cfs_quota_us", "-1"),
        ("pids.max", "max"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("now", "first"),
    [(None, "memory.limit_in_bytes"), (50, "memory.memsw.limit_in_bytes"), (500, "memory.limit_in_bytes")],
)
def test_v1_memory_never_exceeds_memory_and_swap(now, first):
    assert v1(now, memory={"limit": 100, "swap": 200})[0][0] == first


def test_v1_everything():
    shown = dict(
        v1(
            memory={"limit": 10, "reservation": 5, "swappiness": 0, "disableOOMKiller": True, "kernel": 3},
            cpu={
                "shares": 2,
                "quota": 1000,
                "period": 2000,
                "burst": 500,
                "idle": 1,
                "cpus": "0-1",
                "mems": "0",
            },
            pids={"limit": 0},
            network={"classID": 17, "priorities": [{"name": "eth0", "priority": 3}]},
            rdma={"mlx": {"hcaHandles": 2, "hcaObjects": 3}},
            hugepageLimits=[{"pageSize": "2MB", "limit": 9}],
        )
    )
    assert shown == {
        "memory.limit_in_bytes": "10", "memory.soft_limit_in_bytes": "5", "memory.swappiness": "0",
        "memory.oom_control": "1", "cpu.shares": "2", "cpu.cfs_period_us": "2000", "cpu.cfs_quota_us": "1000",
        "cpu.cfs_burst_us": "500", "cpu.idle": "1", "cpuset.cpus": "0-1", "cpuset.mems": "0", "pids.max": "0",
        "net_cls.classid": "17", "net_prio.ifpriomap": "eth0 3", "rdma.max": "mlx hca_handle=2 hca_object=3",
        "hugetlb.2MB.rsvd.limit_in_bytes": "9", "hugetlb.2MB.limit_in_bytes": "9",
    }  # fmt: skip


def test_block_io_in_both():
    block = {
        "weight": 500,
        "weightDevice": [{"major": 8, "minor": 0, "weight": 10}],
        "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 1000}],
        "throttleWriteIOPSDevice": [{"major": 8, "minor": 16, "rate": 7}],
    }
    assert v1(blockIO=block) == [
        ("blkio.bfq.weight", "500"), ("blkio.bfq.weight_device", "8:0 10"),
        ("blkio.throttle.read_bps_device", "8:0 1000"), ("blkio.throttle.write_iops_device", "8:16 7"),
    ]  # fmt: skip
    settings = v2_plan.plan({"blockIO": block})
    assert [(s.file, s.value, s.other, s.other_value) for s in settings] == [
        ("io.bfq.weight", "500", "io.weight", "default 4950"), ("io.bfq.weight", "8:0 10", "io.weight", "8:0 1"),
        ("io.max", "8:0 rbps=1000", "", ""), ("io.max", "8:16 wiops=7", "", ""),
    ]  # fmt: skip


def test_v2_cpu_max_is_one_file():
    assert v2(cpu={"quota": 5000, "period": 10000}) == [("cpu.max", "5000 10000")]
    assert v2(cpu={"quota": 5000}) == [("cpu.max", "5000")]
    assert v2(cpu={"period": 5000}) == [("cpu.max", "max 5000")]
    assert v2(cpu={"quota": -1}) == []
    assert v2(fresh=False, cpu={"quota": -1}) == [("cpu.max", "max")]


@pytest.mark.parametrize(
    ("limit", "swap", "expected"),
    [(100, 250, 150), (100, 100, 0), (100, -1, -1), (100, 0, None), (0, 0, None), (-1, 0, -1), (-1, -1, -1)],
)
def test_swap_of(limit, swap, expected):
    assert swap_of(limit, swap) == expected


@pytest.mark.parametrize(("limit", "swap"), [(0, 100), (-1, 100), (100, 50)])
def test_swap_without_a_limit_below_it(limit, swap):
    with pytest.raises(InvalidArgument):
        swap_of(limit, swap)


def test_weights_keep_the_three_points():
    assert [weight_of(s) for s in (2, 1024, 262144)] == [1, 100, 10000]
    weights = [weight_of(s) for s in range(2, 262145, 7)]
    assert weights == sorted(weights)


@pytest.mark.parametrize(
    ("resources", "field"),
    [
        ({"memory": {"limit": "1g"}}, "memory.limit"),
        ({"memory": {"limit": True}}, "memory.limit"),
        ({"memory": []}, "memory"),
        ({"cpu": {"quota": -2}}, "cpu.quota"),
        ({"cpu": {"cpus": "0\n1"}}, "cpu.cpus"),
        ({"pids": {"limit": 1.5}}, "pids.limit"),
        ({"blockIO": {"throttleReadBpsDevice": [{"rate": 5}]}}, "blockIO.throttleReadBpsDevice[0]"),
        ({"blockIO": {"weightDevice": {}}}, "blockIO.weightDevice"),
        ({"hugepageLimits": [{"pageSize": "../x", "limit": 1}]}, "hugepageLimits[0]"),
        ({"rdma": {"x": {}}}, "rdma.x"),
        ({"memory": {"limit": 5, "swap": 3}}, "memory.swap"),
    ],
)
@pytest.mark.parametrize("plan", [v1_plan.plan, v2_plan.plan])
def test_wrong_values_name_their_field(plan, resources, field):
    with pytest.raises(InvalidArgument) as caught:
        plan(resources)
    assert caught.value.fields["field"] == field


def test_what_one_version_lacks():
    with pytest.raises(Unsupported, match=r"linux\.resources\.unified.*cgroup v2"):
        v1_plan.plan({"unified": {"memory.high": "1"}})
    with pytest.raises(Unsupported, match=r"cpu\.realtimeRuntime"):
        v2_plan.plan({"cpu": {"realtimeRuntime": 5}})
    with pytest.raises(InvalidArgument):
        v2_plan.plan({"unified": {"../x.y": "1"}})


HYBRID = b"""\
22 27 0:21 / /proc rw,relatime - proc proc rw
31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct
33 31 0:33 /part /mnt/devices rw - cgroup cgroup rw,devices
34 31 0:33 / /sys/fs/cgroup/my\\040devices rw - cgroup cgroup rw,devices
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
"""


def test_layouts():
    hybrid = parse(HYBRID)
    assert hybrid.kind == "hybrid"
    assert hybrid.unified == "/sys/fs/cgroup/unified"
    assert hybrid.v1 == {
        "cpu": "/sys/fs/cgroup/cpu,cpuacct",
        "cpuacct": "/sys/fs/cgroup/cpu,cpuacct",
        "devices": "/sys/fs/cgroup/my devices",
    }
    pure = parse(b"30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n")
    assert (pure.kind, pure.unified) == ("v2", "/sys/fs/cgroup")
    assert parse(HYBRID.replace(b"cgroup2 cgroup2", b"tmpfs tmpfs")).kind == "v1"
