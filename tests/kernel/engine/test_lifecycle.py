"""create, start, run, stop, kill, wait, rm: states, exit codes and what is left."""

import os
import signal

import pytest

from firkin.engine import states
from firkin.engine.create import create
from firkin.engine.kill import kill
from firkin.engine.remove import remove
from firkin.engine.rename import rename
from firkin.engine.restart import restart
from firkin.engine.start import start
from firkin.engine.stop import stop
from firkin.engine.wait import wait
from firkin.errors import AlreadyExists, CannotRun, Conflict, InvalidArgument, NotFound


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("true",), 0),
        (("false",), 1),
        (("sh", "-c", "exit 42"), 42),
        # pid 1 cannot kill itself: a child does, and the shell reports it
        (("sh", "-c", "sh -c 'kill -9 $$'; exit $?"), 137),
    ],
)
def test_exit_codes_of_run(engine, command, code):
    assert engine.run(*command, rm=True)[0] == code


@pytest.mark.parametrize(
    ("command", "code"),
    [(("/nonexistent",), 127), (("nonexistent",), 127), (("/etc/passwd",), 126), (("/bin",), 126)],
)
def test_a_program_that_cannot_run_leaves_nothing_with_rm(engine, command, code):
    with pytest.raises(CannotRun) as caught:
        engine.run(*command, rm=True)
    assert caught.value.exit_code == code


def test_a_failed_start_keeps_the_container_and_says_why(engine):
    with pytest.raises(CannotRun):
        engine.run("/nonexistent", name="broken")
    row = engine.row("broken")
    assert row["state"] == states.CREATED
    assert row["exit_code"] == 127
    assert "/nonexistent" in row["error"]
    engine.call(_remove, "broken")


def test_an_unknown_user_is_refused_at_start(engine):
    with pytest.raises(InvalidArgument, match="nobody-here"):
        engine.run("true", user="nobody-here", rm=True)


def test_streams_stay_apart(engine):
    assert engine.run("sh", "-c", "echo out; echo err >&2", rm=True) == [0, "out\n", "err\n"]


def test_names_are_unique_and_images_known(engine):
    engine.call(_create, engine.options("true", name="taken"))
    with pytest.raises(AlreadyExists, match="taken"):
        engine.call(_create, engine.options("true", name="taken"))
    with pytest.raises(NotFound, match="busybox"):
        engine.call(_create, engine.options("true", image="bussybox"))
    with pytest.raises(NotFound, match="did you mean taken"):
        engine.call(_remove, "takem")
    engine.call(_remove, "taken")


def test_start_again_after_an_end(engine):
    code, out, _ = engine.run("sh", "-c", "echo run >> /count; cat /count", name="again")
    assert (code, out) == (0, "run\n")
    engine.call(lambda ctx: start(ctx, "again").pid)
    assert engine.call(_wait, "again") == 0
    assert engine.call(_logs, "again") == "run\nrun\nrun\n"
    assert engine.row("again")["starts"] == 2
    engine.call(_remove, "again")


def test_a_running_container_is_not_removed_nor_started(engine):
    name = engine.run_detached("sleep", "1000")
    with pytest.raises(Conflict, match="rm -f"):
        engine.call(_remove, name)
    with pytest.raises(Conflict, match="already running"):
        engine.call(lambda ctx: start(ctx, name).pid)
    engine.call(_remove, name, force=True)


def test_stop_sends_the_stop_signal_and_then_kills(engine):
    polite = engine.run_detached("sh", "-c", "trap 'exit 5' TERM; while :; do sleep 0.05; done")
    engine.call(_stop, polite, timeout=20)
    assert engine.row(polite)["exit_code"] == 5
    rude = engine.run_detached("sleep", "1000")
    engine.call(_stop, rude, timeout=0.2)
    row = engine.row(rude)
    assert (row["state"], row["exit_code"]) == (states.EXITED, 137)
    assert '"killed_by":"firkin stop"' in row["ending"]
    engine.call(_stop, rude)  # no error: it has ended
    for name in (polite, rude):
        engine.call(_remove, name)


def test_kill_reaches_the_program(engine):
    name = engine.run_detached("sh", "-c", "trap 'exit 9' USR1; while :; do sleep 0.05; done")
    with pytest.raises(InvalidArgument):
        engine.call(_kill, name, "NOSUCH")
    engine.call(_kill, name, "USR1")
    assert engine.call(_wait, name) == 9
    with pytest.raises(Conflict, match="not running"):
        engine.call(_kill, name, "KILL")
    engine.call(_remove, name)


