"""``firkin doctor``: what this machine has, what it lacks, what that costs and how to get it. Off the start-up path.

Each check is a small function that looks at the machine and changes nothing.
"""

from __future__ import annotations

import os
import shutil

from firkin.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from firkin.paths import Paths

OK, WARNING, MISSING = "ok", "warning", "missing"


class Finding(Record):
    """``status``: ok, warning (something works less well), missing (something does not work)."""

    name: str
    status: str
    detail: str
    cost: str = ""
    fix: str = ""


def examine(paths: Paths) -> list[Finding]:
    """Return the findings in a fixed order; never raises for what it finds missing."""
    return [check(paths) for check in CHECKS]


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError:
        return ""


def _kernel(_: Paths) -> Finding:
    release = os.uname().release
    number = tuple(int(part) for part in release.split("-")[0].split(".")[:2] if part.isdigit())
    if number < (5, 12):
        return Finding(name="kernel", status=MISSING, detail=f"Linux {release}",
                       cost="firkin needs openat2, pidfds, close_range and mount_setattr (5.12)", fix="install a newer kernel")  # fmt: skip
    return Finding(name="kernel", status=OK, detail=f"Linux {release}")


def _user(_: Paths) -> Finding:
    if os.geteuid() == 0:
        return Finding(name="user", status=OK, detail="root")
    return Finding(name="user", status=MISSING, detail=f"uid {os.geteuid()}",
                   cost="containers need root for now", fix="use sudo")  # fmt: skip


def _capabilities(_: Paths) -> Finding:
    text = next(
        (line.split()[1] for line in _read("/proc/self/status").splitlines() if line.startswith("CapEff")),
        "0",
    )
    have, last = int(text, 16), int(_read("/proc/sys/kernel/cap_last_cap") or 40)
    lacking = [number for number in range(last + 1) if not have >> number & 1]
    if not lacking:
        return Finding(name="capabilities", status=OK, detail="all")
    names = {
        21: "CAP_SYS_ADMIN",
        12: "CAP_NET_ADMIN",
        24: "CAP_SYS_RESOURCE",
        16: "CAP_SYS_MODULE",
        22: "CAP_SYS_BOOT",
    }
    shown = ", ".join(names.get(number, f"capability {number}") for number in lacking)
    serious = 21 in lacking or 12 in lacking
    return Finding(name="capabilities", status=MISSING if serious else WARNING, detail=f"lacks {shown}",
                   cost="no namespaces or networks" if serious else "limits cannot be raised above the caller's, --privileged gives less",
                   fix="run firkin outside of the container or sandbox that took them")  # fmt: skip


def _namespaces(_: Paths) -> Finding:
    wanted = ("mnt", "pid", "uts", "ipc", "net", "cgroup", "user", "time")
    lacking = [name for name in wanted if not os.path.exists(f"/proc/self/ns/{name}")]
    if lacking:
        return Finding(name="namespaces", status=MISSING, detail=f"lacks {', '.join(lacking)}",
                       cost="containers that need them are refused", fix="use a kernel with CONFIG_NAMESPACES and its options")  # fmt: skip
    limit = _read("/proc/sys/user/max_user_namespaces").strip()
    if limit == "0":
        return Finding(name="namespaces", status=WARNING, detail="user namespaces are switched off", cost="--userns auto is refused",
                       fix="sysctl user.max_user_namespaces=15000")  # fmt: skip
    return Finding(name="namespaces", status=OK, detail=", ".join(wanted))


