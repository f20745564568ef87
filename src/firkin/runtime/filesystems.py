"""Mounts inside the container's root, done by the child. Places are descriptors from openat2(RESOLVE_IN_ROOT).

CVE-2021-30465, CVE-2019-16884, CVE-2019-19921, CVE-2023-27561: a place is never used by name after it was looked at;
/proc and /sys must be real directories; nothing is mounted over parts of procfs but for a list.
"""

from __future__ import annotations

import errno
import os
import stat

from firkin.errors import InvalidArgument, SyscallError
from firkin.linux import mount as m
from firkin.linux.path import (
    AT_FDCWD,
    PROC_SUPER_MAGIC,
    RESOLVE_NO_SYMLINKS,
    create_in_root,
    filesystem_magic,
    mkdir_in_root,
    open_in_root,
    proc_fd,
)  # fmt: skip
from firkin.runtime.cgroupfs import mount_cgroups
from firkin.runtime.copyup import copy_tree
from firkin.runtime.sources import apply_attributes, context, open_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firkin.runtime.job import Job
    from firkin.runtime.steps import Mount

_DIRECTORY = os.O_PATH | os.O_DIRECTORY
# what may be mounted over in procfs: files that only inform (runc's list)
_COVERABLE = frozenset(
    f"/proc/{name}"
    for name in (
        "cpuinfo", "diskstats", "meminfo", "stat", "swaps", "uptime", "loadavg", "slabinfo", "net/dev",
        "sys/kernel/ns_last_pid", "sys/crypto/fips_enabled",
    )
)  # fmt: skip
# what a user namespace may not mount where the other namespace is the host's, and what shows the same instead
_HOST_COPY = {"sysfs": "/sys", "mqueue": "/dev/mqueue", "proc": "/proc"}


def perform_mount(job: Job, step: Mount) -> None:
    """Do one of config.json's mounts."""
    try:
        if step.kind == "bind":
            _attach_bind(job, step)
        elif step.kind == "remount":
            _remount(job, step)
        elif step.kind == "cgroup":
            place = _place(job, step, directory=True)
            mount_cgroups(job, step, place)
            os.close(place)
        else:
            _mount_filesystem(job, step)
    except (OSError, InvalidArgument) as error:
        error.add_note(context(step))
        raise


def _place(job: Job, step: Mount, *, directory: bool) -> int:
    """Return a descriptor of the mount's destination, made when it is missing."""
    make = mkdir_in_root if directory else create_in_root
    place = make(job.root, step.destination)
    if filesystem_magic(place) == PROC_SUPER_MAGIC:
        _check_over_proc(step, place)
    return place


def _check_over_proc(step: Mount, place: int) -> None:
    path = "/" + "/".join(part for part in step.destination.split("/") if part not in ("", "."))
    inside = os.fstat(place).st_ino != 1  # PROC_ROOT_INO: the mount point itself, as for a second proc on top
    if (inside and path not in _COVERABLE) or (not inside and step.kind == "bind"):
        raise InvalidArgument(f"{step.destination} is inside procfs and may not be mounted over")


def _attach_bind(job: Job, step: Mount) -> None:
    tree = job.sources.get(step.index, -1)
    if tree < 0:
        tree = open_source(step, job.spec, job.bundle, job.plan.root_propagation)
    directory = stat.S_ISDIR(os.fstat(tree).st_mode)
    place = -1
    try:
        place = _place(job, step, directory=directory)
        m.attach(tree, place, step.destination)
    except SyscallError as error:
        # move_mount(2) says a bare EINVAL
        differs = place >= 0 and stat.S_ISDIR(os.fstat(place).st_mode) != directory
        if differs or error.errno in (errno.ENOTDIR, errno.EISDIR):
            error.add_note(
                "a directory cannot be mounted onto a file, nor a file onto a directory; "
                "name a target of the source's kind"
            )
        raise
    os.close(place)
    os.close(tree)


def _remount(job: Job, step: Mount) -> None:
    place = open_in_root(job.root, step.destination)
    flags = step.options.flags() | m.MS_REMOUNT | (m.MS_BIND if step.options.bind else 0)
    m.mount(None, proc_fd(place), None, flags, ",".join(step.options.data) or None)
    os.close(place)


