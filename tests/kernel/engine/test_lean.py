"""A monitor that has become lean does what it did before."""

import os
import signal
import time

import pytest

from firkin.engine import liveness
from firkin.engine.attach import STDOUT, attach
from firkin.engine.monitor import lean
from firkin.engine.remove import remove
from firkin.engine.stop import stop


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(lean, "LASTING", 0.05)


def _await_lean(engine, name):
    pid = engine.row(name)["monitor_pid"]
    for _ in range(500):
        with open(f"/proc/{pid}/cmdline") as file:
            if "firkin.app.resume" in file.read():
                time.sleep(0.1)
                return pid
        time.sleep(0.02)
    raise AssertionError("it did not become lean")


@pytest.mark.parametrize("tty", [False, True])
def test_streams_go_on_and_the_end_is_recorded(engine, tty):
    script = "read a; echo got $a; exit 7"
    name = engine.run_detached("sh", "-c", script, interactive=True, tty=tty, network="bridge")
    _await_lean(engine, name)
    assert "got it" in engine.call(_say, name, b"it\n")
    row = engine.await_state(name, "exited")
    assert row["exit_code"] == 7
    engine.call(_remove, name)


def test_it_uses_less_memory(engine):
    name = engine.run_detached("sleep", "1000")
    pid = _await_lean(engine, name)
    with open(f"/proc/{pid}/smaps_rollup") as file:
        dirty = next(int(line.split()[1]) for line in file if line.startswith("Private_Dirty"))
    assert dirty < 4200
    cpu = _cpu(pid)
    time.sleep(0.5)
    assert _cpu(pid) == cpu
    engine.call(_stop, name)
    assert engine.row(name)["exit_code"] == 137
    engine.call(_remove, name)


@pytest.mark.parametrize("rm", [False, True])
def test_its_death_still_ends_the_container(engine, rm):
    name = engine.run_detached("sleep", "1000", rm=rm)
    pid = _await_lean(engine, name)
    row = engine.row(name)
    os.kill(pid, signal.SIGKILL)
    for _ in range(200):
        if not liveness.running(row["pid"], row["start_time"]):
            break
        time.sleep(0.02)
    assert not liveness.running(row["pid"], row["start_time"])
    if not rm:
        assert engine.row(name)["exit_code"] == 137
        engine.call(_remove, name)


def _cpu(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def _say(ctx, name, data):
    client = attach(ctx, name)
    client.send_stdin(data)
    out = b""
    while (found := client.frames()) is not None:
        out += b"".join(payload for kind, payload in found if kind == STDOUT)
        if not found:
            client.await_input()
    return out.decode()


def _stop(ctx, ref):
    stop(ctx, ref, timeout=0)


def _remove(ctx, ref):
    remove(ctx, ref)
