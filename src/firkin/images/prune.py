"""Content that nothing needs: after a removal, after a load that failed or was killed, and on demand.

Rows first, content after: a crash between the two leaves content that ``recover`` and ``prune`` find by comparing what
lies on the disk with what rows name. Only who is alone (content_lock.Deleting) may delete.
"""

from __future__ import annotations

from firkin.images import content_lock
from firkin.images.collect import collect, unreferenced
from firkin.images.remove import RemovalPlan, apply, report

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from firkin.images.image import Removed, UsedBy
    from firkin.images.shelf import Shelf


def prune(
    store: Shelf, used_by: UsedBy | Callable[[], UsedBy] | None, *, everything: bool, dry_run: bool
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


def recover(store: Shelf, used_by: UsedBy | None) -> list[str]:
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
