"""What specgen must know of the machine and of the image's files, looked up where it can be seen: in the monitor.

The image's /etc/passwd and /etc/group are read from the mounted root through openat2 (a hostile image may make them
symlinks to the host's); the rest is asked for only when the options make it matter.
"""

from __future__ import annotations

import os
import stat

from firkin.errors import InvalidArgument, SyscallError
from firkin.linux import path as paths
from firkin.specgen.facts import Device, Facts
from firkin.specgen.options import IdMap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from firkin.engine.plan import StartPlan
    from firkin.specgen.options import CreateOptions

_LARGEST_PASSWD = 8 << 20


def facts(
    plan: StartPlan,
    options: CreateOptions,
    *,
    rootfs: str,
    cgroup_path: str,
    cgroup_version: int,
    files: dict[str, str],
    namespaces: dict[str, str],
) -> Facts:
    """Return the facts of one start. ``files`` are the paths of hosts, hostname and resolv.conf."""
    values: dict[str, Any] = {}
    values.update(image_users(rootfs), **machine(), **_host(plan, options))
    return Facts(
        container_id=plan.container_id,
        rootfs=rootfs,
        cgroup_path=cgroup_path,
        cgroup_version=cgroup_version,
        namespaces=namespaces,
        hosts_path=files.get("hosts", ""),
        hostname_path=files.get("hostname", ""),
        resolv_conf_path=files.get("resolv.conf", ""),
        shm_path=plan.shm_path,
        volumes=plan.volumes,
        uid_maps=tuple(IdMap.from_dict(item) for item in plan.uid_maps),
        gid_maps=tuple(IdMap.from_dict(item) for item in plan.gid_maps),
        **values,
    )


