"""exec: exit codes as run's, streams, terminal, user, and what becomes of it."""

import os
import signal
import time

import pytest

from firkin.engine.attach import STDERR, STDOUT
from firkin.engine.exec import execute
from firkin.engine.remove import remove
from firkin.errors import CannotRun, Conflict, InvalidArgument
from firkin.specgen.options import ExecOptions


@pytest.fixture(scope="module")
def container(shared):
    name = shared.run_detached("sleep", "1000", name="host")
    yield name
    shared.call(_remove, name, force=True)
    assert shared.is_empty()


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("true",), 0),
        (("sh", "-c", "exit 42"), 42),
        (("sh", "-c", "kill -9 $$"), 137),
        (("sh", "-c", "kill $$"), 143),
    ],
)
def test_exit_codes(shared, container, command, code):
    assert shared.call(_exec, container, ExecOptions(command=command))[0] == code


@pytest.mark.parametrize(
    ("command", "code"), [(("/no",), 127), (("no",), 127), (("/etc/passwd",), 126), (("/",), 126)]
)
def test_what_cannot_be_executed(shared, container, command, code):
    with pytest.raises(CannotRun) as caught:
        shared.call(_exec, container, ExecOptions(command=command))
    assert caught.value.exit_code == code


def test_streams_environment_user_and_directory(shared, container):
    options = ExecOptions(
        command=("sh", "-c", "echo $A $(id -u) $(pwd); echo err >&2"),
        env=("A=b",),
        user="daemon",
        workdir="/tmp",
    )
    assert shared.call(_exec, container, options) == [0, "b 1 /tmp\n", "err\n"]
    with pytest.raises(InvalidArgument, match="nobody-here"):
        shared.call(_exec, container, ExecOptions(command=("true",), user="nobody-here"))


def test_input_and_its_end(shared, container):
    options = ExecOptions(command=("cat",), interactive=True)
    assert shared.call(_exec, container, options, b"x" * 300000)[1] == "x" * 300000


def test_a_terminal(shared, container):
    options = ExecOptions(command=("sh", "-c", "tty && stty size"), tty=True)
    code, out, _ = shared.call(_exec, container, options)
    assert code == 0
    assert out.startswith("/dev/pts/")


def test_it_is_in_the_containers_cgroup_and_namespaces(shared, container):
    code, out, _ = shared.call(_exec, container, ExecOptions(command=("readlink", "/proc/self/ns/pid")))
    inside = os.readlink(f"/proc/{shared.row(container)['pid']}/ns/pid")
    assert (code, out.strip()) == (0, inside)


def test_detached_it_goes_on_without_us(shared, container):
    shared.call(
        _detached, container, ExecOptions(command=("sh", "-c", "sleep 0.2; echo x > /left"), detach=True)
    )
    for _ in range(300):
        if shared.call(_exec, container, ExecOptions(command=("test", "-e", "/left")))[0] == 0:
            break
        time.sleep(0.02)
    else:
        raise AssertionError("the detached exec did nothing")


def test_a_killed_command_leaves_the_program_and_the_container_alone(shared, container):
    child = shared.begin(_exec, container, ExecOptions(command=("sleep", "77")))
    for _ in range(300):
        if _sleeping(shared, container):
            break
        time.sleep(0.02)
    os.kill(child.pid, signal.SIGKILL)
    with pytest.raises(Exception, match="9"):
        child.result()
    assert _sleeping(shared, container)
    killing = ("sh", "-c", "kill $(grep -l 'sleep.77' /proc/[0-9]*/cmdline | cut -d/ -f3 | grep -vx self)")
    shared.call(_exec, container, ExecOptions(command=killing))


def test_not_in_a_container_that_has_ended(shared):
    name = shared.run_detached("true")
    shared.await_state(name, "exited")
    with pytest.raises(Conflict, match="start it"):
        shared.call(_exec, name, ExecOptions(command=("true",)))
    shared.call(_remove, name)


def test_it_ends_with_its_container(shared):
    name = shared.run_detached("sleep", "1000")
    child = shared.begin(_exec, name, ExecOptions(command=("sleep", "1000")))
    for _ in range(300):
        if len(shared.pids(name)) == 2:
            break
        time.sleep(0.02)
    shared.call(_remove, name, force=True)
    assert child.result()[0] == 137


def _sleeping(engine, name):
    for pid in engine.pids(name):
        try:
            with open(f"/proc/{pid}/cmdline") as file:
                if file.read().startswith("sleep\x0077"):
                    return True
        except OSError:
            continue
    return False


def _exec(ctx, ref, options, data=b""):
    execution = execute(ctx, ref, options)
    out = {STDOUT: b"", STDERR: b""}
    if data:
        execution.send_stdin(data)
    if options.interactive:
        execution.close_stdin()
    while (found := execution.frames()) is not None:
        for kind, payload in found:
            if kind in out:
                out[kind] += payload
        execution.flush()
        if not found:
            time.sleep(0.001) if execution.pending() else execution.await_input()
    return execution.wait(), out[STDOUT].decode(), out[STDERR].decode()


def _detached(ctx, ref, options):
    execute(ctx, ref, options)


def _remove(ctx, ref, **how):
    remove(ctx, ref, **how)
