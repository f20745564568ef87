"""``firkin images``: all rows in one query, shared sizes from the layers' rows."""

from __future__ import annotations

from firkin.images.image import Image, Listed
from firkin.images.resolve import HOST_ID, display
from firkin.oci.image import ImageConfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firkin.images.shelf import Shelf


def images(store: Shelf) -> list[Image]:
    """Return the stored images, newest first, then the host. ``lowers`` are empty: a listing mounts nothing."""
    found = [
        Image(
            id=row.id,
            references=tuple(map(display, row.names)),
            digests=tuple(map(display, row.digests)),
            config=ImageConfig.trusted(row.config),
            lowers=(),
            size=row.size,
            created_ns=row.created_ns,
            loaded_ns=row.loaded_ns,
        )
        for row in store.table.all()
    ]
    return [*found, store.image(HOST_ID)]


def listing(store: Shelf) -> list[Listed]:
    """Return the same with sizes: ``shared`` is what other images hold too, ``unique`` what goes with this one."""
    users: dict[str, set[str]] = {}
    layers: dict[str, dict[str, int]] = {}
    for identifier, diff_id, size in store.table.layer_uses():
        users.setdefault(diff_id, set()).add(identifier)
        layers.setdefault(identifier, {})[diff_id] = size
    out = []
    for image in images(store):
        own = layers.get(image.id, {})
        shared = sum(size for diff_id, size in own.items() if len(users[diff_id]) > 1)
        out.append(Listed(image=image, size=image.size, shared=shared, unique=sum(own.values()) - shared))
    return out
