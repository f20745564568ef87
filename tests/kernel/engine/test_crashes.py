"""Every process of ours is killed at every named step; the next command finds nothing half alive and nothing left."""

import os
import signal

import pytest
from conftest import Killed

from firkin.engine import liveness, states
from firkin.engine.remove import remove
from firkin.engine.start import start
from firkin.engine.stop import stop
from firkin.errors import FirkinError
from firkin.specgen.options import Mount

VOLUME = (Mount(type="volume", target="/data", from_image=True),)

STARTER_BEFORE = ("row-inserted", "snapshot-made", "volumes-made", "made", "row-starting")
STARTER_AFTER = ("plan-sent", "started-heard", "row-running")
MONITOR_START = (
    "monitor-forked", "listening", "own-mounts", "root-mounted", "volume-filled", "network-attached", "config-written",
    "cgroup-made", "launched", "state-written",
)  # fmt: skip
MONITOR_END = (
    "exit-recorded", "drained", "exit-announced", "cgroup-removed", "network-detached", "bundle-removed",
    "volumes-removed", "directories-removed", "row-deleted", "settled",
)  # fmt: skip


@pytest.mark.parametrize("rm", [True, False], ids=["rm", "keep"])
@pytest.mark.parametrize("step", STARTER_BEFORE)
def test_the_starter_is_killed_before_the_monitor_has_its_plan(engine, step, rm):
    with pytest.raises(Killed):
        engine.run_detached("sleep", "1000", die_at=step, rm=rm, volume=VOLUME, name="early")
    for row in engine.rows():  # with a row that says starting, docker would show it as created, too
        assert row["state"] == states.CREATED
        assert (step, rm) == ("row-starting", False)
        engine.call(_remove, "early", volumes=True)


@pytest.mark.parametrize("step", STARTER_AFTER)
def test_a_container_survives_the_death_of_its_starter(engine, step):
    with pytest.raises(Killed):
        engine.run_detached("sleep", "1000", die_at=step, name="orphan", network="bridge")
    row = engine.await_state("orphan", states.RUNNING)
    assert liveness.running(row["pid"], row["start_time"])
    engine.call(_remove, "orphan", force=True)


@pytest.mark.parametrize("rm", [True, False], ids=["rm", "keep"])
@pytest.mark.parametrize("step", MONITOR_START)
def test_the_monitor_is_killed_on_its_way_in(engine, step, rm):
    with pytest.raises((FirkinError, Killed)):
        engine.run("sleep", "1000", die_at=step, rm=rm, volume=VOLUME, network="bridge", name="doomed")
    if not rm and step != "monitor-forked":
        assert engine.row("doomed")["state"] == states.CREATED
    for row in engine.rows():
        assert not engine.pids(row["id"])
        engine.call(_remove, row["id"], volumes=True)


@pytest.mark.parametrize("step", MONITOR_END)
def test_the_monitor_is_killed_on_its_way_out_with_rm(engine, step):
    name = engine.run_detached("sleep", "0.1", die_at=step, rm=True, volume=VOLUME, network="bridge")
    _await_monitor(engine, name)


@pytest.mark.parametrize(
    "step", [s for s in MONITOR_END if s not in ("volumes-removed", "directories-removed", "row-deleted")]
)
def test_the_monitor_is_killed_on_its_way_out(engine, step):
    name = engine.run_detached("sh", "-c", "sleep 0.1; exit 7", die_at=step, network="bridge")
    _await_monitor(engine, name)
    row = engine.row(name)
    assert (row["state"], row["exit_code"]) == (states.EXITED, 7)
    engine.call(_remove, name)


@pytest.mark.parametrize("network", ["none", "bridge"])
@pytest.mark.parametrize("rm", [True, False], ids=["rm", "keep"])
def test_a_killed_monitor_takes_its_container_along(engine, rm, network):
    name = engine.run_detached("sleep", "1000", rm=rm, network=network)
    row = engine.row(name)
    _kill_monitor(row)
    _await(lambda: not liveness.running(row["pid"], row["start_time"]))
    if rm:
        assert engine.rows() == []
        return
    after = engine.row(name)
    assert (after["state"], after["exit_code"]) == (states.EXITED, 137)
    assert '"monitor_lost":true' in after["ending"]
    engine.call(_remove, name)


