"""Which containers need which image: what `rmi` and `images` ask."""

from __future__ import annotations

from firkin.engine import states, tables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firkin.engine.context import Context


def image_users(ctx: Context) -> dict[str, list[tuple[str, bool]]]:
    """Return image id -> [(container name, whether it runs)]."""
    found: dict[str, list[tuple[str, bool]]] = {}
    for container in tables.listed(ctx.db):
        found.setdefault(container.image_id, []).append((container.name, container.state in states.LIVE))
    return found


def let_go_of_images(ctx: Context) -> None:
    """After a container has been removed: remove what images it alone held, and what a killed load has left."""
    from firkin.images import content_lock
    from firkin.images.tables import any_removed

    if any_removed(ctx.db) or content_lock.marked(
        ctx.config.paths
    ):  # seldom, and the rest of that room takes 3 ms
        ctx.images.recover(lambda: image_users(ctx))
