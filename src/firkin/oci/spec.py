"""The runtime's config.json: what values it may hold. Pure; ``validate`` names the field that is wrong.

Source: opencontainers/runtime-spec v1.3.0, config.md and config-linux.md. Unknown properties are ignored (the spec's
MUST); values of a wrong type, unknown enumeration values, duplicates and relative paths where absolute ones are
demanded are errors. Strings that go to the kernel may not hold NUL.
"""

from __future__ import annotations

from firkin.errors import InvalidArgument
from firkin.oci.spec_shape import (
    ABSOLUTE,
    BOOLEAN,
    INT32,
    INT64,
    STRING,
    STRINGS,
    UINT16,
    UINT32,
    UINT64,
    array,
    one_of,
    optional_map,
    record,
    wrong,
)  # fmt: skip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

VERSION = "1.3.0"  # the newest that we know
NAMESPACES = ("pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time")
RLIMITS = tuple(
    f"RLIMIT_{name}"
    for name in (
        "AS", "CORE", "CPU", "DATA", "FSIZE", "LOCKS", "MEMLOCK", "MSGQUEUE", "NICE", "NOFILE", "NPROC", "RSS",
        "RTPRIO", "RTTIME", "SIGPENDING", "STACK",
    )
)  # fmt: skip
PROPAGATIONS = (
    "shared",
    "rshared",
    "slave",
    "rslave",
    "private",
    "rprivate",
    "unbindable",
    "runbindable",
    "",
)
SECCOMP_ACTIONS = (
    "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_TRAP", "SCMP_ACT_ERRNO",
    "SCMP_ACT_TRACE", "SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_NOTIFY",
)  # fmt: skip
SECCOMP_OPERATORS = (
    "SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE", "SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_MASKED_EQ",
)  # fmt: skip
# sysctls that belong to a namespace of the container (runc's list, config-linux.md "Sysctl")
_IPC_SYSCTLS = frozenset(
    f"kernel.{name}"
    for name in ("msgmax", "msgmnb", "msgmni", "sem", "shmall", "shmmax", "shmmni", "shm_rmid_forced")
)

