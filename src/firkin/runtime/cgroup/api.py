"""One container's cgroup, whichever version the machine has.

    cgroup = Cgroup.create("firkin/3f9c0a1b/CONTAINER", resources)     a few mkdirs and writes, under 2 ms
    cgroup.enter(0)                                                    by the child itself: see ``enter``
    cgroup.kill(); cgroup.remove()

Paths are relative to each hierarchy's mount point and never below the caller's own cgroup. The directories
``firkin/ENGINE`` and ``firkin`` are made with the first container and removed with the last.
"""

from __future__ import annotations

import time

from firkin.errors import InUse
from firkin.runtime.cgroup import tree
from firkin.runtime.cgroup.layout import check_path, layout
from firkin.runtime.cgroup.v1 import Hierarchies

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from firkin.runtime.cgroup.driver import Driver


_DYING = 0.003  # seconds: who is on the way out needs no kill


class Cgroup:
    """Methods raise FirkinError kinds and SyscallError; none leaves a half-made cgroup."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    @classmethod
    def create(cls, path: str, resources: Mapping[str, Any]) -> Cgroup:
        """Make the cgroup and set its limits (OCI ``linux.resources``; {} for none).

        Raises Unsupported (a limit whose controller or file this machine lacks; fields ``field``, ``controller``),
        InvalidArgument (a value that the spec or the kernel refuses), Conflict (it exists and has processes in it).
        A leftover of that name without processes is replaced.
        """
        driver = _driver(path)
        driver.create(resources)
        return cls(driver)

    @classmethod
    def open(cls, path: str) -> Cgroup:
        """Return a handle on a cgroup that was made before; nothing is looked up."""
        return cls(_driver(path))

    @property
    def path(self) -> str:
        """The path below the mount points, without a leading slash."""
        return self._driver.path

    @property
    def version(self) -> str:
        """Return "v1" (hybrid too) or "v2"."""
        return self._driver.version

    def directories(self) -> dict[str, str]:
        """Return controller -> this container's directory (v1: one for each; v2: {"": directory})."""
        return self._driver.directories()

    def enter(self, pid: int = 0, *, beside: int | None = None) -> None:
        """Move process ``pid``, or the caller (0), into the cgroup.

        0 must be said by a single-threaded process (a fresh fork): v1 then moves one thread through ``tasks``, and the
        kernel can do without its global lock. ``pid`` from outside costs 5-10 ms (an RCU grace period) when nobody did
        so lately. On v2 prefer ``open_fd`` with clone3(CLONE_INTO_CGROUP), for the same reason.
        ``beside`` is the container's process 1, for exec: when a v2 container has made cgroups of its own, nobody may
        be in the upper one, and the newcomer goes where process 1 is.
        """
        self._driver.enter(pid, beside)

    def open_fd(self) -> int | None:
        """Return a descriptor for clone3's CLONE_INTO_CGROUP (the caller closes it); None on v1, use ``enter``."""
        return self._driver.open_fd()

    def pids(self, all: bool = True) -> list[int]:
        """Return the processes in it (and in cgroups that the container made, when ``all``)."""
        return self._driver.pids(nested=all)

    def kill(self) -> None:
        """Send SIGKILL to every process, so that none escapes by forking; does not wait for their end."""
        self._driver.kill()

    def freeze(self) -> None:
        """Stop every process; returns when all have stopped. Raises Unavailable (then nothing is frozen)."""
        self._driver.freeze()

    def thaw(self) -> None:
        self._driver.thaw()

    def update(self, resources: Mapping[str, Any]) -> None:
        """Change the limits that ``resources`` names; raises as ``create`` does. What was written before stays."""
        self._driver.update(resources)

    def stats(self) -> dict[str, Any]:
        """Return usage: see ``runtime/cgroup/stats.py`` for the shape."""
        return self._driver.stats()

    def oom_kills(self) -> int:
        """Return how many processes the OOM killer took here and below (a child's death counts)."""
        return self._driver.oom_kills()

    def oom_report(self) -> dict[str, Any]:
        """Say whose limit it was: ``kills``, ``level`` (cgroup path or "host"), ``limit``, ``peak`` (bytes or None)."""
        return self._driver.oom_report()

    def remove(self, timeout: float = 10.0) -> None:
        """Remove it in every hierarchy, with what the container made below, and parents that are empty now.

        Idempotent. Processes still in it are killed, and waited for ``timeout`` seconds: then InUse, with ``pids``.
        """
        driver = self._driver
        if driver.remove(time.monotonic() + _DYING):
            return
        driver.kill()
        if not driver.remove(time.monotonic() + timeout):
            left = driver.pids(nested=True)
            raise InUse(
                f"cgroup {driver.path} still has processes {left} after SIGKILL",
                hint="they are stuck in the kernel (state D in ps); remove it again when they are gone",
                by=", ".join(map(str, left)),
            )


def _driver(path: str) -> Driver:
    where = layout()
    if where.v1:
        return Hierarchies(check_path(path), where)
    from firkin.runtime.cgroup.v2 import Unified  # half a millisecond that v1 machines need not pay

    return Unified(check_path(path), where.unified or "")


def list_containers(parent: str) -> list[str]:
    """Return the names of the cgroups below ``parent`` in any hierarchy, sorted: what an engine has left."""
    where = layout()
    mounts = {*where.v1.values(), *([where.unified] if where.unified else [])}
    return sorted({name for mount in mounts for name in tree.children(f"{mount}/{check_path(parent)}")})
