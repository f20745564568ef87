"""Removing from a full disk: the row cannot be changed before there is room, so what the container wrote goes first."""

from __future__ import annotations

import os

from firkin.engine import liveness, tables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firkin.engine.context import Context


def make_room(ctx: Context, container_id: str) -> bool:
    """Delete the writable layer and the log of a container that is about to be removed; False if it still runs.

    The caller holds its lock. Killed after this, the container is one with an empty layer.
    """
    row = tables.get(ctx.db, container_id)
    if row is None or liveness.alive(row.monitor_pid, row.monitor_start):
        return False
    if liveness.running(row.pid, row.start_time):
        return False
    ctx.snapshots.remove(container_id)
    try:
        os.truncate(f"{ctx.config.paths.container(container_id)}/log", 0)
    except OSError:
        pass  # there is none
    ctx.db.stop_pretending("containers")
    return True
