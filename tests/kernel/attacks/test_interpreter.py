"""CVE-2019-5736: the host's interpreter, through /proc/self/exe of a runtime that is one."""

from __future__ import annotations

import uuid

import pytest

pytestmark = pytest.mark.needs_root

PROGRAMS = (
    "/proc/self/exe",
    "link",
    "/bin/link",
    "script14",
    "script11",
    "script21",
    "interpreted",
    "/proc/1/exe",
)


@pytest.fixture
def unharmed(firkin):
    before = firkin.interpreter()
    yield
    assert firkin.interpreter() == before


def test_a_program_that_is_the_interpreter_does_not_run(firkin, hostile: str, unharmed: None) -> None:
    for program in PROGRAMS:
        ran = firkin.run("run", "--rm", "--network", "none", hostile, program, "-c", "print('interpreter')")
        assert ran.returncode != 0, program
        assert "interpreter" not in ran.stdout, program


# Looks at every process that comes, keeps what it runs open, and writes into it once it is no longer being executed.
WATCHER = """
echo watching; seen=0
while [ ! -e /stop ]; do
  for p in /proc/[0-9]*; do
    [ $p = /proc/1 ] && continue
    exe=$(readlink $p/exe 2>/dev/null) && seen=$((seen + 1))
    case $exe in */busybox|'') continue;; *python*) echo "python $exe";; esac
    for fd in $p/fd/*; do
      to=$(readlink $fd 2>/dev/null)
      case $to in ''|/dev/null|/dev/pts/*|pipe:*|socket:*|/proc/*|/memfd:*) ;; /*) echo "open $to";; esac
    done
    ( sleep 0.05; echo broken >/proc/self/fd/9 ) 9<$p/exe 2>/dev/null &
  done
done
echo "done $seen"
"""


@pytest.mark.parametrize(
    "flags", [(), ("--cap-add", "SYS_PTRACE"), ("--userns", "auto")], ids=["plain", "SYS_PTRACE", "userns"]
)
def test_a_container_that_watches_exec(firkin, unharmed: None, flags: tuple[str, ...]) -> None:
    name = f"t{uuid.uuid4().hex[:8]}"
    firkin.run(
        "run", "-d", "--name", name, "--network", "none", *flags, "busybox", "sh", "-c", WATCHER, check=True
    )
    try:
        for _ in range(8):
            firkin.run("exec", name, "true", check=True)
        firkin.run("exec", name, "touch", "/stop", check=True)
        firkin.run("wait", name, check=True)
        told = firkin.out("logs", name).splitlines()
        assert told[0] == "watching"
        assert told[-1].startswith("done ")
        if (
            "SYS_PTRACE" not in flags
        ):  # which sees what is not dumpable, with runc too; writing is still impossible
            assert [line for line in told[1:-1] if line.startswith(("python", "open"))] == []
    finally:
        firkin.run("rm", "-f", name)


def test_exec_of_the_interpreter(firkin, hostile: str, unharmed: None) -> None:
    name = f"t{uuid.uuid4().hex[:8]}"
    firkin.run("run", "-d", "--name", name, "--network", "none", hostile, "sleep", "1000", check=True)
    try:
        for program in PROGRAMS[:-1]:
            ran = firkin.run("exec", name, program, "-c", "print('interpreter')")
            assert ran.returncode != 0, program
            assert "interpreter" not in ran.stdout, program
        # the classic: the shell becomes the interpreter while somebody waits to overwrite it
        firkin.run("exec", name, "busybox", "rm", "/bin/sh", check=True)
        firkin.run("exec", name, "busybox", "ln", "-s", "/proc/self/exe", "/bin/sh", check=True)
        assert firkin.run("exec", name, "sh", "-c", "print('interpreter')").returncode != 0
    finally:
        firkin.run("rm", "-f", name)


def test_what_a_program_runs_from_can_not_be_written(firkin, unharmed: None) -> None:
    # /proc/1/exe of --init is our reaper, in a memory file: sealed
    told = firkin.out("run", "--rm", "--init", "--network", "none", "busybox", "sh", "-c",
                      "readlink /proc/1/exe; (echo x > /proc/1/exe) 2>/dev/null && echo written; exec 9</proc/1/exe; "
                      "(echo x > /proc/self/fd/9) 2>/dev/null && echo written; true")  # fmt: skip
    assert "memfd" in told
    assert "written" not in told
