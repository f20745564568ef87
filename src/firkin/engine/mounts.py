"""A container's mount points at creation: volumes made, bind sources checked, and what `inspect` shows of them."""

from __future__ import annotations

import os
import stat

from firkin import ids
from firkin.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from firkin.engine.context import Context
    from firkin.specgen.options import Mount


def plan(mounts: Sequence[Mount]) -> list[dict[str, Any]]:
    """Return the mounts as `docker inspect` does; anonymous volumes get their name here and now.

    The container's row names them before they exist, so that a crash in between loses none. Volume directories are
    filled in by ``make``.
    """
    return [_point(mount) for mount in mounts if mount.type != "tmpfs"]


def _point(mount: Mount) -> dict[str, Any]:
    if mount.type == "bind":
        return {
            "Type": "bind", "Source": mount.source, "Destination": mount.target, "Mode": mount.mode,
            "RW": not mount.read_only, "Propagation": mount.propagation or "rprivate",
        }  # fmt: skip
    point: dict[str, Any] = {
        "Type": "volume", "Name": mount.source or ids.new_id(), "Source": "", "Destination": mount.target,
        "Driver": mount.driver or "local", "Mode": mount.mode or "z", "RW": not mount.read_only, "Propagation": "",
    }  # fmt: skip
    if not mount.source:
        point["anonymous"] = True
    if mount.no_copy or mount.subpath:
        point["nocopy"] = True
    if mount.subpath:
        point["subpath"] = mount.subpath
    return point


def make(ctx: Context, mounts: Sequence[Mount], points: Sequence[dict[str, Any]]) -> None:
    """Make what the mounts need: volumes, and bind sources that -v names and that are missing.

    Raises InvalidArgument (a source of --mount is missing), Conflict, Unsupported.
    """
    for mount, point in zip([m for m in mounts if m.type != "tmpfs"], points, strict=True):
        if mount.type == "bind":
            check_source(mount)
            continue
        volume = ctx.volumes.create(
            point["Name"], mount.labels or None, mount.driver_opts or None, point["Driver"],
            anonymous=bool(point.get("anonymous")),
        )  # fmt: skip
        point["Source"] = volume.mountpoint


def check_source(mount: Mount) -> None:
    """Make or demand the source of a bind mount; for a propagation that goes out, demand a mount that propagates."""
    try:
        os.stat(mount.source)
        if mount.propagation not in ("", "private", "rprivate"):
            _check_propagation(mount)
    except FileNotFoundError:
        if mount.create_source:
            os.makedirs(mount.source, mode=0o755, exist_ok=True)
            return
        raise InvalidArgument(
            f'invalid mount config for type "bind": bind source path does not exist: {mount.source}',
            hint="make it first, or use -v, which makes a missing directory",
            path=mount.source,
        ) from None
    except OSError as error:
        raise InvalidArgument(
            f"cannot look at the bind source {mount.source}: {error.strerror}", path=mount.source
        ) from None


def _check_propagation(mount: Mount) -> None:
    """Refuse what would be a private mount in spite of its name, as docker does (mount_namespaces(7))."""
    source = os.path.realpath(mount.source)
    point, fields = "", ""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as stream:
        for line in stream:
            words = line.partition(" - ")[0].split(" ")
            place = words[4].replace("\\040", " ")
            inside = source == place or source.startswith(f"{place.rstrip('/')}/")
            if inside and len(place) >= len(point):
                point, fields = place, " ".join(words[6:])
    wanted = ("shared:",) if mount.propagation.endswith("shared") else ("shared:", "master:")
    if not any(word in fields for word in wanted):
        kind = "a shared" if mount.propagation.endswith("shared") else "a shared or slave"
        raise InvalidArgument(
            f"path {mount.source} is mounted on {point} but it is not {kind} mount",
            hint=f"make it one: mount --make-rshared {point}",
            path=mount.source,
        )


def volume_paths(ctx: Context, points: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Return mount target -> directory of the volume, for the mounts of type volume."""
    return {p["Destination"]: ctx.volumes.path(p["Name"]) for p in points if p["Type"] == "volume"}


def subpaths(points: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Return mount target -> path inside the volume, for the mounts that show a part of it."""
    return {p["Destination"]: p["subpath"] for p in points if p.get("subpath")}


def open_subpath(root: str, subpath: str) -> int:
    """Return a descriptor (O_PATH) of ``subpath`` inside the volume ``root``, which may be hostile.

    A descriptor, because a container with the same volume can put a symlink in the place of what was looked at. The
    caller opens it in the mount namespace that copies it, and closes it. Raises InvalidArgument.
    """
    from firkin.linux.path import RESOLVE_NO_SYMLINKS, open_in_root

    folder = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fd = open_in_root(folder, subpath, resolve=RESOLVE_NO_SYMLINKS)
    except OSError as error:
        raise InvalidArgument(
            f"cannot access path {subpath} in the volume: {error.strerror}",
            hint="make it in the volume first; links are not followed",
        ) from None
    finally:
        os.close(folder)
    if not stat.S_ISDIR(os.fstat(fd).st_mode) and not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise InvalidArgument(f"path {subpath} in the volume is neither a directory nor a file")
    return fd


def fresh(points: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Return mount target -> volume for those that take the image's content when they are empty."""
    return {p["Destination"]: p["Name"] for p in points if p["Type"] == "volume" and not p.get("nocopy")}


def inherited(ctx: Context, refs: Sequence[str]) -> list[Mount]:
    """Return the mounts of --volumes-from: NAME[:ro|rw]. Raises NotFound, InvalidArgument."""
    from firkin.engine.container import find

    found: list[Mount] = []
    for ref in refs:
        name, _, mode = ref.partition(":")
        if mode not in ("", "ro", "rw", "z", "Z"):
            raise InvalidArgument(f'invalid mode: "{mode}" for volumes-from', hint="use ro or rw")
        found.extend(_again(point, mode) for point in find(ctx, name).opened("mounts") or ())
    return found


def _again(point: dict[str, Any], mode: str) -> Mount:
    from firkin.specgen.options import Mount

    return Mount(
        type=point["Type"],
        target=point["Destination"],
        source=point["Name"] if point["Type"] == "volume" else point["Source"],
        read_only=mode == "ro" or not point["RW"],
        mode=mode,
        no_copy=True,
        subpath=point.get("subpath", ""),
        propagation=point["Propagation"] if point["Type"] == "bind" else "",
    )
