"""What becomes of the row: after an end, after a start that did not work."""

from __future__ import annotations

import os
import time

from firkin import log
from firkin.engine import tables
from firkin.engine.erase import clean, erase
from firkin.errors import CannotRun, FirkinError, to_wire
from firkin.storage.unsynced import any_unsynced
from firkin.wire import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firkin.engine.context import Context
    from firkin.engine.monitor.setup import Running
    from firkin.engine.plan import StartPlan


def afterwards(ctx: Context, *, network: bool, removed: bool) -> None:
    """Do what nobody waits for: layers to the disk, images that the last container let go, an unused bridge."""
    try:
        if any_unsynced(ctx.config.paths.layers):
            ctx.layers.settle()
        if removed:
            from firkin.engine.image_users import let_go_of_images

            let_go_of_images(ctx)
        if network:
            ctx.network.retire_later()
    except (FirkinError, OSError) as error:
        log.debug(f"upkeep: {error}")


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
