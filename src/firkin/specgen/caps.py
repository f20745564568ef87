"""Capabilities by name: the default 14, --cap-add, --cap-drop, --privileged, and what the caller has at all."""

from __future__ import annotations

from firkin.errors import InvalidArgument, PermissionDenied

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

# capability(7), in the kernel's order: the index is the number.
NAMES = (
    "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID",
    "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT", "CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE", "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL", "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
)  # fmt: skip

DEFAULT = (
    "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID",
    "CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL",
    "CAP_AUDIT_WRITE",
)  # fmt: skip

ALL = "ALL"


def normalize(names: Sequence[str]) -> list[str]:
    """Return ``net_admin`` as ``CAP_NET_ADMIN`` and ``all`` as ``ALL``. Raises InvalidArgument."""
    found = []
    for text in names:
        name = text.strip().upper()
        if name not in (ALL, "CAP_ALL"):
            name = name if name.startswith("CAP_") else f"CAP_{name}"
            if name not in NAMES:
                raise InvalidArgument(
                    f'invalid capability: "{name}"', hint="capabilities(7) has the names; ALL is all of them"
                )
        else:
            name = ALL
        found.append(name)
    return found


def available(held: Sequence[str] | None, last_cap: int) -> tuple[str, ...]:
    """Return what can be given at all: what the kernel knows and the caller has."""
    known = NAMES[: last_cap + 1]
    return known if held is None else tuple(name for name in known if name in held)


def choose(
    add: Sequence[str],
    drop: Sequence[str],
    *,
    privileged: bool = False,
    held: Sequence[str] | None = None,
    last_cap: int = 40,
) -> tuple[str, ...]:
    """Return the container's capabilities, docker's rules. Raises InvalidArgument, PermissionDenied."""
    added, dropped = normalize(add), normalize(drop)
    if not (added or dropped or privileged) and held is None:
        return DEFAULT
    possible = available(held, last_cap)
    if privileged:
        return possible
    for name in added:
        if name != ALL and name not in possible:
            raise PermissionDenied(
                f"cannot add capability {name}: this kernel or firkin's own process lacks it",
                hint="drop the flag, or start firkin with that capability",
                capability=name,
            )
    if ALL in added:
        return tuple(name for name in possible if name not in dropped)
    named = tuple(dict.fromkeys(added))
    if ALL in dropped:
        return named
    kept = tuple(name for name in DEFAULT if name not in dropped and name in possible)
    return kept + tuple(name for name in named if name not in kept)
