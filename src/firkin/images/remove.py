"""``firkin rmi``: docker's rules.

    asked by         names   used by             without -f                   with -f
    a name           more    anybody             untag                        untag
    a name           last    nobody              untag, delete                untag, delete
    a name           last    stopped containers  InUse                        untag, forget (1)
    a name           last    running containers  InUse                        untag only; the image stays, nameless
    id               <= 1    nobody              untag, delete                untag, delete
    id               more    nobody              Conflict (several names)     untag all, delete
    id               any     stopped containers  InUse                        untag all, forget (1)
    id               any     running containers  InUse                        InUse (cannot be forced)

(1) no name and no listing shows it, its containers can still be started; it goes with the last of them (``recover``).
The built-in host is never deleted; the names that it was given are untagged.
"""

from __future__ import annotations

from firkin.errors import Conflict, InUse, InvalidArgument
from firkin.ids import is_hex, short
from firkin.images.collect import collect
from firkin.images.resolve import HOST_ID, HOST_NAMES, display, find
from firkin.oci import reference
from firkin.oci.digest import PREFIX, chain_ids
from firkin.oci.image import ImageConfig
from firkin.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from firkin.images.image import Removed, UsedBy, User
    from firkin.images.shelf import Shelf
    from firkin.images.tables import ImageRow


class RemovalPlan(Record):
    """What a removal would do: ``untag`` canonical names; ``delete`` the image, or only ``forget`` it (1)."""

    untag: tuple[str, ...]
    delete: bool
    forget: bool


def remove(
    store: Shelf,
    text: str,
    *,
    force: bool,
    used_by: UsedBy | Callable[[], UsedBy] | None,
    dry_run: bool = False,
) -> Removed:
    """Remove a name or an image; see the table. Raises NoSuchImage, InUse, Conflict."""
    blobs: set[str] = set()
    layers: set[str] = set()
    with store.db.write():  # who uses it is asked inside, so that no container slips in between
        found = find(store.table, text)
        if isinstance(found, str):
            return _remove_host_name(store, text, dry_run=dry_run)
        used = asked(used_by)
        plan = plan_removal(found, asked_name(found, text), force, (used or {}).get(found.id, ()), text)
        done = report(store, found, plan)
        if not dry_run:
            apply(store, found, plan, blobs, layers)
            if used is not None:
                release(store, used, blobs, layers)
    collect(store, blobs, layers)
    return done


def asked(used_by: UsedBy | Callable[[], UsedBy] | None) -> UsedBy | None:
    """Return who uses what, from a mapping or from whoever makes one; None where it is not known."""
    return used_by() if callable(used_by) else used_by


def release(store: Shelf, used: UsedBy, blobs: set[str], layers: set[str]) -> bool:
    """Delete the rows of images that were forgotten (1) and that no container needs any more."""
    gone = [identifier for identifier in store.table.removed() if not used.get(identifier)]
    for identifier in gone:
        _delete(store, identifier, blobs, layers)
    return bool(gone)


def asked_name(row: ImageRow, text: str) -> str | None:
    """Return the canonical name that ``text`` is, None where it is an id or a digest."""
    bare = text.removeprefix(PREFIX)
    if is_hex(bare) and row.id.startswith(PREFIX + bare) and (len(bare) == 64 or bare != text):
        return None
    if "@" in text:
        return None
    try:
        name = reference.parse(text).tagged
    except InvalidArgument:
        return None
    return name if name in row.names else None


def plan_removal(
    row: ImageRow, name: str | None, force: bool, users: Sequence[User], text: str
) -> RemovalPlan:
    """Decide. Pure. Raises InUse, Conflict."""
    if name is not None and len(row.names) > 1:
        return RemovalPlan(untag=(name,), delete=False, forget=False)
    running = [who for who, alive in users if alive]
    if users and not force:
        raise _in_use(row, text, users)
    if running and name is None:
        raise _in_use(row, text, users)
    if running:
        return RemovalPlan(untag=row.names, delete=False, forget=False)
    if name is None and len(row.names) > 1 and not force:
        names = ", ".join(map(display, row.names))
        raise Conflict(
            f"conflict: unable to delete {short(row.id)} (must be forced) - image is referenced by {names}",
            hint="use -f, or remove the names one by one",
            names=names,
        )
    return RemovalPlan(untag=row.names, delete=not users, forget=bool(users))


def report(store: Shelf, row: ImageRow, plan: RemovalPlan) -> Removed:
    """Return what docker prints: the names, the image, the chain ids of the layers that go with it (top first)."""
    out = [("untagged", display(name)) for name in plan.untag]
    gone = {name.rpartition(":")[0] for name in plan.untag} - {
        name.rpartition(":")[0] for name in row.names if name not in plan.untag
    }
    out += [("untagged", display(one)) for one in row.digests if one.partition("@")[0] in gone]
    if plan.delete:
        out.append(("deleted", row.id))
        others = {diff_id for image, diff_id, _ in store.table.layer_uses() if image != row.id}
        diff_ids = ImageConfig.trusted(row.config).diff_ids
        chains = zip(chain_ids(diff_ids), diff_ids, strict=True)
        out += [("deleted", chain) for chain, diff_id in reversed(list(chains)) if diff_id not in others]
    elif plan.forget:
        out.append(("deleted", row.id))
    return out


def apply(store: Shelf, row: ImageRow, plan: RemovalPlan, blobs: set[str], layers: set[str]) -> None:
    """Change the rows; add to ``blobs`` and ``layers`` what may be deleted after the commit."""
    table = store.table
    for name in plan.untag:
        table.untag(name)
        repository = name.rpartition(":")[0]
        if not any(left.rpartition(":")[0] == repository for left in row.names if left not in plan.untag):
            table.drop_digests(row.id, repository)
    if plan.forget:
        table.mark_removed(row.id)
    if plan.delete:
        _delete(store, row.id, blobs, layers)


def _delete(store: Shelf, identifier: str, blobs: set[str], layers: set[str]) -> None:
    for layer in store.table.layers(identifier):
        blobs.add(layer.blob)
        layers.add(layer.diff_id)
    blobs.update(blob.digest for blob in store.table.blobs(identifier))
    store.table.delete(identifier)


def _in_use(row: ImageRow, text: str, users: Sequence[User]) -> InUse:
    who = ", ".join(name for name, _ in users)
    running = any(alive for _, alive in users)
    must = "cannot be forced" if running else "must be forced"
    kind = "running" if running else "stopped"
    return InUse(
        f"conflict: unable to remove {text} ({must}) - image {short(row.id)} is used by {kind} container"
        f"{'s' if len(users) > 1 else ''} {who}",
        hint="stop and remove them first" if running else "remove them first, or use -f",
        by=who,
    )


def _remove_host_name(store: Shelf, text: str, *, dry_run: bool) -> Removed:
    if text in HOST_NAMES or is_hex(text.removeprefix(PREFIX)):
        raise Conflict(
            "the image host is built in and cannot be removed", hint="nothing of it is on the disk"
        )
    name = reference.parse(text).tagged
    if not dry_run and store.table.tagged(name) == HOST_ID:
        store.table.untag(name)
    return [("untagged", display(name))]
