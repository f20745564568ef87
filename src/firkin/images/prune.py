"""Content that nothing needs: after a removal, after a load that failed or was killed, and on demand.

Rows first, content after: a crash between the two leaves content that ``recover`` and ``prune`` find by comparing what
lies on the disk with what rows name. Only who is alone (content_lock.Deleting) may delete.
"""

from __future__ import annotations

from firkin.images import content_lock
from firkin.images.remove import RemovalPlan, apply, report

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from firkin.images.remove import Removed
    from firkin.images.store import ImageStore, UsedBy


def collect(store: ImageStore, blobs: set[str], layers: set[str]) -> tuple[list[str], int]:
    """Delete those that no row names; return their names and the bytes they held. Nothing while a load runs."""
    gone: list[str] = []
    freed = 0
    with content_lock.Deleting(store.paths) as alone:
        if not alone:
            return gone, freed
        for diff_id in sorted(layers - store.table.held_layers()):
            size = store.layers.get(diff_id).size if store.layers.has(diff_id) else 0
            if store.layers.remove(diff_id):
                gone.append(diff_id)
                freed += size
        for digest in sorted(blobs - store.table.held_blobs()):
            size = store.blobs.size(digest) if store.blobs.has(digest) else 0
            if store.blobs.remove(digest):
                gone.append(digest)
                freed += size
    return gone, freed


def unreferenced(store: ImageStore) -> tuple[set[str], set[str]]:
    """Return (blobs, layers) on the disk that no row names now."""
    blobs = set(store.blobs.list()) - store.table.held_blobs()
    layers = {layer.diff_id for layer in store.layers.list()} - store.table.held_layers()
    return blobs, layers


def prune(
    store: ImageStore, used_by: UsedBy | Callable[[], UsedBy] | None, *, everything: bool, dry_run: bool
) -> tuple[Removed, int]:
    """Remove nameless images (``everything``: all) that no container uses, then content without rows."""
    done: Removed = []
    held = 0
    with store.db.write():
        used = (used_by() if callable(used_by) else used_by) or {}
        for row in store.table.all():
            if used.get(row.id) or (row.names and not everything):
                continue
            plan = RemovalPlan(untag=row.names, delete=True, forget=False)
            done += report(store, row, plan)
            held += sum(layer.blob_size for layer in store.table.layers(row.id)) if dry_run else 0
            if not dry_run:
                apply(store, row, plan, set(), set())
    if dry_run:
        return done, held
    _, freed = collect(store, *unreferenced(store))
    return done, freed


def recover(store: ImageStore, used_by: UsedBy | None) -> list[str]:
    """See ImageStore.recover. ``used_by`` None: who uses what is not known, removed images stay."""
    changed = content_lock.killed(store.paths)
    if used_by is not None and (waiting := store.table.removed()):
        with store.db.write():
            for identifier in waiting:
                if not used_by.get(identifier):
                    store.table.delete(identifier)
                    changed = True
    if not changed:
        return []
    store.blobs.sweep()
    return collect(store, *unreferenced(store))[0]
