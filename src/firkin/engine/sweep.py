"""Looking through all rooms for what no row owns: once after each boot, when RUN/swept is not there."""

from __future__ import annotations

import os

from firkin import log
from firkin.engine import tables
from firkin.engine.erase import remove_bundle
from firkin.engine.image_users import image_users
from firkin.runtime.cgroup.api import Cgroup, list_containers
from firkin.storage import scratch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firkin.engine.context import Context


def sweep(ctx: Context) -> list[str]:
    """Remove what nobody owns; return what that was. Raises OSError, FirkinError: then it is tried again."""
    paths = ctx.config.paths
    with ctx.db.write():  # nobody creates a container meanwhile
        live = tables.ids(ctx.db)
        gone = [f"directory {name}" for name in ctx.snapshots.sweep(live)]
        for name in os.listdir(paths.run_containers):
            if name not in live:
                remove_bundle(f"{paths.run_containers}/{name}")
                gone.append(f"run directory {name}")
        for name in list_containers(ctx.config.cgroup_parent):
            if name not in live:
                Cgroup.open(f"{ctx.config.cgroup_parent}/{name}").remove()
                gone.append(f"cgroup {name}")
    gone += [f"half-made {name}" for name in scratch.sweep(paths.tmp)]
    gone += [f"torn layer {name}" for name in ctx.layers.sweep()]
    ctx.images.recover(lambda: image_users(ctx))
    gone += [f"adopted volume {name}" for name in ctx.volumes.sweep()]
    gone += ctx.network.sweep(live)
    fd = os.open(f"{paths.run_root}/swept", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    os.close(fd)
    for what in gone:
        log.debug(f"swept: {what}")
    return gone
