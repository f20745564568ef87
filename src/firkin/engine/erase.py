"""Taking a container away: its kernel objects, then its directories, then its row. Each step may be done twice.

    clean    cgroup killed and removed, network given back, RUN/containers/ID removed
    erase    anonymous volumes, ROOT/containers/ID, the row, the lock's file

Used by the monitor at the end of a run, by `rm`, and by whoever finishes for one that was killed. The row goes
last: as long as there is one, whatever is left can be found.
"""

from __future__ import annotations

import os

from firkin.engine import locks, tables
from firkin.engine.steps import step
from firkin.errors import FirkinError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from firkin.engine.context import Context


def clean(
    ctx: Context, container_id: str, *, network: bool = True, cgroup: bool = True, bundle: bool = True
) -> None:
    """Remove what a run has in the kernel and in the run root. Processes still in the cgroup are killed."""
    if cgroup:
        from firkin.runtime.cgroup.api import Cgroup  # an heir has no need of it (engine/ends)

        Cgroup.open(f"{ctx.config.cgroup_parent}/{container_id}").remove()
        step("cgroup-removed")
    if network:
        if _has_lease(ctx, container_id):
            ctx.network.detach(container_id)
        step("network-detached")
    if bundle:
        remove_bundle(ctx.config.paths.bundle(container_id))
        step("bundle-removed")


def _has_lease(ctx: Context, container_id: str) -> bool:
    """As a rule the monitor has given it back, and nobody needs to load the network for that: 5 ms of `rm`."""
    if ctx.opened("network"):
        return True  # it may hold a lock without a lease
    from firkin.network import tables as leases

    return leases.lease(ctx.db, container_id) is not None


def remove_bundle(bundle: str) -> None:
    """Remove the run directory. What is still mounted there, in our namespace, goes first."""
    if not os.path.isdir(bundle):
        return
    for place in ("shm", "rootfs"):
        _unmount(f"{bundle}/{place}")
    device = os.lstat(bundle).st_dev
    for folder, folders, names in os.walk(bundle, topdown=False):
        if os.lstat(folder).st_dev != device:
            continue  # still mounted: never the files of what others share with us
        for name in names:
            _quietly(os.unlink, f"{folder}/{name}")
        for name in folders:
            _quietly(os.rmdir, f"{folder}/{name}")
    _quietly(os.rmdir, bundle)


def _unmount(path: str) -> None:
    from firkin.linux import mount

    for _ in range(64):
        try:
            mount.unmount(path, 2)  # MNT_DETACH: whoever still looks at it does not hold us up
        except OSError:
            return


def _quietly(call: Callable[[str], object], path: str) -> None:
    try:
        call(path)
    except OSError:
        pass  # gone already, or still mounted: a sweep comes again


def erase(ctx: Context, container_id: str, *, volumes: bool) -> None:
    """Forget a container that does not run; ``volumes`` takes its anonymous ones along. Its lock need not be held
    by the monitor of a --rm container (engine/locks)."""
    container = tables.get(ctx.db, container_id)
    if container is None:
        return
    if volumes:
        for point in container.opened("mounts") or ():
            if point.get("anonymous"):
                try:
                    ctx.volumes.remove(point["Name"])
                except FirkinError:
                    pass  # somebody else uses it, or it has gone
        step("volumes-removed")
    ctx.snapshots.discard(container_id)
    step("directories-removed")
    with ctx.db.write():
        tables.delete(ctx.db, container_id)
    step("row-deleted")
    locks.forget(ctx.config.paths, container_id)
