"""start: a monitor is forked, the row says by whom, the monitor gets its plan, and says what became of it.

fork the monitor          before the database is opened (engine/monitor/birth)
lock the container
lease, row (starting)     one transaction; a survivor finds the monitor's pid in the row
PLAN ──► monitor          STARTED or FAILED comes back
row (running), or (created) with the error
unlock
"""

from __future__ import annotations

import time

from firkin import log
from firkin.engine import frames, locks, states, tables
from firkin.engine.attach import AttachClient
from firkin.engine.container import find
from firkin.engine.plan import OWNER, STARTER, StartPlan
from firkin.engine.row import Container  # noqa: TC001 - a field's type, read by callers
from firkin.engine.steps import step
from firkin.errors import CannotRun, Conflict, FirkinError, to_wire
from firkin.record import Record
from firkin.wire import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from firkin.engine.context import Context, Forker
    from firkin.engine.forked import Forked
    from firkin.specgen.options import CreateOptions

FAILED_CODE = 128  # docker's State.ExitCode after a start that failed for want of anything but the program


class Started(Record):
    """What a start gives. ``client`` is the connection that was there before the program ran, or None (detached)."""

    container: Container
    pid: int
    client: AttachClient | None = None
    warnings: tuple[str, ...] = ()
    monitor_pid: int = 0


def start(
    ctx: Context, ref: str, *, streams: Sequence[str] = (), forker: Forker | None = None, heir: str = ""
) -> Started:
    """Start a container that is created or has exited; ``heir`` as for ``run``.

    Raises NotFound, Conflict, CannotRun, ...
    """
    monitor = (forker or ctx.forker).fork()
    client = AttachClient(monitor.fd)
    try:
        container = find(ctx, ref)
        with locks.lock(ctx.config.paths, container.id):
            container = _settled(ctx, container)
            return launch(ctx, container, monitor, client, streams, heir)
    except BaseException:
        client.close()
        raise


def _settled(ctx: Context, container: Container) -> Container:
    """Return the row once the last run's monitor has finished with it. Raises Conflict when it runs."""
    from firkin.engine.settle import settled

    found = settled(ctx, container)
    if found.state in states.LIVE:
        raise Conflict(f"container {found.name} is already running", state=found.state)
    states.check("start", found)
    return found


def launch(
    ctx: Context,
    container: Container,
    monitor: Forked,
    client: AttachClient,
    streams: Sequence[str],
    heir: str,
) -> Started:
    """Start ``container``, whose lock the caller holds, by ``monitor``. On failure its row says why (or is gone)."""
    options = container.create_options()
    starts = container.starts + 1
    try:
        plan = _claim(ctx, container, monitor, options, starts, streams)
    except (FirkinError, OSError) as error:
        _refused(ctx, container, error)
        raise
    step("row-starting")
    log.mark("lease and row")
    if plan.endpoint is None and not (heir == OWNER and container.rm):
        plan = plan.replace(
            heir=heir
        )  # a lease is the monitor's to give back; --rm does not wait to be asked
    client.send(frames.pack_json(frames.PLAN, plan.to_dict()))
    _flush(client)
    step("plan-sent")
    if plan.heir == STARTER:
        _preload(rm=bool(container.rm))
    try:
        started = client.await_start()
    except BaseException as error:
        _failed(ctx, container, error)
        raise
    step("started-heard")
    with ctx.db.write():
        tables.running(
            ctx.db, container.id, starts, started["pid"], started["start_time"], started["started_ns"]
        )
    step("row-running")
    log.mark("row running")
    running = container.replace(
        state=states.RUNNING, starts=starts, pid=started["pid"], start_time=started["start_time"],
        started_ns=started["started_ns"], monitor_pid=monitor.pid, monitor_start=monitor.start_time,
    )  # fmt: skip
    if not streams:
        client.close()
    return Started(
        container=running, pid=started["pid"], client=client if streams else None, monitor_pid=monitor.pid,
        warnings=tuple(started.get("warnings", ())),
    )  # fmt: skip


