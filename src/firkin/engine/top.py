"""top: a container's processes, from its cgroup and /proc; with arguments, what the host's ps says of them."""

from __future__ import annotations

import os
import time

from firkin.engine import states
from firkin.engine.container import find
from firkin.errors import InvalidArgument, Unsupported
from firkin.record import Record
from firkin.runtime.cgroup.api import Cgroup

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from firkin.engine.context import Context


class Process(Record):
    """One process; ``pid`` and ``ppid`` are the host's, ``inside`` is the container's own number for it."""

    pid: int
    ppid: int
    inside: int
    uid: int
    user: str
    comm: str
    args: tuple[str, ...]
    tty: str
    started_s: float  # seconds since the epoch
    cpu_s: float
    cpu_percent: int


class Table(Record):
    titles: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def processes(ctx: Context, ref: str) -> list[Process]:
    """Return the processes of a running container by pid. Raises NotFound, Conflict."""
    container = find(ctx, ref)
    states.check("top", container)
    pids = Cgroup.open(f"{ctx.config.cgroup_parent}/{container.id}").pids()
    ticks = os.sysconf("SC_CLK_TCK")
    boot = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    users = _users()
    found = [_process(pid, ticks, boot, users) for pid in sorted(pids)]
    return [process for process in found if process is not None]


def _process(pid: int, ticks: int, boot: float, users: dict[int, str]) -> Process | None:
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            stat = file.read(4096)
        with open(f"/proc/{pid}/status", "rb", buffering=0) as file:
            status = file.read(1 << 16).decode(errors="replace")
        with open(f"/proc/{pid}/cmdline", "rb", buffering=0) as file:
            words = file.read(1 << 16).rstrip(b"\0")
    except OSError:
        return None
    fields = stat[stat.rindex(b")") + 2 :].split()
    values = {line.partition(":")[0]: line.partition(":")[2].split() for line in status.splitlines()}
    uid = int(values["Uid"][1])
    started = boot + int(fields[19]) / ticks
    cpu = (int(fields[11]) + int(fields[12])) / ticks
    return Process(
        pid=pid,
        ppid=int(fields[1]),
        inside=int(values.get("NSpid", [str(pid)])[-1]),
        uid=uid,
        user=users.get(uid, str(uid)),
        comm=stat[stat.index(b"(") + 1 : stat.rindex(b")")].decode(errors="replace"),
        args=tuple(word.decode(errors="replace") for word in words.split(b"\0")) if words else (),
        tty=_tty(int(fields[4])),
        started_s=started,
        cpu_s=cpu,
        cpu_percent=int(100 * cpu / max(time.time() - started, 0.01)),
    )


def _tty(number: int) -> str:
    if number == 0:
        return "?"
    major, minor = os.major(number), os.minor(number)
    return f"pts/{minor + (major - 136) * 256}" if 136 <= major <= 143 else f"tty{minor}"


def _users() -> dict[int, str]:
    found: dict[int, str] = {}
    try:
        with open("/etc/passwd", encoding="utf-8", errors="replace") as file:
            for line in file:
                parts = line.split(":")
                if len(parts) > 2 and parts[2].isdigit():
                    found.setdefault(int(parts[2]), parts[0])
    except OSError:
        pass
    return found


def top(ctx: Context, ref: str, ps_args: Sequence[str] = ()) -> Table:
    """Return docker's table (ps -ef); with ``ps_args`` the host's ps is asked. Raises NotFound, Conflict, ..."""
    found = processes(ctx, ref)
    if ps_args and list(ps_args) != ["-ef"]:
        return _by_ps(found, ps_args)
    return Table(
        titles=("UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"),
        rows=tuple(
            (
                process.user, str(process.pid), str(process.ppid), str(process.cpu_percent),
                time.strftime("%H:%M", time.localtime(process.started_s)), process.tty,
                time.strftime("%H:%M:%S", time.gmtime(process.cpu_s)),
                " ".join(process.args) or f"[{process.comm}]",
            )
            for process in found
        ),
    )  # fmt: skip


def _by_ps(found: Sequence[Process], ps_args: Sequence[str]) -> Table:
    import subprocess

    try:
        # All arguments go to ps(1) as they are; no shell is between.
        result = subprocess.run(["ps", *ps_args], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise Unsupported("ps is not installed on this host", hint="apt-get install procps") from None
    lines = result.stdout.splitlines()
    if result.returncode or not lines:
        why = result.stderr.strip().partition("\n")[0] or "failed"  # the rest is how to call ps
        raise InvalidArgument(f"ps: {why.removeprefix('ps: ')}", hint="ps(1) lists its options")
    titles = lines[0].split()
    if "PID" not in titles:
        raise InvalidArgument("Couldn't find PID field in ps output", hint="let ps show the column PID")
    at = titles.index("PID")
    pids = {str(process.pid) for process in found}
    rows = [line.split(None, len(titles) - 1) for line in lines[1:]]
    return Table(
        titles=tuple(titles), rows=tuple(tuple(row) for row in rows if len(row) > at and row[at] in pids)
    )