def image_users(rootfs: str) -> dict[str, Any]:
    """Return passwd and group of the root directory ``rootfs``."""
    root = os.open(rootfs, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return {"passwd": _read(root, "etc/passwd"), "group": _read(root, "etc/group")}
    finally:
        os.close(root)


def _read(root: int, path: str) -> bytes | None:
    try:
        fd = paths.open_in_root(root, path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except SyscallError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return None
        return b"".join(iter(lambda: os.read(fd, 1 << 16), b""))[:_LARGEST_PASSWD]
    finally:
        os.close(fd)


def machine() -> dict[str, Any]:
    """Return the facts about this machine and this process that every spec needs."""
    uname = os.uname()
    release = uname.release.split(".")
    kernel = (int(release[0]), int("".join(c for c in release[1] if c.isdigit()) or 0))
    found: dict[str, Any] = {"kernel": kernel, "arch": uname.machine, "rro": kernel >= (5, 12)}
    found["cpus"] = os.cpu_count() or 0
    found["thermal_throttle"] = thermal_throttle()
    found["last_cap"] = int(_text("/proc/sys/kernel/cap_last_cap") or 40)
    status = _text("/proc/self/status")
    found["capabilities"] = _held(status, found["last_cap"])
    found["seccomp_supported"] = "\nSeccomp:" in status
    found["in_userns"] = _text("/proc/self/uid_map").split() != ["0", "0", "4294967295"]
    score = _text("/proc/self/oom_score_adj").strip()
    found["oom_score_adj"] = int(score or 0)
    if _text("/sys/module/apparmor/parameters/enabled").startswith("Y"):
        found["apparmor"] = True
        found["apparmor_profile"] = _apparmor_profile()
    return found


def _apparmor_profile() -> str:
    return "docker-default" if "docker-default " in _text("/sys/kernel/security/apparmor/profiles") else ""


def _text(path: str) -> str:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return b"".join(iter(lambda: os.read(fd, 1 << 16), b"")).decode(errors="replace")
    except OSError:
        return ""
    finally:
        os.close(fd)


def _held(status: str, last_cap: int) -> tuple[str, ...] | None:
    """Return the capabilities in the bounding and permitted sets; None when that is all of them."""
    permitted = bounding = 0
    for line in status.split("\n"):
        if line.startswith("CapPrm:"):
            permitted = int(line.split()[1], 16)
        elif line.startswith("CapBnd:"):
            bounding = int(line.split()[1], 16)
    held = permitted & bounding
    every = (1 << (last_cap + 1)) - 1
    if held & every == every:
        return None
    from firkin.specgen.caps import NAMES

    return tuple(name for number, name in enumerate(NAMES) if held >> number & 1)


def _host(plan: StartPlan, options: CreateOptions) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if options.privileged:
        found["host_devices"] = tuple(_all_devices())
    if options.device:
        found["devices"] = {one.path_on_host: _devices(one.path_on_host) for one in options.device}
    throttles = (
        *options.blkio_weight_device, *options.device_read_bps, *options.device_write_bps,
        *options.device_read_iops, *options.device_write_iops,
    )  # fmt: skip
    if throttles:
        found["device_numbers"] = {one.path: _numbers(one.path) for one in throttles}
    if options.memory or options.memory_swap:
        from firkin.engine.limits import swap_limit

        found["swap_limit"] = swap_limit()
    if options.network == "host" or options.uts == "host":
        found["hostname"] = os.uname().nodename
    elif plan.borrowed:
        found["hostname"] = _text(plan.borrowed["hostname"]).strip()
    return found


def thermal_throttle() -> tuple[int, ...]:
    """Return the processors whose thermal_throttle directory is to be masked."""
    folder = "/sys/devices/system/cpu"
    return tuple(n for n in range(os.cpu_count() or 0) if os.path.isdir(f"{folder}/cpu{n}/thermal_throttle"))


def _numbers(path: str) -> tuple[int, int]:
    try:
        seen = os.stat(path)
    except OSError as error:
        raise InvalidArgument(
            f"no such device: {path} ({error.strerror})", hint="lsblk lists block devices"
        ) from None
    if not stat.S_ISBLK(seen.st_mode):
        raise InvalidArgument(f"{path} is not a block device", hint="lsblk lists block devices")
    return os.major(seen.st_rdev), os.minor(seen.st_rdev)


def _device(path: str, seen: os.stat_result) -> Device | None:
    kind = "c" if stat.S_ISCHR(seen.st_mode) else "b" if stat.S_ISBLK(seen.st_mode) else ""
    if not kind:
        return None
    return Device(
        path=path, type=kind, major=os.major(seen.st_rdev), minor=os.minor(seen.st_rdev),
        mode=stat.S_IMODE(seen.st_mode), uid=seen.st_uid, gid=seen.st_gid,
    )  # fmt: skip


def _devices(path: str) -> tuple[Device, ...]:
    try:
        seen = os.stat(path)
    except OSError as error:
        raise InvalidArgument(
            f'error gathering device information while adding custom device "{path}": {error.strerror}',
            hint="name a device that exists on the host",
        ) from None
    if stat.S_ISDIR(seen.st_mode):
        return tuple(_below(path))
    one = _device(path, seen)
    if one is None:
        raise InvalidArgument(f'"{path}" is not a device node', hint="use -v to share files and directories")
    return (one,)


def _below(folder: str) -> Iterator[Device]:
    for entry in sorted(os.scandir(folder), key=lambda item: item.name):
        if entry.is_symlink():
            continue
        if entry.is_dir():
            yield from _below(entry.path)
            continue
        found = _device(entry.path, entry.stat(follow_symlinks=False))
        if found is not None:
            yield found


_OWN = ("/dev/pts", "/dev/shm", "/dev/fd", "/dev/mqueue", "/dev/.lxc", "/dev/console", "/dev/.lxd-mounts")  # noqa: S108


def _all_devices() -> Iterator[Device]:
    """Yield /dev as --privileged shows it: all but what the container has of its own (runc's HostDevices)."""
    for entry in sorted(os.scandir("/dev"), key=lambda item: item.name):
        if entry.path in _OWN or entry.is_symlink():
            continue
        if entry.is_dir():
            try:
                yield from _below(entry.path)
            except OSError:
                continue
            continue
        found = _device(entry.path, entry.stat(follow_symlinks=False))
        if found is not None:
            yield found
