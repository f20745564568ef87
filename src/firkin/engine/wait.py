"""wait: until a container has ended; its exit code."""

from __future__ import annotations

import time

from firkin.engine import exits, liveness, states, tables
from firkin.engine.attach import connect
from firkin.engine.container import find
from firkin.engine.ends import inherit
from firkin.engine.reconcile import look_after
from firkin.engine.settle import await_end
from firkin.errors import Unavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firkin.engine.context import Context
    from firkin.engine.row import Container

CONDITIONS = ("not-running", "next-exit", "removed")


def wait(ctx: Context, ref: str, timeout: float | None = None, condition: str = "not-running") -> int:
    """Return the exit code, at once when it does not run. Raises NotFound, Unavailable when ``timeout`` s are over."""
    container = find(ctx, ref)
    limit = None if timeout is None else time.monotonic() + timeout
    code = _not_running(ctx, container, limit)
    if condition == "removed":
        _removed(ctx, container, limit)
    return code


def _left(limit: float | None) -> float | None:
    return None if limit is None else max(0.0, limit - time.monotonic())


def _late(container: Container) -> Unavailable:
    return Unavailable(f"container {container.name} has not ended yet", hint="wait longer, or stop it")


def _not_running(ctx: Context, container: Container, limit: float | None) -> int:
    if container.state not in states.LIVE:
        return container.exit_code
    client = connect(ctx.config.paths.bundle(container.id), ())
    if client is None:
        return _afterwards(ctx, container, limit)
    try:
        ended = client.wait_exit(_left(limit))
    except TimeoutError:
        raise _late(container) from None
    finally:
        client.close()
    inherit(ctx, container, client.left)
    return int(ended["exit_code"]) if ended else _afterwards(ctx, container, limit)


def _afterwards(ctx: Context, container: Container, limit: float | None) -> int:
    """The monitor is closing, or was killed: what it leaves behind tells."""
    if not await_end(ctx, container, _left(limit)):
        raise _late(container)
    record = exits.find(ctx.config.paths, container.id, container.starts)
    look_after(ctx, container.id)
    if record is not None:
        return int(record["exit_code"])
    row = tables.get(ctx.db, container.id)
    return row.exit_code if row is not None else exits.LOST_CODE


def _removed(ctx: Context, container: Container, limit: float | None) -> None:
    while (row := tables.get(ctx.db, container.id)) is not None:
        if row.state in states.LIVE and not liveness.alive(row.monitor_pid, row.monitor_start):
            look_after(ctx, container.id)
            continue
        left = _left(limit)
        if left == 0.0:
            raise _late(container)
        time.sleep(0.02)
