"""Which mounts make the container's view of the host: a plan of OCI mounts, in the order in which they go on.

    1  other file systems of the host     overlay with an upper of its own, or a read-only bind
    2  /run                               empty tmpfs
    3  masks                              /dev/null over files, an empty read-only tmpfs over directories

A mask is a mount, so a container without CAP_SYS_ADMIN (the default, root or not) cannot take it away.
"""

from __future__ import annotations

import os

from firkin.config import DEFAULT_ROOT, DEFAULT_RUN_ROOT
from firkin.errors import InvalidArgument
from firkin.images import host
from firkin.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from firkin.paths import Paths

# Local file systems that can be an overlay's lower side.
COPIED = frozenset({"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "bcachefs", "zfs", "jfs", "reiserfs", "nilfs2",
                    "erofs", "squashfs"})  # fmt: skip
# Local ones that cannot (their names ignore case), or hold nothing to change.
SHOWN = frozenset({"vfat", "exfat", "ntfs3", "iso9660", "udf", "hfsplus"})
# The container has its own of these, whatever the host has mounted below.
OWN = ("/proc", "/sys", "/dev", "/run")
MAX_MOUNTS = 64
RUN_ROOTS = "/run/firkin-roots"


class UnknownExposure(InvalidArgument):
    """--host-expose names nothing that is masked; ``fields['path']``."""


class HostMount(Record):
    """One visible mount of the host, from mountinfo: directory ``root`` of the file system ``device`` at ``path``."""

    path: str
    fstype: str
    parent: int
    number: int
    device: str
    root: str


class HostPlan(Record):
    """What ``host`` needs beyond its root. ``mounts`` are OCI mounts: other file systems, then /run, then masks.

    ``masked`` are the paths alone. ``folders`` (0755) are to be made before the mounts: uppers and work directories.
    """

    lowers: tuple[str, ...]
    masked: tuple[str, ...]
    folders: tuple[str, ...]
    mounts: tuple[dict[str, Any], ...]


def host_plan(
    paths: Paths, mountinfo: str, exposes: Sequence[str] = (), container_dir: str | None = None
) -> HostPlan:
    """Plan the host image's mounts for one container.

    ``mountinfo`` is the text of /proc/self/mountinfo; ``container_dir`` (ROOT/containers/ID) is where the uppers of the
    host's further file systems go; without it they are read-only binds. Raises UnknownExposure.
    """
    state = _state(paths)
    masked = _without(list(host.secrets()), exposes, state)
    folders: list[str] = []
    mounts: list[dict[str, Any]] = []
    hidden = (*OWN, *state)
    reachable = visible(mountinfo)
    seen = _seen(reachable, hidden)
    for index, mount in enumerate(seen):
        if mount.fstype in COPIED and container_dir is not None:
            upper, work = (f"{container_dir}/host/{index}/{side}" for side in ("upper", "work"))
            folders += (upper, work)
            mounts.append(_overlay(mount.path, upper, work))
        else:
            mounts.append(_bind(mount.path))
    mounts.append(_tmpfs("/run", "rw", "mode=755", "size=65536k"))
    masked += [path for path in state if not _below(path, OWN) and os.path.isdir(path)]
    kinds = {path: os.path.isdir(path) for path in masked}
    kinds.update(aliases(kinds, reachable, seen))
    masked = list(kinds)
    mounts += [_mask(path, directory=directory) for path, directory in kinds.items()]
    return HostPlan(lowers=("/",), masked=tuple(masked), folders=tuple(folders), mounts=tuple(mounts))


def _state(paths: Paths) -> tuple[str, ...]:
    """Where firkin's own state is: this engine's, and the default engine's."""
    own = (paths.root, paths.run_root, DEFAULT_ROOT, DEFAULT_RUN_ROOT, RUN_ROOTS)
    return tuple(dict.fromkeys(os.path.realpath(path) for path in own))


def visible(mountinfo: str) -> list[HostMount]:
    """Return the mounts that a path look-up can reach, parents first (proc_pid_mountinfo(5))."""
    at: dict[str, list[HostMount]] = {}
    for line in mountinfo.split("\n"):
        left, dash, right = line.partition(" - ")
        parts = left.split(" ")
        if not dash or len(parts) < 6:
            continue
        path = _unescaped(parts[4])
        mount = HostMount(
            path=path, fstype=right.split(" ")[0], parent=int(parts[1]), number=int(parts[0]), device=parts[2],
            root=_unescaped(parts[3]),
        )  # fmt: skip
        at.setdefault(path, []).append(mount)
    reachable: dict[str, HostMount] = {}
    for path in sorted(at, key=lambda p: (p.count("/") if p != "/" else 0, p)):
        top, bottom = _stack(at[path])
        around = _around(path, reachable)
        if path == "/" or around is None or around.number == bottom.parent:
            reachable[path] = top
    return list(reachable.values())


def _stack(mounts: list[HostMount]) -> tuple[HostMount, HostMount]:
    """Return the top and the bottom of the mounts on one place: each but the bottom has the one below as its parent."""
    if len(mounts) == 1:
        return mounts[0], mounts[0]
    numbers, parents = {m.number for m in mounts}, {m.parent for m in mounts}
    top = next((m for m in reversed(mounts) if m.number not in parents), mounts[-1])
    bottom = next((m for m in mounts if m.parent not in numbers), mounts[0])
    return top, bottom


def _around(path: str, mounts: dict[str, HostMount]) -> HostMount | None:
    """Return the mount that holds ``path``'s mount point, among those reached so far."""
    while path != "/":
        path = path.rpartition("/")[0] or "/"
        if path in mounts:
            return mounts[path]
    return None


