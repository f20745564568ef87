"""What is to be done for a container, one Record a step. Pure values; their text is one line for people."""

from __future__ import annotations

from firkin.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firkin.runtime.options import MountOptions


class Join(Record):
    """Join the namespace at ``path``."""

    kind: str
    path: str

    def __str__(self) -> str:
        return f"join {self.kind} namespace {self.path}"


class Mount(Record):
    """Mount number ``index`` of config.json; ``kind`` is bind, filesystem, cgroup or remount."""

    index: int
    kind: str
    destination: str
    fstype: str
    source: str
    options: MountOptions
    words: tuple[str, ...] = ()

    def __str__(self) -> str:
        said = f" ({','.join(self.words)})" if self.words else ""
        what = f"{self.source} " if self.source else ""
        return f"mount {what}on {self.destination} type {self.fstype or self.kind}{said}"


class Device(Record):
    """A device node."""

    path: str
    kind: str
    major: int
    minor: int
    mode: int = 0o666
    uid: int = 0
    gid: int = 0
    number: int = -1  # in linux.devices, -1 for the spec's default ones

    def __str__(self) -> str:
        what = f"{self.path} {self.kind} {self.major}:{self.minor}"
        return f"device {what} mode {self.mode:04o} owner {self.uid}:{self.gid}"


class Link(Record):
    """A symbolic link; ``when`` must exist for it to be made."""

    path: str
    target: str
    when: str = ""

    def __str__(self) -> str:
        return f"link {self.path} -> {self.target}"


class Console(Record):
    """The terminal on /dev/console."""

    def __str__(self) -> str:
        return "terminal on /dev/console"


class Sysctl(Record):
    key: str
    value: str

    def __str__(self) -> str:
        return f"sysctl {self.key} = {self.value}"


class Mask(Record):
    path: str

    def __str__(self) -> str:
        return f"mask {self.path}"


class Freeze(Record):
    """Make a path read-only."""

    path: str

    def __str__(self) -> str:
        return f"read-only {self.path}"


class Settle(Record):
    """Make the mount at ``path`` read-only, now that all that belongs there has been made."""

    path: str

    def __str__(self) -> str:
        return f"settle {self.path}, read-only"


class Hostname(Record):
    name: str
    domain: bool = False

    def __str__(self) -> str:
        return f"{'domainname' if self.domain else 'hostname'} {self.name}"


class WorkingDirectory(Record):
    path: str

    def __str__(self) -> str:
        return f"working directory {self.path}"


class Plan(Record):
    """All of it: what is unshared, what is joined, then the steps in their order."""

    new: tuple[str, ...]
    joins: tuple[Join, ...]
    steps: tuple[Record, ...]
    root_readonly: bool = False
    root_propagation: int = 0
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [f"unshare {' '.join(self.new)}"] if self.new else []
        lines += [str(join) for join in self.joins] + [str(step) for step in self.steps]
        lines.append(f"pivot into the root{', read-only' if self.root_readonly else ''}")
        return "\n".join(lines)

    def joined(self, kind: str) -> bool:
        return any(join.kind == kind for join in self.joins)
