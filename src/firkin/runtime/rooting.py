"""The root: overlay or bind in the monitor (``mount_root``), then pivot_root(2) in the child.

monitor   mount_root(overlay, target); chdir(target); clone3 -> the child's "." is its own copy of that mount
          for a user namespace the layers are read through an id-mapped mount of the directory that holds them
child     stand: a private copy of "." on top of it          (works where /var/lib/... may not be walked)
          ... mounts below it, on descriptors ...
          pivot: pivot_root(".", "."), detach the old root
"""

from __future__ import annotations

import errno
import os

from firkin.errors import InvalidArgument, SyscallError, Unsupported
from firkin.linux import mount as m
from firkin.linux.path import AT_FDCWD
from firkin.runtime import idmap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from firkin.oci.rootfs import OverlayRoot
    from firkin.runtime.job import Job

_PAGE = 4096
_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC


def mount_root(
    root: OverlayRoot | str, target: str, *, uids: idmap.Mappings = (), gids: idmap.Mappings = ()
) -> None:
    """Mount the container's root on the directory ``target``: an overlay, or a bind of a plain directory.

    Call it in the monitor, whose mount namespace is its own: the mount goes when the last process there goes.
    With ``uids`` and ``gids`` (OCI mappings of the container's user namespace) an overlay's layers belong to the ids
    inside: their 0 is the container's root. What the container writes has the outer ids in ``root.upper``.
    Raises SyscallError with notes, InvalidArgument for an overlay without layers, Unsupported.
    """
    if isinstance(root, str):
        tree = m.clone_tree(AT_FDCWD, root)
        m.set_attributes(tree, propagation=m.MS_PRIVATE)
        _attach(tree, target)
        return
    if not root.lowers:
        raise InvalidArgument("an overlay needs at least one layer")
    if uids:
        _mount_mapped(root, target, uids, gids)
        return
    options = _pairs(root.options)
    try:
        try:
            # lowerdir+ (Linux 6.5): a layer a call, no limit of a page, no colons to escape
            layers: list[tuple[str, str | None]] = [("lowerdir+", lower) for lower in root.lowers]
            upper: list[tuple[str, str | None]] = [("upperdir", root.upper), ("workdir", root.work)]
            _attach(m.new_filesystem("overlay", "overlay", [*options, *layers, *upper]), target)
        except SyscallError as error:
            if error.errno not in (errno.EINVAL, errno.ENOSYS):
                raise
            _mount_overlay_the_old_way(root, target, error)
    except SyscallError as error:
        error.add_note(f"while mounting an overlay of {len(root.lowers)} layers on {target}")
        raise


def _mount_mapped(root: OverlayRoot, target: str, uids: idmap.Mappings, gids: idmap.Mappings) -> None:
    base = os.path.commonpath(root.lowers)
    _give(root.upper, uids, gids)
    layers = m.clone_tree(AT_FDCWD, base)
    userns = idmap.namespace_for(uids, gids)
    try:
        m.set_attributes(layers, add=m.MOUNT_ATTR_IDMAP, propagation=m.MS_PRIVATE, userns=userns)
    except SyscallError as error:
        os.close(layers)
        raise Unsupported(
            f"cannot map the ids of the image's layers in {base}: {os.strerror(error.errno or 0)}",
            hint="use a --root on ext4, xfs or btrfs and Linux 5.19 or newer, or drop --userns",
        ) from error
    finally:
        os.close(userns)
    _attach(layers, target)  # overlayfs takes layers by their paths alone: for a moment this is one
    try:
        lowers = [("lowerdir+", target + lower.removeprefix(base.rstrip("/"))) for lower in root.lowers]
        places = [("upperdir", root.upper), ("workdir", root.work)]
        overlay = m.new_filesystem("overlay", "overlay", [*_pairs(root.options), *lowers, *places])
    except SyscallError as error:
        error.add_note(f"while mounting an overlay of {len(root.lowers)} id-mapped layers")
        raise
    finally:
        m.unmount(target, m.MNT_DETACH)
    _attach(overlay, target)


def _give(folder: str, uids: idmap.Mappings, gids: idmap.Mappings) -> None:
    """Give the upper directory, which the root of the overlay looks like, to the container's root."""
    info = os.stat(folder)
    owner, group = idmap.host_id(uids, 0), idmap.host_id(gids, 0)
    if info.st_uid == 0 and owner is not None and group is not None:
        os.chown(folder, owner, group)


def _pairs(options: Sequence[str]) -> list[tuple[str, str | None]]:
    split = [option.partition("=") for option in options]
    return [(key, value if equals else None) for key, equals, value in split]


def _attach(tree: int, target: str) -> None:
    place = os.open(target, _DIRECTORY)
    try:
        m.attach(tree, place, target)
    finally:
        os.close(place)
        os.close(tree)


def _mount_overlay_the_old_way(root: OverlayRoot, target: str, first: SyscallError) -> None:
    """mount(2) has one page for all names: make them short by descriptors of this process."""
    fds = [os.open(path, _DIRECTORY) for path in (*root.lowers, root.upper, root.work)]
    try:
        names = [f"/proc/self/fd/{fd}" for fd in fds]
        lower = ":".join(names[: len(root.lowers)])
        data = ",".join([*root.options, f"lowerdir={lower}", f"upperdir={names[-2]}", f"workdir={names[-1]}"])
        if len(data) >= _PAGE:
            first.add_note(f"this kernel takes fewer layers than {len(root.lowers)}")
            raise first
        m.mount("overlay", target, "overlay", 0, data)
    finally:
        for fd in fds:
            os.close(fd)


def stand(job: Job) -> None:
    """Make the child's working directory the future root: ``job.root``, a private mount of its own."""
    wanted = job.plan.root_propagation
    if not wanted or wanted & m.MS_UNBINDABLE:  # which could not be copied; it becomes that after the pivot
        wanted = m.MS_SLAVE | m.MS_REC
    m.mount(None, "/", None, wanted)
    place = os.open(".", _DIRECTORY)
    if job.plan.root_propagation & m.MS_SHARED:
        try:
            m.set_attributes(place, propagation=m.MS_PRIVATE)
        except SyscallError as error:
            if error.errno != errno.EINVAL:
                raise
            raise InvalidArgument(
                "linux.rootfsPropagation shared needs a root.path that is a mount point"
            ) from None
    job.root = m.clone_tree(AT_FDCWD, ".", recursive=True)
    m.set_attributes(job.root, propagation=m.MS_PRIVATE)
    m.attach(job.root, place)
    os.close(place)
    os.fchdir(job.root)


def pivot(job: Job) -> None:
    """Make ``job.root`` the root and let go of the old one."""
    old = os.open("/", _DIRECTORY)
    os.fchdir(job.root)
    m.pivot_root(".", ".")
    os.fchdir(old)
    # The old root is on top of the new one's place now. Nothing of what happens to it may reach the host.
    m.mount(None, ".", None, m.MS_SLAVE | m.MS_REC)
    m.unmount(".", m.MNT_DETACH)
    os.chdir("/")
    os.close(old)
    if job.plan.root_propagation:
        m.mount(None, "/", None, job.plan.root_propagation)
    if job.plan.root_readonly:
        m.set_attributes(job.root, add=m.MOUNT_ATTR_RDONLY)


def chroot(job: Job) -> None:
    """Change the root without a mount namespace of the container's own."""
    job.root = os.open(".", _DIRECTORY)
    os.chroot(".")
    os.chdir("/")
