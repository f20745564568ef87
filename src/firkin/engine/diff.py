"""diff: what a container has changed in its file system."""

from __future__ import annotations

import os

from firkin.engine.container import find

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from firkin.engine.context import Context

# Mount points that are ours, made where the image lacks them: docker keeps them in a layer of its own.
_OURS = frozenset((("A", "/etc/hostname"), ("A", "/etc/hosts"), ("A", "/etc/resolv.conf")))


def diff(ctx: Context, ref: str) -> list[tuple[str, str]]:
    """Return (``A``dded, ``C``hanged or ``D``eleted, path), sorted by path. Raises NotFound."""
    container = find(ctx, ref)
    root = container.opened("root")
    lowers = tuple(root["lowers"])
    changed = ctx.snapshots.diff(container.id, lowers)
    found = [change for change in changed if change not in _OURS]
    if len(found) == len(changed) or any(path.startswith("/etc/") for _, path in found):
        return found
    alone = ("C", "/etc") if _alike(f"{root['upper']}/etc", lowers) else ()
    return [change for change in found if change != alone]


def _alike(upper: str, lowers: Sequence[str]) -> bool:
    """Say whether /etc has the mode and the owner that it has in the image."""
    here = os.lstat(upper)
    for lower in lowers:
        try:
            there = os.lstat(f"{lower}/etc")
        except OSError:
            continue
        return (here.st_mode, here.st_uid, here.st_gid) == (there.st_mode, there.st_uid, there.st_gid)
    return False