def _mount_filesystem(job: Job, step: Mount) -> None:
    mode = _mode_of_place(job, step)
    place = _place(job, step, directory=True)
    if step.fstype in ("proc", "sysfs"):
        place = _real_directory(job, step, place)
    if step.options.only_old() or not all(map(m.fits_fsconfig, step.options.data)):
        _mount_the_old_way(job, step, place)
        return
    tree = make_filesystem(job, step)
    if tree < 0:
        _mount_the_old_way(job, step, place)
        return
    _finish(step, tree, place, mode)


def _mode_of_place(job: Job, step: Mount) -> int:
    """A tmpfs looks like the directory that it covers, if there is one and no option says otherwise; else -1."""
    if step.fstype != "tmpfs" or any(item.startswith("mode=") for item in step.options.data):
        return -1
    try:
        place = open_in_root(job.root, step.destination, _DIRECTORY)
    except SyscallError:
        _make_sticky(job, step.destination)
        return -1
    mode = stat.S_IMODE(os.fstat(place).st_mode)
    os.close(place)
    return mode


def _make_sticky(job: Job, path: str) -> None:
    """Make the missing place of a tmpfs with the mode that its root will have (01777): at the next start it is there,
    and the tmpfs would look like it. What prevents it, who mounts says."""
    parent, _, name = path.rstrip("/").rpartition("/")
    try:
        folder = mkdir_in_root(job.root, parent or "/")
    except SyscallError:
        return
    try:
        os.mkdir(name, 0o1777, dir_fd=folder)  # the umask is 0 here
    except OSError:
        pass
    finally:
        os.close(folder)


def _real_directory(job: Job, step: Mount, place: int) -> int:
    os.close(place)
    try:
        return open_in_root(job.root, step.destination, _DIRECTORY, resolve=RESOLVE_NO_SYMLINKS)
    except SyscallError as error:
        if error.errno != errno.ELOOP:
            raise
        raise InvalidArgument(
            f"{step.fstype} must be mounted on a real directory, not through a symlink"
        ) from None


def make_filesystem(job: Job, step: Mount) -> int:
    """Return the detached mount of a new file system; -1 when only mount(2) can make it."""
    options = step.options
    attributes, parameters = options.add, options.parameters()
    if step.fstype == "tmpfs":  # read-only is the mount, not the file system (as in runc), and last of all
        attributes &= ~m.MOUNT_ATTR_RDONLY
        parameters = [entry for entry in parameters if entry != ("ro", None)]
    try:
        return m.new_filesystem(step.fstype, step.source, parameters, attributes)
    except SyscallError as error:
        if error.errno == errno.ENOSYS:
            return -1
        if not job.userns:
            raise
        tree = _make_for_userns(step, error)
        if tree < 0:
            raise
        return tree


def _make_for_userns(step: Mount, error: SyscallError) -> int:
    """Where the user namespace forbids the file system, take the host's (as crun does); -1 when there is none."""
    if error.errno == errno.EPERM and step.fstype in _HOST_COPY:
        tree = m.clone_tree(AT_FDCWD, _HOST_COPY[step.fstype], recursive=True)
        m.set_attributes(tree, add=step.options.add, recursive=True)
        return tree
    if error.errno == errno.EINVAL and step.fstype == "devpts":
        # gid=5 is not mapped: leave it out
        parameters = [entry for entry in step.options.parameters() if entry[0] != "gid"]
        return m.new_filesystem(step.fstype, step.source, parameters, step.options.add)
    return -1


def _finish(step: Mount, tree: int, place: int, mode: int) -> None:
    options = step.options
    if step.fstype == "tmpfs":
        if mode >= 0:
            os.chmod(proc_fd(tree), mode)
        if options.copy_up:
            copy_tree(place, tree)
        if options.add & m.MOUNT_ATTR_RDONLY:
            m.set_attributes(tree, add=m.MOUNT_ATTR_RDONLY)
    if options.tree_add or options.tree_remove or options.propagation:
        apply_attributes(tree, step)
    m.attach(tree, place, step.destination)
    os.close(tree)
    os.close(place)


def _mount_the_old_way(job: Job, step: Mount, place: int) -> None:
    """mount(2), for what fsconfig(2) cannot say; the place is still the descriptor, by its name in /proc."""
    options = step.options
    data = ",".join(options.data) or None
    m.mount(step.source or None, proc_fd(place), step.fstype, options.flags(), data)
    os.close(place)
    if options.propagation:
        top = open_in_root(job.root, step.destination)  # the descriptor was of what lies below
        for propagation in options.propagation:
            m.mount(None, proc_fd(top), None, propagation)
        os.close(top)
