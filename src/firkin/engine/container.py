"""From what a person types (a name, an id, the start of one) to the container."""

from __future__ import annotations

from firkin.engine import tables
from firkin.engine.reconcile import looked_after
from firkin.engine.row import Container
from firkin.errors import InvalidArgument, NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firkin.engine.context import Context

__all__ = ["Container", "find"]


def find(ctx: Context, ref: str) -> Container:
    """Return the container. Raises NotFound (naming the nearest name), InvalidArgument when it is ambiguous."""
    bare = ref.removeprefix("/")
    found = tables.matching(ctx.db, bare)
    if len(found) == 1:
        row = looked_after(ctx, found[0])
        if row is not None:
            return row
    elif found:
        raise InvalidArgument(
            f"multiple IDs found with provided prefix: {bare}", hint="give more digits of the id"
        )
    near = _nearest(bare, tables.names(ctx.db))
    hint = f"did you mean {near}?" if near else "firkin ps -a lists them"
    raise NotFound(f"No such container: {bare}", hint=hint, ref=bare)


def _nearest(wanted: str, names: list[str]) -> str | None:
    """Return the name that differs least, if it differs little."""
    if not names:
        return None
    import difflib  # only on the way to an error

    close = difflib.get_close_matches(wanted, names, n=1, cutoff=0.6)
    return close[0] if close else None
