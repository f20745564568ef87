"""container:NAME in --network, --ipc, --pid, --uts, --userns: whose namespaces a container joins."""

from __future__ import annotations

from firkin.engine.container import find
from firkin.engine.states import RUNNING
from firkin.errors import Conflict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from firkin.engine.context import Context
    from firkin.engine.row import Container
    from firkin.specgen.options import CreateOptions

PREFIX = "container:"
#        field      OCI type   below /proc/PID/ns
_KINDS = (
    ("network", "network", "net"),
    ("ipc", "ipc", "ipc"),
    ("pid", "pid", "pid"),
    ("uts", "uts", "uts"),
    ("userns", "user", "user"),
)


def resolve(ctx: Context, container: Container, options: CreateOptions) -> dict[str, Any]:
    """Return the fields of StartPlan about joined namespaces and shared memory. Raises NotFound, Conflict."""
    found: dict[str, Any] = {"namespaces": {}, "borrowed": {}}
    for field, kind, name in _KINDS:
        mode = getattr(options, field)
        if not mode.startswith(PREFIX):
            continue
        other = find(ctx, mode.removeprefix(PREFIX))
        if other.id == container.id or other.state != RUNNING:
            raise Conflict(
                f"cannot join the {kind} namespace of container {other.name}: it is not running",
                hint=f"start it first: firkin start {other.name}",
            )
        if kind == "ipc" and other.create_options().ipc not in ("shareable", "host"):
            raise Conflict(
                f"cannot join the ipc namespace of container {other.name}: it is not shareable",
                hint="start that one with --ipc shareable",
            )
        found["namespaces"][kind] = f"/proc/{other.pid}/ns/{name}"
        if kind == "network":
            home = ctx.config.paths.container(other.id)
            found["borrowed"] = {file: f"{home}/{file}" for file in ("hosts", "hostname", "resolv.conf")}
        elif kind == "ipc":
            found["shm_path"] = f"/proc/{other.pid}/ns/mnt"
        elif kind == "user":
            from firkin.specgen.options import IdMap

            for file, key in (("uid_map", "uid_maps"), ("gid_map", "gid_maps")):
                found[key] = [m.to_dict() for m in _maps(f"/proc/{other.pid}/{file}", IdMap)]
    if options.userns.startswith("auto") or options.userns == "private":
        from firkin.engine.userns import allocate

        found.update(allocate(ctx, container, options.userns))
    return found


def _maps(path: str, record: Any) -> list[Any]:  # noqa: ANN401 - IdMap, imported late
    with open(path, encoding="ascii") as stream:
        rows = [[int(word) for word in line.split()] for line in stream]
    return [record(container_id=row[0], host_id=row[1], size=row[2]) for row in rows]
