"""Masked and read-only paths. A file is masked by the host's /dev/null, a directory by an empty read-only tmpfs.

CVE-2025-31133: what is bound is checked to be character device 1:3, by descriptor, whoever made it.
"""

from __future__ import annotations

import errno
import os
import stat

from firkin.errors import Internal, SyscallError
from firkin.linux import mount as m
from firkin.linux.path import open_in_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firkin.runtime.job import Job

_MISSING = (errno.ENOENT, errno.ENOTDIR, errno.EACCES)


def open_host_null() -> int:
    """Return the host's /dev/null (O_PATH), checked. Before the pivot, in the child's own mount namespace."""
    fd = os.open("/dev/null", os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    if not _is_null(fd):
        os.close(fd)
        raise Internal("the host's /dev/null is not the null device")
    return fd


def _is_null(fd: int) -> bool:
    info = os.fstat(fd)
    return stat.S_ISCHR(info.st_mode) and info.st_rdev == os.makedev(1, 3)


class Masks:
    """Hides paths; one empty tmpfs serves all directories."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._empty = -1
        self._null = -1

    def mask(self, path: str) -> None:
        """Hide ``path``; a missing one is skipped, as the spec wants."""
        try:
            place = open_in_root(self._job.root, path)
        except SyscallError as error:
            if error.errno in _MISSING:
                return
            raise
        tree = (
            self._empty_directory()
            if stat.S_ISDIR(os.fstat(place).st_mode)
            else m.clone_tree(self._open_null())
        )
        m.attach(tree, place, path)
        if tree != self._empty:
            os.close(tree)
        os.close(place)

    def _open_null(self) -> int:
        """Return the container's /dev/null when it really is one (what docker shows), else the host's."""
        if self._null < 0:
            try:
                self._null = open_in_root(self._job.root, "/dev/null", os.O_PATH | os.O_NOFOLLOW)
            except SyscallError:
                return self._job.null
            if not _is_null(self._null):
                self._null = self._job.null
        return self._null

    def _empty_directory(self) -> int:
        if self._empty < 0:
            attributes = m.MOUNT_ATTR_RDONLY
            label = self._job.linux.get("mountLabel")
            parameters: list[tuple[str, str | None]] = [("ro", None), ("nr_blocks", "1"), ("nr_inodes", "1")]
            if label:
                parameters.append(("context", label))
            self._empty = m.new_filesystem("tmpfs", "tmpfs", parameters, attributes)
            return self._empty  # attached first: Linux before 6.15 copies no detached mount
        return m.clone_tree(self._empty)


def settle(job: Job, path: str) -> None:
    """Make the mount at ``path`` read-only."""
    place = open_in_root(job.root, path)
    m.set_attributes(place, add=m.MOUNT_ATTR_RDONLY)
    os.close(place)


def freeze(job: Job, path: str) -> None:
    """Make ``path`` read-only by a mount of itself on itself; a missing one is skipped."""
    try:
        place = open_in_root(job.root, path)
    except SyscallError as error:
        if error.errno in _MISSING:
            return
        raise
    tree = m.clone_tree(place, recursive=True)
    m.set_attributes(tree, add=m.MOUNT_ATTR_RDONLY)
    m.attach(tree, place, path)
    os.close(tree)
    os.close(place)
