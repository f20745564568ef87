"""Finishing what a killed process began on one container. The caller holds its lock, and it has no live monitor.

creating   its creator was killed          all of it goes
removing   its remover was killed          all of it goes; anonymous volumes if the remover said so (in ``rm``)
starting   killed before the program ran   kernel objects go, state created, the error says so; --rm: all goes
running    exit.json of this run is there  the end that it tells
           the machine was restarted       exit code 255
           else its monitor was killed     exit code 137, SIGKILL by the kernel
"""

from __future__ import annotations

import os
import time

from firkin import atomic
from firkin.engine import exits, states, tables
from firkin.engine.boot import boot_id
from firkin.engine.ends import exited, settle
from firkin.engine.erase import clean, erase, remove_bundle
from firkin.engine.steps import step
from firkin.errors import FirkinError, ResourceExhausted, Unavailable, to_wire
from firkin.runtime.cgroup.api import Cgroup
from firkin.wire import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from firkin.engine.context import Context
    from firkin.engine.row import Container


def repair(ctx: Context, container: Container) -> None:
    """Bring the container to rest. May be repeated after dying itself."""
    home = ctx.config.paths.container(container.id)
    if container.state in (states.CREATING, states.REMOVING):
        clean(ctx, container.id)
        erase(ctx, container.id, volumes=bool(container.rm) or container.state == states.CREATING)
        return
    state = read_state(ctx, container)
    record = exits.find(ctx.config.paths, container.id, container.starts)
    if record is None and (state or container.state != states.STARTING):
        record = _lost(ctx, container, state)
        step("end-found")
        if os.path.isdir(home):
            exits.write(home, record)
    elif record is not None and not record.get("drained"):
        _add_oom(ctx, container, record)
    bundle = ctx.config.paths.bundle(container.id)
    late = os.path.exists(exits.path(bundle))
    clean(ctx, container.id, bundle=not late)
    if record is not None:
        settle(ctx, container.id, container.starts, record, rm=bool(container.rm))
        if late:
            remove_bundle(bundle)
    elif container.rm:
        erase(ctx, container.id, volumes=True)
    else:
        error = Unavailable(
            "the start was interrupted: firkin was killed before the program ran",
            hint=f"start it again: firkin start {container.name}",
        )
        with ctx.db.write():
            tables.failed(ctx.db, container.id, 128, json.dumps(to_wire(error)), time.time_ns())
    step("repaired")


def show_end(ctx: Context, container: Container, error: ResourceExhausted) -> None:
    """Where ``repair`` found no room on the disk: let this command, at least, see how the container ended."""
    if container.state not in states.LIVE:
        return
    record = exits.find(ctx.config.paths, container.id, container.starts)
    state = read_state(ctx, container)
    if record is None and (state or container.state != states.STARTING):
        record = _lost(ctx, container, state)
    if record is not None:
        ctx.db.pretend("containers", error)
        exited(ctx, container.id, container.starts, record)


def read_state(ctx: Context, container: Container) -> dict[str, Any] | None:
    """Return state.json of the current run, or None when the program has not been started."""
    try:
        text = atomic.read_text(f"{ctx.config.paths.bundle(container.id)}/state.json")
        state = json.loads(text) if text else None
    except (OSError, ValueError):
        return None
    if not isinstance(state, dict) or state.get("starts") != container.starts:
        return None
    whole = all(isinstance(state.get(key), int) for key in ("pid", "start_time", "started_ns"))
    return state if whole else None


def _lost(ctx: Context, container: Container, state: dict[str, Any] | None) -> dict[str, Any]:
    """Return the record of an end that nobody saw."""
    rebooted = container.boot_id != boot_id() or not os.path.isdir(ctx.config.paths.bundle(container.id))
    record = {
        "starts": container.starts,
        "exit_code": exits.REBOOT_CODE if rebooted else exits.LOST_CODE,
        "signal": 0 if rebooted else 9,
        "oom": False,
        "oom_report": None,
        "killed_by": "",
        "last_output": exits.last_lines(f"{ctx.config.paths.container(container.id)}/log"),
        "log_lost": 0,
        "started_ns": container.started_ns or (state or {}).get("started_ns", 0),
        "finished_ns": time.time_ns(),
        "monitor_lost": not rebooted,
        "monitor_pid": container.monitor_pid,
        "rebooted": rebooted,
    }
    if not rebooted:
        _add_oom(ctx, container, record)
    return record


def _add_oom(ctx: Context, container: Container, record: dict[str, Any]) -> None:
    """Say in ``record`` what the cgroup, where it is still there, tells of an OOM kill."""
    try:
        cgroup = Cgroup.open(f"{ctx.config.cgroup_parent}/{container.id}")
        if cgroup.oom_kills():
            record.update(oom=True, oom_report=cgroup.oom_report())
    except (OSError, FirkinError):
        pass
