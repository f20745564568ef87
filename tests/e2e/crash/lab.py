"""An engine to be attacked: its own root and run root, its commands, and ways to kill its processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

from e2e.crash import machine
from e2e.target import FIRKIN

TIMEOUT = 60


class Lab:
    """``lab("run", ...)`` is one command to its end; every one is checked for tracebacks and bugs of ours."""

    def __init__(self, home: str) -> None:
        self.home, self.root, self.run_root = home, f"{home}/root", f"{home}/run"
        self.prefix: list[str] = []  # what the commands are run by (nsenter)
        self.view = ""  # where their file system is seen from here

    def argv(self, *words: str) -> list[str]:
        return [*self.prefix, str(FIRKIN), "--root", self.root, "--run-root", self.run_root, *words]

    def __call__(self, *words: str, die_at: str = "", code: int | None = None, input: bytes | None = None,
                 timeout: float = TIMEOUT, **more: object) -> subprocess.CompletedProcess[str]:  # fmt: skip
        """Run a command; ``die_at`` arms a step; ``code`` is what it must end with."""
        environ = {**os.environ, "FIRKIN_DIE_AT": die_at} if die_at else None
        where = {"stdin": subprocess.DEVNULL} if input is None else {"input": input}
        ran = subprocess.run(
            self.argv(*words), capture_output=True, timeout=timeout, env=environ, **where, **more
        )
        done = subprocess.CompletedProcess(
            words, ran.returncode, ran.stdout.decode(errors="replace"), ran.stderr.decode(errors="replace")
        )
        not_our_fault(done)
        assert code is None or done.returncode == code, (
            words,
            done.returncode,
            done.stdout[-500:],
            done.stderr[-2000:],
        )
        return done

    def out(self, *words: str, **more: object) -> str:
        """Return what a command that must succeed, and say nothing on standard error, prints."""
        done = self(*words, code=0, **more)
        assert not done.stderr, (words, done.stderr)
        return done.stdout.strip()

    def begin(self, *words: str, die_at: str = "", **more: object) -> subprocess.Popen[bytes]:
        environ = {**os.environ, "FIRKIN_DIE_AT": die_at} if die_at else None
        more = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
        return subprocess.Popen(self.argv(*words), env=environ, **more)

    def state(self, name: str) -> tuple[str, int]:
        """Return (status, exit code) as `inspect` tells it."""
        found = json.loads(self.out("inspect", name))[0]["State"]
        return found["Status"], found["ExitCode"]

    def row(self, name: str) -> dict:
        """Return the row as it lies there: no command is run, so nothing is repaired."""
        for row in machine.Rows(self.view + self.root).containers:
            if name in (row["name"], row["id"]):
                return row
        raise KeyError(name)

    def names(self) -> list[str]:
        """Return the names of all containers, after the next command's repair, which must be silent."""
        return self.out("ps", "-a", "--format", "{{.Names}}").split()

    def is_clean(self, *, idle: bool = False) -> None:
        """Fail unless everything on the machine belongs to a live container; the command before has repaired."""
        machine.nothing_is_left(self.root, self.run_root, idle=idle, view=self.view)

    def is_empty(self, *, idle: bool = False) -> None:
        assert self.names() == []
        self.is_clean(idle=idle)


def not_our_fault(done: subprocess.CompletedProcess[str]) -> None:
    """Fail for a traceback, an internal error or the interpreter's own complaints."""
    for sign in (
        "Traceback",
        "internal error",
        "this is a bug",
        "Exception ignored",
        "Warning:",
        "unraisable",
    ):
        assert sign not in done.stderr, (done.args, done.returncode, done.stderr[-3000:])


def kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def until(condition: object, what: str = "", limit: float = 10.0) -> None:
    end = time.monotonic() + limit
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, f"it did not come to pass: {what}"
        time.sleep(0.01)


def private_kib(pid: int) -> int:
    """Return the process's own memory."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(("Private_Dirty", "Private_Clean")))


def children(pid: int) -> list[int]:
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            if int(Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(name))
        except OSError:
            continue
    return found
