"""The config.json that we generate beside the one that Debian's dockerd (20.10) hands to its runtime, flag by flag.

A dockerd of our own gets a spy as its OCI runtime: it keeps the bundle's config.json and fails, so that no container is
ever made. Docker's own flags go to docker's client; our parsers read the same flags.

Where Docker 28 differs from 20.10, or we say the same thing in another way, `normalize` makes both alike:

    ociVersion                 1.0.2-dev / 1.2.0
    linux.maskedPaths          28 adds /proc/interrupts and /sys/devices/virtual/powercap
    mounts: "rro"              25 and later; here facts.rro is off
    device rules               runc's own allowances are spelled out by us (runc adds them itself), and docker forbids
                               10:229, which is forbidden anyway by the first rule
    zero limits                {"shares": 0}, {"weight": 0}, {"disableOOMKiller": false} say nothing
    hooks                      libnetwork's; our network is there before the container
    HOME                       runc adds it; we do
    domainname                 20.10 sets sysctl kernel.domainname, the spec has had a field since 1.1
    linux.seccomp              has tests of its own
    capabilities               20.10 gives ALL that its table has (up to AUDIT_READ, 37), later ones and we what the
                               caller has
    order                      docker's maps are walked at random: mounts of the same depth, rlimits
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from firkin.oci.image import ImageConfig
from firkin.specgen import parse_limits, parse_lines, parse_modes, parse_mounts
from firkin.specgen.caps import NAMES
from firkin.specgen.facts import Device, Facts
from firkin.specgen.generate import generate
from firkin.specgen.options import CreateOptions
from firkin.units import parse_size

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_docker, pytest.mark.needs_shared]

HOME = Path("/tmp/firkin-test-specgen")
IMAGES = Path(__file__).resolve().parents[4] / "shared" / "images"
PASSWD = b"root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/usr/sbin:/bin/false\nwww-data:x:33:33::/var/www:/bin/false\n"
GROUP = b"root:x:0:\ndaemon:x:1:\naudio:x:29:\nwww-data:x:33:\nusers:x:100:\n"
DOCKERFILE = "FROM busybox\nCOPY passwd group /etc/\n"

SPY = """#!/bin/sh
# runc [global options] create --bundle DIR ... ID: keep DIR/config.json and fail.
bundle=
while [ $# -gt 1 ]; do
  case "$1" in --bundle) bundle="$2";; esac
  shift