def _seen(mounts: list[HostMount], hidden: Sequence[str]) -> list[HostMount]:
    """Keep local file systems whose mount point the container can see too."""
    kept: list[HostMount] = []
    unseen = list(hidden)
    for mount in mounts:
        if mount.path == "/":
            continue
        if _below(mount.path, unseen):
            continue
        if mount.fstype not in COPIED and mount.fstype not in SHOWN:
            unseen.append(mount.path)  # what is mounted below a place that is not shown is not shown either
        elif os.path.isdir(mount.path):
            kept.append(mount)
    if len(kept) > MAX_MOUNTS:
        raise InvalidArgument(
            f"this machine has {len(kept)} local file systems mounted, more than {MAX_MOUNTS}",
            hint="unmount some, or use an image instead of host",
        )
    return kept


def aliases(masked: dict[str, bool], reachable: list[HostMount], seen: list[HostMount]) -> dict[str, bool]:
    """Return the other places where the container could see what is masked, because its file system is there twice.

    /home bound from /srv/home: /home/ann/.ssh is /srv/home/ann/.ssh too; a bind of /etc somewhere has a shadow too.
    """
    places = [*seen, *(mount for mount in reachable if mount.path == "/")]
    if len({mount.device for mount in (*places, *reachable)}) == len(
        {m.number for m in (*places, *reachable)}
    ):
        return {}
    mounts = {mount.path: mount for mount in reachable}
    found: dict[str, bool] = {}
    for path, directory in masked.items():
        real = os.path.realpath(path)
        holder = mounts.get(real) or _around(real, mounts)
        if holder is None:
            continue
        inside = _joined(holder.root, real[len(holder.path.rstrip("/")) :])
        for place in places:
            if (
                place.number != holder.number
                and place.device == holder.device
                and _below(inside, (place.root,))
            ):
                found[_joined(place.path, inside[len(place.root.rstrip("/")) :])] = directory
    return {path: directory for path, directory in found.items() if path not in masked}


def _joined(folder: str, rest: str) -> str:
    return f"{folder.rstrip('/')}/{rest.strip('/')}".rstrip("/") or "/"


def _without(masked: list[str], exposes: Sequence[str], state: Sequence[str]) -> list[str]:
    for given in exposes:
        path = _asked(given)
        if _below(path, state) or any(_below(own, (path,)) for own in state if path != "/"):
            raise UnknownExposure(f"--host-expose {given}: firkin's own state is never exposed", path=given)
        inside = [mask for mask in masked if _below(mask, (path,))]
        if inside and path != "/":
            masked = [mask for mask in masked if mask not in inside]
            continue
        around = next((mask for mask in masked if _below(path, (mask,))), None)
        if around is None or not os.path.lexists(path):
            raise _unknown(given, masked)
        masked = [mask for mask in masked if mask != around] + _siblings(around, path)
    return masked


def _asked(given: str) -> str:
    path = os.path.expanduser(given)
    if not path.startswith("/") or "\0" in path:
        raise UnknownExposure(
            f"--host-expose {given}: give an absolute path, or one that begins with ~/", path=given
        )
    return os.path.normpath(path)


def _siblings(around: str, path: str) -> list[str]:
    """Return what must stay masked below ``around`` when ``path`` alone is exposed."""
    out, folder = [], around
    for part in path[len(around) + 1 :].split("/"):
        try:
            out += [f"{folder}/{name}" for name in sorted(os.listdir(folder)) if name != part]
        except OSError as error:
            raise UnknownExposure(f"--host-expose {path}: {folder}: {error.strerror}", path=path) from error
        folder = f"{folder}/{part}"
    return out


def _unknown(given: str, masked: Sequence[str]) -> UnknownExposure:
    from difflib import get_close_matches

    near = get_close_matches(_asked(given), masked, n=1, cutoff=0.7)
    hint = f"did you mean {near[0]}?" if near else "docs/host-image.md lists what is masked"
    return UnknownExposure(f"--host-expose {given}: nothing is masked there", hint=hint, path=given)


def _below(path: str, folders: Iterable[str]) -> bool:
    return any(path == folder or path.startswith(f"{folder.rstrip('/')}/") for folder in folders)


def _unescaped(text: str) -> str:
    """Undo the kernel's octal escapes of space, tab, newline and backslash."""
    if "\\" not in text:
        return text
    for code, char in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, char)
    return text


def _overlay(path: str, upper: str, work: str) -> dict[str, Any]:
    options = [
        f"lowerdir={_escaped(path)}",
        f"upperdir={_escaped(upper)}",
        f"workdir={_escaped(work)}",
        "index=off",
    ]
    return {"destination": path, "type": "overlay", "source": "overlay", "options": options}


def _escaped(path: str) -> str:
    """Escape what overlayfs reads as a separator (Documentation/filesystems/overlayfs.rst)."""
    return path.replace("\\", "\\\\").replace(":", "\\:").replace(",", "\\,")


def _bind(path: str) -> dict[str, Any]:
    return {
        "destination": path,
        "type": "bind",
        "source": path,
        "options": ["bind", "ro", "nosuid", "nodev", "private"],
    }


def _tmpfs(path: str, *options: str) -> dict[str, Any]:
    return {"destination": path, "type": "tmpfs", "source": "tmpfs", "options": [*options, "nosuid", "nodev"]}


def _mask(path: str, *, directory: bool) -> dict[str, Any]:
    if directory:
        return _tmpfs(path, "ro", "mode=000", "noexec")
    return {
        "destination": path,
        "type": "bind",
        "source": "/dev/null",
        "options": ["bind", "ro", "noexec", "nosuid"],
    }
