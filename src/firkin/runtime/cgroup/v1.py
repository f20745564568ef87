"""cgroup v1 and hybrid: one directory of the same path in each controller's hierarchy.

    /sys/fs/cgroup/{blkio,cpu,cpuacct,cpuset,devices,freezer,memory,pids,...}/firkin/ENGINE/CONTAINER

All controllers get one, limits or not: they account, freeze and list. A hybrid machine's cgroup2 side gets one only
when a limit needs a controller that is there (hugetlb, as a rule).
"""

from __future__ import annotations

import os

from firkin.errors import SyscallError, Unsupported
from firkin.runtime.cgroup import devices, freeze, oom, tree
from firkin.runtime.cgroup.driver import Driver
from firkin.runtime.cgroup.settings import Setting, check_usage, integer, missing, refused, section, write_all
from firkin.runtime.cgroup.v1_plan import plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from firkin.runtime.cgroup.layout import Layout
    from firkin.runtime.cgroup.v2 import Unified

_CPUSET_FILES = ("cpuset.cpus", "cpuset.mems")


class Hierarchies(Driver):
    version = "v1"

    def __init__(self, path: str, layout: Layout) -> None:
        super().__init__(path)
        self._mounts = layout.v1
        self._places = list(dict.fromkeys(layout.v1.values()))  # co-mounted controllers once
        self._unified = layout.unified

    def _directory(self, controller: str) -> str | None:
        mount = self._mounts.get(controller)
        return None if mount is None else f"{mount}/{self.path}"

    def directories(self) -> dict[str, str]:
        return {name: f"{mount}/{self.path}" for name, mount in self._mounts.items()}

    def create(self, resources: Mapping[str, Any]) -> None:
        resources, elsewhere = self._split(resources)
        writes = plan(resources)
        verdict = devices.verdict(resources)
        made: list[str] = []
        try:
            for mount in self._places:
                if mount == self._mounts.get("cpuset"):
                    self._make_cpuset(mount)
                else:
                    tree.make(mount, self.path)
                made.append(mount)
            write_all(writes, self._directory)
            if verdict is not None:
                self._write_devices(devices.transition(devices.EVERYTHING, verdict))
            if elsewhere is not None:
                elsewhere[0].create(elsewhere[1])
        except BaseException:
            self._remove_from(made, 0)
            raise

    def _split(
        self, resources: Mapping[str, Any]
    ) -> tuple[Mapping[str, Any], tuple[Unified, dict[str, Any]] | None]:
        """Take out what a hybrid's cgroup2 side must do."""
        if self._unified is None or "hugetlb" in self._mounts or not resources.get("hugepageLimits"):
            return resources, None
        if "hugetlb" not in tree.read(f"{self._unified}/cgroup.controllers").split():
            return resources, None
        ours = {name: value for name, value in resources.items() if name != "hugepageLimits"}
        from firkin.runtime.cgroup.v2 import Unified

        return ours, (Unified(self.path, self._unified), {"hugepageLimits": resources["hugepageLimits"]})

    def _beside(self) -> Unified | None:
        """The container's cgroup on the cgroup2 side, when ``_split`` has made one."""
        if self._unified is not None and os.path.isdir(f"{self._unified}/{self.path}"):
            from firkin.runtime.cgroup.v2 import Unified

            return Unified(self.path, self._unified)
        return None

    def _make_cpuset(self, mount: str) -> None:
        """Make the cpuset's directory: processes can enter it only when it has CPUs and memory nodes.

        cgroup.clone_children on our parents makes the kernel copy them into each new child.
        """
        leaf = f"{mount}/{self.path}"
        if tree.make(mount, self.path, _dress_cpuset):
            return
        if not tree.read(f"{leaf}/cpuset.cpus").strip():
            # A parent that another process has just made and not yet dressed, or an old one of somebody else's.
            directory = mount
            for name in self.path.split("/"):
                directory += f"/{name}"
                _dress_cpuset(directory)

    def _write_devices(self, writes: list[tuple[str, str]]) -> None:
        where = self._directory("devices")
        if where is None:
            raise missing("devices", "devices")
        for file, value in writes:
            try:
                tree.write(f"{where}/{file}", value)
            except OSError as error:
                setting = Setting(controller="devices", file=file, value=value, field="devices")
                raise refused(error, setting, where) from error

    def update(self, resources: Mapping[str, Any]) -> None:
        resources, elsewhere = self._split(resources)
        if elsewhere is not None:
            if self._beside() is None:
                raise Unsupported(
                    "cannot limit huge pages of a container that was made without such a limit",
                    hint="make the container anew with the limit",
                    field="hugepageLimits",
                )
            elsewhere[0].update(elsewhere[1])
        memory = section(resources, "memory")
        now = 0
        if memory and (where := self._directory("memory")):
            now = int(tree.read(f"{where}/memory.limit_in_bytes"))
            if memory.get("checkBeforeUpdate"):
                check_usage(integer(memory, "memory.limit"), int(tree.read(f"{where}/memory.usage_in_bytes")))
        write_all(plan(resources, memory_now=now), self._directory)
        verdict = devices.verdict(resources)
        if verdict is not None and (where := self._directory("devices")):
            present = devices.parse_list(tree.read(f"{where}/devices.list"))
            self._write_devices(devices.transition(present, verdict))

    def enter(self, pid: int, beside: int | None) -> None:
        # "0" to tasks moves the calling thread alone and spares the kernel cgroup_threadgroup_rwsem (api.Cgroup.enter).
        file, value = ("cgroup.procs", b"%d" % pid) if pid else ("tasks", b"0")
        for mount in self._places:
            path = f"{mount}/{self.path}/{file}"
            try:
                fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
                try:
                    os.write(fd, value)
                finally:
                    os.close(fd)
            except OSError as error:
                refusal = SyscallError(error.errno or 0, "write", path)
                refusal.add_note(f"while moving process {pid or os.getpid()} into cgroup {self.path}")
                raise refusal from error
        if (other := self._beside()) is not None:
            other.enter(pid, beside)

    def open_fd(self) -> int | None:
        return None

    def _lister(self) -> str:
        """The directory whose cgroup.procs is the truth about who is in it."""
        for controller in ("freezer", "pids", "memory"):
            if where := self._directory(controller):
                return where
        return f"{self._places[0]}/{self.path}"

    def pids(self, *, nested: bool) -> list[int]:
        return tree.pids(self._lister(), nested=nested)

    def kill(self) -> None:
        freezer = self._directory("freezer")
        freeze.kill_all(self._lister(), freeze.V1(freezer) if freezer else None, f"/{self.path}")

    def freeze(self) -> None:
        freeze.V1(self._need("freezer")).freeze()

    def thaw(self) -> None:
        freeze.V1(self._need("freezer")).thaw()

    def _need(self, controller: str) -> str:
        where = self._directory(controller)
        if where is None:
            raise missing(controller, controller)
        return where

    def stats(self) -> dict[str, Any]:
        from firkin.runtime.cgroup import stats

        return stats.v1(self.directories())

    def oom_kills(self) -> int:
        where = self._directory("memory")
        return oom.v1_kills(where) if where else 0

    def oom_report(self) -> dict[str, Any]:
        mount = self._mounts.get("memory")
        return oom.v1_report(mount, self.path) if mount else dict(oom.NOTHING)

    def remove(self, deadline: float) -> bool:
        gone = self._remove_from(self._places, deadline)
        other = self._beside()
        return (other is None or other.remove(deadline)) and gone

    def _remove_from(self, mounts: list[str], deadline: float) -> bool:
        gone = True
        for mount in mounts:
            if tree.remove(f"{mount}/{self.path}", deadline):
                tree.prune(mount, self.path)
            else:
                gone = False
        return gone


def _dress_cpuset(directory: str) -> None:
    if tree.read(f"{directory}/cpuset.mems").strip():
        return  # it inherited them from a parent with clone_children, and clone_children as well
    above = os.path.dirname(directory)
    for file in _CPUSET_FILES:
        if not tree.read(f"{directory}/{file}").strip():
            tree.write(f"{directory}/{file}", tree.read(f"{above}/{file}").strip())
    tree.write(f"{directory}/cgroup.clone_children", "1")
