"""mount(2) and its kin. Flags keep the kernel's names, so a man page and this file read alike.

The new calls work on descriptors: a mount is made detached, given its attributes, and only then attached, so nobody
ever sees it half made, and the place is a descriptor that no symlink can move:

    new_filesystem("tmpfs", ...) or clone_tree(fd, path)  ->  set_attributes(fd, ...)  ->  attach(fd, place)
"""

from __future__ import annotations

import errno
import os
from _struct import pack

from firkin.errors import SyscallError
from firkin.linux import nr
from firkin.linux.libc import c_char_p, c_int, c_ulong, checked, syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_SYNCHRONOUS = 0x10
MS_REMOUNT = 0x20
MS_MANDLOCK = 0x40
MS_DIRSYNC = 0x80
MS_NOSYMFOLLOW = 0x100
MS_NOATIME = 0x400
MS_NODIRATIME = 0x800
MS_BIND = 0x1000
MS_MOVE = 0x2000
MS_REC = 0x4000
MS_SILENT = 0x8000
MS_UNBINDABLE = 0x20000
MS_PRIVATE = 0x40000
MS_SLAVE = 0x80000
MS_SHARED = 0x100000
MS_RELATIME = 0x200000
MS_I_VERSION = 0x800000
MS_STRICTATIME = 0x1000000
MS_LAZYTIME = 0x2000000

MNT_DETACH = 0x2
UMOUNT_NOFOLLOW = 0x8

MOUNT_ATTR_RDONLY = 0x1
MOUNT_ATTR_NOSUID = 0x2
MOUNT_ATTR_NODEV = 0x4
MOUNT_ATTR_NOEXEC = 0x8
MOUNT_ATTR__ATIME = 0x70
MOUNT_ATTR_RELATIME = 0x0
MOUNT_ATTR_NOATIME = 0x10
MOUNT_ATTR_STRICTATIME = 0x20
MOUNT_ATTR_NODIRATIME = 0x80
MOUNT_ATTR_IDMAP = 0x100000
MOUNT_ATTR_NOSYMFOLLOW = 0x200000

OPEN_TREE_CLONE = 0x1
AT_RECURSIVE = 0x8000
_AT_EMPTY_PATH = 0x1000
_MOVE_BOTH_EMPTY = 0x4 | 0x40  # MOVE_MOUNT_F_EMPTY_PATH, MOVE_MOUNT_T_EMPTY_PATH

_SET_FLAG, _SET_STRING, _CMD_CREATE = 0, 1, 6
_LONGEST_STRING = 255  # fsconfig(2) takes at most 256 bytes with the NUL

_mount = checked("mount", c_char_p, c_char_p, c_char_p, c_ulong, c_char_p)
_umount2 = checked("umount2", c_char_p, c_int)


def mount(
    source: str | None, target: str, fstype: str | None, flags: int = 0, data: str | None = None
) -> None:
    """mount(2). Absent is NULL; "" would itself be a source, a type, an option string."""
    encoded = [None if text is None else os.fsencode(text) for text in (source, fstype, data)]
    _mount(encoded[0], os.fsencode(target), encoded[1], flags, encoded[2], path=target)


def unmount(target: str, flags: int = 0) -> None:
    """umount2(2)."""
    _umount2(os.fsencode(target), flags, path=target)


def pivot_root(new: str, old: str) -> None:
    """pivot_root(2); with ``.`` twice the old root ends up below the new one's own place."""
    syscall("pivot_root", nr.PIVOT_ROOT, os.fsencode(new) + b"\0", os.fsencode(old) + b"\0", path=new)


def clone_tree(directory: int, path: str = "", *, recursive: bool = False, follow: bool = True) -> int:
    """Return a detached copy (a bind mount not yet anywhere) of the mount at ``path``, or at ``directory`` itself."""
    flags = OPEN_TREE_CLONE | os.O_CLOEXEC
    flags |= (_AT_EMPTY_PATH if not path else 0) | (AT_RECURSIVE if recursive else 0)
    flags |= 0 if follow else 0x100
    return syscall("open_tree", nr.OPEN_TREE, directory, os.fsencode(path), flags, path=path or None)


