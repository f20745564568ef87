"""Sixteen commands at once, on one container and on many: none deadlocks, none corrupts, nothing is left."""

import os
import signal
import time

import pytest
from conftest import _run

from firkin.engine import liveness
from firkin.engine.create import create
from firkin.engine.remove import remove
from firkin.engine.start import start
from firkin.engine.stop import stop
from firkin.errors import Conflict, FirkinError, NotFound

MANY = 16


def test_many_run_at_once(engine):
    script = "hostname -i; echo done"
    children = [
        engine.begin(_run, engine.options("sh", "-c", script, rm=True, network="bridge")) for _ in range(MANY)
    ]
    results = [child.result() for child in children]
    assert [code for code, _, _ in results] == [0] * MANY
    assert len({out for _, out, _ in results}) == MANY  # each had an address of its own


def test_one_name_is_given_once(engine):
    children = [engine.begin(_create, engine.options("true", name="only")) for _ in range(MANY)]
    made = refused = 0
    for child in children:
        try:
            child.result()
            made += 1
        except Conflict:
            refused += 1
    assert (made, refused) == (1, MANY - 1)
    engine.call(_remove, "only")


def test_one_container_is_started_once(engine):
    name = engine.call(_create, engine.options("sleep", "1000"))
    children = [engine.begin(_start, name) for _ in range(MANY)]
    started = 0
    for child in children:
        try:
            child.result()
            started += 1
        except Conflict:
            continue
    assert started == 1
    assert len(engine.pids(name)) == 1
    engine.call(_remove, name, force=True)


def test_start_stop_and_rm_of_one_container_in_any_order(engine):
    """Whatever wins, every command ends, with success or a clear refusal."""
    for round_number in range(3):
        name = engine.run_detached("sleep", "1000", name=f"pulled{round_number}")
        verbs = [_start, _stop0, _remove_force, _stop0] * (MANY // 4)
        children = [engine.begin(verb, name) for verb in verbs]
        for child in children:
            try:
                child.result()
            except (Conflict, NotFound):
                continue
        with pytest.raises(NotFound):
            engine.call(_remove, name)


def test_commands_repair_side_by_side_what_killed_monitors_left(engine):
    names = [engine.run_detached("sleep", "1000", rm=True, network="bridge") for _ in range(6)]
    rows = engine.rows()
    for row in rows:
        os.kill(row["monitor_pid"], signal.SIGKILL)
    while any(liveness.alive(row["monitor_pid"], row["monitor_start"]) for row in rows):
        time.sleep(0.01)
    children = [engine.begin(_count) for _ in range(MANY)]
    for child in children:
        child.result()
    assert engine.rows() == []
    for name in names:
        assert engine.pids(name) == []


def test_a_crowd_with_sudden_deaths(engine):
    """Half of the commands are killed at steps of theirs while the others work."""
    steps = [
        "made",
        "row-starting",
        "plan-sent",
        "launched",
        "exit-recorded",
        "cgroup-removed",
        "row-deleted",
        "",
    ]
    children = [
        engine.begin(
            _detached, engine.options("sleep", "0.2", rm=True, detach=True, network="bridge"), die_at=step
        )
        for step in steps * 2
    ]
    for child in children:
        try:
            child.result()
        except (FirkinError, Exception):  # noqa: BLE001 - killed, or told that its monitor was
            continue
    for _ in range(500):
        if not engine.rows():
            break
        time.sleep(0.02)
    assert engine.rows() == []


def test_liveness_tells_a_pid_from_the_next_one_with_its_number():
    with open("/proc/self/stat") as file:
        start_time = int(file.read().rsplit(")", 1)[1].split()[19])
    assert liveness.alive(os.getpid(), start_time)
    assert not liveness.alive(os.getpid(), start_time + 1)
    assert not liveness.alive(0, 0)


def _create(ctx, options):
    return create(ctx, options).id


def _start(ctx, ref):
    return start(ctx, ref).pid


def _stop0(ctx, ref):
    stop(ctx, ref, timeout=0)


def _remove_force(ctx, ref):
    remove(ctx, ref, force=True)


def _remove(ctx, ref, **how):
    remove(ctx, ref, **how)


def _count(ctx):
    return len(ctx.db.rows("select 1"))


def _detached(ctx, options):
    from firkin.engine.run import run

    return run(ctx, options).container.id