_MAPPINGS = array(
    record({"containerID": UINT32, "hostID": UINT32, "size": UINT32}, "containerID", "hostID", "size")
)
_USER = record(
    {"uid": UINT32, "gid": UINT32, "umask": UINT32, "additionalGids": array(UINT32), "username": STRING}
)
_SCHEDULER = record(
    {
        "policy": one_of(*(f"SCHED_{n}" for n in ("OTHER", "FIFO", "RR", "BATCH", "ISO", "IDLE", "DEADLINE"))),
        "nice": INT32, "priority": INT32, "runtime": UINT64, "deadline": UINT64, "period": UINT64,
        "flags": array(
            one_of(
                *(
                    f"SCHED_FLAG_{n}"
                    for n in (
                        "RESET_ON_FORK", "RECLAIM", "DL_OVERRUN", "KEEP_POLICY", "KEEP_PARAMS", "UTIL_CLAMP_MIN",
                        "UTIL_CLAMP_MAX",
                    )
                )
            )
        ),
    },
    "policy",
)  # fmt: skip
_PROCESS = record(
    {
        "terminal": BOOLEAN,
        "consoleSize": record({"height": UINT16, "width": UINT16}, "height", "width"),
        "cwd": ABSOLUTE,
        "env": STRINGS,
        "args": STRINGS,
        "rlimits": array(
            record({"type": one_of(*RLIMITS), "soft": UINT64, "hard": UINT64}, "type", "soft", "hard")
        ),
        "apparmorProfile": STRING,
        "selinuxLabel": STRING,
        "capabilities": record(
            dict.fromkeys(("bounding", "effective", "permitted", "inheritable", "ambient"), STRINGS)
        ),
        "noNewPrivileges": BOOLEAN,
        "oomScoreAdj": INT32,
        "scheduler": _SCHEDULER,
        "ioPriority": record(
            {"class": one_of("IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE", "IOPRIO_CLASS_IDLE"), "priority": INT32},
            "class",
        ),
        "execCPUAffinity": record({"initial": STRING, "final": STRING}),
        "user": _USER,
    },
    "cwd",
)
_MOUNT = record(
    {
        "destination": STRING, "source": STRING, "type": STRING, "options": STRINGS,
        "uidMappings": _MAPPINGS, "gidMappings": _MAPPINGS,
    },
    "destination",
)  # fmt: skip
_DEVICE = record(
    {
        "type": one_of("c", "b", "u", "p"), "path": ABSOLUTE, "major": INT64, "minor": INT64, "fileMode": UINT32,
        "uid": UINT32, "gid": UINT32,
    },
    "type", "path",
)  # fmt: skip
_SECCOMP = record(
    {
        "defaultAction": one_of(*SECCOMP_ACTIONS),
        "defaultErrnoRet": UINT32,
        "architectures": STRINGS,
        "flags": array(
            one_of(*(f"SECCOMP_FILTER_FLAG_{n}" for n in ("TSYNC", "LOG", "SPEC_ALLOW", "WAIT_KILLABLE_RECV")))
        ),
        "listenerPath": STRING,
        "listenerMetadata": STRING,
        "syscalls": array(
            record(
                {
                    "names": STRINGS,
                    "action": one_of(*SECCOMP_ACTIONS),
                    "errnoRet": UINT32,
                    "args": array(
                        record(
                            {
                                "index": UINT32, "value": UINT64, "valueTwo": UINT64,
                                "op": one_of(*SECCOMP_OPERATORS),
                            },
                            "index", "value", "op",
                        )
                    ),
                },
                "names", "action",
            )
        ),
    },
    "defaultAction",
)  # fmt: skip
_HOOKS = array(record({"path": ABSOLUTE, "args": STRINGS, "env": STRINGS, "timeout": INT64}, "path"))
_OFFSET = record({"secs": INT64, "nanosecs": UINT32})
_LINUX = record(
    {
        "namespaces": array(record({"type": one_of(*NAMESPACES), "path": ABSOLUTE}, "type")),
        "uidMappings": _MAPPINGS,
        "gidMappings": _MAPPINGS,
        "timeOffsets": record({"monotonic": _OFFSET, "boottime": _OFFSET}),
        "devices": array(_DEVICE),
        "cgroupsPath": STRING,
        "resources": record({}),  # the cgroup part reads and checks it
        "rootfsPropagation": one_of(*PROPAGATIONS),
        "seccomp": _SECCOMP,
        "sysctl": optional_map(STRING),
        "maskedPaths": array(ABSOLUTE),
        "readonlyPaths": array(ABSOLUTE),
        "mountLabel": STRING,
        "personality": record({"domain": one_of("LINUX", "LINUX32"), "flags": STRINGS}, "domain"),
        "memoryPolicy": record({"mode": STRING, "nodes": STRING, "flags": STRINGS}, "mode"),
    }
)
_SPEC = record(
    {
        "ociVersion": STRING,
        "root": record({"path": STRING, "readonly": BOOLEAN}, "path"),
        "mounts": array(_MOUNT),
        "process": _PROCESS,
        "hostname": STRING,
        "domainname": STRING,
        "hooks": record(
            dict.fromkeys(
                ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"),
                _HOOKS,
            )
        ),
        "annotations": optional_map(STRING),
        "linux": _LINUX,
    },
    "ociVersion",
)
_MEMORY_MODES = tuple(
    f"MPOL_{n}"
    for n in ("DEFAULT", "BIND", "INTERLEAVE", "WEIGHTED_INTERLEAVE", "PREFERRED", "PREFERRED_MANY", "LOCAL")
)
_MEMORY_FLAGS = tuple(f"MPOL_F_{n}" for n in ("NUMA_BALANCING", "RELATIVE_NODES", "STATIC_NODES"))


def validate(spec: dict[str, Any]) -> None:
    """Raise InvalidArgument (``fields['field']``) unless ``spec`` is a config.json that the runtime can follow."""
    _SPEC(spec, "")
    _check_version(spec["ociVersion"])
    process = spec.get("process")
    if process:
        validate_process(process)
    linux = spec.get("linux") or {}
    namespaces = linux.get("namespaces") or []
    kinds = _unique([n["type"] for n in namespaces], "linux.namespaces")
    _unique([d["path"] for d in linux.get("devices") or ()], "linux.devices")
    _check_names(spec, kinds)
    _check_user_namespace(linux, namespaces)
    if linux.get("timeOffsets") and "time" not in kinds:
        wrong("linux.timeOffsets", "a time namespace in linux.namespaces")
    _check_sysctls(linux.get("sysctl") or {}, namespaces)
    _check_memory_policy(linux.get("memoryPolicy") or {})
    _check_mounts(spec.get("mounts") or ())
    for number, device in enumerate(linux.get("devices") or ()):
        if device["type"] != "p" and ("major" not in device or "minor" not in device):
            wrong(f"linux.devices[{number}]", "major and minor")


