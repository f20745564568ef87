"""Usage of a cgroup in one shape for both versions.

    {"cpu":    {"usage_ns", "user_ns", "system_ns", "periods", "throttled", "throttled_ns"},
     "memory": {"usage", "peak", "limit", "cache", "rss", "swap"},      bytes; None: no limit, or unknown to this kernel
     "pids":   {"current", "limit"},
     "io":     [{"major", "minor", "read_bytes", "write_bytes", "reads", "writes"}],
     "hugetlb": {"2MB": usage, ...}}

Only what the machine's controllers count is there. Raises NotFound when the cgroup has gone.
"""

from __future__ import annotations

import os

from firkin.errors import NotFound
from firkin.runtime.cgroup import tree
from firkin.runtime.cgroup.oom import counter, number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_TICK = 10_000_000  # ns: USER_HZ is 100 wherever Linux runs
_V1_UNLIMITED = 1 << 62


def _read(path: str) -> str:
    try:
        return tree.read(path)
    except OSError:
        return ""


def v1(directories: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if not any(os.path.isdir(d) for d in directories.values()):
        raise NotFound(f"no cgroup {next(iter(directories.values()))}")
    if where := directories.get("cpuacct"):
        split = _read(f"{where}/cpuacct.stat")
        found["cpu"] = {
            "usage_ns": number(f"{where}/cpuacct.usage") or 0,
            "user_ns": counter(split, "user") * _TICK,
            "system_ns": counter(split, "system") * _TICK,
        }
    if where := directories.get("cpu"):
        throttling = _read(f"{where}/cpu.stat")
        found.setdefault("cpu", {}).update(
            periods=counter(throttling, "nr_periods"),
            throttled=counter(throttling, "nr_throttled"),
            throttled_ns=counter(throttling, "throttled_time"),
        )
    if where := directories.get("memory"):
        detail = _read(f"{where}/memory.stat")
        limit = number(f"{where}/memory.limit_in_bytes")
        found["memory"] = {
            "usage": number(f"{where}/memory.usage_in_bytes") or 0,
            "peak": number(f"{where}/memory.max_usage_in_bytes"),
            "limit": limit if limit and limit < _V1_UNLIMITED else None,
            "cache": counter(detail, "total_cache"),
            "rss": counter(detail, "total_rss"),
            "swap": counter(detail, "total_swap"),
        }
    if where := directories.get("pids"):
        found["pids"] = {
            "current": number(f"{where}/pids.current") or 0,
            "limit": number(f"{where}/pids.max"),
        }
    if where := directories.get("blkio"):
        found["io"] = _v1_io(where)
    return found


def _v1_io(where: str) -> list[dict[str, int]]:
    by_device: dict[str, dict[str, int]] = {}
    for file, names in (
        ("blkio.throttle.io_service_bytes_recursive", {"Read": "read_bytes", "Write": "write_bytes"}),
        ("blkio.throttle.io_serviced_recursive", {"Read": "reads", "Write": "writes"}),
    ):
        for line in _read(f"{where}/{file}").splitlines():
            words = line.split()
            if len(words) == 3 and words[1] in names:
                by_device.setdefault(words[0], _no_io(words[0]))[names[words[1]]] += int(words[2])
    return list(by_device.values())


def _no_io(device: str) -> dict[str, int]:
    major, minor = map(int, device.split(":"))
    return {"major": major, "minor": minor, "read_bytes": 0, "write_bytes": 0, "reads": 0, "writes": 0}


def v2(where: str) -> dict[str, Any]:
    if not os.path.isdir(where):
        raise NotFound(f"no cgroup {where}")
    cpu = _read(f"{where}/cpu.stat")
    found: dict[str, Any] = {
        "cpu": {
            "usage_ns": counter(cpu, "usage_usec") * 1000,
            "user_ns": counter(cpu, "user_usec") * 1000,
            "system_ns": counter(cpu, "system_usec") * 1000,
            "periods": counter(cpu, "nr_periods"),
            "throttled": counter(cpu, "nr_throttled"),
            "throttled_ns": counter(cpu, "throttled_usec") * 1000,
        }
    }
    if (usage := number(f"{where}/memory.current")) is not None:
        detail = _read(f"{where}/memory.stat")
        found["memory"] = {
            "usage": usage,
            "peak": number(f"{where}/memory.peak"),
            "limit": number(f"{where}/memory.max"),
            "cache": counter(detail, "file"),
            "rss": counter(detail, "anon"),
            "swap": number(f"{where}/memory.swap.current") or 0,
        }
    if (current := number(f"{where}/pids.current")) is not None:
        found["pids"] = {"current": current, "limit": number(f"{where}/pids.max")}
    found["io"] = _v2_io(_read(f"{where}/io.stat"))
    found["hugetlb"] = {
        file.split(".")[1]: number(f"{where}/{file}") or 0
        for file in os.listdir(where)
        if file.startswith("hugetlb.") and file.endswith(".current") and ".rsvd." not in file
    }
    return found


def _v2_io(text: str) -> list[dict[str, int]]:
    names = {"rbytes": "read_bytes", "wbytes": "write_bytes", "rios": "reads", "wios": "writes"}
    found = []
    for line in text.splitlines():
        device, *pairs = line.split()
        entry = _no_io(device)
        for pair in pairs:
            key, _, value = pair.partition("=")
            if key in names:
                entry[names[key]] = int(value)
        found.append(entry)
    return found
