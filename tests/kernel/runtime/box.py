"""Containers for tests: each launch happens in a forked monitor in a mount namespace of its own."""

from __future__ import annotations

import copy
import json
import os
import select
import sys
import time
import traceback
from pathlib import Path

from firkin.errors import to_wire
from firkin.linux import mount as m
from firkin.linux import ns, process
from firkin.runtime.execute import execute
from firkin.runtime.launch import Stdio, launch, mount_root

CAPS = [
    f"CAP_{name}"
    for name in (
        "CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP", "SETPCAP",
        "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE",
    )
]  # fmt: skip
NAMESPACES = ("mount", "network", "uts", "pid", "ipc", "cgroup")
MOUNTS = [
    {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"]},
    {
        "destination": "/dev", "type": "tmpfs", "source": "tmpfs",
        "options": ["nosuid", "strictatime", "mode=755", "size=65536k"],
    },
    {
        "destination": "/dev/pts", "type": "devpts", "source": "devpts",
        "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
    },
    {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]},
    {
        "destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
        "options": ["ro", "nosuid", "noexec", "nodev"],
    },
    {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": ["nosuid", "noexec", "nodev"]},
    {
        "destination": "/dev/shm", "type": "tmpfs", "source": "shm",
        "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=67108864"],
    },
]  # fmt: skip
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MASKED = [
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/timer_list",
    "/sys/firmware",
]
READONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
MAP = [{"containerID": 0, "hostID": 100000, "size": 65536}]


def make_spec(root, *args):
    """Return docker's default config.json for ``args``, a fresh copy."""
    return {
        "ociVersion": "1.2.0",
        "root": {"path": str(root)},
        "hostname": "box",
        "process": {
            "args": list(args),
            "cwd": "/",
            "env": [PATH],
            "user": {"uid": 0, "gid": 0},
            "capabilities": {"bounding": CAPS[:], "effective": CAPS[:], "permitted": CAPS[:]},
        },
        "mounts": copy.deepcopy(MOUNTS),
        "linux": {
            "namespaces": [{"type": kind} for kind in NAMESPACES],
            "maskedPaths": MASKED[:],
            "readonlyPaths": READONLY[:],
        },
    }


def in_userns(spec):
    """Put ``spec`` into a user namespace; the root's files belong to its root (see the ``mapped`` fixture)."""
    spec["linux"]["namespaces"].append({"type": "user"})
    spec["linux"]["uidMappings"] = copy.deepcopy(MAP)
    spec["linux"]["gidMappings"] = copy.deepcopy(MAP)
    return spec


class Outcome:
    """What became of a launch."""

    def __init__(self, values):
        self.code = values.get("code")
        self.out = values.get("out", "")
        self.error = values.get("error")  # to_wire's mapping
        self.notes = values.get("notes", [])
        self.warnings = values.get("warnings", [])
        self.value = values.get("value")
        self.left = values.get("left", [])

    @property
    def lines(self):
        return self.out.splitlines()

    def __repr__(self):
        return f"Outcome({self.__dict__})"


def in_monitor(function, *args):
    """Fork; become a monitor; return what ``function(*args)`` (JSON-able) returned there."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        code = 1
        try:
            ns.unshare(ns.CLONE_NEWNS)
            m.mount(None, "/", None, m.MS_REC | m.MS_SLAVE)
            process.set_subreaper()
            with os.fdopen(writer, "w") as file:
                json.dump(function(*args), file)
            code = 0
        except BaseException:  # noqa: BLE001
            traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader) as file:
        data = file.read()
    _, status = os.waitpid(pid, 0)
    assert status == 0, "the monitor failed: see stderr"
    return json.loads(data)


def read_all(fd, seconds=20):
    """Read ``fd`` to its end (or a terminal's EIO)."""
    data, until = b"", time.monotonic() + seconds
    while select.select([fd], [], [], max(0, until - time.monotonic()))[0]:
        try:
            more = os.read(fd, 65536)
        except OSError:
            break
        if not more:
            break
        data += more
    return data.decode(errors="replace")


def start(spec, out, **options):
    null = os.open("/dev/null", os.O_RDWR)
    options.setdefault("cgroup", None)
    options.setdefault("bundle", "/tmp")
    return launch(
        spec, container_id="firkin-test-runtime", stdio=Stdio(stdin=null, stdout=out, stderr=out), parent_death_signal=9,
        **options,
    )  # fmt: skip


def enter(init, spec, process_spec, out, **options):
    null = os.open("/dev/null", os.O_RDWR)
    return execute(
        process_spec, init_pid=init.pid, spec=spec, cgroup=None, stdio=Stdio(stdin=null, stdout=out, stderr=out),
        parent_death_signal=9, **options,
    )  # fmt: skip


def children():
    """Return the pids of this process's children."""
    with open(f"/proc/self/task/{os.getpid()}/children") as file:
        return file.read().split()


def mount_count():
    return Path("/proc/self/mountinfo").read_text().count("\n")


def describe(error):
    return {"error": to_wire(error), "notes": list(getattr(error, "__notes__", ()))}


def run_here(spec, options):
    """In the monitor: launch, collect output, wait."""
    reader, writer = os.pipe()
    mounts = mount_count()
    try:
        launched = start(spec, writer, **options)
    except Exception as error:  # noqa: BLE001
        left = [f"child {pid}" for pid in children()]
        if mount_count() != mounts:
            left.append("a mount")
        return {**describe(error), "left": left}
    os.close(writer)
    out = read_all(launched.terminal if launched.terminal is not None else reader)
    return {"code": process.wait_pidfd(launched.pidfd), "out": out, "warnings": list(launched.warnings)}


def run(spec, **options):
    """Launch ``spec`` on its root.path, a plain directory; return the Outcome."""

    def monitor():
        mount_root(spec["root"]["path"], spec["root"]["path"])
        return run_here(spec, options)

    return Outcome(in_monitor(monitor))


def run_exec(spec, *process_specs, **options):
    """Start ``spec`` (a program that stays), execute each process in it; return the Outcomes."""

    def monitor():
        mount_root(spec["root"]["path"], spec["root"]["path"])
        null = os.open("/dev/null", os.O_RDWR)
        init = start(spec, null)
        outcomes = []
        for one in process_specs:
            reader, writer = os.pipe()
            try:
                launched = enter(init, spec, one, writer, **options)
            except Exception as error:  # noqa: BLE001
                outcomes.append(describe(error))
                continue
            os.close(writer)
            out = read_all(launched.terminal if launched.terminal is not None else reader)
            outcomes.append({"code": process.wait_pidfd(launched.pidfd), "out": out})
        process.pidfd_send_signal(init.pidfd, 9)
        process.wait_pidfd(init.pidfd)
        return outcomes

    return [Outcome(values) for values in in_monitor(monitor)]


def exec_spec(spec, *args, **changes):
    """Return a process object like the container's, with other args."""
    return {**copy.deepcopy(spec["process"]), "args": list(args), **changes}
