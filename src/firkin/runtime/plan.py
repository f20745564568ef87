"""config.json -> the ordered list of what has to be done. Pure: no kernel is asked, nothing is opened.

    namespaces -> mounts in their order -> devices, links, console -> sysctls -> masked, read-only paths
    -> names -> working directory -> pivot

``str(plan(spec))`` prints it, one step a line.
"""

from __future__ import annotations

from firkin.errors import InvalidArgument
from firkin.linux.mount import MOUNT_ATTR_RDONLY
from firkin.runtime.options import PROPAGATION, parse_options
from firkin.runtime.steps import (
    Console,
    Device,
    Freeze,
    Hostname,
    Join,
    Link,
    Mask,
    Mount,
    Plan,
    Settle,
    Sysctl,
    WorkingDirectory,
)  # fmt: skip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from firkin.record import Record

# config-linux.md "Default Devices"; console and ptmx are made otherwise
DEFAULT_DEVICES = (
    Device(path="/dev/null", kind="c", major=1, minor=3),
    Device(path="/dev/zero", kind="c", major=1, minor=5),
    Device(path="/dev/full", kind="c", major=1, minor=7),
    Device(path="/dev/random", kind="c", major=1, minor=8),
    Device(path="/dev/urandom", kind="c", major=1, minor=9),
    Device(path="/dev/tty", kind="c", major=5, minor=0),
)
# runtime-linux.md "Dev symbolic links", and those that every runtime makes besides
_LINKS = (
    Link(path="/dev/fd", target="/proc/self/fd"),
    Link(path="/dev/stdin", target="/proc/self/fd/0"),
    Link(path="/dev/stdout", target="/proc/self/fd/1"),
    Link(path="/dev/stderr", target="/proc/self/fd/2"),
    Link(path="/dev/core", target="/proc/kcore", when="/proc/kcore"),
    Link(path="/dev/ptmx", target="pts/ptmx"),
)
_ROOT_PROPAGATION = {
    **{name: PROPAGATION[f"r{name}"] for name in ("shared", "slave", "private")},
    **{f"r{name}": PROPAGATION[f"r{name}"] for name in ("shared", "slave", "private")},
    "unbindable": PROPAGATION["runbindable"], "runbindable": PROPAGATION["runbindable"],
}  # fmt: skip
_TYPES = {"u": "c"}  # "u" is an unbuffered character device


def plan(spec: dict[str, Any]) -> Plan:
    """Return what ``spec`` (validated by oci/spec.py) asks for."""
    linux = spec.get("linux") or {}
    namespaces = linux.get("namespaces") or []
    joins = tuple(Join(kind=n["type"], path=n["path"]) for n in namespaces if n.get("path"))
    new = tuple(n["type"] for n in namespaces if not n.get("path"))
    root = spec.get("root") or {}
    steps: list[Record] = []
    if "mount" in new:
        steps += _filesystem(spec, linux)
    elif spec.get("mounts") or linux.get("maskedPaths") or linux.get("readonlyPaths"):
        raise InvalidArgument(
            "mounts, masked and read-only paths need a mount namespace of the container's own"
        )
    if spec.get("hostname"):
        steps.append(Hostname(name=spec["hostname"]))
    if spec.get("domainname"):
        steps.append(Hostname(name=spec["domainname"], domain=True))
    process = spec.get("process") or {}
    if "mount" in new and process.get("cwd"):
        steps.append(WorkingDirectory(path=process["cwd"]))
    return Plan(
        new=new,
        joins=joins,
        steps=tuple(steps),
        root_readonly=bool(root.get("readonly")),
        root_propagation=_ROOT_PROPAGATION.get(linux.get("rootfsPropagation") or "", 0),
    )


def _filesystem(spec: dict[str, Any], linux: dict[str, Any]) -> list[Record]:
    mounts = spec.get("mounts") or []
    label = linux.get("mountLabel") or ""
    steps: list[Record] = [plan_mount(index, entry, label) for index, entry in enumerate(mounts)]
    if not any(
        isinstance(s, Mount) and s.kind == "bind" and s.destination.rstrip("/") == "/dev" for s in steps
    ):
        steps += _devices(linux.get("devices") or [])
        steps += _LINKS
    if (spec.get("process") or {}).get("terminal"):
        steps.append(Console())
    steps = _settle_dev_later(steps)
    steps += [Sysctl(key=key, value=value) for key, value in (linux.get("sysctl") or {}).items()]
    steps += [Freeze(path=path) for path in linux.get("readonlyPaths") or ()]
    steps += [Mask(path=path) for path in linux.get("maskedPaths") or ()]
    return steps


def _settle_dev_later(steps: list[Record]) -> list[Record]:
    """A read-only /dev becomes that when its devices are there."""
    for at, step in enumerate(steps):
        if (
            isinstance(step, Mount)
            and step.kind == "filesystem"
            and step.destination.rstrip("/") == "/dev"
            and step.options.add & MOUNT_ATTR_RDONLY
        ):
            writable = step.options.replace(add=step.options.add & ~MOUNT_ATTR_RDONLY)
            return [*steps[:at], step.replace(options=writable), *steps[at + 1 :], Settle(path="/dev")]
    return steps


def plan_mount(index: int, entry: dict[str, Any], label: str = "") -> Mount:
    """Return the step for ``mounts[index]``."""
    words = tuple(entry.get("options") or ())
    options = parse_options(words)
    fstype = entry.get("type") or ""
    if options.remount:
        kind = "remount"
    elif options.bind or fstype == "bind":
        kind = "bind"
        if not options.bind:
            options = options.replace(bind=True, recursive=True)
    elif fstype in ("cgroup", "cgroup2"):
        kind = "cgroup"
    else:
        kind = "filesystem"
    if label and kind == "filesystem" and fstype not in ("proc", "sysfs"):
        options = options.replace(data=(*options.data, f"context={label}"))
    destination = entry["destination"]
    if not destination.startswith("/"):
        destination = f"/{destination}"  # deprecated by the spec, still allowed
    source = entry.get("source") or ("" if kind == "bind" else fstype)
    return Mount(
        index=index,
        kind=kind,
        destination=destination,
        fstype=fstype,
        source=source,
        options=options,
        words=words,
    )


def _devices(listed: list[dict[str, Any]]) -> list[Record]:
    by_path: dict[str, Record] = {device.path: device for device in DEFAULT_DEVICES}
    for number, entry in enumerate(listed):
        path = entry["path"]
        if path in ("/dev/console", "/dev/ptmx"):
            continue  # the runtime's own
        by_path[path] = Device(
            path=path,
            kind=_TYPES.get(entry["type"], entry["type"]),
            major=entry.get("major") or 0,
            minor=entry.get("minor") or 0,
            mode=(entry["fileMode"] & 0o7777) if entry.get("fileMode") is not None else 0o666,
            uid=entry.get("uid") or 0,
            gid=entry.get("gid") or 0,
            number=number,
        )
    return list(by_path.values())