def attach(tree: int, place: int, path: str | None = None) -> None:
    """Attach the detached mount ``tree`` on top of what ``place`` (a descriptor) is; ``path`` is for the error."""
    syscall("move_mount", nr.MOVE_MOUNT, tree, b"", place, b"", _MOVE_BOTH_EMPTY, path=path)


def set_attributes(
    fd: int, *, add: int = 0, remove: int = 0, propagation: int = 0, recursive: bool = False, userns: int = -1
) -> None:
    """mount_setattr(2) on the mount that ``fd`` is the root of. Changing the atime mode needs the whole mask removed.

    ``userns`` with MOUNT_ATTR_IDMAP in ``add`` maps ids; possible once, while the mount is detached.
    """
    flags = _AT_EMPTY_PATH | (AT_RECURSIVE if recursive else 0)
    attributes = pack("4Q", add, remove, propagation, userns if userns >= 0 else 0)
    try:
        syscall("mount_setattr", nr.MOUNT_SETATTR, fd, b"", flags, attributes, len(attributes))
    except SyscallError as error:
        if error.errno != errno.ENOSYS or add & MOUNT_ATTR_IDMAP:
            raise
        _set_the_old_way(fd, add, remove, propagation, recursive)


# MOUNT_ATTR_* -> MS_* where the numbers differ
_OLD = ((MOUNT_ATTR_NOATIME, MS_NOATIME), (MOUNT_ATTR_NODIRATIME, MS_NODIRATIME))


def _set_the_old_way(fd: int, add: int, remove: int, propagation: int, recursive: bool) -> None:
    """Linux before 5.12: remount through /proc; it knows neither recursion nor what it should keep."""
    path = f"/proc/self/fd/{fd}"
    if add or remove:
        if recursive and add & ~(add & MOUNT_ATTR__ATIME):
            raise SyscallError(errno.ENOSYS, "mount_setattr")
        kept = os.fstatvfs(fd).f_flag & 0xF  # ST_RDONLY, NOSUID, NODEV, NOEXEC have the values of MS_*
        flags = (kept & ~(remove & 0xF)) | (add & 0xF)
        flags |= sum(old for new, old in _OLD if add & new)
        mount(None, path, None, MS_REMOUNT | MS_BIND | flags)
    if propagation:
        mount(None, path, None, propagation | (MS_REC if recursive else 0))


def new_filesystem(
    fstype: str, source: str | None, parameters: Iterable[tuple[str, str | None]], attributes: int = 0
) -> int:
    """Make a file system and return its detached mount. A refusal carries the kernel's own words as notes."""
    context = syscall("fsopen", nr.FSOPEN, os.fsencode(fstype), 1, path=fstype)
    try:
        if source:
            syscall(
                "fsconfig", nr.FSCONFIG, context, _SET_STRING, b"source", os.fsencode(source), 0, path=source
            )
        for key, value in parameters:
            if value is None:
                syscall("fsconfig", nr.FSCONFIG, context, _SET_FLAG, key.encode(), None, 0, path=key)
            else:
                text = os.fsencode(value)
                syscall("fsconfig", nr.FSCONFIG, context, _SET_STRING, key.encode(), text, 0, path=key)
        syscall("fsconfig", nr.FSCONFIG, context, _CMD_CREATE, None, None, 0, path=fstype)
        return syscall("fsmount", nr.FSMOUNT, context, 1, attributes, path=fstype)
    except SyscallError as error:
        for note in _messages(context):
            error.add_note(note)
        raise
    finally:
        os.close(context)


def _messages(context: int) -> list[str]:
    """Read what the kernel has to say about a file system context: ``e tmpfs: Unknown parameter 'x'``."""
    lines = []
    while True:
        try:
            lines.append(os.read(context, 4096).decode(errors="replace").strip())
        except OSError:
            return [line[2:] for line in lines if line.startswith(("e ", "w "))]


def fits_fsconfig(value: str) -> bool:
    """Say whether fsconfig(2) takes ``value`` in one piece."""
    return len(os.fsencode(value)) <= _LONGEST_STRING
