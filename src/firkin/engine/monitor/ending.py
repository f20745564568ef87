"""The end of a container, in the order that survives our own death after any step.

exit.json        how it ended: whoever finishes for us reads it
OOM report       into exit.json; the cgroup is still there
last output      out of the pipes, into the log and to the clients; EXIT to the clients
clean            cgroup, network, run directory (the mounts die with our namespace)
row              exited; with --rm instead: volumes, directories, row deleted; or left to a living heir (engine/ends)
farewell         clients get what is held for them; then we end
"""

from __future__ import annotations

import os
import select
import time

from firkin import log
from firkin.engine import exits, frames
from firkin.engine.plan import OWNER, STARTER
from firkin.engine.steps import step
from firkin.wire import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from firkin.engine.context import Context
    from firkin.engine.monitor.charge import Charge
    from firkin.engine.monitor.loop import Loop


def end(charge: Charge, loop: Loop, open_context: Callable[[], Context]) -> None:
    """Record and clean up after a program that has ended.

    What is imported from the rest of the engine is imported after exit.json: a lean monitor may find a newer firkin on
    the disk than it was started from, and should that not fit, the next command finishes for it.
    """
    log.mark("program")
    record = _record(charge, loop)
    _write(charge, record)
    step("exit-recorded")
    from firkin.runtime.cgroup.api import Cgroup

    cgroup = Cgroup.open(charge.cgroup_path)
    if cgroup.oom_kills():
        record.update(oom=True, oom_report=cgroup.oom_report())
        step("oom-recorded")
    cgroup.kill()  # of a shared pid namespace some may live on, and write
    for fd in charge.spare:
        os.close(fd)
    loop.drain()
    if loop.log is not None:
        record["log_lost"] = loop.log.lost
    record["drained"] = True
    if record["exit_code"]:
        record["last_output"] = exits.last_lines(f"{charge.home}/log")
    _write(charge, record)
    if loop.log is not None:
        loop.log.close()  # wakes who follows it
    step("drained")
    loop.announce(frames.EXIT, json.dumps(record).encode())
    step("exit-announced")
    log.mark("record the end")
    from firkin.engine.monitor.outcome import afterwards
    from firkin.errors import FirkinError

    ctx = open_context()
    removed = False
    try:
        removed = _clean_up(ctx, charge, loop, record)
    except (FirkinError, OSError) as error:
        # A full disk, say: the row still says running, and the next command finishes with what exit.json tells.
        log.debug(f"cleaning up: {error}")
    step("settled")
    if log.marking():
        log.mark("row")
        loop.announce(frames.MARKS, json.dumps(log.marks()[charge.marks :]).encode())
    loop.farewell()
    afterwards(ctx, network=charge.network, removed=removed)


def _clean_up(ctx: Context, charge: Charge, loop: Loop, record: dict[str, Any]) -> bool:
    """Remove what the run had and settle the row; say whether the container has been removed."""
    from firkin.engine.erase import clean, remove_bundle

    # When exit.json is in the run directory, that has to outlast the row's "running".
    late = os.path.exists(exits.path(charge.bundle))
    clean(ctx, charge.container_id, network=charge.network, bundle=not late)
    log.mark("clean up")
    if charge.users_fd >= 0:
        _close(charge.users_fd)
    if not late and _heir_lives(charge, loop):
        loop.announce(frames.LEFT, b"")
        return False
    from firkin.engine.ends import settle

    removed = charge.rm or (loop.owner_died and _is_bound(ctx, charge.container_id))
    settle(ctx, charge.container_id, charge.starts, record, rm=removed)
    if late:
        remove_bundle(charge.bundle)
    return removed


def _heir_lives(charge: Charge, loop: Loop) -> bool:
    """Say whether he that is to settle the row is at the other end, and has not yet all to read that we hold."""
    if charge.heir == STARTER:
        fds = [client.fd for client in loop.clients.values() if client.starter and not client.queue]
    else:
        fds = [loop.owner] if charge.heir == OWNER and not loop.owner_died else []
    poll = select.poll()
    for fd in fds:
        poll.register(fd, 0)  # nothing but that the other end is closed
    return bool(fds) and not poll.poll(0)


def _is_bound(ctx: Context, container_id: str) -> bool:
    """Say whether the container goes with its owner; one to keep (the library's keep=True) only ends with it."""
    from firkin.engine import tables

    row = tables.get(ctx.db, container_id)
    return row is None or row.owner != ""


def _close(fd: int) -> None:
    try:
        os.close(fd)
    except OSError:
        pass  # Bridge.detach has done so, when it was this process that attached


def _record(charge: Charge, loop: Loop) -> dict[str, Any]:
    result = os.waitid(os.P_PIDFD, loop.pidfd, os.WEXITED)
    finished = time.time_ns()
    assert result is not None
    by_signal = result.si_code != os.CLD_EXITED
    signal = result.si_status if by_signal else 0
    killed_by = "the death of its owner" if loop.owner_died else exits.killer(charge.bundle, signal)
    return {
        "starts": charge.starts,
        "exit_code": 128 + signal if by_signal else result.si_status,
        "signal": signal,
        "oom": False,
        "oom_report": None,
        "killed_by": killed_by,
        "last_output": "",
        "log_lost": 0,
        "drained": False,
        "started_ns": charge.started_ns,
        "finished_ns": finished,
        "monitor_lost": False,
        "monitor_pid": os.getpid(),
        "rebooted": False,
    }


def _write(charge: Charge, record: dict[str, Any]) -> None:
    """Write exit.json, on a full disk into the run directory."""
    for folder in (charge.home, charge.bundle):
        try:
            exits.write(folder, record)
        except OSError:
            continue
        return
