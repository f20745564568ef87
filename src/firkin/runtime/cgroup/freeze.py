"""Stopping and killing everything in a cgroup, where the kernel has no cgroup.kill (v1, and v2 before 5.14).

A fork bomb outruns a loop of kill(2). So: freeze, so that the list of processes stands still; SIGKILL all; thaw, upon
which each dies before it gets back to user space. When they do not freeze (state D), kill in rounds instead, each
process through a pidfd and only after a look whether it is still ours.
"""

from __future__ import annotations

import os
import time

from firkin.errors import NotFound, Unavailable
from firkin.runtime.cgroup import tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_PATIENCE = 10.0  # seconds for all to stop; a loaded machine with thousands of processes needs tenths
_ROUNDS = 200
_SIGKILL = 9  # the signal module costs an import of enum


class V1:
    """freezer.state: FROZEN is reached by way of FREEZING, and sometimes only when it is asked for again."""

    def __init__(self, directory: str) -> None:
        self._state = f"{directory}/freezer.state"

    def freeze(self) -> None:
        self._write("FROZEN")
        if not _until(self._frozen):
            self._write("THAWED")
            raise _stuck(self._state)

    def _frozen(self) -> bool:
        if tree.read(self._state) == "FROZEN\n":
            return True
        self._write("FROZEN")
        return False

    def thaw(self) -> None:
        self._write("THAWED")

    def _write(self, state: str) -> None:
        try:
            tree.write(self._state, state)
        except FileNotFoundError:
            raise NotFound(f"no cgroup {os.path.dirname(self._state)}") from None


class V2:
    """cgroup.freeze is the wish, ``frozen`` in cgroup.events the fact."""

    def __init__(self, directory: str) -> None:
        self._directory = directory

    def freeze(self) -> None:
        self._write("1")
        if not _until(lambda: "frozen 1\n" in tree.read(f"{self._directory}/cgroup.events")):
            self._write("0")
            raise _stuck(self._directory)

    def thaw(self) -> None:
        self._write("0")

    def _write(self, wish: str) -> None:
        try:
            tree.write(f"{self._directory}/cgroup.freeze", wish)
        except FileNotFoundError:
            raise NotFound(f"no cgroup {self._directory}") from None


def _until(done: Callable[[], bool]) -> bool:
    deadline, pause = time.monotonic() + _PATIENCE, 0.0001
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
        pause = min(pause * 1.5, 0.02)
    return True


def _stuck(path: str) -> Unavailable:
    return Unavailable(
        f"the processes of cgroup {path} do not stop", hint="one is in state D (see ps); try again"
    )


def kill_all(directory: str, freezer: V1 | V2 | None, path: str) -> None:
    """Send SIGKILL to every process in and below ``directory``; ``path`` is as /proc/PID/cgroup shows it."""
    if freezer is not None and _kill_frozen(directory, freezer):
        return
    known: set[int] = set()
    for _ in range(_ROUNDS):
        fresh = [pid for pid in tree.pids(directory) if pid not in known]
        if not fresh:
            return
        for pid in fresh:
            _kill_member(pid, path)
        known.update(fresh)


def _kill_frozen(directory: str, freezer: V1 | V2) -> bool:
    if not tree.pids(directory):
        return True
    try:
        freezer.freeze()
    except NotFound:
        return True
    except Unavailable:
        return False
    try:
        for pid in tree.pids(directory):  # frozen: none can end, so no number can be another's by now
            try:
                if pid:
                    os.kill(pid, _SIGKILL)
            except ProcessLookupError:
                continue
    finally:
        freezer.thaw()
    return True


def _kill_member(pid: int, path: str) -> None:
    from signal import pidfd_send_signal

    try:
        pidfd = os.pidfd_open(pid)
    except OSError:
        return
    try:
        with open(f"/proc/{pid}/cgroup", encoding="utf-8") as file:
            # hierarchy:controllers:path
            ours = any(f"{line.rstrip()}/".split(":", 2)[2].startswith(f"{path}/") for line in file)
        if ours:
            pidfd_send_signal(pidfd, _SIGKILL)
    except (ProcessLookupError, FileNotFoundError):
        pass
    finally:
        os.close(pidfd)
