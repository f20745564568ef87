"""Looking after the dead costs the living nothing: counted in system calls, which no load on the machine changes."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from e2e.crash.lab import Lab, kill


def calls(lab: Lab, *words: str) -> list[str]:
    """Return the system calls of a command that touch files, those of the interpreter's start left out."""
    log = f"{lab.home}/strace"
    argv = ["strace", "-f", "-o", log, "-e", "trace=%file,getdents64", *lab.argv(*words)]
    subprocess.run(argv, check=True, capture_output=True)
    with open(log, encoding="utf-8", errors="replace") as file:
        return [
            line for line in file if lab.root in line or lab.run_root in line or re.search(r"/proc/\d", line)
        ]


@pytest.mark.skipif(shutil.which("strace") is None, reason="this machine lacks strace")
def test_a_command_looks_at_no_more_when_many_containers_have_ended(lab: Lab):
    """What has come to rest is not looked at again, however much there is of it."""
    lab("create", "--name", "rest0", "busybox", "true", code=0)
    lab("inspect", "rest0", code=0)
    few = len(calls(lab, "inspect", "rest0"))
    for number in range(1, 12):
        lab("create", "--name", f"rest{number}", "busybox", "true", code=0)
        if number % 2:
            lab("start", "-a", f"rest{number}", code=0)
    lab.names()
    many = len(calls(lab, "inspect", "rest0"))
    assert many <= few + 6, (few, many)  # pages of the database


@pytest.mark.skipif(shutil.which("strace") is None, reason="this machine lacks strace")
def test_after_the_repair_a_command_is_as_cheap_as_before(lab: Lab):
    lab("create", "--name", "rest0", "busybox", "true", code=0)
    lab("create", "--name", "rest1", "busybox", "true", code=0)
    lab.names()
    before = len(calls(lab, "inspect", "rest0"))
    lab("run", "-d", "--name", "victim", "busybox", "sleep", "1000", code=0)
    kill(lab.row("victim")["monitor_pid"])
    lab.names()
    lab.is_clean(idle=True)
    lab("rm", "victim", code=0)
    lab.names()
    assert len(calls(lab, "inspect", "rest0")) <= before + 6
