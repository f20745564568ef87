"""linux.resources -> writes to v1 control files. Pure; the order within a controller is the kernel's demand.

Sources: config-linux.md "Control groups"; Documentation/admin-guide/cgroup-v1/*.rst. Not written, as in runc:
memory.kernel (the kernel dropped it in 5.16) and memory.useHierarchy (always on since 5.11).
"""

from __future__ import annotations

from firkin.errors import InvalidArgument
from firkin.runtime.cgroup.settings import Setting, entries, integer, missing, section, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_THROTTLES = {
    "throttleReadBpsDevice": "blkio.throttle.read_bps_device",
    "throttleWriteBpsDevice": "blkio.throttle.write_bps_device",
    "throttleReadIOPSDevice": "blkio.throttle.read_iops_device",
    "throttleWriteIOPSDevice": "blkio.throttle.write_iops_device",
}


def plan(resources: Mapping[str, Any], *, memory_now: int | None = None) -> list[Setting]:
    """Return the writes; ``memory_now`` is the limit in force, None for a fresh cgroup (defaults are then skipped).

    Raises InvalidArgument for wrong values, Missing for what v1 cannot do (unified).
    """
    if section(resources, "unified"):
        raise missing("unified", "cgroup v2")
    fresh = memory_now is None
    writes = [
        *_memory(section(resources, "memory"), memory_now),
        *_cpu(section(resources, "cpu"), fresh=fresh),
        *_pids(section(resources, "pids"), fresh=fresh),
        *_block(section(resources, "blockIO")),
        *_network(section(resources, "network")),
        *hugepages(resources, "limit_in_bytes"),
        *rdma(section(resources, "rdma")),
    ]
    return [w for w in writes if not (fresh and w.value == "-1")]


def _memory(memory: dict[str, Any], now: int | None) -> list[Setting]:
    limit = integer(memory, "memory.limit")
    swap = integer(memory, "memory.swap")
    if limit == -1 and not swap:
        swap = -1  # unlimited memory under a limit on memory and swap would be a limit after all
    if limit and limit > 0 and swap and 0 < swap < limit:
        raise InvalidArgument(
            f"linux.resources.memory.swap ({swap}) is memory and swap together: at least the limit ({limit})",
            field="memory.swap",
        )
    pair = []
    if limit:
        pair.append(
            Setting(controller="memory", file="memory.limit_in_bytes", value=str(limit), field="memory.limit")
        )
    if swap:
        both = Setting(
            controller="memory", file="memory.memsw.limit_in_bytes", value=str(swap), field="memory.swap"
        )
        # At no moment may memory's limit be above that of memory and swap together (EINVAL).
        pair.insert(0 if now is not None and (swap == -1 or now < swap) else len(pair), both)
    for field, file in (
        ("memory.reservation", "memory.soft_limit_in_bytes"),
        ("memory.kernelTCP", "memory.kmem.tcp.limit_in_bytes"),
        ("memory.swappiness", "memory.swappiness"),
    ):
        value = integer(memory, field, 0 if field.endswith("swappiness") else -1)
        if value is not None and (value or field.endswith("swappiness")):
            pair.append(Setting(controller="memory", file=file, value=str(value), field=field))
    killer = memory.get("disableOOMKiller")
    if killer is not None and (killer or now is not None):
        pair.append(
            Setting(
                controller="memory",
                file="memory.oom_control",
                value=str(int(bool(killer))),
                field="memory.disableOOMKiller",
            )
        )
    return pair


def _cpu(cpu: dict[str, Any], *, fresh: bool) -> list[Setting]:
    def setting(file: str, value: object, field: str) -> Setting:
        return Setting(controller="cpu", file=f"cpu.{file}", value=str(value), field=f"cpu.{field}")

    writes = []
    idle = integer(cpu, "cpu.idle", 0)
    if idle == 0 and not fresh:
        writes.append(setting("idle", 0, "idle"))  # an idle group refuses shares
    if shares := integer(cpu, "cpu.shares", 0):
        writes.append(setting("shares", shares, "shares"))
    for field, file in (("realtimePeriod", "rt_period_us"), ("realtimeRuntime", "rt_runtime_us")):
        if value := integer(cpu, f"cpu.{field}", 0 if field.endswith("Period") else -1):
            writes.append(setting(file, value, field))
    burst = integer(cpu, "cpu.burst", 0)
    if burst == 0 and not fresh:
        writes.append(setting("cfs_burst_us", 0, "burst"))  # before a quota that would be below it
    if period := integer(cpu, "cpu.period", 0):
        writes.append(setting("cfs_period_us", period, "period"))
    if quota := integer(cpu, "cpu.quota"):
        writes.append(setting("cfs_quota_us", quota, "quota"))
    if burst:
        writes.append(setting("cfs_burst_us", burst, "burst"))
    if idle:
        writes.append(setting("idle", idle, "idle"))
    return [*writes, *_cpuset(cpu)]


