"""Who the program is and what it may: capabilities, ids, groups, limits, labels. capabilities(7), credentials(7)."""

from __future__ import annotations

import errno
import os
import stat

from firkin.errors import InvalidArgument, SyscallError, Unsupported
from firkin.linux import caps, process, sched
from firkin.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SETS = ("bounding", "effective", "permitted", "inheritable", "ambient")
LIMITS = {
    "RLIMIT_CPU": 0, "RLIMIT_FSIZE": 1, "RLIMIT_DATA": 2, "RLIMIT_STACK": 3, "RLIMIT_CORE": 4, "RLIMIT_RSS": 5,
    "RLIMIT_NPROC": 6, "RLIMIT_NOFILE": 7, "RLIMIT_MEMLOCK": 8, "RLIMIT_AS": 9, "RLIMIT_LOCKS": 10,
    "RLIMIT_SIGPENDING": 11, "RLIMIT_MSGQUEUE": 12, "RLIMIT_NICE": 13, "RLIMIT_RTPRIO": 14, "RLIMIT_RTTIME": 15,
}  # fmt: skip
_PERSONALITIES = {"LINUX": 0, "LINUX32": 8}


class CapabilitySets(Record):
    """The five sets as masks, limited to what can be granted."""

    bounding: int = 0
    effective: int = 0
    permitted: int = 0
    inheritable: int = 0
    ambient: int = 0


def capability_sets(wanted: dict[str, Any] | None, available: int) -> tuple[CapabilitySets, list[str]]:
    """Return the sets to apply, and warnings: what is unknown or not ``available`` is left out (config.md)."""
    masks: dict[str, int] = {}
    missing: dict[str, None] = {}
    for name in _SETS:
        bits, unknown = caps.mask((wanted or {}).get(name) or ())
        missing.update(dict.fromkeys([*unknown, *caps.names(bits & ~available)]))
        masks[name] = bits & available
    masks["effective"] &= masks["permitted"]
    masks["inheritable"] &= masks["bounding"] | masks["permitted"]
    masks["ambient"] &= masks["permitted"] & masks["inheritable"]
    warnings = [f"capability {name} cannot be granted here and is left out" for name in missing]
    return CapabilitySets(**masks), warnings


def available_capabilities(*, new_userns: bool) -> int:
    """Return the mask of what a child could have: all in a user namespace of its own, else what we may use."""
    if new_userns:
        return (1 << (caps.last() + 1)) - 1
    return caps.get()[1]


def apply_privileges(sets: CapabilitySets, user: dict[str, Any], *, userns: bool) -> None:
    """Become ``user`` with ``sets``. The caller has dropped nothing yet."""
    caps.limit_bounding_set(sets.bounding)
    process.prctl(process.PR_SET_KEEPCAPS, 1)
    _become(user, userns=userns)
    process.prctl(process.PR_SET_KEEPCAPS, 0)
    # setresuid made the process dumpable again where fs.suid_dumpable says so
    process.prctl(process.PR_SET_DUMPABLE, 0)
    caps.set_all(sets.effective, sets.permitted, sets.inheritable)
    caps.set_ambient(sets.ambient)


def _become(user: dict[str, Any], *, userns: bool) -> None:
    uid, gid = user.get("uid") or 0, user.get("gid") or 0
    groups = user.get("additionalGids") or []
    try:
        os.setgroups(groups)
    except PermissionError:
        # A user namespace made without privileges: setgroups is denied there for good (user_namespaces(7)).
        if groups or not userns:
            raise SyscallError(errno.EPERM, "setgroups") from None
    except OSError as error:
        raise InvalidArgument(f"groups {groups}: {_unmapped(error)}") from None
    try:
        os.setresgid(gid, gid, gid)
    except OSError as error:
        raise InvalidArgument(f"gid {gid}: {_unmapped(error)}") from None
    try:
        os.setresuid(uid, uid, uid)
    except OSError as error:
        raise InvalidArgument(f"uid {uid}: {_unmapped(error)}") from None


def _unmapped(error: OSError) -> str:
    if error.errno == errno.EINVAL:
        return "not mapped in the container's user namespace"
    return os.strerror(error.errno or 0)


def become_namespace_root() -> None:
    """Be uid and gid 0 of the user namespace just mapped, without other groups."""
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    process.prctl(process.PR_SET_DUMPABLE, 0)
    try:
        os.setgroups(())
    except PermissionError:
        pass  # /proc/PID/setgroups says deny (user_namespaces(7)): the groups it has are all it will have


