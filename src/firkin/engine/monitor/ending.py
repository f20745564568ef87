"""The end of a container, in the order that survives our own death after any step.

exit.json        how it ended: whoever finishes for us reads it
OOM report       into exit.json; the cgroup is still there
last output      out of the pipes, into the log and to the clients; EXIT to the clients
clean            cgroup, network, run directory (the mounts die with our namespace)
row              exited; with --rm instead: volumes, directories, row deleted
farewell         clients get what is held for them; then we end
"""

from __future__ import annotations

import os
import time

from firkin import log
from firkin.engine import exits, frames, tables
from firkin.engine.erase import clean, erase
from firkin.engine.steps import step
from firkin.errors import CannotRun, to_wire
from firkin.wire import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from firkin.engine.context import Context
    from firkin.engine.monitor.loop import Loop
    from firkin.engine.monitor.setup import Running
    from firkin.engine.plan import StartPlan


def end(ctx: Context, plan: StartPlan, running: Running, loop: Loop) -> None:
    """Record and clean up after a program that has ended."""
    home = ctx.config.paths.container(plan.container_id)
    bundle = ctx.config.paths.bundle(plan.container_id)
    record = _record(plan, running, bundle, loop)
    _write(home, record)
    step("exit-recorded")
    assert running.cgroup is not None
    if running.cgroup.oom_kills():
        record.update(oom=True, oom_report=running.cgroup.oom_report())
        _write(home, record)
        step("oom-recorded")
    running.cgroup.kill()  # of a shared pid namespace some may live on, and write
    for fd in running.spare:
        os.close(fd)
    loop.drain()
    if loop.log is not None:
        record["log_lost"] = loop.log.lost
    record["drained"] = True
    if record["exit_code"]:
        record["last_output"] = exits.last_line(f"{home}/log")
    _write(home, record)
    if loop.log is not None:
        loop.log.close()  # wakes who follows it
    step("drained")
    loop.announce(frames.EXIT, json.dumps(record).encode())
    step("exit-announced")
    clean(ctx, plan.container_id, network=plan.endpoint is not None)
    log.mark("clean")
    settle(ctx, plan.container_id, plan.starts, record, rm=plan.rm or loop.owner_died)
    step("settled")
    loop.farewell()


def _record(plan: StartPlan, running: Running, bundle: str, loop: Loop) -> dict[str, Any]:
    result = os.waitid(os.P_PIDFD, loop.pidfd, os.WEXITED)
    finished = time.time_ns()
    assert result is not None
    by_signal = result.si_code != os.CLD_EXITED
    signal = result.si_status if by_signal else 0
    killed_by = "the death of its owner" if loop.owner_died else exits.killer(bundle, signal)
    return {
        "starts": plan.starts,
        "exit_code": 128 + signal if by_signal else result.si_status,
        "signal": signal,
        "oom": False,
        "oom_report": None,
        "killed_by": killed_by,
        "last_output": "",
        "log_lost": 0,
        "drained": False,
        "started_ns": running.started_ns,
        "finished_ns": finished,
        "monitor_lost": False,
        "monitor_pid": os.getpid(),
        "rebooted": False,
    }


def _write(home: str, record: dict[str, Any]) -> None:
    try:
        exits.write(home, record)
    except OSError as error:
        # A full disk: the row may still take it, and the clients hear it in any case.
        log.debug(f"cannot write exit.json: {error}")


def settle(ctx: Context, container_id: str, starts: int, record: dict[str, Any], *, rm: bool) -> None:
    """Make the end known: the last step of a run, whoever does it."""
    if rm:
        erase(ctx, container_id, volumes=True)
        return
    with ctx.db.write():
        tables.exited(
            ctx.db,
            container_id,
            starts,
            exit_code=record["exit_code"],
            oom=record["oom"],
            ending=json.dumps(record),
            started_ns=record["started_ns"],
            finished_ns=record["finished_ns"],
        )


def give_up(ctx: Context, plan: StartPlan, running: Running) -> None:
    """Undo a start that did not work; the starter, who hears of it next, owns row and directories."""
    for fd in (*running.spare, *running.outputs):
        _close(fd)
    try:
        clean(ctx, plan.container_id, network=plan.endpoint is not None, cgroup=running.cgroup is not None)
    except Exception as error:  # noqa: BLE001 - what is left is found by the row's state
        log.debug(f"cleaning up after a failed start: {error}")


def record_failure(ctx: Context, plan: StartPlan, error: BaseException) -> None:
    """Write what the starter, who is gone, would have written."""
    if plan.rm:
        erase(ctx, plan.container_id, volumes=True)
        return
    code = error.exit_code if isinstance(error, CannotRun) else 128
    with ctx.db.write():
        tables.failed(ctx.db, plan.container_id, code, json.dumps(to_wire(error)), time.time_ns())


def _close(fd: int) -> None:
    try:
        os.close(fd)
    except OSError:
        pass
