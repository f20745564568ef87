"""HostConfig of docker's container JSON, from the options. Pure."""

from __future__ import annotations

from firkin.specgen.generate import MASKED_PATHS, READONLY_PATHS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from firkin.specgen.merge import Merged
    from firkin.specgen.options import CreateOptions, Mount, Throttle

_SHM = 64 << 20


def host_config(options: CreateOptions, merged: Merged) -> dict[str, Any]:
    """Return HostConfig."""
    unmasked = options.privileged or options.security_opt.system_paths_unconfined
    found: dict[str, Any] = {
        "Binds": [_bind(mount) for mount in options.volume if mount.source] or None,
        "ContainerIDFile": options.cidfile,
        "LogConfig": {"Type": options.log.driver or "firkin", "Config": options.log.opts},
        "NetworkMode": options.network,
        "PortBindings": _port_bindings(options),
        "RestartPolicy": {
            "Name": options.restart.name,
            "MaximumRetryCount": options.restart.maximum_retry_count,
        },
        "AutoRemove": options.rm,
        "VolumeDriver": options.volume_driver,
        "VolumesFrom": list(options.volumes_from) or None,
        "ConsoleSize": [0, 0],
        "CapAdd": list(options.cap_add) or None,
        "CapDrop": list(options.cap_drop) or None,
        "CgroupnsMode": options.cgroupns or "host",
        "Dns": list(options.dns),
        "DnsOptions": list(options.dns_option),
        "DnsSearch": list(options.dns_search),
        "ExtraHosts": list(options.add_host) or None,
        "GroupAdd": list(options.group_add) or None,
        "IpcMode": options.ipc or "private",
        "Cgroup": "",
        "Links": list(options.link) or None,
        "OomScoreAdj": options.oom_score_adj,
        "PidMode": options.pid,
        "Privileged": options.privileged,
        "PublishAllPorts": options.publish_all,
        "ReadonlyRootfs": options.read_only,
        "SecurityOpt": options.security_opt.texts() or None,
        "UTSMode": options.uts,
        "UsernsMode": options.userns,
        "ShmSize": options.shm_size or _SHM,
        "Runtime": options.runtime or "firkin",
        "Isolation": options.isolation,
        "MaskedPaths": None if unmasked else list(MASKED_PATHS),
        "ReadonlyPaths": None if unmasked else list(READONLY_PATHS),
        **_limits(options),
    }
    if options.mount:
        found["Mounts"] = [_mount(mount) for mount in options.mount]
    if options.tmpfs:
        found["Tmpfs"] = options.tmpfs
    if options.sysctl:
        found["Sysctls"] = options.sysctl
    if options.init is not None:
        found["Init"] = options.init
    if options.annotation:
        found["Annotations"] = options.annotation
    if options.storage_opt:
        found["StorageOpt"] = options.storage_opt
    return found


def _limits(options: CreateOptions) -> dict[str, Any]:
    return {
        "CpuShares": options.cpu_shares,
        "Memory": options.memory,
        "NanoCpus": options.cpus,
        "CgroupParent": options.cgroup_parent,
        "BlkioWeight": options.blkio_weight,
        "BlkioWeightDevice": [{"Path": t.path, "Weight": t.rate} for t in options.blkio_weight_device],
        "BlkioDeviceReadBps": _throttles(options.device_read_bps),
        "BlkioDeviceWriteBps": _throttles(options.device_write_bps),
        "BlkioDeviceReadIOps": _throttles(options.device_read_iops),
        "BlkioDeviceWriteIOps": _throttles(options.device_write_iops),
        "CpuPeriod": options.cpu_period,
        "CpuQuota": options.cpu_quota,
        "CpuRealtimePeriod": options.cpu_rt_period,
        "CpuRealtimeRuntime": options.cpu_rt_runtime,
        "CpusetCpus": options.cpuset_cpus,
        "CpusetMems": options.cpuset_mems,
        "Devices": [
            {
                "PathOnHost": device.path_on_host,
                "PathInContainer": device.path_in_container,
                "CgroupPermissions": device.permissions,
            }
            for device in options.device
        ],
        "DeviceCgroupRules": [
            f"{rule.type} {_star(rule.major)}:{_star(rule.minor)} {rule.access}"
            for rule in options.device_cgroup_rule
        ]
        or None,
        "DeviceRequests": None,
        "MemoryReservation": options.memory_reservation,
        # docker: as much swap again as memory, unless told otherwise
        "MemorySwap": options.memory_swap or options.memory * 2,
        "MemorySwappiness": options.memory_swappiness,
        "OomKillDisable": options.oom_kill_disable,
        "PidsLimit": options.pids_limit,
        "Ulimits": [{"Name": u.name, "Hard": u.hard, "Soft": u.soft} for u in options.ulimit],
        "CpuCount": 0,
        "CpuPercent": 0,
        "IOMaximumIOps": 0,
        "IOMaximumBandwidth": 0,
    }


def _star(number: int) -> str:
    return "*" if number < 0 else str(number)


def _throttles(found: Sequence[Throttle]) -> list[dict[str, Any]]:
    return [{"Path": one.path, "Rate": one.rate} for one in found]


def _bind(mount: Mount) -> str:
    text = f"{mount.source}:{mount.target}"
    mode = mount.mode or ("ro" if mount.read_only else "")
    return f"{text}:{mode}" if mode else text


def _mount(mount: Mount) -> dict[str, Any]:
    found: dict[str, Any] = {"Type": mount.type, "Source": mount.source, "Target": mount.target}
    if mount.read_only:
        found["ReadOnly"] = True
    if mount.propagation:
        found["BindOptions"] = {"Propagation": mount.propagation}
    if mount.type == "volume" and (mount.no_copy or mount.subpath or mount.labels):
        found["VolumeOptions"] = {
            "NoCopy": mount.no_copy,
            "Subpath": mount.subpath,
            "Labels": mount.labels,
        }
    if mount.type == "tmpfs":
        found["TmpfsOptions"] = {"SizeBytes": mount.tmpfs_size, "Mode": mount.tmpfs_mode or 0}
    return found


def _port_bindings(options: CreateOptions) -> dict[str, Any]:
    found: dict[str, list[dict[str, str]]] = {}
    for port in options.publish:
        text = str(port.host_port or "")
        if port.host_port_end > port.host_port:
            text = f"{port.host_port}-{port.host_port_end}"
        found.setdefault(f"{port.container_port}/{port.proto}", []).append(
            {"HostIp": port.host_ip, "HostPort": text}
        )
    return found
