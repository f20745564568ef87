"""Content that nothing needs: on demand (``image prune``), and after a command that was killed (``recover``).

Rows first, content after: a crash between the two leaves content that is found by comparing what lies on the disk with
what rows name.
"""

from __future__ import annotations

from firkin.images import content_lock
from firkin.images.collect import collect, held_bytes, unreferenced
from firkin.images.remove import RemovalPlan, apply, asked, release, report

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from firkin.images.image import Removed, UsedBy
    from firkin.images.shelf import Shelf


class _DryRun(Exception):
    """Takes the transaction back."""


def prune(
    store: Shelf, used_by: UsedBy | Callable[[], UsedBy] | None, *, everything: bool, dry_run: bool
) -> tuple[Removed, int]:
    """Remove nameless images (``everything``: all) that no container uses, then content without rows.

    A dry run changes the rows, looks what that sets free, and rolls back.
    """
    done: Removed = []
    freed = 0
    try:
        with store.db.write():
            used = asked(used_by) or {}
            for row in store.table.all():
                if used.get(row.id) or (row.names and not everything):
                    continue
                plan = RemovalPlan(untag=row.names, delete=True, forget=False)
                done += report(store, row, plan)
                apply(store, row, plan, set(), set())
            release(store, used, set(), set())
            if dry_run:
                freed = held_bytes(store, *unreferenced(store))
                raise _DryRun
    except _DryRun:
        return done, freed
    return done, collect(store, *unreferenced(store))[1]


def recover(store: Shelf, used_by: UsedBy | Callable[[], UsedBy] | None) -> list[str]:
    """See ImageStore.recover. ``used_by`` None: who uses what is not known, forgotten images stay."""
    killed = content_lock.killed(store.paths)
    blobs: set[str] = set()
    layers: set[str] = set()
    if used_by is not None and store.table.removed():
        with store.db.write():
            release(store, asked(used_by) or {}, blobs, layers)
    if killed:
        store.blobs.sweep()
        blobs, layers = unreferenced(store)
    return collect(store, blobs, layers)[0]
