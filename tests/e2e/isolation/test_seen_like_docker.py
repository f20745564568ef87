"""The same flags, the same view from inside: one container of each engine a case, many flags a container."""

from __future__ import annotations

import uuid

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from e2e.isolation.conftest import Pair

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_docker]

CASES = {
    "plain": (),
    "a terminal": ("-t", "-e", "A=b", "-h", "terminal"),
    "limits": (
        "-m", "64m", "--memory-reservation", "32m", "--memory-swap", "100m", "--memory-swappiness", "10", "--cpus", "0.5",
        "--cpu-shares", "512", "--cpuset-cpus", "0", "--cpuset-mems", "0", "--pids-limit", "55", "--ulimit", "nofile=100:200",
        "--ulimit", "core=0", "--ulimit", "nproc=500", "--oom-score-adj", "300", "--oom-kill-disable",
        "--device-read-bps", "/dev/vda:1mb", "--device-write-iops", "/dev/vda:100", "--shm-size", "10m",
    ),
    "names": (
        "-h", "boxy", "--domainname", "dom.example", "--add-host", "a.b:1.2.3.4", "--dns", "9.9.9.9", "--dns", "8.8.8.8",
        "--dns-search", "s.t", "--dns-option", "ndots:3", "--cpu-period", "50000", "--cpu-quota", "20000",
        "--memory-swap", "-1", "-m", "50m", "--cap-add", "SYS_ADMIN", "--cap-add", "NET_ADMIN", "--cap-drop", "CHOWN",
    ),
    "read-only": (
        "--read-only", "--tmpfs", "/scratch:size=1m,mode=700,exec", "--tmpfs", "/plain", "--tmpfs", "/tmp:ro,noatime",
        "--mount", "type=tmpfs,dst=/tm,tmpfs-size=1m,tmpfs-mode=0711", "--mount", "type=tmpfs,dst=/var",
    ),
    "a user without capabilities": (
        "--cap-drop", "ALL", "--cap-add", "CHOWN", "--security-opt", "no-new-privileges", "-u", "1000:50", "--group-add", "77",
        "--group-add", "disk", "-w", "/made/here", "--device", "/dev/zero:/dev/mine:r", "--device", "/dev/null:/dev/sub/dir:rwm",
        "--device-cgroup-rule", "c 10:229 rw", "--init",
    ),
    "a named user": ("-u", "www-data:users", "--group-add", "mail", "-e", "PATH", "-e", "TERM=x", "-w", "/tmp"),
    "a user alone": ("-u", "operator", "--sysctl", "net.ipv4.ip_unprivileged_port_start=5", "--sysctl", "kernel.msgmax=9999",
                     "--sysctl", "net.core.somaxconn=99", "--sysctl", "net.ipv4.ping_group_range=1 5"),
    "nothing hidden": (
        "--network", "none", "--ipc", "none", "--security-opt", "seccomp=unconfined", "--security-opt", "systempaths=unconfined",
        "--cgroupns", "private", "--cap-add", "ALL", "--cap-drop", "SYS_RESOURCE",
    ),
    "shared with the host": ("--ipc", "host", "--uts", "host", "--cgroupns", "host"),
}  # fmt: skip


def alike(found: list[str]) -> None:
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize("case", CASES)
def test_the_same_is_seen_inside(pair: Pair, case: str) -> None:
    skip = (
        ("status",)
        if "ALL" in CASES[case] and "--cap-add" in CASES[case] and case == "nothing hidden"
        else ()
    )
    alike(pair.differences(*CASES[case], skip=skip))


def test_the_hosts_network_and_processes(pair: Pair) -> None:
    # docker's host network is that of its own namespace, which has other devices and its own mount of sysfs
    found = pair.differences("--network", "host", "--pid", "host", skip=("net", "ps", "hosts"))
    alike(
        [
            line
            for line in found
            if not line.startswith(("mountinfo: docker: /sys root", "mountinfo: firkin: /sys root"))
        ]
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "src/sub").mkdir(parents=True)
    (tmp_path / "src/file").write_text("text\n")
    return tmp_path / "src"


def test_mounts(pair: Pair, folder: Path) -> None:
    flags = [
        "-v", f"{folder}:/a", "-v", f"{folder}:/b:ro", "-v", f"{folder}/file:/c:ro", "-v", f"{folder}:/d/deep/er:rprivate",
        "--mount", f"type=bind,src={folder},dst=/e,readonly", "--mount", f"type=bind,src={folder}/file,dst=/f",
        "-v", "one:/one", "-v", "one:/again:ro", "-v", "/anonymous", "-v", "etc:/etc", "-v", "etcnocopy:/root:nocopy",
        "--mount", "type=volume,src=two,dst=/two,readonly,volume-nocopy", "--mount", "type=volume,dst=/three",
    ]  # fmt: skip
    alike(pair.differences(*flags))
    listed = pair.out("run", "--rm", "-v", "etc:/x", "-v", "one:/y", "-v", "etcnocopy:/z", "busybox", "sh", "-c",
                      "ls -ln /x /z | grep -vE '^total|hostname|hosts|resolv|mtab'; stat -c '%a %u %g' /x /y /z; cat /x/passwd")  # fmt: skip
    assert listed[0] == listed[1]
    assert "root:x:0" in listed[1]
    for engine in (pair.reference, pair.firkin):
        engine.run("volume", "rm", "one", "two", "etc", "etcnocopy", check=True)