def validate_process(process: dict[str, Any], *, shape: bool = False) -> None:
    """Check a process object; with ``shape`` its types too (``exec --process`` comes without a config around it)."""
    if shape:
        _PROCESS(process, "process")
    _unique([limit["type"] for limit in process.get("rlimits") or ()], "process.rlimits")
    for number, limit in enumerate(process.get("rlimits") or ()):
        if limit["soft"] > limit["hard"]:
            wrong(f"process.rlimits[{number}].soft", f"at most the hard limit {limit['hard']}")
    if "args" in process and not process["args"]:
        wrong("process.args", "at least one entry")
    for number, entry in enumerate(process.get("env") or ()):
        if "=" not in entry[1:]:
            wrong(f"process.env[{number}]", "NAME=VALUE")
    score = process.get("oomScoreAdj")
    if score is not None and not -1000 <= score <= 1000:
        wrong("process.oomScoreAdj", "a number from -1000 to 1000")
    priority = (process.get("ioPriority") or {}).get("priority") or 0
    if not 0 <= priority <= 7:
        wrong("process.ioPriority.priority", "a number from 0 to 7")
    if (process.get("user") or {}).get("umask", 0) > 0o777:
        wrong("process.user.umask", "at most 0777")


def _check_version(text: str) -> None:
    parts = text.partition("-")[0].partition("+")[0].split(".")
    if len(parts) != 3 or not all(part.isdigit() for part in parts):
        wrong("ociVersion", f"a version like {VERSION}")
    if int(parts[0]) != int(VERSION.split(".")[0]):
        raise InvalidArgument(f"ociVersion: {text} is not supported, {VERSION} is", field="ociVersion")


def _unique(values: list[str], field: str) -> set[str]:
    found = set(values)
    if len(found) != len(values):
        twice = next(value for value in values if values.count(value) > 1)
        wrong(field, f"{twice} once, it is there twice")
    return found


def _check_names(spec: dict[str, Any], kinds: set[str]) -> None:
    for field in ("hostname", "domainname"):
        name = spec.get(field)
        if name and "uts" not in kinds:
            wrong(field, "a UTS namespace in linux.namespaces to set it in")
        if name and len(name.encode(errors="surrogateescape")) > 64:
            wrong(field, "at most 64 bytes")


def _check_user_namespace(linux: dict[str, Any], namespaces: list[dict[str, Any]]) -> None:
    new = any(n["type"] == "user" and not n.get("path") for n in namespaces)
    for kind in ("uidMappings", "gidMappings"):
        if new and not linux.get(kind):
            wrong(f"linux.{kind}", "mappings for the new user namespace")
        if linux.get(kind) and not any(n["type"] == "user" for n in namespaces):
            wrong(f"linux.{kind}", "a user namespace in linux.namespaces")


def _check_sysctls(sysctls: dict[str, Any], namespaces: list[dict[str, Any]]) -> None:
    kinds = {n["type"] for n in namespaces}
    for key in sysctls:
        field = f"linux.sysctl[{key}]"
        dot, slash = key.find("."), key.find("/")
        name = key if slash < 0 or 0 <= dot < slash else key.replace("/", ".")
        if not name or ".." in name or name.startswith(".") or name.endswith("."):
            wrong(field, "the name of a sysctl")
        if name == "kernel.hostname":
            wrong(field, "the hostname property instead")
        needed = _namespace_of(name)
        if not needed:
            wrong(
                field, "a sysctl of one of the container's namespaces (net.*, fs.mqueue.*, some of kernel.*)"
            )
        if needed not in kinds:
            wrong(field, f"a {needed} namespace of the container, or it would change the host")


def _namespace_of(name: str) -> str:
    if name.startswith("net."):
        return "network"
    if name in _IPC_SYSCTLS or name.startswith("fs.mqueue."):
        return "ipc"
    if name == "kernel.domainname":
        return "uts"
    return "user" if name.startswith("user.") else ""


def _check_memory_policy(policy: dict[str, Any]) -> None:
    if policy and policy["mode"] not in _MEMORY_MODES:
        wrong("linux.memoryPolicy.mode", f"one of {', '.join(_MEMORY_MODES)}")
    for number, flag in enumerate(policy.get("flags") or ()):
        if flag not in _MEMORY_FLAGS:
            wrong(f"linux.memoryPolicy.flags[{number}]", f"one of {', '.join(_MEMORY_FLAGS)}")


def _check_mounts(mounts: list[dict[str, Any]] | tuple[()]) -> None:
    for number, mount in enumerate(mounts):
        if not mount["destination"].strip("/"):
            wrong(f"mounts[{number}].destination", "a path below the root")
        if bool(mount.get("uidMappings")) != bool(mount.get("gidMappings")):
            wrong(f"mounts[{number}]", "both uidMappings and gidMappings, or neither")
