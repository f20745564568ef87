"""--userns auto[:size=N]: a range of host ids that no other container has, from /etc/subuid and /etc/subgid.

Podman's rule: the ranges of user ``containers``; without an entry, ids from 2^30 up, which no distribution hands out.
A container keeps its range for as long as its row lives, for the files in its layer belong to it.
"""

from __future__ import annotations

from firkin.engine import tables
from firkin.errors import InvalidArgument, ResourceExhausted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from firkin.engine.context import Context
    from firkin.engine.row import Container

SIZE = 65536
LARGEST = 1 << 24
USER = "containers"
_FALLBACK = (1 << 30, 1 << 30)  # first id, how many


def size_of(mode: str) -> int:
    """Return the size that ``auto[:size=N]`` asks for. Raises InvalidArgument."""
    _, _, text = mode.partition(":")
    if not text:
        return SIZE
    name, _, value = text.partition("=")
    if name != "size" or not value.isdigit() or not 1 <= int(value) <= LARGEST:
        raise InvalidArgument(f"invalid userns mode: {mode}", hint="use auto or auto:size=65536")
    return int(value)


def allocate(ctx: Context, container: Container, mode: str) -> dict[str, Any]:
    """Return uid_maps and gid_maps for the container; the same ones at each of its starts."""
    size = size_of(mode)
    with ctx.db.write():
        row = tables.get(ctx.db, container.id)
        first = row.id_base if row is not None else 0
        if not first:
            first = choose(_pool(), [(b, n) for b, n in tables.id_ranges(ctx.db) if b], size)
            tables.update(ctx.db, container.id, id_base=first, id_count=size)
    maps = [{"container_id": 0, "host_id": first, "size": size}]
    return {"uid_maps": maps, "gid_maps": maps}


def choose(pool: list[tuple[int, int]], taken: list[tuple[int, int]], size: int) -> int:
    """Return the lowest start of ``size`` free ids in ``pool``. Raises ResourceExhausted."""
    for start, count in sorted(pool):
        at = start
        for base, length in sorted(taken):
            if base < at + size and base + length > at:
                at = base + length
        if at + size <= start + count:
            return at
    raise ResourceExhausted(
        f"no {size} free ids are left for a user namespace",
        hint=f"give user {USER} more in /etc/subuid and /etc/subgid, or ask for fewer: --userns auto:size=1024",
    )


def _pool() -> list[tuple[int, int]]:
    uids, gids = _entries("/etc/subuid"), _entries("/etc/subgid")
    both = [entry for entry in uids if entry in gids]
    return both or [_FALLBACK]


def _entries(path: str) -> list[tuple[int, int]]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            rows = [line.strip().split(":") for line in file]
    except OSError:
        return []
    return [
        (int(row[1]), int(row[2]))
        for row in rows
        if len(row) == 3 and row[0] == USER and row[1].isdigit() and row[2].isdigit()
    ]
