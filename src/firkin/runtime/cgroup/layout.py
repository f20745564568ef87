"""Where the cgroup hierarchies are mounted: v1, hybrid or v2, read once from /proc/self/mountinfo.

    v2      one cgroup2 mount, no v1 controllers                -> driver v2.Unified
    hybrid  v1 controllers, and a cgroup2 mount beside them     -> driver v1.Hierarchies; cgroup2's own controllers
    v1      v1 controllers only                                 -> driver v1.Hierarchies

A hierarchy's named sisters without a controller (name=systemd) and a hybrid's cgroup2 mount hold nothing that limits
or counts, so no container gets a directory there: that saves a third of the cost.
"""

from __future__ import annotations

from firkin.errors import InvalidArgument, Unsupported
from firkin.record import Record

V1_CONTROLLERS = frozenset((
    "blkio", "cpu", "cpuacct", "cpuset", "devices", "freezer", "hugetlb", "memory", "misc", "net_cls", "net_prio",
    "perf_event", "pids", "rdma",
))  # fmt: skip


class Layout(Record):
    """Mount points. ``v1`` maps a controller to its hierarchy's; co-mounted controllers share one."""

    unified: str | None
    v1: dict[str, str]

    @property
    def kind(self) -> str:
        """Return "v1", "hybrid" or "v2"."""
        if not self.v1:
            return "v2"
        return "hybrid" if self.unified else "v1"


_layout: Layout | None = None


def layout() -> Layout:
    """Return this machine's layout; raises Unsupported where nothing is mounted."""
    global _layout
    if _layout is None:
        with open("/proc/self/mountinfo", "rb", buffering=0) as file:
            found = parse(file.read())
        if not found.v1 and found.unified is None:
            raise Unsupported(
                "no cgroup file system is mounted",
                hint="mount cgroup2 on /sys/fs/cgroup (mount -t cgroup2 none /sys/fs/cgroup)",
            )
        _layout = found
    return _layout


def parse(mountinfo: bytes) -> Layout:
    """Read proc_pid_mountinfo(5). A mount of a hierarchy's root wins over one of a part of it."""
    unified: str | None = None
    v1: dict[str, str] = {}
    parts: set[str] = set()
    for line in mountinfo.split(b"\n"):
        where, separator, what = line.partition(b" - cgroup")
        if not separator:
            continue
        root, point = where.split(b" ")[3:5]
        part = root != b"/"
        if what.startswith(b"2 "):
            if unified is None or ("" in parts and not part):
                unified = _unescape(point)
                (parts.add if part else parts.discard)("")
            continue
        for name in what.rpartition(b" ")[2].decode().split(","):
            if name in V1_CONTROLLERS and (name not in v1 or (name in parts and not part)):
                v1[name] = _unescape(point)
                (parts.add if part else parts.discard)(name)
    return Layout(unified=unified, v1=v1)


def _unescape(point: bytes) -> str:
    if b"\\" in point:
        for code, char in ((b"\\040", b" "), (b"\\011", b"\t"), (b"\\012", b"\n"), (b"\\134", b"\\")):
            point = point.replace(code, char)
    return point.decode(errors="surrogateescape")


def check_path(path: str) -> str:
    """Return ``path`` without its leading slash; refuse what could leave the hierarchy or name its root."""
    bare = path.strip("/")
    if not bare or any(part in ("", ".", "..") for part in bare.split("/")):
        raise InvalidArgument(f"invalid cgroup path {path!r}", hint="name a directory below the mount point")
    return bare