def _cpuset(cpu: dict[str, Any]) -> list[Setting]:
    return [
        Setting(controller="cpuset", file=f"cpuset.{name}", value=value, field=f"cpu.{name}")
        for name in ("cpus", "mems")
        if (value := text(cpu, f"cpu.{name}"))
    ]


def _pids(pids: dict[str, Any], *, fresh: bool) -> list[Setting]:
    limit = integer(pids, "pids.limit")
    if limit is None or (fresh and limit == -1):
        return []
    value = "max" if limit == -1 else str(limit)
    return [Setting(controller="pids", file="pids.max", value=value, field="pids.limit")]


def _block(block: dict[str, Any]) -> list[Setting]:
    writes = []

    def add(file: str, value: str, field: str, other: str = "") -> None:
        writes.append(
            Setting(controller="blkio", file=file, value=value, field=f"blockIO.{field}", other=other)
        )

    if weight := integer(block, "blockIO.weight", 0):
        add("blkio.bfq.weight", str(weight), "weight", "blkio.weight")
    if leaf := integer(block, "blockIO.leafWeight", 0):
        add("blkio.leaf_weight", str(leaf), "leafWeight")
    for i, entry in enumerate(entries(block, "blockIO.weightDevice")):
        device = device_number(entry, f"blockIO.weightDevice[{i}]")
        if weight := integer(entry, f"blockIO.weightDevice[{i}].weight", 0):
            add("blkio.bfq.weight_device", f"{device} {weight}", "weightDevice", "blkio.weight_device")
        if leaf := integer(entry, f"blockIO.weightDevice[{i}].leafWeight", 0):
            add("blkio.leaf_weight_device", f"{device} {leaf}", "weightDevice")
    for field, file in _THROTTLES.items():
        for i, entry in enumerate(entries(block, f"blockIO.{field}")):
            rate = integer(entry, f"blockIO.{field}[{i}].rate", 0) or 0
            add(file, f"{device_number(entry, f'blockIO.{field}[{i}]')} {rate}", field)
    return writes


def device_number(entry: Mapping[str, Any], field: str) -> str:
    """Return ``major:minor`` of a blockIO entry."""
    major, minor = integer(entry, f"{field}.major", 0), integer(entry, f"{field}.minor", 0)
    if major is None or minor is None:
        raise InvalidArgument(f"linux.resources.{field} needs major and minor", field=field)
    return f"{major}:{minor}"


def _network(network: dict[str, Any]) -> list[Setting]:
    writes = []
    if identifier := integer(network, "network.classID", 0):
        writes.append(
            Setting(
                controller="net_cls", file="net_cls.classid", value=str(identifier), field="network.classID"
            )
        )
    for i, entry in enumerate(entries(network, "network.priorities")):
        field = f"network.priorities[{i}]"
        name, priority = text(entry, f"{field}.name"), integer(entry, f"{field}.priority", 0)
        if not name or " " in name or priority is None:
            raise InvalidArgument(f"linux.resources.{field} needs name and priority", field=field)
        writes.append(
            Setting(controller="net_prio", file="net_prio.ifpriomap", value=f"{name} {priority}", field=field)
        )
    return writes


def hugepages(resources: Mapping[str, Any], file: str) -> list[Setting]:
    """Return the hugetlb writes for both versions; ``file`` is the last word of the file's name.

    The reservation limit goes first (reserving beyond it fails with ENOMEM at mmap), the fault limit (SIGBUS) catches
    the rest; a kernel before 5.7 has the fault limit only.
    """
    writes = []
    for i, entry in enumerate(entries(resources, "hugepageLimits")):
        field = f"hugepageLimits[{i}]"
        size, limit = text(entry, f"{field}.pageSize"), integer(entry, f"{field}.limit", 0)
        if not size or "/" in size or limit is None:
            raise InvalidArgument(f"linux.resources.{field} needs pageSize and limit", field=field)
        plain = f"hugetlb.{size}.{file}"
        for name, other in ((f"hugetlb.{size}.rsvd.{file}", plain), (plain, "")):
            writes.append(
                Setting(controller="hugetlb", file=name, value=str(limit), field=field, other=other)
            )
    return writes


def rdma(devices: dict[str, Any]) -> list[Setting]:
    """Return the rdma writes, the same in both versions."""
    writes = []
    for name, entry in devices.items():
        field = f"rdma.{name}"
        words = [name]
        for key, word in (("hcaHandles", "hca_handle"), ("hcaObjects", "hca_object")):
            if isinstance(entry, dict) and (value := integer(entry, f"{field}.{key}", 0)) is not None:
                words.append(f"{word}={value}")
        if len(words) == 1 or " " in name or "\n" in name:
            raise InvalidArgument(f"linux.resources.{field} needs hcaHandles or hcaObjects", field=field)
        writes.append(Setting(controller="rdma", file="rdma.max", value=" ".join(words), field=field))
    return writes
