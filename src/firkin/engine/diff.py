"""diff: what a container has changed in its file system."""

from __future__ import annotations

from firkin.engine.container import find

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firkin.engine.context import Context


def diff(ctx: Context, ref: str) -> list[tuple[str, str]]:
    """Return (``A``dded, ``C``hanged or ``D``eleted, path), sorted by path. Raises NotFound."""
    container = find(ctx, ref)
    root = container.opened("root")
    return ctx.snapshots.diff(container.id, tuple(root["lowers"]))
