"""Bind mounts, as far as they concern the host: detached copies with their attributes, made before the fork.

The monitor opens them with its own rights and in its own mount namespace, so a container in a user namespace needs no
way through /var/lib or /root; an error here names its mount; and nothing is ever visible inside with attributes that
are not yet set.
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
    """Return mount index -> descriptor of the detached mount, for each bind mount. The caller closes them."""
    opened: dict[int, int] = {}
    linux = spec.get("linux") or {}
    slave = plan.root_propagation & m.MS_SHARED == 0 or "user" in plan.new
    try:
        for step in plan.steps:
            if isinstance(step, Mount) and step.kind == "bind":
                entry = spec["mounts"][step.index]
                try:
                    opened[step.index] = open_source(step, entry, linux, bundle, slave=slave)
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


def open_source(
    step: Mount, entry: dict[str, Any], linux: dict[str, Any], bundle: str, *, slave: bool
) -> int:
    """Return a detached copy of the step's source, ready to be attached."""
    if not step.source:
        raise InvalidArgument(f"mounts[{step.index}]: a bind mount needs a source")
    source = step.source if step.source.startswith("/") else f"{bundle}/{step.source}"
    options = step.options
    tree = m.clone_tree(AT_FDCWD, source, recursive=options.recursive)
    try:
        apply_attributes(tree, step)
        if slave and not options.propagation:
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