done
[ -n "$bundle" ] && cp "$bundle/config.json" "%s/$1.json"
exit 1
"""


class Docker:
    """A dockerd of our own on a socket of its own."""

    def __init__(self) -> None:
        self.socket = f"unix://{HOME}/d.sock"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        HOME.mkdir(mode=0o700)
        (HOME / "specs").mkdir()
        spy = HOME / "spy"
        spy.write_text(SPY % (HOME / "specs"))
        spy.chmod(0o755)
        command = [
            "unshare", "--mount", "--propagation", "private", "dockerd", "--data-root", f"{HOME}/data",
            "--exec-root", f"{HOME}/exec", "-H", self.socket, "--pidfile", f"{HOME}/pid", "--bridge=none",
            "--iptables=false", "--ip-masq=false", "--storage-driver=vfs", "--config-file", f"{HOME}/daemon.json",
            "--add-runtime", f"spy={spy}", "--default-runtime", "spy",
        ]  # fmt: skip
        (HOME / "daemon.json").write_text("{}")
        with (HOME / "log").open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while self.run("version").returncode:
            if self.process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"dockerd did not start: {(HOME / 'log').read_text()[-2000:]}")
            time.sleep(0.1)

    def run(self, *args: str, **more: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["docker", "-H", self.socket, *args], capture_output=True, text=True, check=False, **more
        )

    def checked(self, *args: str, **more: Any) -> str:
        done = self.run(*args, **more)
        assert done.returncode == 0, f"docker {args}: {done.stderr}"
        return done.stdout.strip()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)  # it ends its containerd too
            self.process.wait(timeout=30)
        subprocess.run(["rm", "-rf", str(HOME)], check=True)

    def spec(self, flags: list[str], command: list[str]) -> tuple[str, dict[str, Any]]:
        """Run a container with ``flags``; return its id and the config.json that the spy saw."""
        cidfile = HOME / "cid"
        cidfile.unlink(missing_ok=True)
        done = self.run("run", "-d", "--cidfile", str(cidfile), *flags, "test", *command)
        container = cidfile.read_text() if cidfile.exists() else "none"
        kept = HOME / "specs" / f"{container}.json"
        assert kept.exists(), f"docker run {flags}: {done.stderr}"
        found: dict[str, Any] = json.loads(kept.read_text())
        return container, found


@pytest.fixture(scope="module")
def docker() -> Iterator[Docker]:
    server = Docker()
    try:
        server.start()
        server.checked("load", "-i", str(IMAGES / "busybox.docker.tar"))
        _make_image(server)
        yield server
    finally:
        server.stop()


def _make_image(server: Docker) -> None:
    """busybox with users, made by copying into a created container: a build would need a working runtime."""
    container = server.checked("create", "busybox", "true")
    for name, data in (("passwd", PASSWD), ("group", GROUP)):
        (HOME / name).write_bytes(data)
        server.checked("cp", str(HOME / name), f"{container}:/etc/{name}")
    server.checked("commit", "-c", "ENV FROM_IMAGE=1 GONE=1", "-c", "ENTRYPOINT []", container, "test")
    server.checked("rm", container)


IMAGE = ImageConfig(
    env=("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "FROM_IMAGE=1", "GONE=1"),
    cmd=("true",),
)


def _device(path: str) -> Device:
    status = os.stat(path)
    return Device(
        path=path,
        type="c",
        major=os.major(status.st_rdev),
        minor=os.minor(status.st_rdev),
        mode=status.st_mode & 0o7777,
        uid=status.st_uid,
        gid=status.st_gid,
    )


def _volume(text: str) -> dict[str, Any]:
    return {"volume": (parse_mounts.parse_volume(text),)}


def _mount(text: str) -> dict[str, Any]:
    return {"mount": (parse_mounts.parse_mount(text),)}


# name: docker's flags, docker's command, our options for the same
CASES: dict[str, tuple[list[str], list[str], dict[str, Any]]] = {
    "plain": ([], [], {}),
    "command": ([], ["sh", "-c", "a b"], {"command": ("sh", "-c", "a b")}),
    "entrypoint": (["--entrypoint", "/e"], ["x"], {"entrypoint": ("/e",), "command": ("x",)}),
    "entrypoint reset": (["--entrypoint", ""], ["x"], {"entrypoint": (), "command": ("x",)}),
    "tty": (["-t"], [], {"tty": True}),
    "env": (["-e", "A=1", "-e", "FROM_IMAGE=2", "-e", "GONE", "-e", "A=2"], [],
            {"env": ("A=1", "FROM_IMAGE=2", "GONE", "A=2")}),
    "env default away": (["-e", "HOSTNAME", "-e", "PATH=/x"], [], {"env": ("HOSTNAME", "PATH=/x")}),
    "workdir": (["-w", "/a//b/../c"], [], {"workdir": "/a//b/../c"}),
    "hostname": (["-h", "box", "--domainname", "dom"], [], {"hostname": "box", "domainname": "dom"}),
    "user name": (["-u", "www-data"], [], {"user": "www-data"}),
    "user number": (["-u", "1000"], [], {"user": "1000"}),
    "user and group": (["-u", "daemon:users"], [], {"user": "daemon:users"}),
    "group add": (["--group-add", "audio"], [], {"group_add": ("audio",)}),
    "cap add": (["--cap-add", "net_admin", "--cap-drop", "chown"], [],
                {"cap_add": ("net_admin",), "cap_drop": ("chown",)}),
    "cap drop all": (["--cap-drop", "all", "--cap-add", "SETUID"], [], {"cap_drop": ("all",), "cap_add": ("SETUID",)}),
    "cap add all": (["--cap-add", "ALL", "--cap-drop", "MKNOD"], [], {"cap_add": ("ALL",), "cap_drop": ("MKNOD",)}),
    "no new privileges": (["--security-opt", "no-new-privileges"], [],
                          {"security_opt": parse_modes.parse_security_opts(("no-new-privileges",), str)}),
    "system paths": (["--security-opt", "systempaths=unconfined"], [],
                     {"security_opt": parse_modes.parse_security_opts(("systempaths=unconfined",), str)}),
    "privileged": (["--privileged"], [], {"privileged": True}),
    "read only": (["--read-only"], [], {"read_only": True}),
    "tmpfs": (["--tmpfs", "/t", "--tmpfs", "/u/v:size=1m,exec,mode=1770,ro"], [],
              {"tmpfs": dict(parse_mounts.parse_tmpfs(t) for t in ("/t", "/u/v:size=1m,exec,mode=1770,ro"))}),
    "tmpfs mount": (["--mount", "type=tmpfs,dst=/t,tmpfs-size=3m,tmpfs-mode=700"], [],
                    _mount("type=tmpfs,dst=/t,tmpfs-size=3m,tmpfs-mode=700")),
    "bind": (["-v", "/usr:/b"], [], _volume("/usr:/b")),
    "bind read only": (["-v", "/usr:/b:ro"], [], _volume("/usr:/b:ro")),
    "bind not recursive": (["--mount", "type=bind,src=/usr,dst=/b,bind-nonrecursive,ro"], [],
                           _mount("type=bind,src=/usr,dst=/b,bind-nonrecursive,ro")),
    "bind over hosts": (["-v", "/usr/bin/env:/etc/hosts"], [], _volume("/usr/bin/env:/etc/hosts")),
    "bind over dev": (["-v", "/dev:/dev"], [], _volume("/dev:/dev")),
    "binds by depth": (["-v", "/usr:/x/y/z", "-v", "/usr:/w"], [],
                       {"volume": tuple(parse_mounts.parse_volume(t) for t in ("/usr:/x/y/z", "/usr:/w"))}),
    "volume": (["-v", "data:/v"], [], _volume("data:/v")),
    "volume read only": (["-v", "data:/v:ro"], [], _volume("data:/v:ro")),
    "shm size": (["--shm-size", "1m"], [], {"shm_size": parse_size("1m")}),
    "ipc none": (["--ipc", "none"], [], {"ipc": "none"}),
    "ipc host": (["--ipc", "host"], [], {"ipc": "host"}),
    "pid host": (["--pid", "host"], [], {"pid": "host"}),
    "uts host": (["--uts", "host"], [], {"uts": "host"}),
    "network host": (["--network", "host"], [], {"network": "host"}),
    "cgroupns private": (["--cgroupns", "private"], [], {"cgroupns": "private"}),
    "memory": (["-m", "64m", "--memory-reservation", "32m"], [], {"memory": 64 << 20, "memory_reservation": 32 << 20}),
    "swap": (["-m", "64m", "--memory-swap", "65m"], [],
             {"memory": 64 << 20, "memory_swap": parse_limits.parse_memory_swap("65m")}),
    "swap unlimited": (["-m", "64m", "--memory-swap", "-1"], [],
                       {"memory": 64 << 20, "memory_swap": parse_limits.parse_memory_swap("-1")}),
    "swappiness": (["--memory-swappiness", "5"], [], {"memory_swappiness": 5}),
    "oom": (["--oom-kill-disable", "-m", "64m", "--oom-score-adj", "7"], [],
            {"oom_kill_disable": True, "memory": 64 << 20, "oom_score_adj": 7}),
    "cpus": (["--cpus", "1.5", "--cpu-shares", "512", "--cpuset-cpus", "0"], [],
             {"cpus": parse_limits.parse_cpus("1.5"), "cpu_shares": 512, "cpuset_cpus": "0"}),
    "cpu quota": (["--cpu-period", "50000", "--cpu-quota", "25000"], [], {"cpu_period": 50000, "cpu_quota": 25000}),
    "pids": (["--pids-limit", "5"], [], {"pids_limit": 5}),
    "pids unlimited": (["--pids-limit", "-1"], [], {"pids_limit": -1}),
    "ulimit": (["--ulimit", "nofile=5:6", "--ulimit", "core=-1"], [],
               {"ulimit": tuple(parse_limits.parse_ulimit(t) for t in ("nofile=5:6", "core=-1"))}),
    "sysctl": (["--sysctl", "net.core.somaxconn=5", "--sysctl", "kernel.shmmax=1"], [],
               {"sysctl": dict(parse_lines.parse_sysctl(t) for t in ("net.core.somaxconn=5", "kernel.shmmax=1"))}),
    "device": (["--device", "/dev/full:/dev/f:rw"], [], {"device": (parse_limits.parse_device("/dev/full:/dev/f:rw"),)}),
    "device rule": (["--device-cgroup-rule", "c 13:* r"], [],
                    {"device_cgroup_rule": (parse_limits.parse_device_rule("c 13:* r"),)}),
}  # fmt: skip


def _held() -> tuple[str, ...]:
    """What this process has: CI's root may lack some."""
    status = Path("/proc/self/status").read_text()
    mask = int(next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff:")), 16)
    return tuple(name for number, name in enumerate(NAMES) if mask >> number & 1)


HELD = _held()
OLD_CAPS = sum(number <= 37 for number, name in enumerate(NAMES) if name in HELD)


def ours(theirs: dict[str, Any], container: str, options: CreateOptions) -> dict[str, Any]:
    """Generate with the facts that docker had: its own paths are taken from its spec."""
    sources = {mount["destination"]: mount["source"] for mount in theirs["mounts"]}
    files = {name: sources.get(f"/etc/{name}", "") for name in ("hosts", "hostname", "resolv.conf")}
    volumes = {mount.target: sources[mount.target] for mount in options.volume if mount.type == "volume"}
    facts = Facts(
        container_id=container,
        rootfs=theirs["root"]["path"],
        cgroup_path=theirs["linux"]["cgroupsPath"],
        hostname=os.uname().nodename,
        cgroup_version=1,
        hosts_path=files["hosts"],
        hostname_path=files["hostname"],
        resolv_conf_path=files["resolv.conf"],
        volumes=volumes,
        rro=False,
        passwd=PASSWD,
        group=GROUP,
        capabilities=HELD,
        devices={d.path_on_host: (_device(d.path_on_host),) for d in options.device},
        seccomp={},
        swap_limit=Path("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes").exists(),
    )
    return generate(options, IMAGE, facts)


RUNC_RULES = 12  # what runc allows by itself, after our first rule
NEW_MASKS = ("/proc/interrupts", "/sys/devices/virtual/powercap")


def normalize(spec: dict[str, Any]) -> dict[str, Any]:
    """Return ``spec`` without what the docstring above lists."""
    spec = json.loads(json.dumps(spec))
    for name in ("ociVersion", "hooks", "annotations"):
        spec.pop(name, None)
    process, linux = spec["process"], spec["linux"]
    # Sorted: docker goes through a Go map, whose order is random, when variables replace others.
    process["env"] = sorted(text for text in process["env"] if not text.startswith("HOME="))
    _drop_empty(process, ("terminal", "noNewPrivileges", "consoleSize"))
    linux.pop("seccomp", None)
    linux["maskedPaths"] = [path for path in linux.get("maskedPaths") or () if path not in NEW_MASKS]
    linux["readonlyPaths"] = linux.get("readonlyPaths") or []
    linux["namespaces"] = sorted(
        (ns for ns in linux["namespaces"] if not (ns["type"] == "network" and "path" in ns)),
        key=lambda ns: ns["type"],
    )
    domain = linux.get("sysctl", {}).pop("kernel.domainname", None)
    if domain:
        spec["domainname"] = domain
    _drop_empty(linux, ("sysctl", "devices"))
    resources = linux["resources"]
    for name in ("memory", "cpu", "blockIO", "pids"):
        resources[name] = {key: value for key, value in resources.get(name, {}).items() if value}
    for rule in resources["devices"]:
        rule.update({key: rule.get(key, -1) for key in ("major", "minor")})
    for name, values in process["capabilities"].items():
        process["capabilities"][name] = sorted(set(values).intersection(HELD[:OLD_CAPS]))
    process.get("rlimits", []).sort(key=lambda limit: limit["type"])
    spec["mounts"].sort(key=lambda mount: (mount["destination"].count("/"), mount["destination"]))
    for device in linux.get("devices", ()):
        device["fileMode"] &= 0o7777
    return spec


def _drop_empty(holder: dict[str, Any], names: tuple[str, ...]) -> None:
    for name in names:
        if not holder.get(name):
            holder.pop(name, None)


def _without_runcs_rules(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> None:
    """Take away the allowances of both that runc gives to every container."""
    if len(ours) < RUNC_RULES:
        return
    common = ours[1 : RUNC_RULES + 1]
    ours[1 : RUNC_RULES + 1] = []
    theirs[:] = [
        rule for rule in theirs if rule not in common and (rule["major"], rule["minor"]) != (10, 229)
    ]


def differences(left: Any, right: Any, where: str = "") -> Iterator[str]:
    """Yield ``place: ours != theirs`` for each difference."""
    if isinstance(left, dict) and isinstance(right, dict):
        for key in sorted(left.keys() | right.keys()):
            yield from differences(left.get(key), right.get(key), f"{where}.{key}")
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for place, (one, other) in enumerate(zip(left, right, strict=True)):
            yield from differences(one, other, f"{where}[{place}]")
    elif left != right:
        yield f"{where}: {left} != {right}"


# What goes into one container: a start takes dockerd a third of a second. Every case is in one of them.
TOGETHER = (
    ("plain",),
    ("command", "tty", "env", "workdir", "hostname", "user name", "group add", "cap add", "no new privileges",
     "read only", "tmpfs", "bind", "binds by depth", "volume", "shm size", "memory", "swappiness", "oom", "cpus", "pids",
     "ulimit", "sysctl", "device", "device rule"),
    ("entrypoint", "env default away", "user number", "cap drop all", "system paths", "tmpfs mount", "bind read only",
     "ipc none", "swap", "cpu quota", "pids unlimited", "cgroupns private"),
    ("entrypoint reset", "user and group", "cap add all", "bind not recursive", "volume read only", "ipc host",
     "pid host", "swap unlimited"),
    ("privileged", "bind over hosts"),
    ("bind over dev", "uts host"),
    ("network host",),
)  # fmt: skip


def combined(names: tuple[str, ...]) -> tuple[list[str], list[str], dict[str, Any]]:
    """Return the flags, the command and the options of several cases in one container."""
    flags: list[str] = []
    command: list[str] = []
    values: dict[str, Any] = {}
    for name in names:
        more_flags, more_command, more_values = CASES[name]
        flags += more_flags
        command = more_command or command
        for key, value in more_values.items():
            old = values.get(key)
            if isinstance(value, tuple) and old is not None:
                values[key] = old + value
            elif isinstance(value, dict) and old is not None:
                values[key] = old | value
            else:
                values[key] = value
    if "--network" not in flags:
        flags = ["--network", "none", *flags]
        values["network"] = "none"
    return flags, command, values


def test_every_case_is_run() -> None:
    assert sorted(name for names in TOGETHER for name in names) == sorted(CASES)


@pytest.mark.parametrize("names", TOGETHER, ids=lambda names: names[0])
def test_docker_gives_the_same(docker: Docker, names: tuple[str, ...]) -> None:
    flags, command, values = combined(names)
    container, theirs = docker.spec(flags, command)
    mine = ours(theirs, container, CreateOptions(image="test", **values))
    left, right = normalize(mine), normalize(theirs)
    _without_runcs_rules(left["linux"]["resources"]["devices"], right["linux"]["resources"]["devices"])
    if "--privileged" in flags:
        # The nodes of /dev are the engine's to list.
        left["linux"].pop("devices", None)
        right["linux"].pop("devices", None)
    assert list(differences(left, right)) == []
