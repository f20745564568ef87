"""Directory trees that somebody else filled: walked and removed by descriptors, never by joined names.

No symbolic link is followed, no mount point crossed (bind mounts of the same file system included), no recursion, and
a tree deeper than PATH_MAX is only slower.

    walk     each directory with its entries, parents first
    remove   flat: a directory found inside is renamed to the top first, so nothing is ever deeper than two
"""

from __future__ import annotations

import errno
import os
from _stat import S_ISDIR, S_ISREG

from firkin.errors import InUse
from firkin.linux import path as at
from firkin.linux.filesystem import clear_attributes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

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
    """Remove the file or tree at ``path``. What can go goes; then the refusals are raised.

    Raises FileNotFoundError when nothing is there, InUse for a mount point inside, OSError; several as an
    ExceptionGroup.
    """
    if not S_ISDIR(os.lstat(path).st_mode):
        _forced(lambda: os.unlink(path), path, None)
        return
    top: int = _forced(lambda: os.open(path, _READ | os.O_CLOEXEC), path, None)
    try:
        refused = _Flat(top, path).empty()
    finally:
        os.close(top)
    if refused:
        raise refused[0] if len(refused) == 1 else ExceptionGroup(f"removing {path}", refused)
    _forced(lambda: os.rmdir(path), path, None)


class _Flat:
    """The emptying of one tree."""

    def __init__(self, top: int, path: str) -> None:
        self._top = top
        self._path = path
        self._prefix = f".firkin-{os.urandom(4).hex()}-"
        self._serial = 0
        self._refused: list[Exception] = []
        self._pending = os.listdir(top)

    def empty(self) -> list[Exception]:
        """Remove all below the top; return what was refused."""
        while self._pending:
            name = self._pending.pop()
            try:
                if S_ISDIR(os.stat(name, dir_fd=self._top, follow_symlinks=False).st_mode):
                    before = len(self._refused)
                    self._hoist(name)
                    if len(self._refused) == before:
                        self._act(os.rmdir, name, self._top)
                else:
                    self._act(os.unlink, name, self._top)
            except OSError as error:
                self._refuse(error, name)
        return self._refused

    def _hoist(self, name: str) -> None:
        """Empty the directory ``name``: files go, directories move up beside it."""
        fd: int = _forced(lambda: at.openat2(self._top, name, _READ, 0, _SAME_MOUNT), name, self._top)
        try:
            for child in os.listdir(fd):
                try:
                    self._unlink_or_lift(child, fd)
                except OSError as error:
                    self._refuse(error, f"{name}/{child}")
        finally:
            os.close(fd)

    def _unlink_or_lift(self, child: str, directory: int) -> None:
        try:
            self._act(os.unlink, child, directory)
        except IsADirectoryError:
            self._serial += 1
            up = f"{self._prefix}{self._serial}"
            _forced(
                lambda: os.rename(child, up, src_dir_fd=directory, dst_dir_fd=self._top), child, directory
            )  # fmt: skip
            self._pending.append(up)

    @staticmethod
    def _act(call: Callable[..., None], name: str, directory: int) -> None:
        _forced(lambda: call(name, dir_fd=directory), name, directory)

    def _refuse(self, error: OSError, name: str) -> None:
        if error.errno == errno.ENOENT:
            return  # somebody else was faster
        if error.errno in (errno.EXDEV, errno.EBUSY):
            self._refused.append(
                InUse(f"{self._path}/{name} is a mount point", hint="unmount it", by="a mount")
            )
        else:
            self._refused.append(error)


def _forced(act: Callable[[], Any], name: str, directory: int | None) -> Any:  # noqa: ANN401 - what act gives
    """Do ``act`` on ``name``; where permissions or chattr +i, +a of it or its directory forbid it, take those off."""
    try:
        return act()
    except PermissionError:
        freed = clear_attributes(directory) if directory is not None else False
        freed = _permit(os.curdir, directory) or freed if directory is not None else freed
        freed = _permit(name, directory) or freed
        if not freed:
            raise
        return act()


def _permit(name: str, directory: int | None) -> bool:
    """Let the owner do all with the entry itself; say whether that changed anything."""
    try:
        handle = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    except OSError:
        return False
    changed = False
    try:
        mode = os.fstat(handle).st_mode
        if S_ISDIR(mode) and mode & 0o700 != 0o700:
            os.chmod(at.proc_fd(handle), 0o700)
            changed = True
        if S_ISDIR(mode) or S_ISREG(mode):
            fd = os.open(at.proc_fd(handle), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                changed = clear_attributes(fd) or changed
            finally:
                os.close(fd)
    except OSError:
        pass  # the act is tried again, and its own error is the one to tell
    finally:
        os.close(handle)
    return changed
