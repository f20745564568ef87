"""What a way of making cgroups must do; api.Cgroup is its only caller.

v1.Hierarchies (v1 and hybrid) and v2.Unified write the file system themselves. A systemd driver (transient scopes over
D-Bus) would be a third subclass that makes and removes differently and inherits the rest from v2.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class Driver:
    """One container's cgroup; ``path`` is relative to the mount points."""

    version = ""

    def __init__(self, path: str) -> None:
        self.path = path

    def create(self, resources: Mapping[str, Any]) -> None:
        raise NotImplementedError

    def update(self, resources: Mapping[str, Any]) -> None:
        raise NotImplementedError

    def enter(self, pid: int, beside: int | None) -> None:
        raise NotImplementedError

    def open_fd(self) -> int | None:
        raise NotImplementedError

    def directories(self) -> dict[str, str]:
        raise NotImplementedError

    def pids(self, *, nested: bool) -> list[int]:
        raise NotImplementedError

    def kill(self) -> None:
        raise NotImplementedError

    def freeze(self) -> None:
        raise NotImplementedError

    def thaw(self) -> None:
        raise NotImplementedError

    def stats(self) -> dict[str, Any]:
        raise NotImplementedError

    def oom_kills(self) -> int:
        raise NotImplementedError

    def oom_report(self) -> dict[str, Any]:
        raise NotImplementedError

    def remove(self, deadline: float) -> bool:
        raise NotImplementedError
