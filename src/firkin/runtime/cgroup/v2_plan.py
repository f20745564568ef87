"""linux.resources -> writes to v2 control files. Pure.

config.json speaks v1; this is the translation that runc and crun make (and cgroup-v2.rst):

    memory.limit        memory.max            cpu.shares       cpu.weight (see ``weight_of``)
    memory.swap         memory.swap.max       cpu.quota/period cpu.max
      minus the limit: v2 counts swap alone   cpu.burst        cpu.max.burst
    memory.reservation  memory.low            blockIO.weight   io.bfq.weight, else io.weight (scaled)
    pids.limit          pids.max              throttle*        io.max

What v2 has no file for (swappiness, disableOOMKiller, realtime*, network, leafWeight) is refused, not ignored.
``unified`` is written last and as it is, so it wins.
"""

from __future__ import annotations

from firkin.errors import InvalidArgument, Unsupported
from firkin.runtime.cgroup.settings import Setting, entries, integer, section, text
from firkin.runtime.cgroup.v1_plan import device_number, hugepages, rdma

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_THROTTLES = {
    "throttleReadBpsDevice": "rbps",
    "throttleWriteBpsDevice": "wbps",
    "throttleReadIOPSDevice": "riops",
    "throttleWriteIOPSDevice": "wiops",
}
_V1_ONLY = (
    ("memory", "swappiness"), ("memory", "disableOOMKiller"), ("memory", "kernelTCP"), ("cpu", "realtimeRuntime"),
    ("cpu", "realtimePeriod"), ("blockIO", "leafWeight"), ("network", "classID"), ("network", "priorities"),
)  # fmt: skip


def plan(resources: Mapping[str, Any], *, fresh: bool = True) -> list[Setting]:
    """Return the writes; a ``fresh`` cgroup's defaults are skipped.

    Raises InvalidArgument for wrong values, Unsupported for what only v1 can do.
    """
    for name, key in _V1_ONLY:
        if section(resources, name).get(key):
            raise Unsupported(
                f"cannot set linux.resources.{name}.{key}: cgroup v2 has nothing like it",
                hint="leave it out",
                field=f"{name}.{key}",
                controller=name,
            )
    return [
        *_memory(section(resources, "memory"), fresh=fresh),
        *_cpu(section(resources, "cpu"), fresh=fresh),
        *_pids(section(resources, "pids"), fresh=fresh),
        *_block(section(resources, "blockIO")),
        *hugepages(resources, "max"),
        *rdma(section(resources, "rdma")),
        *_unified(section(resources, "unified")),
    ]


def _limit(value: int) -> str:
    return "max" if value == -1 else str(value)


def swap_of(limit: int, swap: int) -> int | None:
    """Return memory.swap.max for OCI's limit and swap (memory and swap together); None leaves it alone.

    >>> swap_of(1 << 20, 3 << 20)
    2097152
    """
    if limit == -1 and not swap:
        return -1
    if swap in (-1, 0):
        return swap or None
    if limit in (-1, 0):
        raise InvalidArgument(
            "linux.resources.memory.swap is memory and swap together and needs memory.limit",
            field="memory.swap",
        )
    if swap < limit:
        raise InvalidArgument(
            f"linux.resources.memory.swap ({swap}) is memory and swap together: at least the limit ({limit})",
            field="memory.swap",
        )
    return swap - limit


def _memory(memory: dict[str, Any], *, fresh: bool) -> list[Setting]:
    limit, swap = integer(memory, "memory.limit") or 0, integer(memory, "memory.swap") or 0
    writes = []

    def add(file: str, value: int | None, field: str) -> None:
        if value is not None and not (fresh and value == -1):
            writes.append(Setting(controller="memory", file=file, value=_limit(value), field=field))

    add("memory.swap.max", swap_of(limit, swap), "memory.swap")
    add("memory.max", limit or None, "memory.limit")
    add("memory.low", integer(memory, "memory.reservation") or None, "memory.reservation")
    return writes


