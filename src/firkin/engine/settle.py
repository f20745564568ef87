"""Waiting until a container belongs to nobody: its monitor has recorded the end, or has died."""

from __future__ import annotations

import os
import select

from firkin.engine import liveness, states, tables
from firkin.engine.attach import connect
from firkin.errors import NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firkin.engine.context import Context
    from firkin.engine.row import Container


def settled(ctx: Context, container: Container) -> Container:
    """Return the row of a container whose lock we hold, after an end that is being recorded has been.

    A container that really runs comes back as it is. Raises NotFound when it is gone afterwards.
    """
    found = _reread(ctx, container)
    if found.state not in states.LIVE:
        return found
    if liveness.alive(found.monitor_pid, found.monitor_start):
        if not found.pid or liveness.running(found.pid, found.start_time):
            return found
        await_end(ctx, found)
        found = _reread(ctx, container)
    if found.state in states.LIVE:
        from firkin.engine.repair import repair

        repair(ctx, found)
        found = _reread(ctx, container)
    return found


def _reread(ctx: Context, container: Container) -> Container:
    found = tables.get(ctx.db, container.id)
    if found is None:
        raise NotFound(f"No such container: {container.name}", ref=container.name)
    return found


def await_end(ctx: Context, container: Container, timeout: float | None = None) -> bool:
    """Wait until the monitor has recorded the end of this run or has died; False on time-out."""
    import time

    limit = None if timeout is None else time.monotonic() + timeout
    try:
        monitor = os.pidfd_open(container.monitor_pid)
    except OSError:
        return True
    try:
        if not liveness.alive(container.monitor_pid, container.monitor_start):
            return True
        # The monitor closes our connection when all is recorded, though it may still wait for a slow reader.
        client = connect(ctx.config.paths.bundle(container.id), ())
        try:
            while True:
                left = None if limit is None else max(0.0, limit - time.monotonic())
                watched = [monitor] if client is None else [monitor, client.fileno()]
                # Without a connection (it is closing) the row is looked at now and then.
                wait = left if client is not None else min(0.02, left if left is not None else 0.02)
                ready = _ready(watched, wait)
                if monitor in ready:
                    return True
                if client is not None and client.fileno() in ready and client.frames() is None:
                    client.close()
                    client = None
                if client is None and not _unsettled(ctx, container):
                    return True
                if limit is not None and time.monotonic() >= limit:
                    return False
        finally:
            if client is not None:
                client.close()
    finally:
        os.close(monitor)


def _ready(fds: list[int], timeout: float | None) -> set[int]:
    poll = select.poll()
    for fd in fds:
        poll.register(fd, select.POLLIN)
    return {fd for fd, _ in poll.poll(None if timeout is None else timeout * 1000)}


def _unsettled(ctx: Context, container: Container) -> bool:
    row = tables.get(ctx.db, container.id)
    return row is not None and row.starts == container.starts and row.state in states.LIVE