def test_a_missing_source(pair: Pair, tmp_path: Path) -> None:
    for engine in (pair.reference, pair.firkin):
        missing = tmp_path / engine.name / "made"
        assert (
            engine.out("run", "--rm", "-v", f"{missing}:/m", "busybox", "stat", "-c", "%F %a %u", "/m")
            == "directory 755 0"
        )
        assert missing.is_dir()
        ran = engine.run("run", "--rm", "--mount", f"type=bind,src={missing}2,dst=/m", "busybox", "true")
        assert ran.returncode == 125
        assert f"bind source path does not exist: {missing}2" in ran.stderr
        assert not (tmp_path / engine.name / "made2").exists()


REFUSED = (
    (("-u", "nosuchuser"), "unable to find user nosuchuser: no matching entries in passwd file"),
    (("-u", "0:nosuchgroup"), "unable to find group nosuchgroup"),
    (("--group-add", "nosuchgroup"), "nable to find group nosuchgroup"),
    (("--cap-add", "NONSENSE"), "NONSENSE"),
    (("--security-opt", "nonsense=1"), "nonsense"),
    (("--sysctl", "kernel.panic=1"), "kernel.panic"),
    (("--ipc", "container:nosuch"), "nosuch"),
    (("--network", "nosuchnet"), "nosuchnet"),
    (("--pid", "nonsense"), "PID"),
    (("-v", "relative/path:/x"), "relative/path"),
    (("-v", "/tmp:relative"), "relative"),
    (("-v", "/tmp:/x:nonsense"), "nonsense"),
    (("--mount", "type=nonsense,dst=/x"), "nonsense"),
    (("-m", "1k"), "6MB"),
    (("-h", "name", "--network", "container:nosuch"), "conflicting options: hostname and the network mode"),
    (("--cpus", "1000"), "CPUs"),
    (("--ulimit", "nonsense=1"), "nonsense"),
)  # fmt: skip


def test_refusals(pair: Pair) -> None:
    for flags, said in REFUSED:
        theirs, ours = pair.both("run", "--rm", *flags, "busybox", "true")
        assert (theirs.returncode, ours.returncode) == (125, 125), (flags, theirs.stderr, ours.stderr)
        assert said in theirs.stderr, (flags, theirs.stderr)
        assert said in ours.stderr, (flags, ours.stderr)


def test_a_missing_device(pair: Pair) -> None:
    theirs, ours = pair.both("run", "--rm", "--device", "/dev/nosuch", "busybox", "true")
    assert (theirs.returncode, ours.returncode) == (
        127,
        125,
    )  # docker takes its own refusal for a missing program
    for ran in (theirs, ours):
        assert 'error gathering device information while adding custom device "/dev/nosuch"' in ran.stderr


def test_exec_sees_the_same(pair: Pair) -> None:
    name = f"t{uuid.uuid4().hex[:8]}"
    pair.out("run", "-d", "--name", name, "--cap-drop", "NET_RAW", "-u", "33", "-e", "A=1", "--ulimit", "nofile=99:99",
             "-h", "execbox", "--oom-score-adj", "200", "--cpuset-cpus", "1", "busybox", "sleep", "1000")  # fmt: skip
    try:
        alike(pair.differences(verb="exec", image=name))
        alike(pair.differences("-u", "0:mail", "-w", "/tmp", "-e", "B=2", "-t", verb="exec", image=name))
        theirs, ours = pair.both("exec", "-u", "nosuch", name, "true")
        assert ours.returncode != 0
        assert theirs.returncode != 0
    finally:
        pair.both("rm", "-f", name)


def test_joined_namespaces(pair: Pair) -> None:
    name = f"t{uuid.uuid4().hex[:8]}"
    pair.out("run", "-d", "--name", name, "--ipc", "shareable", "-h", "joined", "--shm-size", "3m", "--sysctl", "kernel.msgmax=7777",
             "busybox", "sh", "-c", "echo shared > /dev/shm/x; sleep 1000")  # fmt: skip
    other = f"container:{name}"
    try:
        alike(pair.differences("--ipc", other, "--pid", other, "--network", other))
        again = pair.out(
            "run", "--rm", "--ipc", other, "busybox", "sh", "-c", "cat /dev/shm/x; echo 2 > /dev/shm/y"
        )
        assert again == ("shared\n", "shared\n")
        assert pair.out("exec", name, "ls", "/dev/shm") == (
            "x\ny\n",
            "x\ny\n",
        )  # the joiner's end took nothing away
    finally:
        pair.both("rm", "-f", name)


def test_an_ipc_namespace_that_is_not_shareable(pair: Pair) -> None:
    name = f"t{uuid.uuid4().hex[:8]}"
    pair.out("run", "-d", "--name", name, "busybox", "sleep", "1000")
    try:
        theirs, ours = pair.both("run", "--rm", "--ipc", f"container:{name}", "busybox", "true")
        assert (theirs.returncode, ours.returncode) == (125, 125)
        assert "shareable" in ours.stderr
    finally:
        pair.both("rm", "-f", name)


def test_a_tmpfs_keeps_its_mode_after_a_restart(pair: Pair) -> None:
    """The place is missing at the first start and there at the second (where docker's tmpfs is 755 then)."""
    name = f"t{uuid.uuid4().hex[:8]}"
    flags = ("--network", "none", "--tmpfs", "/scratch", "-u", "1000")
    pair.firkin.run("run", "--name", name, *flags, "busybox", "stat", "-c", "%a", "/scratch", check=True)
    try:
        assert pair.firkin.out("start", "-a", name) == "1777"
        assert pair.firkin.out("logs", name).split() == ["1777", "1777"]
    finally:
        pair.firkin.run("rm", "-f", name)
