"""A tree copied with everything that a file has: owner, mode, times, xattrs, holes, hard links, devices.

Source and target are descriptors; links are copied, never followed, mounts below the source are passed over.
"""

from __future__ import annotations

import errno
import os
from _stat import S_ISDIR, S_ISLNK, S_ISREG, S_ISSOCK

from firkin.linux import path as at
from firkin.storage import tree

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_DIR = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_PIECE = 1 << 30


def copy_tree(source: int, target: int) -> None:
    """Copy what is in the directory ``source`` into the directory ``target``; then its own metadata.

    Raises OSError; what was copied by then stays.
    """
    linked: dict[tuple[int, int], bytes] = {}
    directories: list[bytes] = []
    for path, fd, entries in tree.walk(source):
        into = at.open_in_root(target, os.fsdecode(path), _DIR)
        directories.append(path)
        try:
            for name, info in entries:
                if S_ISSOCK(info.st_mode):
                    continue  # its listener is not copied either
                if S_ISDIR(info.st_mode):
                    os.mkdir(name, 0o700, dir_fd=into)
                    continue
                key = (info.st_dev, info.st_ino)
                first = linked.get(key)
                if first is not None:
                    os.link(
                        f"/proc/self/fd/{target}/".encode() + first,
                        name,
                        dst_dir_fd=into,
                        follow_symlinks=False,
                    )
                    continue
                _copy(name, info, fd, into)
                if info.st_nlink > 1:
                    linked[key] = path + b"/" + name if path else name
        finally:
            os.close(into)
    for path in reversed(directories):  # children first: each change of a child changes the parent's time
        folder = os.fsdecode(path)
        from_fd = at.open_in_root(source, folder, _DIR)
        try:
            to_fd = at.open_in_root(target, folder, _DIR)
            try:
                copy_metadata(from_fd, to_fd)
            finally:
                os.close(to_fd)
        finally:
            os.close(from_fd)


def copy_metadata(source: int, target: int) -> None:
    """Give ``target`` the owner, mode, xattrs and times of ``source``; both open for reading."""
    info = os.fstat(source)
    os.fchown(target, info.st_uid, info.st_gid)
    os.fchmod(target, info.st_mode & 0o7777)
    for key in os.listxattr(source):
        _set(target, key, os.getxattr(source, key))
    os.utime(target, ns=(info.st_atime_ns, info.st_mtime_ns))


def _copy(name: bytes, info: os.stat_result, source: int, target: int) -> None:
    if S_ISREG(info.st_mode):
        from_fd = os.open(name, _READ, dir_fd=source)
        try:
            to_fd = os.open(name, _NEW, 0o600, dir_fd=target)
            try:
                _copy_data(from_fd, to_fd, info.st_size)
                copy_metadata(from_fd, to_fd)
            finally:
                os.close(to_fd)
        finally:
            os.close(from_fd)
        return
    if S_ISLNK(info.st_mode):
        os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=target)
    else:
        os.mknod(name, info.st_mode, info.st_rdev, dir_fd=target)
    os.chown(name, info.st_uid, info.st_gid, dir_fd=target, follow_symlinks=False)
    if not S_ISLNK(info.st_mode):
        os.chmod(name, info.st_mode & 0o7777, dir_fd=target)
    text = os.fsdecode(name)
    for key in at.list_xattrs_at(source, text):
        _set(f"/proc/self/fd/{target}/{text}", key, at.get_xattr_at(source, text, key))
    os.utime(name, ns=(info.st_atime_ns, info.st_mtime_ns), dir_fd=target, follow_symlinks=False)


def _copy_data(source: int, target: int, size: int) -> None:
    """Copy the data between the holes; the kernel shares the blocks where the file system can (copy_file_range)."""
    position = 0
    while position < size:
        try:
            start = os.lseek(source, position, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                break  # a hole up to the end
            raise
        end = os.lseek(source, start, os.SEEK_HOLE)
        while start < end:
            count = _range(source, target, start, min(end - start, _PIECE))
            if not count:
                break  # it shrank meanwhile
            start += count
        position = max(end, position + 1)
    os.ftruncate(target, size)


def _range(source: int, target: int, start: int, count: int) -> int:
    try:
        return os.copy_file_range(source, target, count, start, start)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS):
            raise
    data = os.pread(source, min(count, 1 << 20), start)
    return os.pwrite(target, data, start) if data else 0


def _set(where: int | str, key: str, value: bytes) -> None:
    if key.startswith(("trusted.overlay.", "user.overlay.", "security.selinux")):
        return
    try:
        if isinstance(where, int):
            os.setxattr(where, key, value)
        else:
            os.setxattr(where, key, value, follow_symlinks=False)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EPERM):
            raise
