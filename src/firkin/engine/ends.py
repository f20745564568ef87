"""The last step of a run, the row, whoever does it: the monitor, its heir, or repair.

A monitor whose heir lives frees what the kernel holds, says LEFT and goes without opening the database, which the heir
has open: the command at the other end of an attached run, or the program that a container of the library is bound to.
An heir that dies or never asks leaves what a monitor leaves that is killed just then: a row `running`, no monitor,
exit.json. The next command finds it (engine/reconcile).
"""

from __future__ import annotations

from firkin import log
from firkin.engine import locks, states, tables
from firkin.engine.erase import erase
from firkin.engine.steps import step
from firkin.errors import FirkinError
from firkin.wire import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from firkin.engine.context import Context
    from firkin.engine.row import Container


def settle(ctx: Context, container_id: str, starts: int, record: dict[str, Any], *, rm: bool) -> None:
    """Make the end known that ``record`` (exit.json) tells; with ``rm`` forget the container."""
    if rm:
        erase(ctx, container_id, volumes=True)
        return
    with ctx.db.write():
        exited(ctx, container_id, starts, record)


def exited(ctx: Context, container_id: str, starts: int, record: dict[str, Any]) -> None:
    """Write the end into the row."""
    tables.exited(
        ctx.db, container_id, starts, exit_code=record["exit_code"], oom=bool(record["oom"]),
        ending=json.dumps(record), started_ns=record["started_ns"], finished_ns=record["finished_ns"],
    )  # fmt: skip


def inherit(ctx: Context, container: Container, record: dict[str, Any] | None) -> None:
    """Do what the monitor left to its heir when the connection to it ended (AttachClient.left); None: nothing.

    Any number of processes may try, at the same time as those that repair: the lock's holder finishes. What fails is
    left for the next command.
    """
    if record is None:
        return
    try:
        with locks.lock(ctx.config.paths, container.id):
            found = tables.get(ctx.db, container.id)
            if found is None:
                locks.forget(ctx.config.paths, container.id)
            elif found.starts == record["starts"] and found.state in states.LIVE:
                step("end-heard")
                settle(ctx, found.id, found.starts, record, rm=bool(found.rm))
                step("inherited")
        if container.rm:
            from firkin.engine.image_users import let_go_of_images

            let_go_of_images(ctx)
    except (FirkinError, OSError) as error:
        log.debug(f"settle {container.id[:12]}: {error}")
    log.mark("row")
