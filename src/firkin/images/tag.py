"""``firkin tag``."""

from __future__ import annotations

import time

from firkin.errors import Conflict, InvalidArgument
from firkin.images.resolve import HOST_NAMES, display, find
from firkin.oci import reference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firkin.images.shelf import Shelf


def tag(store: Shelf, source: str, target: str) -> str:
    """Point ``target`` at the image; whatever had the name loses it. Raises NoSuchImage, InvalidArgument, Conflict."""
    name = target_name(target)
    with store.db.write():
        found = find(store.table, source)
        store.table.tag(name, found if isinstance(found, str) else found.id, time.time_ns())
    return display(name)


def target_name(target: str) -> str:
    """Return the canonical name for a new tag. Raises InvalidArgument, Conflict for the built-in's name."""
    if target in HOST_NAMES:
        raise Conflict(f"{target} is the built-in image's name", hint="choose another name")
    ref = reference.parse(target)
    if ref.digest is not None:
        raise InvalidArgument(
            f"refusing to create a tag with a digest reference: {target}", hint="write name:tag"
        )
    return ref.tagged
