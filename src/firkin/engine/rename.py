"""rename: another name for a container, whatever its state."""

from __future__ import annotations

from firkin import ids
from firkin.engine import tables
from firkin.engine.container import find

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firkin.engine.context import Context


def rename(ctx: Context, ref: str, name: str) -> None:
    """Give the container the name ``name``. Raises NotFound, InvalidArgument, AlreadyExists."""
    wanted = ids.check_name(name)
    with ctx.db.write():
        container = find(ctx, ref)
        tables.refuse_taken(ctx.db, wanted)
        tables.update(ctx.db, container.id, name=wanted)
