"""linux.resources, devices and rlimits of config.json: limits with docker's semantics."""

from __future__ import annotations

from firkin.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from firkin.specgen.facts import Device, Facts
    from firkin.specgen.options import CreateOptions, Throttle, Ulimit

INFINITY = (1 << 64) - 1
CPU_PERIOD = 100_000  # microseconds, the kernel's default
BILLION = 1_000_000_000

# What docker (moby's oci/defaults.go) and runc (specconv.AllowedDevices) allow together:
#    type major minor access
_ALLOWED = (
    ("c", None, None, "m"), ("b", None, None, "m"),  # mknod of anything; opening it is another matter
    ("c", 1, 3, "rwm"), ("c", 1, 8, "rwm"), ("c", 1, 7, "rwm"), ("c", 5, 0, "rwm"), ("c", 1, 5, "rwm"),
    ("c", 1, 9, "rwm"), ("c", 5, 1, "rwm"), ("c", 136, None, "rwm"), ("c", 5, 2, "rwm"), ("c", 10, 200, "rwm"),
)  # fmt: skip


def _rule(kind: str, major: int | None, minor: int | None, access: str) -> dict[str, Any]:
    rule: dict[str, Any] = {"allow": True, "type": kind, "access": access}
    if major is not None:
        rule["major"] = major
    if minor is not None:
        rule["minor"] = minor
    return rule


def device_rules(options: CreateOptions, facts: Facts) -> list[dict[str, Any]]:
    """Return resources.devices: deny all, the defaults, --device, --device-cgroup-rule."""
    if options.privileged:
        return [{"allow": True, "access": "rwm"}]
    rules: list[dict[str, Any]] = [{"allow": False, "access": "rwm"}]
    rules += [_rule(*allowed) for allowed in _ALLOWED]
    for mapping in options.device:
        rules += [
            _rule(d.type, d.major, d.minor, mapping.permissions)
            for d in _devices_of(mapping.path_on_host, facts)
        ]
    for rule in options.device_cgroup_rule:
        rules.append(
            _rule(
                rule.type,
                None if rule.major < 0 else rule.major,
                None if rule.minor < 0 else rule.minor,
                rule.access,
            )
        )
    return rules


def _devices_of(path: str, facts: Facts) -> tuple[Device, ...]:
    try:
        return facts.devices[path]
    except KeyError:
        raise InvalidArgument(
            f'error gathering device information while adding custom device "{path}": no such file or directory',
            hint="ls /dev shows the host's devices",
            path=path,
        ) from None


def device_nodes(options: CreateOptions, facts: Facts) -> list[dict[str, Any]]:
    """Return linux.devices: the nodes to make besides the default ones."""
    found: dict[str, dict[str, Any]] = {}
    if options.privileged:
        found = {device.path: _node(device, device.path) for device in facts.host_devices}
    for mapping in options.device:
        for device in _devices_of(mapping.path_on_host, facts):
            # A directory is expanded: what lies below it keeps its name below the new place.
            inside = mapping.path_in_container + device.path.removeprefix(mapping.path_on_host)
            found[inside] = _node(device, inside)
    return list(found.values())


def _node(device: Device, path: str) -> dict[str, Any]:
    return {
        "path": path,
        "type": device.type,
        "major": device.major,
        "minor": device.minor,
        "fileMode": device.mode,
        "uid": device.uid,
        "gid": device.gid,
    }


def rlimits(ulimits: Sequence[Ulimit]) -> list[dict[str, Any]]:
    """Return process.rlimits; a name given twice counts once, the last."""
    by_name = {limit.name: limit for limit in ulimits}
    return [
        {
            "type": f"RLIMIT_{limit.name.upper()}",
            "soft": INFINITY if limit.soft < 0 else limit.soft,
            "hard": INFINITY if limit.hard < 0 else limit.hard,
        }
        for limit in by_name.values()
    ]


def resources(options: CreateOptions, facts: Facts) -> dict[str, Any]:
    """Return linux.resources; a controller without a limit is left out."""
    limits = {
        "memory": memory(options, swap_limit=facts.swap_limit),
        "cpu": cpu(options),
        "pids": pids(options),
        "blockIO": block_io(options, facts),
    }
    found: dict[str, Any] = {"devices": device_rules(options, facts)}
    found.update((name, limit) for name, limit in limits.items() if limit)
    return found


def memory_swap(options: CreateOptions) -> int:
    """Return memory + swap in bytes, 0 when nothing is said, -1 for unlimited: twice the memory by default."""
    if options.memory > 0 and options.memory_swap == 0:
        return options.memory * 2
    return options.memory_swap


def memory(options: CreateOptions, *, swap_limit: bool = True) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if options.memory > 0:
        found["limit"] = options.memory
    if options.memory_reservation > 0:
        found["reservation"] = options.memory_reservation
    swap = memory_swap(options)
    if swap > 0 and swap_limit:
        found["swap"] = swap
    if options.memory_swappiness not in (None, -1):
        found["swappiness"] = options.memory_swappiness
    if options.oom_kill_disable:
        found["disableOOMKiller"] = True
    return found


def cpu(options: CreateOptions) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if options.cpu_shares:
        found["shares"] = max(2, min(options.cpu_shares, 262144))  # the kernel's bounds
    if options.cpus:
        found["period"] = CPU_PERIOD
        found["quota"] = options.cpus * CPU_PERIOD // BILLION
    if options.cpu_period:
        found["period"] = options.cpu_period
    if options.cpu_quota:
        found["quota"] = options.cpu_quota
    if options.cpu_rt_period:
        found["realtimePeriod"] = options.cpu_rt_period
    if options.cpu_rt_runtime:
        found["realtimeRuntime"] = options.cpu_rt_runtime
    if options.cpuset_cpus:
        found["cpus"] = options.cpuset_cpus
    if options.cpuset_mems:
        found["mems"] = options.cpuset_mems
    return found


def pids(options: CreateOptions) -> dict[str, Any]:
    return {"limit": options.pids_limit} if options.pids_limit and options.pids_limit > 0 else {}


def block_io(options: CreateOptions, facts: Facts) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if options.blkio_weight:
        found["weight"] = options.blkio_weight
    for name, key, throttles in (
        ("weightDevice", "weight", options.blkio_weight_device),
        ("throttleReadBpsDevice", "rate", options.device_read_bps),
        ("throttleWriteBpsDevice", "rate", options.device_write_bps),
        ("throttleReadIOPSDevice", "rate", options.device_read_iops),
        ("throttleWriteIOPSDevice", "rate", options.device_write_iops),
    ):
        if throttles:
            found[name] = [_throttle(throttle, key, facts) for throttle in throttles]
    return found


def _throttle(throttle: Throttle, key: str, facts: Facts) -> dict[str, Any]:
    try:
        major, minor = facts.device_numbers[throttle.path]
    except KeyError:
        raise InvalidArgument(
            f"cannot limit device {throttle.path}: no such device", hint="lsblk -p shows the host's disks"
        ) from None
    return {"major": major, "minor": minor, key: throttle.rate}
