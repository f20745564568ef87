"""Deletes content that no row names, and only alone (content_lock.Deleting): nobody is bringing any in meanwhile."""

from __future__ import annotations

from firkin.images import content_lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firkin.images.shelf import Shelf


def collect(store: Shelf, blobs: set[str], layers: set[str]) -> tuple[list[str], int]:
    """Delete those that no row names; return their names and the bytes they held. Nothing while a load runs."""
    gone: list[str] = []
    freed = 0
    if not blobs and not layers:
        return gone, freed
    with content_lock.Deleting(store.paths) as alone:
        if not alone:
            return gone, freed
        for diff_id in sorted(layers - store.table.held_layers()):
            size = held_bytes(store, set(), {diff_id})
            if store.layers.remove(diff_id):
                gone.append(diff_id)
                freed += size
        for digest in sorted(blobs - store.table.held_blobs()):
            size = held_bytes(store, {digest}, set())
            if store.blobs.remove(digest):
                gone.append(digest)
                freed += size
    return gone, freed


def held_bytes(store: Shelf, blobs: set[str], layers: set[str]) -> int:
    """Return the bytes that these blobs and unpacked layers hold, those that are here."""
    unpacked = sum(store.layers.get(one).size for one in layers if store.layers.has(one))
    return unpacked + sum(store.blobs.size(one) for one in blobs if store.blobs.has(one))


def unreferenced(store: Shelf) -> tuple[set[str], set[str]]:
    """Return (blobs, layers) on the disk that no row names now."""
    blobs = set(store.blobs.list()) - store.table.held_blobs()
    layers = {layer.diff_id for layer in store.layers.list()} - store.table.held_layers()
    return blobs, layers
