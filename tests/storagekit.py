"""What storage's tests share: private mount namespaces, and everything about a tree as a value."""

from __future__ import annotations

import ctypes
import json
import os
import traceback
from pathlib import Path

SHARED = Path(__file__).resolve().parent.parent.parent / "shared"
CLONE_NEWNS, MS_BIND, MS_REC, MS_PRIVATE = 0x20000, 0x1000, 0x4000, 0x40000
libc = ctypes.CDLL(None, use_errno=True)


def in_own_mounts(function, *args):
    """Run ``function`` in a forked child with a private mount namespace; return what it returned (JSON)."""
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        answer = {"error": "died"}
        try:
            if libc.unshare(CLONE_NEWNS) or libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None):
                raise OSError(ctypes.get_errno(), "unshare")
            answer = {"value": function(*args)}
        except BaseException:  # noqa: BLE001 - told to the parent
            answer = {"error": traceback.format_exc()}
        finally:
            with os.fdopen(send, "w") as stream:
                json.dump(answer, stream)
            os._exit(0)
    os.close(send)
    with os.fdopen(receive) as stream:
        answer = json.load(stream)
    os.waitpid(child, 0)
    assert "error" not in answer, answer["error"]
    return answer["value"]


def mount(source: str, target: str, fstype: str, data: str = "", flags: int = 0) -> None:
    if libc.mount(source.encode(), target.encode(), fstype.encode(), flags, data.encode()):
        raise OSError(ctypes.get_errno(), f"mount {fstype} {data}", target)


def snapshot(top: str) -> dict[str, tuple]:
    """Everything about a tree that an archive can carry, by relative path."""
    found, inodes = {}, {}
    for base, folders, files in os.walk(os.fsencode(top)):
        for name in [b"", *files, *(f for f in folders if os.path.islink(os.path.join(base, f)))]:
            path = os.path.join(base, name) if name else base
            info = os.lstat(path)
            relative = os.fsdecode(os.path.relpath(path, os.fsencode(top)))
            content: object = None
            if os.path.islink(path):
                content = os.readlink(path)
            elif os.path.isfile(path):
                content = Path(os.fsdecode(path)).read_bytes()
            xattrs = {
                k: os.getxattr(path, k, follow_symlinks=False)
                for k in os.listxattr(path, follow_symlinks=False)
            }
            first = (
                inodes.setdefault(info.st_ino, relative)
                if info.st_nlink > 1 and not os.path.isdir(path)
                else None
            )
            found[relative] = (
                oct(info.st_mode), info.st_uid, info.st_gid, info.st_rdev, info.st_mtime_ns, content, xattrs, first,
            )  # fmt: skip
    return found