def _claim(
    ctx: Context,
    container: Container,
    monitor: Forked,
    options: CreateOptions,
    starts: int,
    streams: Sequence[str],
) -> StartPlan:
    """Plan; write lease and row in one transaction. What it raises (Conflict: a port is taken) leaves both undone."""
    plan = _plan(ctx, container, options, starts, streams)
    with ctx.db.write():
        if options.network not in ("none", "host") and not options.network.startswith("container:"):
            endpoint = ctx.network.allocate(
                container.id, _published(container, options), mac=options.mac_address or None,
                ip=options.ip or None, name=container.name,
            )  # fmt: skip
            plan = plan.replace(endpoint=endpoint.to_dict())
        tables.starting(
            ctx.db, container.id, starts, (monitor.pid, monitor.start_time), plan.boot_id,
            json.dumps(plan.endpoint) if plan.endpoint else "",
        )  # fmt: skip
    return plan


def _refused(ctx: Context, container: Container, error: Exception) -> None:
    """Record why a start did not even begin: a new container is created, an old one stays what it is, as in docker."""
    with ctx.db.write():
        if container.state == states.CREATING:
            tables.failed(ctx.db, container.id, FAILED_CODE, json.dumps(to_wire(error)), time.time_ns())
        else:
            where = "state in ('created', 'exited')"
            tables.update(
                ctx.db, container.id, where, exit_code=FAILED_CODE, error=json.dumps(to_wire(error))
            )


def _preload(*, rm: bool) -> None:
    """Import what an heir needs, while the monitor is busy."""
    import firkin.engine.ends

    if rm:
        import firkin.engine.image_users
        import firkin.images.content_lock
        import firkin.storage.tree  # noqa: F401


def _flush(client: AttachClient) -> None:
    """Send a plan that is larger than the socket's buffer."""
    while client.pending():
        client.await_room()
        client.flush()


def _failed(ctx: Context, container: Container, error: BaseException) -> None:
    from firkin.engine.erase import clean, erase

    clean(ctx, container.id)  # the monitor has done so, unless it was killed
    if container.rm:
        erase(ctx, container.id, volumes=True)
        return
    code = error.exit_code if isinstance(error, CannotRun) else FAILED_CODE
    with ctx.db.write():
        tables.failed(ctx.db, container.id, code, json.dumps(to_wire(error)), time.time_ns())
    step("failure-recorded")


def _plan(
    ctx: Context, container: Container, options: CreateOptions, starts: int, streams: Sequence[str]
) -> StartPlan:
    from firkin.engine import mounts
    from firkin.engine.boot import boot_id

    root = container.opened("root")
    points = container.opened("mounts") or []
    for mount in (*options.volume, *options.mount) if points else ():
        if mount.type == "bind":
            mounts.check_source(mount)
    overlay = ctx.snapshots.prepare(container.id, tuple(root["lowers"]), volatile=bool(container.rm))
    joined: dict[str, Any] = {}
    if (
        any(":" in mode for mode in (options.network, options.ipc, options.pid, options.uts))
        or options.userns
    ):
        from firkin.engine import joins

        joined = joins.resolve(ctx, container, options)
    return StartPlan(
        container_id=container.id,
        name=container.name,
        starts=starts,
        options=json.loads(container.options),
        image_config=container.image_config,
        root=overlay.to_dict(),
        kind=root["kind"],
        volumes=mounts.volume_paths(ctx, points) if points else {},
        subpaths=mounts.subpaths(points),
        fresh=mounts.fresh(points) if starts == 1 else {},
        boot_id=boot_id(),
        rm=bool(container.rm),
        streams=list(streams),
        marking=log.marking(),
        **joined,
    )


def _published(container: Container, options: CreateOptions) -> Sequence[Any]:
    if not options.publish_all:
        return options.publish
    from firkin.oci.image import ImageConfig
    from firkin.specgen.merge import merge
    from firkin.specgen.options import PortSpec

    own = {(port.container_port, port.proto) for port in options.publish}
    found = list(options.publish)
    for text in merge(options, ImageConfig.trusted(container.image_config)).exposed_ports:
        number, _, proto = text.partition("/")
        first, _, last = number.partition("-")
        found += [
            PortSpec(container_port=port, proto=proto or "tcp")
            for port in range(int(first), int(last or first) + 1)
            if (port, proto) not in own
        ]
    return found
