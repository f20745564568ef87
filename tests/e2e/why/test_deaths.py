"""Containers that died: `inspect` and `explain` say by what."""

from __future__ import annotations

import os
import signal
import time

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from e2e.why.conftest import Why

pytestmark = pytest.mark.only("firkin")
EAT = "x=$(yes | head -c 100000000)"

#: flags, shell command -> exit code, what explain says in its first line
DEATHS = [
    (["-m", "16m"], EAT, 137, ["OOM killer ended it", "oom kill(s) at firkin/", "limit 16MiB, peak 16MiB", "--memory"]),
    (["-m", "16m"], 'sh -c "x=\\$(yes | head -c 100000000)"; exit 0', 0, ["killed a process in it", "limit 16MiB"]),
    (["--init"], "kill -SEGV $$", 139, ["SIGSEGV", "memory that is not its own", "debugger"]),
    (["--init"], "kill -ABRT $$", 134, ["SIGABRT", "aborted itself"]),
    (["--init"], "kill -BUS $$", 135, ["SIGBUS"]),
    (["--init", "--ulimit", "fsize=1024"], "dd if=/dev/zero of=/x bs=4k count=1", 153, ["SIGXFSZ", "--ulimit fsize"]),
    ([], "exit 1", 1, ["a general error", "it said nothing at the end"]),
    ([], "echo usage: x; exit 2", 2, ["wrong usage", "its last words: usage: x"]),
    ([], "exit 64", 64, ["EX_USAGE"]),
    ([], "nosuchprogram", 127, ["exit code 127", "did not find a program", "nosuchprogram: not found"]),
    ([], "/etc/passwd", 126, ["a program inside it may not be executed", "chmod +x"]),
    (["--read-only"], "echo > /x", 1, ["read-only file system", "drop --read-only"]),
    (["--tmpfs", "/t:size=64k"], "dd if=/dev/zero of=/t/f bs=1k count=100", 1, ["a file system is full", "size="]),
    (["--pids-limit", "5"], "for i in 1 2 3 4 5 6 7; do sleep 1 & done; wait", 2, ["a limit on processes", "--pids-limit"]),
    (["--cap-drop", "ALL"], "chown 1:1 /etc/passwd", 1, ["a capability is missing", "--cap-add"]),
    ([], "mount -t tmpfs x /mnt", 1, ["a missing capability", "--cap-add"]),
    ([], "cat /nosuchfile", 1, ["a file that it needs is not there"]),
    ([], "exit 0", 0, ["ended by itself, with exit code 0"]),
]  # fmt: skip


@pytest.mark.parametrize(("flags", "command", "code", "says"), DEATHS, ids=[f"{d[1][:24]}" for d in DEATHS])
def test_a_death_is_named(
    why: Why, name: str, flags: list[str], command: str, code: int, says: list[str]
) -> None:
    ran = why.run("run", "--name", name, "--network", "none", *flags, "busybox", "sh", "-c", command)
    assert ran.returncode == code, ran.stderr
    state = why.state(name)
    assert (state["ExitCode"], state["Status"], state["Error"]) == (code, "exited", "")
    assert state["OOMKilled"] is ("-m" in flags)
    line = why.said(name).splitlines()[0]
    assert line.startswith(f"{name} (exited): ")
    for words in says:
        assert words in line


def test_seccomp_that_kills(why: Why, name: str, tmp_path) -> None:
    profile = tmp_path / "profile.json"
    profile.write_text('{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["uname"],"action":"SCMP_ACT_KILL_PROCESS"}]}')  # fmt: skip
    ran = why.run("run", "--name", name, "--network", "none", "--security-opt", f"seccomp={profile}", "busybox", "uname")  # fmt: skip
    assert ran.returncode == 159
    line = why.said(name).splitlines()[0]
    assert "SIGSYS ended it: it made a system call that its seccomp profile kills for" in line


def test_who_sent_the_signal(why: Why, name: str) -> None:
    why.run("run", "-d", "--name", name, "--network", "none", "busybox", "sleep", "100", check=True)
    why.run("kill", name, check=True)
    why.run("wait", name)
    assert "SIGKILL, sent by firkin kill" in why.said(name)
    why.run("start", name, check=True)
    why.run("stop", "-t", "0", name, check=True)
    assert "SIGKILL, sent by firkin stop" in why.said(name)
    why.run("start", name, check=True)
    os.kill(why.state(name)["Pid"], signal.SIGKILL)
    why.run("wait", name)
    line = why.said(name).splitlines()[0]
    assert "SIGKILL ended it: somebody killed it" in line
    assert "not the OOM killer of its cgroup, not firkin" in line
    assert why.state(name)["OOMKilled"] is False


def test_the_monitor_was_killed(why: Why, name: str) -> None:
    why.run("run", "-d", "--name", name, "--network", "none", "busybox", "sleep", "100", check=True)
    inside = why.state(name)["Pid"]
    with open(f"/proc/{inside}/stat") as stream:
        monitor = int(stream.read().rpartition(")")[2].split()[1])
    os.kill(monitor, signal.SIGKILL)
    end = time.monotonic() + 5
    while os.path.exists(f"/proc/{inside}"):
        assert time.monotonic() < end
        time.sleep(0.01)
    assert why.state(name)["ExitCode"] == 137
    line = why.said(name).splitlines()[0]
    assert (
        f"its monitor was killed, and the kernel ended the container with it (the monitor (pid {monitor})"
        in line
    )


def test_what_has_not_ended(why: Why, name: str) -> None:
    why.run("create", "--name", name, "--network", "none", "busybox", "sleep", "100", check=True)
    assert f"created and not started yet; firkin start {name}" in why.said(name)
    why.run("start", name, check=True)
    assert "it is running, as pid " in why.said(name)
