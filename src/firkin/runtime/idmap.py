"""What is written about a process from outside, with privileges that it has not: user namespace id maps
(user_namespaces(7)), offsets of its clocks (time_namespaces(7)), its badness for the OOM killer.
"""

from __future__ import annotations

import os

from firkin.errors import InvalidArgument, SyscallError
from firkin.linux import ns, process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    Mappings = Sequence[dict[str, Any]]

SIGKILL = 9


def write_maps(pid: int, uids: Mappings, gids: Mappings) -> None:
    """Write ``pid``'s uid_map and gid_map; OCI mappings have containerID, hostID and size.

    Without privileges (CAP_SETGID) setgroups is denied first, as the kernel demands for a gid map then.
    """
    for kind, mappings in (("uid", uids), ("gid", gids)):
        if not mappings:
            raise InvalidArgument(f"a new user namespace needs linux.{kind}Mappings")
        lines = "".join(f"{m['containerID']} {m['hostID']} {m['size']}\n" for m in mappings)
        if kind == "gid" and os.geteuid() != 0:
            _write(f"/proc/{pid}/setgroups", "deny")
        try:
            _write(f"/proc/{pid}/{kind}_map", lines)
        except SyscallError as error:
            error.add_note(f"while writing the {kind} map {' '.join(lines.split())} of the user namespace")
            raise


def write_offsets(pid: int, offsets: dict[str, Any]) -> None:
    """Write the time namespace's offsets that ``pid``, in none yet, will enter at its execve (OCI timeOffsets)."""
    lines = [f"{clock} {o.get('secs') or 0} {o.get('nanosecs') or 0}\n" for clock, o in offsets.items()]
    _write(f"/proc/{pid}/timens_offsets", "".join(lines))


def write_oom_score(pid: int, score: int | None) -> None:
    """Write process.oomScoreAdj, if there is one."""
    if score is None:
        return
    try:
        _write(f"/proc/{pid}/oom_score_adj", str(score))
    except SyscallError as error:
        error.add_note(f"while setting process.oomScoreAdj to {score}; lowering it needs CAP_SYS_RESOURCE")
        raise


def _write(path: str, text: str) -> None:
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, text.encode())
        finally:
            os.close(fd)
    except OSError as error:
        raise SyscallError(error.errno or 0, "write", path) from None


def namespace_for(uids: Mappings, gids: Mappings) -> int:
    """Return a descriptor of a new user namespace with these maps (for an id-mapped mount). No process stays in it."""
    pid, pidfd = process.clone3(ns.CLONE_NEWUSER)
    if pid == 0:
        while True:
            os.read(os.pipe()[0], 1)  # until killed
    try:
        write_maps(pid, uids, gids)
        return os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        process.pidfd_send_signal(pidfd, SIGKILL)
        process.wait_pidfd(pidfd)
        os.close(pidfd)


def host_id(mappings: Mappings, inside: int) -> int | None:
    """Return what ``inside`` is outside; None when it is not mapped."""
    for entry in mappings:
        first = entry["containerID"]
        if first <= inside < first + entry["size"]:
            outside: int = entry["hostID"] + inside - first
            return outside
    return None
