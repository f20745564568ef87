"""linux.namespaces, id mappings, sysctls and host name of config.json: who shares what with whom.

A namespace is absent (the host's), new, or joined by a path in Facts.namespaces:

    flag       host            default          container:NAME
    --network  absent          new or path      path
    --ipc      absent          new              path
    --pid      absent          new              path
    --uts      absent          new              path
    --userns   absent          absent           path            auto, --uidmap: new, with mappings
    --cgroupns absent          v1 absent, v2 new
    time       absent          absent                           --time-offset: new
"""

from __future__ import annotations

from firkin.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from firkin.specgen.facts import Facts
    from firkin.specgen.options import CreateOptions, IdMap


def wants_userns(options: CreateOptions) -> bool:
    """Say whether the container gets a user namespace of its own (a joined one does not count)."""
    mode = options.userns
    if mode.startswith("container:") or mode == "host":
        return False
    return bool(mode or options.uidmap or options.gidmap)


def cgroupns(options: CreateOptions, facts: Facts) -> str:
    """Return "host" or "private"; docker's default depends on the cgroup version."""
    return options.cgroupns or ("private" if facts.cgroup_version == 2 else "host")


def namespaces(options: CreateOptions, facts: Facts) -> list[dict[str, str]]:
    """Return linux.namespaces. Raises InvalidArgument when a namespace to join was not found."""
    found = [{"type": "mount"}]
    for kind, mode in (
        ("network", options.network),
        ("uts", options.uts),
        ("pid", options.pid),
        ("ipc", options.ipc),
        ("user", options.userns),
    ):
        if mode == "host" or (kind == "user" and not mode and not wants_userns(options)):
            continue
        path = facts.namespaces.get(kind)
        if path:
            found.append({"type": kind, "path": path})
        elif mode.startswith("container:"):
            raise InvalidArgument(
                f"cannot join the {kind} namespace of {mode[10:]}: it is not running",
                hint=f"start it first: firkin start {mode[10:]}",
                container=mode[10:],
            )
        else:
            found.append({"type": kind})
    if cgroupns(options, facts) == "private":
        found.append({"type": "cgroup"})
    if options.time_offset:
        found.append({"type": "time"})
    return found


def time_offsets(options: CreateOptions) -> dict[str, dict[str, int]]:
    return {
        offset.clock: {"secs": offset.seconds, "nanosecs": offset.nanoseconds}
        for offset in options.time_offset
    }


def id_mappings(options: CreateOptions, facts: Facts) -> tuple[list[dict[str, int]], list[dict[str, int]]]:
    """Return (uidMappings, gidMappings) of a new user namespace; one of --uidmap, --gidmap serves for both."""
    uids = options.uidmap or options.gidmap or facts.uid_maps
    gids = options.gidmap or options.uidmap or facts.gid_maps
    if not uids or not gids:
        raise InvalidArgument(
            "the user namespace has no id mapping", hint="use --userns auto, or --uidmap 0:100000:65536"
        )
    for flag, maps in (("uidmap", uids), ("gidmap", gids)):
        _check_overlap(flag, maps)
    return [_mapping(m) for m in uids], [_mapping(m) for m in gids]


def _mapping(item: IdMap) -> dict[str, int]:
    return {"containerID": item.container_id, "hostID": item.host_id, "size": item.size}


def _check_overlap(flag: str, maps: Sequence[IdMap]) -> None:
    # user_namespaces(7): the kernel refuses overlaps on either side with a bare EINVAL.
    for side in ("container_id", "host_id"):
        end = -1
        for start, size in sorted((getattr(m, side), m.size) for m in maps):
            if start < end:
                raise InvalidArgument(
                    f"--{flag}: ranges overlap at {start}", hint="give every id to one range only"
                )
            end = start + size


def sysctls(options: CreateOptions, *, new_userns: bool, in_userns: bool = False) -> dict[str, str]:
    """Return linux.sysctl: docker's two defaults for an own network namespace, then --sysctl."""
    found: dict[str, str] = {}
    if options.network != "host" and not options.network.startswith("container:"):
        found["net.ipv4.ip_unprivileged_port_start"] = "0"
        if not new_userns and not in_userns:
            found["net.ipv4.ping_group_range"] = "0 2147483647"
    if options.sysctl:
        _add_sysctls(found, options)
    return found


def _add_sysctls(found: dict[str, str], options: CreateOptions) -> None:
    from firkin.specgen.parse_lines import SYSCTLS

    for name, value in options.sysctl.items():
        if name.startswith("net.") and options.network == "host":
            raise InvalidArgument(
                f'sysctl "{name}" not allowed in host network namespace',
                hint="drop --network host or the sysctl",
            )
        if (name in SYSCTLS or name.startswith("fs.mqueue.")) and options.ipc == "host":
            raise InvalidArgument(
                f'sysctl "{name}" not allowed in host ipc namespace', hint="drop --ipc host or the sysctl"
            )
        found[name] = value


def hostname(options: CreateOptions, facts: Facts) -> str:
    """Return the container's host name: -h, else that of the network namespace's owner, else the short id.

    As in docker, --uts host alone does not change HOSTNAME.
    """
    shared = options.network == "host" or options.network.startswith("container:")
    return options.hostname or (facts.hostname if shared else "") or facts.container_id[:12]
