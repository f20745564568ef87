"""A monitor whose heir lives leaves him the row; whoever of the two dies when, the next command finds nothing half done."""

import os
import signal
import sqlite3
import threading
import time

import pytest
from conftest import Killed

from firkin.engine import liveness, states
from firkin.engine.plan import STARTER
from firkin.engine.remove import remove
from firkin.engine.spawner import Spawner
from firkin.engine.wait import wait

MONITOR = (
    "exit-recorded",
    "drained",
    "exit-announced",
    "cgroup-removed",
    "network-detached",
    "bundle-removed",
)
HEIR = ("end-heard", "volumes-removed", "directories-removed", "row-deleted", "inherited")


def test_the_command_settles_what_its_monitor_leaves(engine):
    assert engine.run("sh", "-c", "exit 3", heir=STARTER, name="kept") == [3, "", ""]
    row = _as_it_is(engine, "kept")  # without the repair that a command begins with
    assert (row["state"], row["exit_code"], row["monitor_pid"]) == (states.EXITED, 3, 0)
    assert engine.run("echo", "x", heir=STARTER, rm=True) == [0, "x\n", ""]
    assert _as_it_is(engine, "kept") is not None
    engine.call(_remove, "kept")


@pytest.mark.parametrize("rm", [True, False], ids=["rm", "keep"])
@pytest.mark.parametrize("step", MONITOR + HEIR)
def test_monitor_or_heir_is_killed(engine, step, rm):
    try:
        engine.run("sh", "-c", "exit 3", die_at=step, heir=STARTER, rm=rm, name="doomed")
    except Killed:
        pass
    left = _as_it_is(engine, "doomed")
    _await(lambda: left is None or not liveness.alive(left["monitor_pid"], left["monitor_start"]))
    if rm:
        assert engine.rows() == []
        return
    row = engine.row("doomed")
    assert (row["state"], row["exit_code"]) == (states.EXITED, 3)
    engine.call(_remove, "doomed")


@pytest.mark.parametrize("rm", [True, False], ids=["rm", "keep"])
def test_the_monitor_does_it_all_when_its_heir_has_been_killed(engine, rm):
    running = engine.begin(_run, engine.options("sh", "-c", "sleep 0.5; exit 4", rm=rm, name="orphan"))
    row = _await(
        lambda: (found := _as_it_is(engine, "orphan")) and found["state"] == states.RUNNING and found
    )
    os.kill(running.pid, signal.SIGKILL)
    with pytest.raises(Killed):
        running.result()
    _await(lambda: not liveness.alive(row["monitor_pid"], row["monitor_start"]))
    left = _as_it_is(engine, "orphan")
    if rm:
        assert left is None
        return
    assert (left["state"], left["exit_code"]) == (states.EXITED, 4)
    engine.call(_remove, "orphan")


def test_others_who_wait_and_remove_meet_the_heir(engine):
    """wait, rm -f and the heir at the same moment: each sees the end, one removes, nobody fails."""
    for _ in range(4):
        running = engine.begin(_run, engine.options("sh", "-c", "sleep 0.2; exit 5", name="busy"))
        _await(lambda: (found := _as_it_is(engine, "busy")) and found["state"] == states.RUNNING)
        others = [engine.begin(_wait, "busy") for _ in range(3)]
        assert [other.result() for other in others] == [5, 5, 5]
        engine.call(_remove, "busy", force=True)
        assert running.result() == 5


def test_a_program_that_asks_late_sees_how_its_containers_ended(engine):
    """Bound containers: their monitors leave, and whoever looks first settles."""
    engine.call(_late)


def test_a_program_that_never_asks_leaves_it_to_the_next_command(engine):
    found = engine.call(_never)
    row = engine.row(found)
    assert (row["state"], row["exit_code"]) == (states.EXITED, 6)
    engine.call(_remove, found)


def _run(ctx, options):
    from firkin.engine.attach import relay
    from firkin.engine.ends import inherit
    from firkin.engine.run import run

    started = run(ctx, options, heir=STARTER)
    relay(started.client, stdin=None, stdout=None, stderr=None)
    inherit(ctx, started.container, started.client.left)
    return started.client.exit["exit_code"]


def _late(ctx):
    from firkin.engine.container import find
    from firkin.engine.listing import ps
    from firkin.specgen.options import CreateOptions

    ctx.embedded = True
    options = CreateOptions(image="busybox", network="none", detach=True, command=("sh", "-c", "exit 6"))
    spawner = Spawner.start(ctx)
    started = [spawner.run(ctx, options) for _ in range(3)]
    for one in started:
        _await(lambda one=one: not liveness.alive(one.monitor_pid, one.container.monitor_start))
    assert find(ctx, started[0].container.id).state == states.EXITED
    assert [row.container.exit_code for row in ps(ctx, all=True)] == [6, 6, 6]
    assert ps(ctx) == []
    codes = []
    waiters = [
        threading.Thread(target=lambda: codes.append(wait(ctx, started[1].container.id))) for _ in range(2)
    ]
    for thread in waiters:
        thread.start()
        thread.join()
    assert codes == [6, 6]
    remove(ctx, started[2].container.id)
    assert spawner.close()


def _never(ctx):
    from firkin.specgen.options import CreateOptions

    options = CreateOptions(image="busybox", network="none", detach=True, command=("sh", "-c", "exit 6"))
    spawner = Spawner.start(ctx)
    started = spawner.run(ctx, options, keep=True)
    _await(lambda: not liveness.alive(started.monitor_pid, started.container.monitor_start))
    assert spawner.close()
    return started.container.id


def _wait(ctx, ref):
    return wait(ctx, ref)


def _remove(ctx, ref, **how):
    remove(ctx, ref, **how)


def _as_it_is(engine, name):
    """Return the row as the file has it, None when there is none."""
    db = sqlite3.connect(f"{engine.root}/firkin.db")
    db.row_factory = sqlite3.Row
    row = db.execute("select * from containers where name = ?", (name,)).fetchone()
    db.close()
    return None if row is None else dict(row)


def _await(condition):
    for _ in range(500):
        found = condition()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError("it did not come to pass in 5 s")
