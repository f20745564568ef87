"""The spawner, and programs that use the library, are killed: what is bound ends within a second, and nothing is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from e2e.crash import machine
from e2e.crash.lab import Lab, children, kill, until
from e2e.target import REPO

PROGRAM = """
import sys, time
sys.path.insert(0, sys.argv[1])
import firkin
engine = firkin.Engine(root=sys.argv[2], run_root=sys.argv[3])
c = engine.run("busybox", ["sleep", "1000"], name="bound", detach=sys.argv[4] == "detach")
print("up", flush=True)
time.sleep(1000)
"""


def host(lab: Lab, how: str) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-c", PROGRAM, str(REPO / "src"), lab.root, lab.run_root, how]
    program = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert program.stdout is not None
    line = program.stdout.readline()
    if line != b"up\n":
        _, complaint = program.communicate()
        raise AssertionError(complaint.decode())
    return program


def gone(lab: Lab, row: dict) -> None:
    end = time.monotonic() + 1
    while machine.is_alive(row["pid"], row["start_time"]):
        assert time.monotonic() < end, "the bound container lives on"
        time.sleep(0.005)


@pytest.mark.parametrize("whom", ["program", "spawner", "both", "monitor", "all"])
def test_what_is_bound_ends_with_its_program(lab: Lab, whom: str):
    program = host(lab, "bound")
    row = lab.row("bound")
    (spawner,) = children(program.pid)
    victims = {"program": [program.pid], "spawner": [spawner], "both": [spawner, program.pid], "monitor": [row["monitor_pid"]],
               "all": [row["monitor_pid"], spawner, program.pid]}[whom]  # fmt: skip
    for pid in victims:
        kill(pid)
    gone(lab, row)
    if program.pid not in victims:
        program.send_signal(signal.SIGKILL)
    program.communicate()
    until(lambda: not os.path.exists(f"/proc/{spawner}"), "the spawner ends")
    lab.is_empty()


def test_what_is_detached_outlives_its_program_and_the_spawner(lab: Lab):
    program = host(lab, "detach")
    for pid in (*children(program.pid), program.pid):
        kill(pid)
    program.communicate()
    assert lab.state("bound") == ("running", 0)
    lab("stop", "-t", "0", "bound", code=0)
    assert lab.state("bound") == ("exited", 137)
    lab.is_clean()


@pytest.mark.parametrize("moment", range(6))
def test_a_start_of_many_is_killed_with_its_spawner(lab: Lab, moment: int):
    """`start A B C` has B's and C's monitors from a spawner."""
    names = ("one", "two", "three")
    for name in names:
        lab("create", "--name", name, "busybox", "sleep", "1000", code=0)
    command = lab.begin("start", *names)
    time.sleep(0.03 + 0.03 * moment)
    for pid in children(command.pid):
        kill(pid)
    if moment % 2:
        command.kill()
    command.communicate(timeout=20)
    for name in lab.names():
        assert lab.state(name) in (("created", 0), ("created", 128), ("running", 0), ("exited", 137))
    lab.is_clean()
