"""Comparing rows with the kernel when a command opens the database. Silent; 0.1 ms when there is nothing to do.

Whoever works on a container says so in its row first and takes it back last, so the rows alone tell what may be left:

    unsettled row, its monitor alive                 fine (a start whose starter was killed is completed)
    unsettled row, its lock held                     somebody is at work
    unsettled row, neither                           repair
    row of an owner that has died                    end and remove
    names in ROOT/tmp                                half-made things of dead makers go
    more lock files than rows                        those of containers that never came to be go
    nothing runs, but the bridge stands              it is taken down in a second, by a process of its own
    no RUN/swept                                     the machine was restarted: all rooms are looked through
"""

from __future__ import annotations

import os
import time

from firkin import log
from firkin.engine import liveness, locks, states, tables
from firkin.errors import FirkinError, ResourceExhausted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firkin.engine.context import Context
    from firkin.engine.row import Container

_PATIENCE = 400  # looks at a start whose starter was killed, 5 ms apart
_ID = 64  # length of an id; other files in RUN/locks are other rooms'


def reconcile(ctx: Context) -> None:
    """Repair what killed processes left. What fails for one container is tried again by the next command."""
    paths = ctx.config.paths
    suspects = []
    checked = tables.to_check(ctx.db)
    for container_id, state, pid, start, owner in checked:
        if not liveness.alive(pid, start):
            if state not in states.SETTLED:
                suspects.append(container_id)
        elif state == states.STARTING:
            suspects.append(container_id)
        if owner and not liveness.owner_alive(owner):
            suspects.append(container_id)
    for container_id in suspects:
        _attempt(ctx, container_id)
    if not os.path.exists(f"{paths.run_root}/swept"):
        _sweep_all(ctx)
    elif suspects or os.listdir(paths.tmp):
        _sweep_tmp(ctx)
    if suspects or (not checked and _bridge_is_left(ctx)):
        _retire(ctx)
    if sum(len(name) == _ID for name in os.listdir(paths.locks)) > tables.count(ctx.db):
        _sweep_locks(ctx)
    log.mark("reconcile")


def _bridge_is_left(ctx: Context) -> bool:
    """Say whether there is a bridge, and nobody who waits for the moment to take it away."""
    if not os.path.exists(f"/sys/class/net/{ctx.config.bridge}"):
        return False
    from firkin.network.lock import EXCLUSIVE, IDLE, Lock  # the rest of the network takes 4 ms to load

    idle = Lock(ctx.config.paths.locks, IDLE, EXCLUSIVE)
    free = idle.take_now()
    idle.release()
    return free


def _retire(ctx: Context) -> None:
    if not ctx.embedded:
        ctx.network.retire_later()
        return
    try:
        ctx.network.retire(0)
    except (FirkinError, OSError) as error:
        log.debug(f"reconcile the network: {error}")


def look_after(ctx: Context, container_id: str) -> None:
    """Finish what is unfinished about one container without a live monitor, or wait for who is at work on it."""
    with locks.lock(ctx.config.paths, container_id):
        _finish(ctx, container_id)


def looked_after(ctx: Context, container: Container) -> Container | None:
    """Return the row as it is after a look at whether its monitor, if it has one, still lives; None when it is gone."""
    if container.state not in states.LIVE or liveness.alive(container.monitor_pid, container.monitor_start):
        return container
    _attempt(ctx, container.id)
    return tables.get(ctx.db, container.id)


def _attempt(ctx: Context, container_id: str) -> None:
    held = locks.try_lock(ctx.config.paths, container_id)
    if held is not None:
        with held:
            _finish(ctx, container_id)


def _finish(ctx: Context, container_id: str) -> None:
    container = tables.get(ctx.db, container_id)
    if container is None:
        locks.forget(ctx.config.paths, container_id)
        return
    try:
        if container.state == states.STARTING:
            _await_start(ctx, container)
        if liveness.alive(container.monitor_pid, container.monitor_start):
            return
        if container.state not in states.SETTLED:
            from firkin.engine.repair import repair

            repair(ctx, container)
        if container.owner and not liveness.owner_alive(container.owner):
            from firkin.engine.erase import erase

            erase(ctx, container.id, volumes=True)
    except ResourceExhausted as error:
        from firkin.engine.repair import show_end

        show_end(ctx, container, error)
    except (FirkinError, OSError) as error:
        log.debug(f"reconcile {container_id[:12]}: {error}")


def _await_start(ctx: Context, container: Container) -> None:
    """The starter is dead, or it would hold the lock; its monitor goes on alone, or reads end of file and ends."""
    from firkin.engine.repair import read_state

    for _ in range(_PATIENCE):
        state = read_state(ctx, container)
        if state is not None:
            with ctx.db.write():
                tables.running(
                    ctx.db,
                    container.id,
                    container.starts,
                    state["pid"],
                    state["start_time"],
                    state["started_ns"],
                )
            return
        if not liveness.alive(container.monitor_pid, container.monitor_start):
            return
        time.sleep(0.005)


def _sweep_tmp(ctx: Context) -> None:
    from firkin.storage import scratch

    try:
        scratch.sweep(ctx.config.paths.tmp)
        ctx.images.recover()
    except (FirkinError, OSError) as error:
        log.debug(f"sweep tmp: {error}")


def _sweep_all(ctx: Context) -> None:
    """Look at everything, once a boot: the run root was empty."""
    from firkin.engine.sweep import sweep

    try:
        sweep(ctx)
    except (FirkinError, OSError) as error:
        log.debug(f"sweep: {error}")


def _sweep_locks(ctx: Context) -> None:
    known = tables.ids(ctx.db)
    for name in os.listdir(ctx.config.paths.locks):
        if len(name) == _ID and name not in known:
            held = locks.try_lock(ctx.config.paths, name)
            if held is not None:
                with held:
                    if tables.get(ctx.db, name) is None:
                        locks.forget(ctx.config.paths, name)
