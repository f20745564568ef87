"""Containers that are bound to a program: they end with it, and are removed.

A row's ``owner`` is PID:START_TIME:NONCE of the program and its spawner.
"""

from __future__ import annotations

from firkin.engine import locks, states, tables
from firkin.engine.erase import erase
from firkin.engine.settle import await_end, settled
from firkin.errors import NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firkin.engine.context import Context


def remove_of(ctx: Context, owner: str) -> None:
    """Remove the containers of ``owner``, once those that run have been ended (by their monitors)."""
    for container in tables.owned_by(ctx.db, owner):
        try:
            with locks.lock(ctx.config.paths, container.id):
                if container.state in states.LIVE:
                    await_end(ctx, container, 10.0)
                found = settled(ctx, container)
                if found.state not in states.LIVE:
                    erase(ctx, container.id, volumes=True)
        except NotFound:
            locks.forget(ctx.config.paths, container.id)  # its monitor has removed it
