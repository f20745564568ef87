"""What a container changed: the upper side of its overlay, read as overlayfs wrote it, against the layers below.

    in the upper side                       said as
    character device 0:0, xattr whiteout    D  when a lower layer has the name
    directory, opaque or redirected         as below, and D for each lower name it no longer has
    anything with no such name in lower     A
    anything else                           C  when mode, owner, device or (not of directories) size or time differ
    every directory on the way to a change  C  unless it is an A itself

Docker compares the mounted trees to the same effect (its daemon's archive/changes.go).

Documentation/filesystems/overlayfs.rst: "whiteouts and opaque directories", "redirect_dir". The lower layers' view of
one directory is a stack of real directories, carried along with the walk, so each name is looked up in one step.
"""

from __future__ import annotations

import os
from _stat import S_ISCHR, S_ISDIR

from firkin.storage import tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    Stack = tuple[str, ...]
    Found = dict[str, str]

_OPAQUE = ("trusted.overlay.opaque", "user.overlay.opaque")
_WHITEOUT = ("trusted.overlay.whiteout", "user.overlay.whiteout")
_REDIRECT = ("trusted.overlay.redirect", "user.overlay.redirect")


def changes(upper: str, lowers: Stack) -> list[tuple[str, str]]:
    """Return (kind, path) sorted by path, ``path`` with a leading slash."""
    found: Found = {}
    stacks: dict[bytes, Stack] = {b"": lowers}
    root = os.open(upper, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for folder, fd, entries in tree.walk(root):
            stack = stacks.pop(folder, ())
            _directory(folder, fd, entries, stack, stacks, found)
    finally:
        os.close(root)
    for path in list(found):
        while (path := path.rpartition("/")[0]) and path not in found:
            found[path] = "C"
    return sorted(((kind, path) for path, kind in found.items()), key=lambda change: change[1])


def _directory(
    path: bytes, fd: int, entries: tree.Entries, stack: Stack, stacks: dict[bytes, Stack], found: Found
) -> None:
    prefix = f"/{os.fsdecode(path)}" if path else ""
    if path and _is_opaque(fd):
        # ``stack`` is what lies below; all of it that is not here again is deleted.
        here = {os.fsdecode(name) for name, _ in entries}
        for name in _merged_names(stack):
            if name not in here:
                found[f"{prefix}/{name}"] = "D"
    for raw, info in entries:
        name = os.fsdecode(raw)
        below, lower = look_up(stack, name)
        if is_deletion(info, fd, name):
            if lower is not None:
                found[f"{prefix}/{name}"] = "D"
        elif lower is None:
            found[f"{prefix}/{name}"] = "A"
        elif not _same(info, lower):
            found[f"{prefix}/{name}"] = "C"
        if S_ISDIR(info.st_mode):
            stacks[path + b"/" + raw if path else raw] = below


def look_up(stack: Stack, name: str) -> tuple[Stack, os.stat_result | None]:
    """Look ``name`` up in a stack of directories, top first: what overlayfs shows, and where it comes from.

    Returns (the directories below which its content is merged, its lstat); ((), None) when there is none.
    """
    merged: list[str] = []
    shown: os.stat_result | None = None
    for directory in stack:
        path = f"{directory}/{name}"
        try:
            info = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            continue
        if S_ISCHR(info.st_mode) and info.st_rdev == 0:
            break
        if not S_ISDIR(info.st_mode):
            shown = shown or info
            break
        shown = shown or info
        merged.append(path)
        if _is_opaque(path):
            break
    return tuple(merged), shown


def is_deletion(info: os.stat_result, directory: int, name: str) -> bool:
    """Say whether the entry is a whiteout, of either of overlayfs' two forms."""
    if S_ISCHR(info.st_mode):
        return info.st_rdev == 0
    if info.st_size == 0 and not S_ISDIR(info.st_mode):
        return _has(f"/proc/self/fd/{directory}/{name}", _WHITEOUT)
    return False


def _merged_names(stack: Stack) -> list[str]:
    names: dict[str, None] = {}
    for directory in stack:
        names.update(dict.fromkeys(os.listdir(directory)))
    return [name for name in names if look_up(stack, name)[1] is not None]


def _is_opaque(where: str | int) -> bool:
    return _has(where, _OPAQUE) or _has(where, _REDIRECT)


def _has(where: str | int, keys: tuple[str, ...]) -> bool:
    for key in keys:
        try:
            if isinstance(where, int):
                os.getxattr(where, key)
            else:
                os.getxattr(where, key, follow_symlinks=False)
        except OSError:
            continue
        return True
    return False


def _same(a: os.stat_result, b: os.stat_result) -> bool:
    if (a.st_mode, a.st_uid, a.st_gid, a.st_rdev) != (b.st_mode, b.st_uid, b.st_gid, b.st_rdev):
        return False
    return S_ISDIR(a.st_mode) or (a.st_size, a.st_mtime_ns) == (b.st_size, b.st_mtime_ns)