def test_children_that_outlive_a_killed_monitor_are_ended_by_the_next_command(engine):
    """Of a shared pid namespace the kernel ends the first process alone."""
    name = engine.run_detached("sh", "-c", "sleep 1000 & sleep 1000 & wait", pid="host")
    _await(lambda: len(engine.pids(name)) == 3)
    _kill_monitor(engine.row(name))
    assert engine.row(name)["state"] == states.EXITED
    assert engine.pids(name) == []
    engine.call(_remove, name)


@pytest.mark.parametrize("step", ["killed", "row-removing", "cgroup-removed", "network-detached", "bundle-removed",
                                  "volumes-removed", "directories-removed", "row-deleted"])  # fmt: skip
def test_rm_is_killed(engine, step):
    name = engine.run_detached("sleep", "1000", volume=VOLUME, network="bridge")
    with pytest.raises(Killed):
        engine.call(_remove, name, force=True, volumes=True, die_at=step)
    for row in engine.rows():
        assert (step, row["state"]) == ("killed", states.EXITED)
        engine.call(_remove, name, volumes=True)


def test_a_stop_is_killed_and_the_next_one_ends_it(engine):
    name = engine.run_detached("sleep", "1000")
    stopping = engine.begin(_stop, name, timeout=60)
    _await(lambda: os.path.exists(f"{engine.run_root}/containers/{name}/killer"))
    os.kill(stopping.pid, signal.SIGKILL)
    with pytest.raises(Killed):
        stopping.result()
    engine.call(_stop, name, timeout=0)
    assert engine.row(name)["exit_code"] == 137
    engine.call(_remove, name)


def test_repair_is_killed_and_repeated(engine):
    for step in ("end-found", "cgroup-removed", "network-detached", "bundle-removed", "repaired"):
        name = engine.run_detached("sleep", "1000", network="bridge")
        _kill_monitor(engine.row(name))
        with pytest.raises(Killed):
            engine.call(_look, die_at=step)
        row = engine.row(name)
        assert (row["state"], row["exit_code"]) == (states.EXITED, 137)
        engine.call(_remove, name)


def test_after_a_reboot_the_state_is_right(engine):
    kept = engine.run_detached("sleep", "1000", network="bridge", name="kept")
    gone = engine.run_detached("sleep", "1000", network="bridge", rm=True)
    done, _, _ = engine.run("sh", "-c", "exit 3", name="done")
    assert done == 3
    rows = {row["id"]: row for row in engine.rows()}
    for name in (kept, gone):
        _kill_monitor(rows[name])
    for name in (kept, gone):
        _await(lambda name=name: not liveness.running(rows[name]["pid"], rows[name]["start_time"]))
    _empty(engine.run_root)
    after = {row["name"]: row for row in engine.rows()}
    assert sorted(after) == ["done", "kept"]
    assert (after["kept"]["state"], after["kept"]["exit_code"]) == (states.EXITED, 255)
    assert '"rebooted":true' in after["kept"]["ending"]
    assert (after["done"]["state"], after["done"]["exit_code"]) == (states.EXITED, 3)
    engine.call(lambda ctx: start(ctx, "kept").pid)
    engine.call(_remove, "kept", force=True)
    engine.call(_remove, "done")


def _kill_monitor(row):
    os.kill(row["monitor_pid"], signal.SIGKILL)
    _await(lambda: not liveness.alive(row["monitor_pid"], row["monitor_start"]))


def _look(ctx):
    return len(ctx.db.rows("select 1"))


def _remove(ctx, ref, **how):
    remove(ctx, ref, **how)


def _stop(ctx, ref, **how):
    stop(ctx, ref, **how)


def _await(condition):
    import time

    for _ in range(500):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come to pass in 5 s")


def _await_monitor(engine, name):
    """Wait until the monitor has ended, without a command that would repair."""
    import sqlite3

    def ended():
        with sqlite3.connect(f"{engine.root}/firkin.db") as db:
            row = db.execute(
                "select monitor_pid, monitor_start from containers where id = ?", (name,)
            ).fetchone()
        db.close()
        return row is None or not liveness.alive(*row)

    _await(ended)


def _empty(folder):
    import shutil

    for entry in os.scandir(folder):
        shutil.rmtree(entry) if entry.is_dir() else os.unlink(entry)
