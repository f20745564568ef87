"""tmpcopyup: a tmpfs that begins with what it covers. No imports, it runs in the child."""

from __future__ import annotations

import os
import stat

_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK = 1 << 20


def copy_tree(source: int, target: int) -> None:
    """Copy what is in the directory ``source`` (O_PATH is enough) into ``target``: owners, modes, times, xattrs."""
    here = os.open(".", _FLAGS, dir_fd=source)
    there = os.open(".", _FLAGS, dir_fd=target)
    try:
        _copy_directory(here, there)
        _copy_attributes(os.fstat(here), f"/proc/self/fd/{here}", f"/proc/self/fd/{there}", link=False)
    finally:
        os.close(here)
        os.close(there)


def _copy_directory(here: int, there: int) -> None:
    for name in os.listdir(here):
        info = os.stat(name, dir_fd=here, follow_symlinks=False)
        kind = stat.S_IFMT(info.st_mode)
        if kind == stat.S_IFLNK:
            os.symlink(os.readlink(name, dir_fd=here), name, dir_fd=there)
        elif kind == stat.S_IFDIR:
            os.mkdir(name, 0o700, dir_fd=there)
            inner, made = os.open(name, _FLAGS, dir_fd=here), os.open(name, _FLAGS, dir_fd=there)
            _copy_directory(inner, made)
            os.close(inner)
            os.close(made)
        elif kind == stat.S_IFREG:
            _copy_file(here, there, name)
        else:
            os.mknod(name, info.st_mode, info.st_rdev, dir_fd=there)
        _copy_attributes(
            info, f"/proc/self/fd/{here}/{name}", f"/proc/self/fd/{there}/{name}", link=kind == stat.S_IFLNK
        )


def _copy_file(here: int, there: int, name: str) -> None:
    source = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
    target = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=there)
    while data := os.read(source, _CHUNK):
        view = memoryview(data)
        while view:
            view = view[os.write(target, view) :]
    os.close(source)
    os.close(target)


def _copy_attributes(info: os.stat_result, source: str, target: str, *, link: bool) -> None:
    os.chown(target, info.st_uid, info.st_gid, follow_symlinks=not link)
    if not link:
        os.chmod(target, stat.S_IMODE(info.st_mode))
        for key in os.listxattr(source):
            try:
                os.setxattr(target, key, os.getxattr(source, key))
            except OSError:
                pass  # tmpfs keeps security.*, trusted.* and, of late, user.*
    os.utime(target, ns=(info.st_atime_ns, info.st_mtime_ns), follow_symlinks=not link)
