"""Names inside a directory that somebody else controls: openat2(2) only, never join and realpath.

Every function takes the root as a descriptor. ``..`` and absolute symlinks stop at that root, magic links
(/proc/PID/fd/N, /proc/PID/exe) are refused, and what comes back is a descriptor: whoever swaps a component afterwards
changes nothing. An O_PATH descriptor is used further as ``proc_fd(fd)``, a name that cannot be swapped either.
"""

from __future__ import annotations

import errno
import os
from _struct import pack

from firkin.errors import SyscallError
from firkin.linux import nr
from firkin.linux.libc import buffer, c_int, c_void_p, checked, syscall

RESOLVE_NO_XDEV = 0x01
RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_NO_SYMLINKS = 0x04
RESOLVE_BENEATH = 0x08
RESOLVE_IN_ROOT = 0x10

AT_FDCWD = -100
AT_SYMLINK_NOFOLLOW = 0x100
AT_EMPTY_PATH = 0x1000

PROC_SUPER_MAGIC = 0x9FA0
SYSFS_MAGIC = 0x62656572
DEVPTS_SUPER_MAGIC = 0x1CD1
TMPFS_MAGIC = 0x01021994
OVERLAYFS_SUPER_MAGIC = 0x794C7630
CGROUP_SUPER_MAGIC = 0x27E0EB
CGROUP2_SUPER_MAGIC = 0x63677270
NSFS_MAGIC = 0x6E736673

_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_MAX_LINKS = 40  # the kernel's own MAXSYMLINKS
_RACES = 64  # openat2 answers EAGAIN when a rename somewhere made ".." uncertain
_fstatfs = checked("fstatfs", c_int, c_void_p)


def openat2(directory: int, path: str, flags: int, mode: int = 0, resolve: int = 0) -> int:
    """openat2(2); O_CLOEXEC is added. Retried while a racing rename makes the kernel unsure."""
    how = pack("QQQ", flags | os.O_CLOEXEC, mode, resolve)
    name = os.fsencode(path)
    for attempt in range(_RACES):
        try:
            return syscall("openat2", nr.OPENAT2, directory, name, how, len(how), path=path)
        except SyscallError as error:
            if error.errno != errno.EAGAIN or attempt == _RACES - 1:
                raise
    raise AssertionError("unreachable")


def open_in_root(root: int, path: str, flags: int = os.O_PATH, mode: int = 0, resolve: int = 0) -> int:
    """Open ``path`` as if ``root`` were /. Symlinks are followed inside it unless flags say O_NOFOLLOW."""
    return openat2(root, path or ".", flags, mode, resolve | RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)


def proc_fd(fd: int) -> str:
    """Return a name for ``fd``'s object that works for calls without an fd form, O_PATH included."""
    return f"/proc/self/fd/{fd}"


def mkdir_in_root(root: int, path: str, mode: int = 0o755) -> int:
    """Make ``path`` and its missing parents inside ``root``; return an O_PATH descriptor of the directory.

    A dangling symlink on the way is followed inside the root and its target made, as docker does.
    """
    return _mkdir(root, path, mode, _MAX_LINKS)


def _mkdir(root: int, path: str, mode: int, links: int) -> int:
    try:
        return open_in_root(root, path, _DIRECTORY)
    except SyscallError as error:
        if error.errno != errno.ENOENT:
            raise
    parts = [part for part in path.split("/") if part not in ("", ".")]
    current, done = _deepest(root, parts)
    try:
        for at in range(done, len(parts)):
            if parts[at] == "..":
                raise SyscallError(errno.ENOENT, "openat2", path)
            following, link = _enter_made(current, parts[at], mode)
            if link is not None:
                if not links:
                    raise SyscallError(errno.ELOOP, "openat2", path)
                base = [] if link.startswith("/") else parts[:at]
                return _mkdir(root, "/".join([*base, link, *parts[at + 1 :]]), mode, links - 1)
            os.close(current)
            current = following
    except BaseException:
        os.close(current)
        raise
    return current


def _deepest(root: int, parts: list[str]) -> tuple[int, int]:
    for count in range(len(parts) - 1, 0, -1):
        try:
            return open_in_root(root, "/".join(parts[:count]), _DIRECTORY), count
        except SyscallError as error:
            if error.errno != errno.ENOENT:
                raise
    return open_in_root(root, ".", _DIRECTORY), 0


def _enter_made(directory: int, name: str, mode: int) -> tuple[int, str | None]:
    """Make and open ``name``; or return the target of the dangling symlink that stands there."""
    try:
        os.mkdir(name, mode, dir_fd=directory)
    except FileExistsError:
        pass
    try:
        return openat2(directory, name, _DIRECTORY, 0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS), None
    except SyscallError as error:
        if error.errno != errno.ELOOP:
            raise
    return -1, os.readlink(name, dir_fd=directory)


def create_in_root(root: int, path: str, mode: int = 0o644) -> int:
    """Open ``path`` inside ``root`` with O_PATH, making an empty file (and its parents) when it is missing."""
    return _create(root, path, mode, _MAX_LINKS)


def _create(root: int, path: str, mode: int, links: int) -> int:
    try:
        return open_in_root(root, path)
    except SyscallError as error:
        if error.errno != errno.ENOENT:
            raise
    parent, _, name = path.rstrip("/").rpartition("/")
    if name in ("", ".", ".."):
        raise SyscallError(errno.EISDIR, "openat2", path)
    directory = _mkdir(root, parent, 0o755, links)
    try:
        try:
            os.close(
                os.open(name, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=directory)
            )
        except FileExistsError:
            try:
                link = os.readlink(name, dir_fd=directory)
            except OSError:
                link = ""  # somebody made it a file meanwhile
            if link:
                if not links:
                    raise SyscallError(errno.ELOOP, "openat2", path) from None
                return _create(root, link if link.startswith("/") else f"{parent}/{link}", mode, links - 1)
        return openat2(directory, name, os.O_PATH | os.O_NOFOLLOW, 0, RESOLVE_BENEATH)
    finally:
        os.close(directory)


def filesystem_magic(fd: int) -> int:
    """Return f_type of the file system that ``fd`` (O_PATH too) is on: one of the *_MAGIC numbers."""
    memory = bytearray(256)  # struct statfs is 120 bytes; f_type is its first long
    _fstatfs(fd, buffer(memory))
    return int.from_bytes(memory[:8], "little")


def set_xattr_at(directory: int, name: str, key: str, value: bytes) -> None:
    """Set an extended attribute on ``directory``/``name`` itself, never on what a symlink there points to."""
    os.setxattr(f"/proc/self/fd/{directory}/{name}", key, value, follow_symlinks=False)


def get_xattr_at(directory: int, name: str, key: str) -> bytes:
    """Return an extended attribute of ``directory``/``name`` itself."""
    return os.getxattr(f"/proc/self/fd/{directory}/{name}", key, follow_symlinks=False)


def list_xattrs_at(directory: int, name: str) -> list[str]:
    """Return the names of the extended attributes of ``directory``/``name`` itself."""
    return os.listxattr(f"/proc/self/fd/{directory}/{name}", follow_symlinks=False)
