"""Directory trees that somebody else filled: walked and removed by descriptors, never by joined names.

No symbolic link is followed, no mount point crossed (bind mounts of the same file system included), no recursion, and
a tree deeper than PATH_MAX is only slower.

    walk     each directory with its entries, parents first
    remove   flat: a directory found inside is renamed to the top first, so nothing is ever deeper than two
"""

from __future__ import annotations

import errno
import os
from stat import S_ISDIR

from firkin.errors import InUse
from firkin.linux import path as at
from firkin.linux.filesystem import clear_attributes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Entries = list[tuple[bytes, os.stat_result]]

_SAME_MOUNT = at.RESOLVE_BENEATH | at.RESOLVE_NO_SYMLINKS | at.RESOLVE_NO_XDEV
_READ = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_STEP = 3000  # bytes of a relative name (PATH_MAX is 4096) before a new anchor is opened


class _Anchor:
    """A directory from which short relative names lead on; closed when the last name is done."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def __del__(self) -> None:
        os.close(self.fd)


def walk(root: int) -> Iterator[tuple[bytes, int, Entries]]:
    """Yield (path below ``root`` or b"", descriptor, entries sorted by name) of each directory, parents first.

    The descriptor is good until the next step. What is removed from the list of entries is not entered. Directories
    that vanish meanwhile or are mount points are passed over.
    """
    pending: list[tuple[_Anchor, bytes, bytes]] = [(_Anchor(os.dup(root)), b".", b"")]
    while pending:
        anchor, name, path = pending.pop()
        try:
            fd = at.openat2(anchor.fd, os.fsdecode(name), _READ, 0, _SAME_MOUNT)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EXDEV):
                continue
            raise
        try:
            found = entries(fd)
            yield path, fd, found
            if len(name) > _STEP:
                anchor, name = _Anchor(os.dup(fd)), b"."
            for child, info in reversed(found):
                if S_ISDIR(info.st_mode):
                    pending.append((anchor, name + b"/" + child, path + b"/" + child if path else child))
        finally:
            os.close(fd)


def entries(fd: int) -> Entries:
    """Return (name, lstat) of what is in the directory, sorted by name."""
    found = []
    for name in os.listdir(fd):
        try:
            found.append((os.fsencode(name), os.stat(name, dir_fd=fd, follow_symlinks=False)))
        except FileNotFoundError:
            continue
    found.sort()
    return found


def usage(path: str) -> tuple[int, int]:
    """Return (bytes, inodes) below ``path``: sizes of files as docker counts them, hard links once, no directories."""
    total, count = 0, 0
    linked: set[int] = set()
    root = os.open(path, _READ | os.O_CLOEXEC)
    try:
        for _, _, found in walk(root):
            for _, info in found:
                if info.st_nlink > 1 and not S_ISDIR(info.st_mode):
                    if info.st_ino in linked:
                        continue
                    linked.add(info.st_ino)
                count += 1
                if not S_ISDIR(info.st_mode):
                    total += info.st_size
    finally:
        os.close(root)
    return total, count


def remove(path: str) -> None:
    """Remove the file or tree at ``path``. What can go goes; then the first refusal is raised.

    Raises FileNotFoundError when nothing is there, InUse for a mount point inside, OSError.
    """
    try:
        os.unlink(path)
        return
    except (IsADirectoryError, PermissionError) as error:
        if not os.path.isdir(path) or os.path.islink(path):
            if isinstance(error, PermissionError) and _unlock(path):
                os.unlink(path)
                return
            raise
    top = os.open(path, _READ | os.O_CLOEXEC)
    try:
        refused = _empty(top, path)
    finally:
        os.close(top)
    if refused:
        raise refused[0] if len(refused) == 1 else ExceptionGroup(f"removing {path}", refused)
    os.rmdir(path)


def _empty(top: int, path: str) -> list[Exception]:
    refused: list[Exception] = []
    prefix = f".firkin-{os.urandom(4).hex()}-"
    serial = 0
    pending = os.listdir(top)
    while pending:
        name = pending.pop()
        try:
            if not S_ISDIR(os.stat(name, dir_fd=top, follow_symlinks=False).st_mode):
                _forced(lambda: os.unlink(name, dir_fd=top), name, top)  # noqa: B023 - called at once
                continue
            serial = _hoist(top, name, prefix, serial, pending)
            _forced(lambda: os.rmdir(name, dir_fd=top), name, top)  # noqa: B023 - called at once
        except FileNotFoundError:
            continue
        except OSError as error:
            if error.errno in (errno.EXDEV, errno.EBUSY):
                refused.append(
                    InUse(f"{path}/{name} is a mount point or holds one", hint="unmount it", by="a mount")
                )
            elif error.errno != errno.ENOTEMPTY or not refused:  # its refused entry is named already
                refused.append(error)
    return refused


def _hoist(top: int, name: str, prefix: str, serial: int, pending: list[str]) -> int:
    """Empty the directory ``name`` of ``top``: files go, directories move up beside it and into ``pending``."""
    fd = at.openat2(top, name, _READ, 0, _SAME_MOUNT)
    try:
        if os.fstat(fd).st_mode & 0o300 != 0o300:
            os.fchmod(fd, 0o700)  # without CAP_DAC_OVERRIDE its entries could not go
        for child in os.listdir(fd):
            try:
                _forced(lambda: os.unlink(child, dir_fd=fd), child, fd)  # noqa: B023 - called at once
            except IsADirectoryError:
                serial += 1
                up = f"{prefix}{serial}"
                _forced(lambda: os.rename(child, up, src_dir_fd=fd, dst_dir_fd=top), child, fd)  # noqa: B023
                pending.append(up)
    finally:
        os.close(fd)
    return serial


def _forced(act: Callable[[], None], name: str, directory: int) -> None:
    """Do ``act``; where chattr +i or +a on ``name`` or ``directory`` forbids it, take that off first."""
    try:
        act()
    except PermissionError:
        freed = clear_attributes(directory)
        freed = _unlock(name, directory) or freed
        if not freed:
            raise
        act()


def _unlock(name: str, directory: int | None = None) -> bool:
    try:
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
    except OSError:
        return False
    try:
        return clear_attributes(fd)
    finally:
        os.close(fd)
