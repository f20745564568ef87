"""Directories of one cgroup hierarchy: made, read, emptied, removed. Knows no controller.

Two engines, or two containers of one engine, make and remove the parents (``firkin``, ``firkin/ENGINE``) at the same
time: whoever makes a child retries when a parent has just gone, and whoever removes one ignores that it is in use.
"""

from __future__ import annotations

import errno
import os
import time

from firkin.errors import Conflict, Unavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_RACES = 100  # a parent removed between our mkdir of it and of its child, that many times in a row: not by accident


def read(path: str) -> str:
    """Return a control file's text; raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = os.read(fd, 65536)
        while more := os.read(fd, 65536):
            data += more
    finally:
        os.close(fd)
    return data.decode()


def write(path: str, value: str) -> None:
    """Give a control file its value in one write(2); raises OSError with the path."""
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, value.encode())
    except OSError as error:
        error.filename = path
        raise
    finally:
        os.close(fd)


def make(mount: str, path: str, dress: Callable[[str], None] | None = None) -> bool:
    """Make ``mount/path`` and missing parents; say whether a parent had to be made.

    ``dress`` is called on each new parent before anything is made in it. A leaf of this name that is a leftover
    (no process in it) is replaced, so that its limits are the kernel's defaults; a used one is a Conflict.
    """
    leaf = f"{mount}/{path}"
    for _ in range(_RACES):
        try:
            os.mkdir(leaf, 0o755)
        except FileExistsError:
            _clear(leaf)
        except FileNotFoundError:
            try:
                _make_parents(mount, path, dress)
                os.mkdir(leaf, 0o755)
            except (FileNotFoundError, FileExistsError):
                continue
            return True
        else:
            return False
    raise Unavailable(f"cgroup {leaf} is made and removed by somebody else at the same time")


def _clear(leaf: str) -> None:
    for directory in walk(leaf, top_last=True):
        try:
            os.rmdir(directory)
        except FileNotFoundError:
            pass
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            raise Conflict(f"cgroup {leaf} exists and has processes in it", path=leaf) from None


def _make_parents(mount: str, path: str, dress: Callable[[str], None] | None) -> None:
    parent = mount
    for name in path.split("/")[:-1]:
        parent += f"/{name}"
        try:
            os.mkdir(parent, 0o755)
        except FileExistsError:
            continue
        if dress:
            dress(parent)


def walk(directory: str, *, top_last: bool = False) -> Iterator[str]:
    """Yield ``directory`` and all cgroups below it; what vanishes meanwhile is left out."""
    try:
        below = []
        if (
            os.stat(directory).st_nlink > 2
        ):  # kernfs counts subdirectories; reading the directory takes 100 us
            with os.scandir(directory) as entries:
                below = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return
    if not top_last:
        yield directory
    for path in below:
        yield from walk(path, top_last=top_last)
    if top_last:
        yield directory


def children(directory: str) -> list[str]:
    """Return the names of the cgroups in ``directory``; [] when there is none such."""
    try:
        with os.scandir(directory) as entries:
            return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []


def pids(directory: str, *, nested: bool = True) -> list[int]:
    """Return the processes in ``directory`` (and below); ENODEV and ENOENT mean a dying cgroup: nobody."""
    found: list[int] = []
    for each in walk(directory) if nested else (directory,):
        try:
            found.extend(map(int, read(f"{each}/cgroup.procs").split()))
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENODEV):
                raise
    return found


def remove(directory: str, deadline: float) -> bool:
    """Remove ``directory`` and what the container made below; False when processes are in it at ``deadline``.

    ``deadline`` is a time.monotonic() value; 0 tries once.
    """
    pause = 0.0002
    while True:
        try:
            os.rmdir(directory)
        except FileNotFoundError:
            return True
        except OSError as error:
            if error.errno not in (errno.EBUSY, errno.ENOTEMPTY):
                raise
        else:
            return True
        if _remove_below(directory):
            continue
        if time.monotonic() >= deadline:
            return False
        time.sleep(pause)
        pause = min(pause * 1.5, 0.02)


def _remove_below(directory: str) -> bool:
    """Remove what can be removed below ``directory``; say whether anything was."""
    done = False
    for path in walk(directory, top_last=True):
        if path == directory:
            break
        try:
            os.rmdir(path)
            done = True
        except OSError as error:
            if error.errno not in (errno.EBUSY, errno.ENOTEMPTY, errno.ENOENT):
                raise
    return done


def prune(mount: str, path: str) -> None:
    """Remove the parents of ``path`` that are ours (``firkin*/...``) and empty."""
    if not path.startswith("firkin"):
        return
    parent = path.rpartition("/")[0]
    while parent:
        try:
            os.rmdir(f"{mount}/{parent}")
        except FileNotFoundError:
            pass
        except (
            OSError
        ):  # in use (EBUSY, ENOTEMPTY), or not ours to remove: the next container's end tries again
            return
        parent = parent.rpartition("/")[0]