def weight_of(shares: int) -> int:
    """Return cpu.weight (1-10000) for v1's cpu.shares (2-262144), with 1024 -> 100.

    runc 1.3.2 and crun 1.23 replaced the straight line, which made 1024 shares 39 beside everybody else's 100, by
    10 to the quadratic through the three points (opencontainers/cgroups, ConvertCPUSharesToCgroupV2Value).
    """
    if shares <= 2:
        return 1
    if shares >= 262144:
        return 10000
    from math import ceil, log2

    log = log2(shares)
    power: float = 10.0 ** ((log * log + 125 * log) / 612.0 - 7.0 / 34.0)
    return ceil(power)


def _cpu(cpu: dict[str, Any], *, fresh: bool) -> list[Setting]:
    writes = []

    def add(file: str, value: object, field: str, controller: str = "cpu") -> None:
        writes.append(
            Setting(
                controller=controller, file=f"{controller}.{file}", value=str(value), field=f"cpu.{field}"
            )
        )

    idle = integer(cpu, "cpu.idle", 0)
    if idle == 0 and not fresh:
        add("idle", 0, "idle")
    if shares := integer(cpu, "cpu.shares", 0):
        add("weight", weight_of(shares), "shares")
    burst = integer(cpu, "cpu.burst", 0)
    if burst == 0 and not fresh:
        add("max.burst", 0, "burst")
    quota, period = integer(cpu, "cpu.quota"), integer(cpu, "cpu.period", 0)
    if quota or period:
        # "max" alone keeps the period, and a period alone must say what quota it goes with: v2 has one file for both.
        words = [_limit(quota) if quota else "max", *([str(period)] if period else [])]
        if not (fresh and words == ["max"]):
            add("max", " ".join(words), "quota" if quota else "period")
    if burst:
        add("max.burst", burst, "burst")
    if idle:
        add("idle", idle, "idle")
    for name in ("cpus", "mems"):
        if value := text(cpu, f"cpu.{name}"):
            add(name, value, name, "cpuset")
    return writes


def _pids(pids: dict[str, Any], *, fresh: bool) -> list[Setting]:
    limit = integer(pids, "pids.limit")
    if limit is None or (fresh and limit == -1):
        return []
    return [Setting(controller="pids", file="pids.max", value=_limit(limit), field="pids.limit")]


def _block(block: dict[str, Any]) -> list[Setting]:
    writes = []

    def weigh(weight: int, device: str, field: str) -> None:
        # io.weight is 1-10000 (default 100) where v1 and bfq have 10-1000: runc's line from 10 -> 1 to 1000 -> 10000.
        scaled = 1 + (weight - 10) * 9999 // 990 if weight >= 10 else weight
        value, other = (
            (f"{device} {weight}", f"{device} {scaled}") if device else (str(weight), f"default {scaled}")
        )
        writes.append(
            Setting(
                controller="io",
                file="io.bfq.weight",
                value=value,
                field=field,
                other="io.weight",
                other_value=other,
            )
        )

    if weight := integer(block, "blockIO.weight", 0):
        weigh(weight, "", "blockIO.weight")
    for i, entry in enumerate(entries(block, "blockIO.weightDevice")):
        field = f"blockIO.weightDevice[{i}]"
        if weight := integer(entry, f"{field}.weight", 0):
            weigh(weight, device_number(entry, field), field)
    for name, key in _THROTTLES.items():
        for i, entry in enumerate(entries(block, f"blockIO.{name}")):
            field = f"blockIO.{name}[{i}]"
            rate = integer(entry, f"{field}.rate", 0) or "max"
            value = f"{device_number(entry, field)} {key}={rate}"
            writes.append(Setting(controller="io", file="io.max", value=value, field=field))
    return writes


def _unified(unified: dict[str, Any]) -> list[Setting]:
    writes = []
    for file, value in unified.items():
        field = f"unified.{file}"
        if not isinstance(value, str) or "/" in file or "." not in file or file in (".", ".."):
            raise InvalidArgument(f"linux.resources.{field} must be a file's name and a string", field=field)
        writes.append(Setting(controller=file.partition(".")[0], file=file, value=value, field=field))
    return writes