def _cgroups(_: Paths) -> Finding:
    controllers = _read("/sys/fs/cgroup/cgroup.controllers").split()
    if controllers:
        lacking = [name for name in ("cpu", "memory", "pids", "io") if name not in controllers]
        status = WARNING if lacking else OK
        return Finding(name="cgroups", status=status, detail=f"v2: {', '.join(controllers)}",
                       cost=f"no limits for {', '.join(lacking)}" if lacking else "", fix="enable them in the kernel's command line" if lacking else "")  # fmt: skip
    mounted = [line.split() for line in _read("/proc/self/mounts").splitlines()]
    v1 = sorted({line[1].rpartition("/")[2] for line in mounted if line[2] == "cgroup"})
    if not v1:
        return Finding(name="cgroups", status=MISSING, detail="no cgroup hierarchy is mounted",
                       cost="no limits, no device rules, no OOM reports", fix="mount -t cgroup2 cgroup2 /sys/fs/cgroup")  # fmt: skip
    lacking = [
        name
        for name in ("cpu", "memory", "pids", "devices", "freezer")
        if not any(name in one.split(",") for one in v1)
    ]
    return Finding(name="cgroups", status=WARNING if lacking else OK, detail=f"v1: {', '.join(v1)}",
                   cost=f"no limits for {', '.join(lacking)}" if lacking else "", fix="mount the missing hierarchies" if lacking else "")  # fmt: skip


def _overlay(paths: Paths) -> Finding:
    # The kernel loads the module with the first mount.
    loadable = "/overlay.ko" in _read(f"/lib/modules/{os.uname().release}/modules.dep")
    if "\toverlay\n" not in _read("/proc/filesystems") and not loadable:
        return Finding(name="overlay", status=MISSING, detail="neither in /proc/filesystems nor among the kernel's modules",
                       cost="no copy-on-write roots: no container starts", fix="use a kernel with CONFIG_OVERLAY_FS")  # fmt: skip
    kind = _filesystem(paths.root)
    if kind in ("overlay", "nfs", "vfat", "fuse", "fuseblk"):
        return Finding(name="overlay", status=MISSING, detail=f"{paths.root} is on {kind}, which cannot hold an upper layer",
                       cost="no container starts", fix="put --root on ext4, xfs, btrfs or tmpfs")  # fmt: skip
    return Finding(name="overlay", status=OK, detail=f"{paths.root} is on {kind or 'an unknown file system'}")


def _filesystem(path: str) -> str:
    while not os.path.exists(path) and path != "/":
        path = os.path.dirname(path)
    best, kind = "", ""
    for line in _read("/proc/self/mounts").splitlines():
        where, found = line.split()[1:3]
        if (path + "/").startswith(where.rstrip("/") + "/") and len(where) >= len(best):
            best, kind = where, found
    return kind


def _space(paths: Paths) -> Finding:
    path = paths.root
    while not os.path.exists(path):
        path = os.path.dirname(path)
    status = os.statvfs(path)
    free, nodes = status.f_bavail * status.f_frsize, status.f_favail
    detail = f"{free / 1e9:.1f} GB and {nodes} inodes free for {paths.root}"
    if free < 1 << 30 or (status.f_files and nodes < 10000):
        return Finding(name="disk", status=WARNING, detail=detail, cost="loading images will fail soon", fix="free space: firkin rmi, firkin rm")  # fmt: skip
    return Finding(name="disk", status=OK, detail=detail)


def _network(paths: Paths) -> Finding:
    if os.geteuid() != 0:
        return Finding(
            name="network",
            status=WARNING,
            detail="only root can ask nf_tables",
            cost="nobody looked",
            fix="sudo firkin doctor",
        )
    from firkin.atomic import read_text
    from firkin.config import Config, load
    from firkin.network.diagnosis import problems

    # A doctor founds nothing: an engine that does not exist yet is asked about under a name that nobody has.
    exists = read_text(paths.engine_json) is not None
    config = load(paths) if exists else Config(paths=paths, engine_id="00000000", settings={})
    found = problems(config)
    if not found:
        return Finding(
            name="network", status=OK, detail="nf_tables answers, no foreign rule drops what is forwarded"
        )
    return Finding(name="network", status=MISSING, detail="; ".join(p.what for p in found),
                   cost="; ".join(p.costs for p in found), fix="; ".join(p.cure for p in found))  # fmt: skip


def _forwarding(_: Paths) -> Finding:
    value = _read("/proc/sys/net/ipv4/ip_forward").strip()
    if value == "1":
        return Finding(name="forwarding", status=OK, detail="net.ipv4.ip_forward is 1")
    return Finding(name="forwarding", status=WARNING, detail=f"net.ipv4.ip_forward is {value or 'not there'}",
                   cost="firkin switches it on with the first container on the bridge", fix="sysctl net.ipv4.ip_forward=1")  # fmt: skip


