"""config.json: every refusal names its field, everything else passes."""

from __future__ import annotations

import copy

import pytest

from firkin.errors import InvalidArgument
from firkin.oci.spec import validate, validate_process

GOOD = {
    "ociVersion": "1.2.0",
    "root": {"path": "/rootfs", "readonly": True},
    "hostname": "box",
    "process": {
        "args": ["sh"],
        "cwd": "/",
        "env": ["PATH=/bin", "EMPTY="],
        "user": {"uid": 0, "gid": 0, "umask": 18, "additionalGids": [1]},
        "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 1, "hard": 2}],
        "capabilities": {"bounding": ["CAP_CHOWN"], "ambient": None},
        "oomScoreAdj": -1000,
        "ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 7},
        "scheduler": {"policy": "SCHED_FIFO", "priority": 3, "flags": ["SCHED_FLAG_RESET_ON_FORK"]},
    },
    "mounts": [{"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid"]}],
    "annotations": {"a": "b"},
    "linux": {
        "namespaces": [
            {"type": "mount"},
            {"type": "uts"},
            {"type": "network", "path": "/proc/self/fd/3"},
            {"type": "ipc"},
        ],
        "devices": [{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 438}],
        "sysctl": {
            "net.ipv4.ip_forward": "1",
            "kernel.shmmax": "1",
            "kernel.domainname": "x",
            "net/ipv4/conf/eth0.1/mtu": "1",
        },
        "seccomp": {
            "defaultAction": "SCMP_ACT_ERRNO",
            "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}],
        },
        "maskedPaths": ["/proc/kcore"],
        "rootfsPropagation": "rslave",
        "personality": {"domain": "LINUX"},
    },
    "vm": {"unknown": "properties are ignored"},
}


def put(path, value):
    """Return GOOD with ``value`` at ``path`` (a.b.0.c)."""
    spec = copy.deepcopy(GOOD)
    where = spec
    *front, last = [int(word) if word.isdigit() else word for word in path.split(".")]
    for word in front:
        where = where[word]
    if value is ...:
        del where[last]
    else:
        where[last] = value
    return spec


def test_good():
    validate(GOOD)


def test_null_is_absent():
    validate(put("linux.devices", None))
    validate(put("hostname", None))