def limits_of(process_spec: dict[str, Any]) -> list[tuple[str, int, int, int]]:
    """Return (name, number, soft, hard) for each of process.rlimits."""
    return [(r["type"], LIMITS[r["type"]], r["soft"], r["hard"]) for r in process_spec.get("rlimits") or ()]


def apply_limits(limits: list[tuple[str, int, int, int]]) -> None:
    """Set the caller's limits."""
    for name, number, soft, hard in limits:
        try:
            process.set_limit(0, number, soft, hard)
        except SyscallError as error:
            error.add_note(
                f"while setting {name} to {soft}:{hard}; raising a hard limit needs CAP_SYS_RESOURCE"
            )
            raise


def raise_limits(pid: int, limits: list[tuple[str, int, int, int]]) -> None:
    """Set ``pid``'s limits with the monitor's rights: those of a user namespace do not raise any. Best effort."""
    for _, number, soft, hard in limits:
        try:
            process.set_limit(pid, number, soft, hard)
        except SyscallError:
            pass  # the child tries as well, and reports


def apply_scheduling(spec: dict[str, Any], linux: dict[str, Any]) -> None:
    """Personality, scheduler, I/O priority, memory policy."""
    persona = linux.get("personality")
    if persona:
        process.set_personality(_PERSONALITIES[persona["domain"]])
    scheduler = spec.get("scheduler")
    if scheduler:
        flags = sum(sched.POLICY_FLAGS[name] for name in scheduler.get("flags") or ())
        numbers = [scheduler.get(n) or 0 for n in ("nice", "priority", "runtime", "deadline", "period")]
        sched.set_scheduler(sched.POLICIES[scheduler["policy"]], flags, *numbers)
    io = spec.get("ioPriority")
    if io:
        sched.set_io_priority(sched.IO_CLASSES[io["class"]], io.get("priority") or 0)
    memory = linux.get("memoryPolicy")
    if memory:
        mode = sched.MEMORY_MODES[memory["mode"]]
        mode |= sum(sched.MEMORY_FLAGS[name] for name in memory.get("flags") or ())
        sched.set_memory_policy(mode, parse_nodes(memory.get("nodes") or ""))


def parse_nodes(text: str) -> frozenset[int]:
    """Read a list like ``0-3,7``."""
    nodes: set[int] = set()
    for part in filter(None, text.split(",")):
        first, dash, last = part.partition("-")
        last = last if dash else first
        if not (first.isdigit() and last.isdigit() and int(last) <= 1023):
            raise InvalidArgument(f"linux.memoryPolicy.nodes: {text!r} is not a list like 0-3,7")
        nodes.update(range(int(first), int(last) + 1))
    return frozenset(nodes)


def check_labels(spec: dict[str, Any], mount_label: str = "") -> None:
    """Raise Unsupported when a label is asked for that this kernel has no module for."""
    if spec.get("apparmorProfile") and not _says("/sys/module/apparmor/parameters/enabled", "Y"):
        raise Unsupported(
            f"AppArmor profile {spec['apparmorProfile']} is asked for, but the kernel has no AppArmor enabled",
            hint="leave process.apparmorProfile out",
        )
    label = spec.get("selinuxLabel") or mount_label
    if label and not os.path.exists("/sys/fs/selinux/enforce"):
        raise Unsupported(
            f"SELinux label {label} is asked for, but the kernel has no SELinux enabled",
            hint="leave process.selinuxLabel and linux.mountLabel out",
        )


def _says(path: str, text: str) -> bool:
    try:
        with open(path, encoding="ascii") as file:
            return file.read(8).strip() == text
    except OSError:
        return False


def set_exec_labels(proc: int, spec: dict[str, Any]) -> None:
    """Have the LSM change the label at the next execve. ``proc`` was checked to be procfs (CVE-2019-19921)."""
    profile, label = spec.get("apparmorProfile"), spec.get("selinuxLabel")
    if profile:
        try:
            _write_attribute(proc, "self/attr/apparmor/exec", f"exec {profile}")
        except FileNotFoundError:
            _write_attribute(proc, "self/attr/exec", f"exec {profile}")
    if label:
        _write_attribute(proc, "self/attr/exec", label)


def _write_attribute(proc: int, path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=proc)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def own_stdio(uid: int) -> None:
    """Give pipes and terminals on 0-2 to the user, so that /dev/stdout can be opened again (as runc does)."""
    for fd in (0, 1, 2):
        info = os.fstat(fd)
        if info.st_uid != uid and (stat.S_ISFIFO(info.st_mode) or os.isatty(fd)):
            try:
                os.fchown(fd, uid, info.st_gid)
            except OSError:
                pass  # read-only, or of another user namespace
