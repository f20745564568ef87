"""All that the container's first process needs to know, gathered before the fork: afterwards nothing is looked up."""

from __future__ import annotations

from firkin.record import Record
from firkin.runtime.identity import CapabilitySets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from firkin.runtime.cgroup.api import Cgroup
    from firkin.runtime.steps import Plan


class Stdio(Record):
    """Descriptors that the container gets as 0, 1, 2.

    With ``process.terminal``: ``terminal`` is the slave of a terminal that the caller made (then 0-2 are it), or None
    to have one made on the container's own /dev/pts, as docker has it; its master comes back in ``Launched.terminal``.
    """

    stdin: int = 0
    stdout: int = 1
    stderr: int = 2
    terminal: int | None = None


class Launched(Record):
    """A process that was started; the caller owns the descriptors and reaps ``pidfd`` (it is the caller's child)."""

    pid: int  # in the caller's pid namespace
    pidfd: int
    start_time: int  # clock ticks after boot, /proc/PID/stat field 22
    terminal: int | None = None  # master of the terminal that was made inside
    warnings: tuple[str, ...] = ()


class Job:
    """One start: mutable, private to the runtime."""

    def __init__(self, spec: dict[str, Any], plan: Plan, container_id: str, stdio: Stdio) -> None:
        self.spec = spec
        self.plan = plan
        self.process: dict[str, Any] = spec.get("process") or {}
        self.linux: dict[str, Any] = spec.get("linux") or {}
        self.container_id = container_id
        self.bundle = ""
        self.stdio = stdio
        self.channel = -1  # the child's end
        self.root = -1  # the root's mount, once it stands
        self.proc = -1  # the host's /proc, checked to be one
        self.null = -1  # the host's /dev/null, checked to be it
        self.sources: dict[int, int] = {}
        self.joins: dict[str, int] = {}
        self.cgroup: Cgroup | None = None
        self.born_in_cgroup = False
        self.seccomp = b""
        self.cache: str | None = None
        self.seccomp_flags = 0
        self.load_seccomp: Callable[[bytes], object] = (
            len  # linux/seccomp.py's, imported when there is a filter
        )
        self.reaper = False
        self.preserve_fds = 0
        self.parent_death_signal = 0
        self.keyring = True
        self.wait_to_exec: Callable[[], None] | None = None
        self.userns = "user" in plan.new or plan.joined("user")
        self.environment: dict[bytes, bytes] = {}
        self.arguments: list[bytes] = []
        self.limits: list[tuple[str, int, int, int]] = []
        self.capabilities = CapabilitySets()
