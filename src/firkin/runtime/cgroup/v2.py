"""Pure cgroup v2: one directory, controllers switched on from the top down.

/sys/fs/cgroup/                       cgroup.subtree_control += all of cgroup.controllers
/sys/fs/cgroup/firkin/                the same
/sys/fs/cgroup/firkin/ENGINE/         the same
/sys/fs/cgroup/firkin/ENGINE/ID/      the container; the device program hangs here
"""

from __future__ import annotations

import errno
import os

from firkin.errors import NotFound, SyscallError, Unsupported
from firkin.runtime.cgroup import devices, freeze, oom, tree
from firkin.runtime.cgroup.driver import Driver
from firkin.runtime.cgroup.settings import Setting, check_usage, integer, missing, section, write_all
from firkin.runtime.cgroup.v2_plan import plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class Unified(Driver):
    version = "v2"

    def __init__(self, path: str, mount: str) -> None:
        super().__init__(path)
        self._mount = mount
        self._leaf = f"{mount}/{path}"

    def directories(self) -> dict[str, str]:
        return {"": self._leaf}

    def create(self, resources: Mapping[str, Any]) -> None:
        writes = plan(resources)
        verdict = devices.verdict(resources)
        new_parents = tree.make(self._mount, self.path)
        try:
            if new_parents:
                self._enable_controllers()
            self._write(writes)
            if verdict is not None and verdict != devices.EVERYTHING:
                self._attach(verdict)
        except BaseException:
            self.remove(0)
            raise

    def _write(self, writes: list[Setting]) -> None:
        if not writes:
            return
        try:
            write_all(writes, lambda _: self._leaf)
        except Unsupported:
            # Another process made the parents and has not enabled the controllers yet; or there is no such controller.
            self._enable_controllers()
            present = tree.read(f"{self._leaf}/cgroup.controllers").split()
            for setting in writes:
                if setting.controller not in present and setting.controller not in ("cgroup", "memory.zswap"):
                    raise missing(setting.field, setting.controller) from None
            write_all(writes, lambda _: self._leaf)

    def _enable_controllers(self) -> None:
        directory = self._mount
        for name in self.path.split("/"):
            wanted = tree.read(f"{directory}/cgroup.controllers").split()
            enabled = tree.read(f"{directory}/cgroup.subtree_control").split()
            lacking = [c for c in wanted if c not in enabled]
            if lacking:
                _enable(f"{directory}/cgroup.subtree_control", lacking)
            directory += f"/{name}"

    def _attach(self, verdict: devices.Verdict) -> None:
        """Put the new program beside the old ones, then take the old ones away: never a moment without."""
        from firkin.linux import bpf  # ctypes: 1 ms that a container without device rules need not pay
        from firkin.runtime.cgroup import devices_bpf

        cgroup = os.open(self._leaf, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            old = bpf.attached(cgroup)
            if verdict != devices.EVERYTHING:
                program = bpf.load_device_program(devices_bpf.assemble(verdict))
                try:
                    bpf.attach(cgroup, program)
                finally:
                    os.close(program)
            for identifier in old:
                program = bpf.open_program(identifier)
                try:
                    bpf.detach(cgroup, program)
                finally:
                    os.close(program)
        except SyscallError as error:
            error.add_note(f"while confining the devices of cgroup {self.path} (linux.resources.devices)")
            raise
        finally:
            os.close(cgroup)

    def update(self, resources: Mapping[str, Any]) -> None:
        memory = section(resources, "memory")
        if memory.get("checkBeforeUpdate"):
            usage = oom.number(f"{self._leaf}/memory.current")
            check_usage(integer(memory, "memory.limit"), usage or 0)
        cpu = section(resources, "cpu")
        if cpu.get("period") and not cpu.get("quota"):  # one file holds both: keep the other half
            quota = oom.number_or_max(f"{self._leaf}/cpu.max")
            resources = {**resources, "cpu": {**cpu, "quota": quota}}
        self._write(plan(resources, fresh=False))
        verdict = devices.verdict(resources)
        if verdict is not None:
            self._attach(verdict)

    def enter(self, pid: int, beside: int | None) -> None:
        try:
            tree.write(f"{self._leaf}/cgroup.procs", str(pid))
        except OSError as error:
            if error.errno == errno.EBUSY and beside is not None:
                tree.write(f"{self._mount}{_unified_path(beside)}/cgroup.procs", str(pid))
                return
            refusal = SyscallError(error.errno or 0, "write", f"{self._leaf}/cgroup.procs")
            refusal.add_note(f"while moving process {pid or os.getpid()} into cgroup {self.path}")
            raise refusal from error

    def open_fd(self) -> int | None:
        try:
            return os.open(self._leaf, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise NotFound(f"no cgroup {self._leaf}") from None

    def pids(self, *, nested: bool) -> list[int]:
        return tree.pids(self._leaf, nested=nested)

    def kill(self) -> None:
        try:
            tree.write(f"{self._leaf}/cgroup.kill", "1")
        except FileNotFoundError:  # the cgroup has gone, or the kernel is older than 5.14
            freeze.kill_all(self._leaf, freeze.V2(self._leaf), f"/{self.path}")

    def freeze(self) -> None:
        freeze.V2(self._leaf).freeze()

    def thaw(self) -> None:
        freeze.V2(self._leaf).thaw()

    def stats(self) -> dict[str, Any]:
        from firkin.runtime.cgroup import stats

        return stats.v2(self._leaf)

    def oom_kills(self) -> int:
        return oom.v2_kills(self._leaf)

    def oom_report(self) -> dict[str, Any]:
        return oom.v2_report(self._mount, self.path)

    def remove(self, deadline: float) -> bool:
        if not tree.remove(self._leaf, deadline):
            return False
        tree.prune(self._mount, self.path)
        return True


def _enable(file: str, controllers: list[str]) -> None:
    """Switch controllers on; one that refuses (cpu beside real-time processes) does not keep the others off."""
    try:
        tree.write(file, " ".join(f"+{c}" for c in controllers))
    except OSError:
        for controller in controllers:
            try:
                tree.write(file, f"+{controller}")
            except OSError:
                continue


def _unified_path(pid: int) -> str:
    for line in tree.read(f"/proc/{pid}/cgroup").splitlines():
        if line.startswith("0::"):
            return line[3:]
    raise NotFound(f"process {pid} is in no v2 cgroup")
