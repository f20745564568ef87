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