def _seccomp(_: Paths) -> Finding:
    actions = _read("/proc/sys/kernel/seccomp/actions_avail").split()
    if "errno" not in actions:
        return Finding(name="seccomp", status=MISSING, detail="no filters", cost="containers start only with --security-opt seccomp=unconfined",
                       fix="use a kernel with CONFIG_SECCOMP_FILTER")  # fmt: skip
    return Finding(name="seccomp", status=OK, detail=", ".join(actions))


def _security_modules(_: Paths) -> Finding:
    modules = _read("/sys/kernel/security/lsm").strip()
    has = any(name in modules.split(",") for name in ("apparmor", "selinux"))
    if has:
        return Finding(name="security module", status=OK, detail=modules)
    return Finding(name="security module", status=WARNING, detail=modules or "none seen",
                   cost="no AppArmor or SELinux confinement on top of capabilities and seccomp", fix="boot with lsm=...,apparmor if the distribution has it")  # fmt: skip


def _subids(_: Paths) -> Finding:
    from firkin.engine.userns import USER

    lacking = [
        path
        for path in ("/etc/subuid", "/etc/subgid")
        if not any(line.startswith(f"{USER}:") for line in _read(path).splitlines())
    ]
    if lacking:
        return Finding(name="subordinate ids", status=WARNING, detail=f"{' and '.join(lacking)} give the user {USER} no range",
                       cost="--userns auto takes ids from 2^30 up, and nobody else knows that they are taken",
                       fix=f"echo {USER}:1073741824:1073741824 | tee -a /etc/subuid >> /etc/subgid")  # fmt: skip
    return Finding(
        name="subordinate ids", status=OK, detail=f"/etc/subuid and /etc/subgid have a range for {USER}"
    )


def _python(_: Paths) -> Finding:
    import sys

    version = ".".join(str(part) for part in sys.version_info[:3])
    lacking = []
    for name, use in (
        ("zstandard", "zstd layers fall back to the zstd program"),
        ("isal", "gzip layers unpack 2 times slower"),
    ):
        if not _importable(name):
            lacking.append((name, use))
    if lacking:
        return Finding(name="python", status=WARNING, detail=f"{version}; without {', '.join(name for name, _ in lacking)}",
                       cost="; ".join(use for _, use in lacking), fix=_beside(" ".join(name for name, _ in lacking)))  # fmt: skip
    return Finding(name="python", status=OK, detail=f"{version}, with zstandard and isal")


def _beside(names: str) -> str:
    """Say how to get modules to where the launcher's interpreter (-I -S) looks: beside firkin's own package."""
    if __file__.rpartition("/firkin/")[0].endswith("/src"):
        return f"install firkin with pip or pipx, and {names} beside it: a working tree sees the standard library alone"
    return (
        f"pipx inject firkin {names}; without pipx: pip install {names}, with the pip that installed firkin"
    )


def _importable(name: str) -> bool:
    from importlib.util import find_spec

    return find_spec(name) is not None


def _packages(_: Paths) -> Finding:
    wanted = {"nft": "nftables", "ip": "iproute2"}
    lacking = [package for program, package in wanted.items() if not shutil.which(program)]
    costs = ["firkin does not need these; you may, to look at what it made"] if lacking else []
    if not shutil.which("zstd") and not _importable("zstandard"):
        lacking.append("zstd")
        costs.append("images with zstd layers are refused")
    if lacking:
        return Finding(name="packages", status=WARNING, detail=f"without {', '.join(lacking)}",
                       cost="; ".join(costs), fix=f"apt-get install {' '.join(lacking)}")  # fmt: skip
    return Finding(
        name="packages",
        status=OK,
        detail="nftables and iproute2 are there to look with, zstd layers can be read",
    )


CHECKS: tuple[Callable[[Paths], Finding], ...] = (
    _kernel, _user, _capabilities, _namespaces, _cgroups, _overlay, _space, _network, _forwarding, _seccomp,
    _security_modules, _subids, _python, _packages,
)  # fmt: skip
