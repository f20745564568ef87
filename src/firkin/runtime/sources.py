"""Bind mounts, as far as they concern the host: detached copies with their attributes set, then attached inside.

Nothing is ever visible inside with attributes that are not yet set. Most are copied by the child, in their turn, so
that mountinfo has them in the order of config.json. The monitor does it before the fork where the child could not: for
a user namespace (which may have no way through /var/lib or /root), for id-mapped mounts, for shared ones (the
child's mounts are slaves of the host's by then), and for a source that is one of the caller's descriptors.
"""

from __future__ import annotations

import os

from firkin.errors import InvalidArgument, SyscallError
from firkin.linux import mount as m
from firkin.linux.path import AT_FDCWD
from firkin.runtime import idmap
from firkin.runtime.steps import Mount

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from firkin.runtime.steps import Plan

_ATIME = m.MOUNT_ATTR__ATIME


def open_sources(plan: Plan, spec: dict[str, Any], bundle: str) -> dict[int, int]:
    """Return mount index -> descriptor of the detached mount, for what is opened early. The caller closes them."""
    opened: dict[int, int] = {}
    userns = "user" in plan.new or plan.joined("user")
    try:
        for step in plan.steps:
            if isinstance(step, Mount) and step.kind == "bind" and (userns or _early(step, spec)):
                try:
                    opened[step.index] = open_source(step, spec, bundle, plan.root_propagation)
                except (OSError, InvalidArgument) as error:
                    error.add_note(context(step))
                    raise
    except BaseException:
        for fd in opened.values():
            os.close(fd)
        raise
    return opened


def context(step: Mount) -> str:
    """Return the note that an error of this mount carries."""
    return f"while mounting {step.destination}, mounts[{step.index}] of config.json"


def _early(step: Mount, spec: dict[str, Any]) -> bool:
    if step.source.startswith("/proc/self/fd/"):
        return True  # of the caller's mount namespace: a child with its own cannot copy it
    shared = any(propagation & m.MS_SHARED for propagation in step.options.propagation)
    return shared or bool(step.options.idmap or spec["mounts"][step.index].get("uidMappings"))


def open_source(step: Mount, spec: dict[str, Any], bundle: str, root_propagation: int) -> int:
    """Return a detached copy of the step's source, ready to be attached."""
    entry, linux = spec["mounts"][step.index], spec.get("linux") or {}
    if not step.source:
        raise InvalidArgument(f"mounts[{step.index}]: a bind mount needs a source")
    source = step.source if step.source.startswith("/") else f"{bundle}/{step.source}"
    options = step.options
    tree = m.clone_tree(AT_FDCWD, source, recursive=options.recursive)
    try:
        apply_attributes(tree, step)
        if not options.propagation and not root_propagation & m.MS_SHARED:
            m.set_attributes(tree, propagation=m.MS_SLAVE, recursive=True)
        if options.idmap or entry.get("uidMappings"):
            _map_ids(tree, step, entry, linux)
    except BaseException:
        os.close(tree)
        raise
    return tree


def apply_attributes(tree: int, step: Mount) -> None:
    """Set what the options say about the mount ``tree``: its attributes, those below it, its propagation."""
    options = step.options
    if options.add or options.remove:
        m.set_attributes(tree, add=options.add, remove=_with_atime(options.add, options.remove))
    if options.tree_add or options.tree_remove:
        m.set_attributes(
            tree,
            add=options.tree_add,
            remove=_with_atime(options.tree_add, options.tree_remove),
            recursive=True,
        )
    for propagation in options.propagation:
        m.set_attributes(tree, propagation=propagation & ~m.MS_REC, recursive=bool(propagation & m.MS_REC))


def _with_atime(add: int, remove: int) -> int:
    return remove | _ATIME if (add | remove) & _ATIME else remove


def _map_ids(tree: int, step: Mount, entry: dict[str, Any], linux: dict[str, Any]) -> None:
    uids = entry.get("uidMappings") or linux.get("uidMappings")
    gids = entry.get("gidMappings") or linux.get("gidMappings")
    if not uids or not gids:
        raise InvalidArgument(f"mounts[{step.index}]: idmap needs mappings, its own or the container's")
    userns = idmap.namespace_for(uids, gids)
    try:
        m.set_attributes(
            tree,
            add=m.MOUNT_ATTR_IDMAP,
            userns=userns,
            recursive=step.options.idmap == "ridmap" or not step.options.idmap,
        )
    except SyscallError as error:
        error.add_note("the file system of the source may not support id-mapped mounts")
        raise
    finally:
        os.close(userns)