WRONG = [
    ("ociVersion", ..., "ociVersion"),
    ("ociVersion", "2.0.0", "ociVersion"),
    ("ociVersion", "one", "ociVersion"),
    ("ociVersion", 1, "ociVersion"),
    ("root", "/", "root"),
    ("root.path", 5, "root.path"),
    ("root.readonly", "yes", "root.readonly"),
    ("hostname", "x" * 65, "hostname"),
    ("hostname", ["x"], "hostname"),
    ("process.cwd", "relative", "process.cwd"),
    ("process.cwd", ..., "process.cwd"),
    ("process.args", [], "process.args"),
    ("process.args", ["a\0b"], "process.args[0]"),
    ("process.args", "sh", "process.args"),
    ("process.args", [1], "process.args[0]"),
    ("process.env", ["NOVALUE"], "process.env[0]"),
    ("process.env", ["=x"], "process.env[0]"),
    ("process.user.uid", -1, "process.user.uid"),
    ("process.user.uid", True, "process.user.uid"),
    ("process.user.uid", 1.5, "process.user.uid"),
    ("process.user.umask", 0o1000, "process.user.umask"),
    ("process.user.additionalGids", [1 << 32], "process.user.additionalGids[0]"),
    ("process.rlimits.0.type", "RLIMIT_NOPE", "process.rlimits[0].type"),
    ("process.rlimits.0.soft", 3, "process.rlimits[0].soft"),
    ("process.rlimits.0.hard", ..., "process.rlimits[0].hard"),
    ("process.rlimits", [GOOD["process"]["rlimits"][0]] * 2, "process.rlimits"),
    ("process.oomScoreAdj", 1001, "process.oomScoreAdj"),
    ("process.ioPriority.priority", 8, "process.ioPriority.priority"),
    ("process.ioPriority.class", "FAST", "process.ioPriority.class"),
    ("process.scheduler.policy", "SCHED_BEST", "process.scheduler.policy"),
    ("process.scheduler.flags", ["x"], "process.scheduler.flags[0]"),
    ("process.capabilities", [], "process.capabilities"),
    ("process.capabilities.bounding", "CAP_CHOWN", "process.capabilities.bounding"),
    ("mounts", {}, "mounts"),
    ("mounts.0", "proc", "mounts[0]"),
    ("mounts.0.destination", ..., "mounts[0].destination"),
    ("mounts.0.destination", "/", "mounts[0].destination"),
    ("mounts.0.options", ["a\0"], "mounts[0].options[0]"),
    ("mounts.0.uidMappings", [{"containerID": 0, "hostID": 0, "size": 1}], "mounts[0]"),
    ("mounts.0.gidMappings", [{"containerID": 0}], "mounts[0].gidMappings[0].hostID"),
    ("annotations", {"a": 1}, "annotations[a]"),
    ("linux.namespaces.0.type", "moon", "linux.namespaces[0].type"),
    ("linux.namespaces.2.path", "relative", "linux.namespaces[2].path"),
    ("linux.namespaces", [{"type": "pid"}, {"type": "pid"}], "linux.namespaces"),
    ("linux.namespaces", [{"type": "uts"}, {"type": "user"}, {"type": "network"}, {"type": "ipc"}], "linux.uidMappings"),
    ("linux.namespaces", [{"type": "network"}, {"type": "ipc"}], "hostname"),
    ("linux.uidMappings", [{"containerID": 0, "hostID": 0, "size": 1}], "linux.uidMappings"),
    ("linux.timeOffsets", {"boottime": {"secs": 1}}, "linux.timeOffsets"),
    ("linux.devices.0.type", "x", "linux.devices[0].type"),
    ("linux.devices.0.path", "dev/x", "linux.devices[0].path"),
    ("linux.devices.0.major", ..., "linux.devices[0]"),
    ("linux.devices", [GOOD["linux"]["devices"][0]] * 2, "linux.devices"),
    ("linux.sysctl", {"vm.swappiness": "1"}, "linux.sysctl[vm.swappiness]"),
    ("linux.sysctl", {"kernel.hostname": "x"}, "linux.sysctl[kernel.hostname]"),
    ("linux.sysctl", {"kernel.panic": "1"}, "linux.sysctl[kernel.panic]"),
    ("linux.sysctl", {"net..ipv4": "1"}, "linux.sysctl[net..ipv4]"),
    ("linux.sysctl", {"net/../vm/swappiness": "1"}, "linux.sysctl[net/../vm/swappiness]"),
    ("linux.sysctl", {"user.max_net_namespaces": "1"}, "linux.sysctl[user.max_net_namespaces]"),
    ("linux.seccomp.defaultAction", "SCMP_ACT_MAYBE", "linux.seccomp.defaultAction"),
    ("linux.seccomp.syscalls.0.names", "read", "linux.seccomp.syscalls[0].names"),
    ("linux.maskedPaths", ["proc"], "linux.maskedPaths[0]"),
    ("linux.rootfsPropagation", "upwards", "linux.rootfsPropagation"),
    ("linux.personality.domain", "SOLARIS", "linux.personality.domain"),
    ("linux.memoryPolicy", {"mode": "MPOL_WHATEVER"}, "linux.memoryPolicy.mode"),
    ("linux.resources", [], "linux.resources"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "field"), WRONG, ids=[f"{p}={v!r:.30}" for p, v, _ in WRONG])
def test_wrong(path, value, field):
    with pytest.raises(InvalidArgument) as caught:
        validate(put(path, value))
    assert caught.value.fields["field"] == field
    assert field in str(caught.value)


def test_sysctls_of_a_joined_network_are_allowed_and_of_the_hosts_are_not():
    validate(put("linux.sysctl", {"net.ipv4.ip_forward": "1"}))
    spec = put("linux.namespaces", [{"type": "uts"}, {"type": "ipc"}])
    with pytest.raises(InvalidArgument, match="network namespace"):
        validate(spec)


def test_not_an_object():
    with pytest.raises(InvalidArgument):
        validate([])


def test_a_process_alone():
    validate_process({"args": ["sh"], "cwd": "/"}, shape=True)
    with pytest.raises(InvalidArgument, match=r"process\.cwd"):
        validate_process({"args": ["sh"], "cwd": "x"}, shape=True)
    with pytest.raises(InvalidArgument, match=r"process\.args"):
        validate_process({"args": ["sh", None], "cwd": "/"}, shape=True)