def test_wait_for_a_container_that_removes_itself(engine):
    name = engine.run_detached("sh", "-c", "sleep 0.3; exit 6", rm=True)
    waiting = engine.begin(_wait, name)
    assert waiting.result() == 6


def test_removal_takes_anonymous_volumes_along_when_asked(engine):
    from firkin.specgen.options import Mount

    mount = (Mount(type="volume", target="/data", from_image=True),)
    name = engine.run_detached("true", volume=mount)
    engine.await_state(name, states.EXITED)
    assert len(os.listdir(f"{engine.root}/volumes")) == 1
    engine.call(_remove, name, volumes=True)
    engine.run("true", volume=mount, rm=True)


def test_a_named_volume_takes_the_images_content(engine):
    from firkin.specgen.options import Mount

    mount = (Mount(type="volume", target="/etc", source="kept"),)
    code, out, _ = engine.run("cat", "/etc/passwd", volume=mount, rm=True)
    assert code == 0
    assert out.startswith("root:")
    assert os.path.exists(f"{engine.root}/volumes/kept/_data/passwd")
    engine.call(lambda ctx: ctx.volumes.remove("kept"))


def test_missing_bind_sources(engine, tmp_path):
    from firkin.specgen.options import Mount

    made = Mount(type="bind", target="/m", source=f"{tmp_path}/new/dir", create_source=True)
    assert engine.run("test", "-d", "/m", volume=(made,), rm=True)[0] == 0
    assert os.path.isdir(f"{tmp_path}/new/dir")
    refused = Mount(type="bind", target="/m", source=f"{tmp_path}/other")
    with pytest.raises(InvalidArgument, match="other"):
        engine.run("true", mount=(refused,), rm=True)


def test_signals_of_the_starter_do_not_reach_the_container(engine):
    name = engine.run_detached("sleep", "1000")
    monitor = engine.row(name)["monitor_pid"]
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(monitor, number)
    assert engine.row(name)["state"] == states.RUNNING
    engine.call(_remove, name, force=True)


def test_an_oom_kill_is_told_even_of_a_child(engine):
    script = "sh -c 'x=a; while :; do x=$x$x; done'; exit 0"
    code, _, _ = engine.run("sh", "-c", script, memory=16 << 20, memory_swap=16 << 20, name="hungry")
    row = engine.row("hungry")
    assert code == 0
    assert row["oom"] == 1
    assert '"limit":16777216' in row["ending"]
    engine.call(_remove, "hungry")


def _create(ctx, options):
    return create(ctx, options).id


def _remove(ctx, ref, **how):
    remove(ctx, ref, **how)


def _stop(ctx, ref, **how):
    stop(ctx, ref, **how)


def _kill(ctx, ref, number):
    kill(ctx, ref, number)


def _wait(ctx, ref):
    return wait(ctx, ref, 60)


def _logs(ctx, ref):
    from firkin.engine.logs import logs

    return b"".join(data for _, data in logs(ctx, ref)).decode()


def test_init_reaps_zombies_and_sends_signals_on(engine):
    script = "trap 'exit 3' TERM; (sleep 0.05 & exec sleep 0.01) & while :; do sleep 0.05; done"
    name = engine.run_detached("sh", "-c", script, init=True)
    engine.call(_kill, name, "TERM")
    assert engine.call(_wait, name) == 3
    engine.call(_remove, name)
    count = (
        "for i in 1 2 3; do (sleep 0 &) ; done; sleep 0.2; grep -l '^State:.Z' /proc/[0-9]*/status | wc -l"
    )
    assert engine.run("sh", "-c", count, init=True, rm=True)[1] == "0\n"


def test_rename_and_restart(engine):
    name = engine.run_detached("sleep", "1000", name="first")
    engine.run("true", name="other")
    with pytest.raises(AlreadyExists):
        engine.call(_rename, "first", "other")
    engine.call(_rename, "first", "second")
    engine.call(lambda ctx: restart(ctx, "second", timeout=0).pid)
    row = engine.row("second")
    assert (row["id"], row["state"], row["starts"]) == (name, states.RUNNING, 2)
    engine.call(_remove, "second", force=True)
    engine.call(_remove, "other")


def _rename(ctx, ref, name):
    rename(ctx, ref, name)
