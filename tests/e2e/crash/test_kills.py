"""SIGKILL for each process of firkin's at each named step: the next command is silent, right, and leaves nothing.

``FIRKIN_DIE_AT=step`` makes whoever reaches the step first kill itself: the command, the monitor or the agent.
"""

from __future__ import annotations

import json
import os
import re
import signal
import time
from pathlib import Path

import pytest

from e2e.crash import machine
from e2e.crash.lab import Lab, children, kill, until
from e2e.target import REPO

RUN = ("-p", "127.0.0.1::80", "-v", "/data", "--name", "victim")
SLEEP = ("busybox", "sleep", "1000")

# Who reaches the step: a start's steps, and what the next command must find of a container without and with --rm.
CREATOR = ("row-inserted", "snapshot-made", "volumes-made")
STARTER_EARLY = ("row-starting",)
STARTER_LATE = ("plan-sent", "started-heard", "row-running")
MONITOR_EARLY = ("listening", "own-mounts", "root-mounted", "volume-filled", "network-attached", "config-written",
                 "cgroup-made", "launched", "state-written")  # fmt: skip
MONITOR_LATE = ("reported",)
MONITOR_END = (
    "exit-recorded",
    "drained",
    "exit-announced",
    "cgroup-removed",
    "network-detached",
    "bundle-removed",
    "settled",
)
ERASE = ("volumes-removed", "directories-removed", "row-deleted")
REMOVER = ("killed", "row-removing", "cgroup-removed", "network-detached", "bundle-removed", *ERASE)
HEIR = ("end-heard", "inherited")
EXEC = ("exec-plan-sent", "exec-launched", "exec-started")
ELSEWHERE = {
    "monitor-forked", "made",  # run, before anything exists; see test_a_run_killed_before_its_container_exists
    "start-undone", "failure-recorded",  # test_a_failed_start_is_killed
    "oom-recorded",  # test_a_monitor_killed_after_an_oom
    "end-found", "repaired",  # test_the_repair_itself_is_killed
}  # fmt: skip


def test_every_named_step_is_attacked_here():
    named = set()
    for path in (REPO / "src" / "firkin").rglob("*.py"):
        named |= set(re.findall(r'(?<![\w.])step\("([a-z-]+)"\)', path.read_text()))
    here = {
        *CREATOR,
        *STARTER_EARLY,
        *STARTER_LATE,
        *MONITOR_EARLY,
        *MONITOR_LATE,
        *MONITOR_END,
        *ERASE,
        *REMOVER,
        *HEIR,
        *EXEC,
    }
    assert named == here | ELSEWHERE


@pytest.mark.parametrize("rm", [(), ("--rm",)], ids=["keep", "rm"])
@pytest.mark.parametrize("step", HEIR)
def test_an_attached_run_that_is_killed_while_it_writes_down_the_end(
    lab: Lab, step: str, rm: tuple[str, ...]
):
    words = ("--network", "none", "-v", "/data", "--name", "victim", "busybox", "sh", "-c", "exit 7")
    lab("run", *rm, *words, die_at=step, code=-signal.SIGKILL)
    if rm:
        lab.is_empty()
        return
    assert lab.state("victim") == ("exited", 7)
    lab.is_clean()


@pytest.mark.parametrize("step", CREATOR)
def test_a_create_that_is_killed_leaves_nothing(lab: Lab, step: str):
    lab("create", *RUN, *SLEEP, die_at=step, code=-signal.SIGKILL)
    lab.is_empty()


@pytest.mark.parametrize("rm", [(), ("--rm",)], ids=["keep", "rm"])
@pytest.mark.parametrize("step", ["monitor-forked", "made", *CREATOR])
def test_a_run_killed_before_its_container_exists_leaves_nothing(lab: Lab, step: str, rm: tuple[str, ...]):
    done = lab("run", "-d", *rm, *RUN, *SLEEP, die_at=step)
    if (
        step == "monitor-forked" and not rm
    ):  # the monitor died: a start that failed, and the container is kept
        assert done.returncode == 125
        assert lab.state("victim")[0] == "created"
        lab.is_clean()
        lab("rm", "-v", "victim", code=0)
    elif step == "made" and not rm and lab.names():
        assert lab.state("victim")[0] == "created"
        lab.is_clean()
        lab("rm", "-v", "victim", code=0)
    lab.is_empty()


@pytest.mark.parametrize("verb", ["run", "start"])
@pytest.mark.parametrize("rm", [(), ("--rm",)], ids=["keep", "rm"])
@pytest.mark.parametrize("step", [*STARTER_EARLY, *MONITOR_EARLY])
def test_a_start_killed_before_the_program_runs(lab: Lab, step: str, rm: tuple[str, ...], verb: str):
    if verb == "run":
        done = lab("run", "-d", *rm, *RUN, *SLEEP, die_at=step)
    else:
        lab("create", *rm, *RUN, *SLEEP, code=0)
        done = lab("start", "victim", die_at=step)
    assert done.returncode in ((-signal.SIGKILL,) if step in STARTER_EARLY else (125, 1)), done
    if rm:
        lab.is_empty()
        return
    status, code = lab.state("victim")
    assert (status, code) == ("created", 128), (step, status, code)
    lab.is_clean()
    assert re.search("killed|died", lab.out("explain", "victim"))
    lab("start", "victim", code=0)
    assert lab.state("victim")[0] == "running"
    lab.is_clean()


@pytest.mark.parametrize("step", STARTER_LATE)
def test_a_container_outlives_the_command_that_started_it(lab: Lab, step: str):
    lab("run", "-d", *RUN, *SLEEP, die_at=step, code=-signal.SIGKILL)
    assert lab.state("victim") == ("running", 0)
    lab.is_clean()
    assert lab.out("exec", "victim", "echo", "well") == "well"
    lab("stop", "-t", "0", "victim", code=0)
    assert lab.state("victim") == ("exited", 137)
    lab.is_clean()


def test_a_monitor_killed_once_the_program_runs(lab: Lab):
    lab("run", "-d", *RUN, *SLEEP, die_at="reported")
    ended_with_its_monitor(lab, "victim")


@pytest.mark.parametrize("rm", [(), ("--rm",)], ids=["keep", "rm"])
@pytest.mark.parametrize("step", [*MONITOR_END, *ERASE])
def test_a_monitor_killed_on_its_way_out(lab: Lab, step: str, rm: tuple[str, ...]):
    """The exit code is what the program said, whatever became of its monitor."""
    if step in ERASE and not rm:
        pytest.skip("a container without --rm is not erased by its monitor")
    lab("run", "-d", *rm, *RUN, "busybox", "sh", "-c", "echo last words; sleep 0.2; exit 7", die_at=step)
    await_monitor(lab)
    if rm:
        lab.is_empty()
        return
    assert lab.state("victim") == ("exited", 7)
    lab.is_clean()
    assert lab.out("logs", "victim") == "last words"
    assert lab.out("wait", "victim") == "7"


def test_a_monitor_killed_after_an_oom(lab: Lab):
    script = "sleep 0.2; exec dd if=/dev/zero of=/dev/null bs=64M"
    lab("run", "-d", *RUN, "-m", "16m", "busybox", "sh", "-c", script, die_at="oom-recorded")
    await_monitor(lab)
    assert lab.state("victim") == ("exited", 137)
    assert json.loads(lab.out("inspect", "victim"))[0]["State"]["OOMKilled"] is True
    lab.is_clean()
    assert "memory" in lab.out("explain", "victim")


@pytest.mark.parametrize("rm", [(), ("--rm",)], ids=["keep", "rm"])
@pytest.mark.parametrize("step", ["start-undone", "failure-recorded"])
def test_a_failed_start_is_killed(lab: Lab, step: str, rm: tuple[str, ...]):
    lab("run", "-d", *rm, *RUN, "busybox", "/no/such/program", die_at=step)
    names = lab.names()
    assert names == ([] if rm else ["victim"])
    if not rm:
        assert lab.state("victim")[0] == "created"
        lab.is_clean()
        lab("rm", "-v", "victim", code=0)
    lab.is_empty()


@pytest.mark.parametrize("how", ["running", "exited"])
@pytest.mark.parametrize("step", REMOVER)
def test_a_remover_is_killed(lab: Lab, step: str, how: str):
    lab("run", "-d", *RUN, *SLEEP, code=0)
    if how == "exited":
        if step == "killed":
            pytest.skip("nobody is killed then")
        lab("stop", "-t", "0", "victim", code=0)
    lab("rm", "-f", "-v", "victim", die_at=step, code=-signal.SIGKILL)
    if step == "killed":
        assert lab.state("victim") == ("exited", 137)
        lab.is_clean()
        lab("rm", "-v", "victim", code=0)
    lab.is_empty()


@pytest.mark.parametrize("step", ["row-removing", "bundle-removed", "directories-removed"])
def test_an_rm_without_v_that_is_killed_keeps_the_anonymous_volume(lab: Lab, step: str):
    before = set(lab.out("volume", "ls", "-q").split())
    lab("run", "-d", *RUN, *SLEEP, code=0)
    lab("exec", "victim", "touch", "/data/precious", code=0)
    lab("rm", "-f", "victim", die_at=step, code=-signal.SIGKILL)
    lab.is_empty()
    (kept,) = set(lab.out("volume", "ls", "-q").split()) - before
    assert lab.out("run", "--rm", "-v", f"{kept}:/data", "busybox", "ls", "/data") == "precious"
    lab("volume", "rm", kept, code=0)


def test_a_volume_name_with_a_path_in_it_removes_nothing(lab: Lab):
    for name in ("../tmp", "../../root/containers", "..", "/"):
        assert lab("volume", "rm", name).returncode == 1
    lab.out("volume", "rm", "-f", "../containers")
    assert os.path.isdir(f"{lab.root}/containers")


@pytest.mark.parametrize("detach", [(), ("-d",)], ids=["attached", "detached"])
@pytest.mark.parametrize("step", EXEC)
def test_an_exec_is_killed(lab: Lab, step: str, detach: tuple[str, ...]):
    """Command or agent: the container goes on, and what was started in it ends with it at the latest."""
    lab("run", "-d", *RUN, *SLEEP, code=0)
    done = lab("exec", *detach, "victim", "sh", "-c", "sleep 1001", die_at=step, timeout=20)
    assert done.returncode != 0
    assert lab.state("victim") == ("running", 0)
    assert lab.out("exec", "victim", "echo", "well") == "well"
    if step == "exec-launched":  # the agent is dead: what it had launched must not go on without anybody
        until(lambda: "1001" not in lab.out("top", "victim"), "the program of the dead agent ends")
    lab("rm", "-f", "-v", "victim", code=0)
    lab.is_empty()


def test_a_detached_execs_agent_is_killed(lab: Lab):
    lab("run", "-d", *RUN, *SLEEP, code=0)
    lab("exec", "-d", "victim", "sleep", "1001", code=0)
    program = next(int(line.split()[1]) for line in lab.out("top", "victim").splitlines() if "1001" in line)
    agent = int(Path(f"/proc/{program}/stat").read_text().rpartition(")")[2].split()[1])
    assert agent not in (1, lab.row("victim")["monitor_pid"], lab.row("victim")["pid"])
    kill(agent)
    until(lambda: "1001" not in lab.out("top", "victim"), "the program of the dead agent ends")
    assert lab.state("victim") == ("running", 0)
    lab.is_clean()


def test_an_attached_exec_outlives_its_command_and_ends_with_the_container(lab: Lab):
    lab("run", "-d", *RUN, *SLEEP, code=0)
    command = lab.begin("exec", "victim", "sleep", "1001")
    until(lambda: "1001" in lab.out("top", "victim"), "exec")
    command.kill()
    command.communicate()
    assert "1001" in lab.out("top", "victim")
    lab.is_clean()
    lab("stop", "-t", "0", "victim", code=0)
    lab.is_clean()


@pytest.mark.parametrize(
    "step", ["end-found", "cgroup-removed", "network-detached", "bundle-removed", "repaired"]
)
def test_the_repair_itself_is_killed(lab: Lab, step: str):
    lab("run", "-d", *RUN, *SLEEP, code=0)
    kill(lab.row("victim")["monitor_pid"])
    lab("ps", die_at=step, code=-signal.SIGKILL)
    assert lab.state("victim") == ("exited", 137)
    lab.is_clean()


@pytest.mark.parametrize("network", ["bridge", "none", "host"])
@pytest.mark.parametrize("pid", ["private", "host"])
def test_a_killed_monitor_takes_its_container_along(lab: Lab, network: str, pid: str):
    script = "trap '' TERM HUP INT; (trap '' TERM HUP INT; sleep 1000) & sleep 1000 & wait; wait"
    more = ("--pid", "host") if pid == "host" else ()
    lab("run", "-d", "--network", network, *more, "--name", "victim", "busybox", "sh", "-c", script, code=0)
    kill(lab.row("victim")["monitor_pid"])
    ended_with_its_monitor(lab, "victim")


def test_a_killed_monitor_with_rm_leaves_nothing(lab: Lab):
    lab("run", "-d", "--rm", *RUN, *SLEEP, code=0)
    kill(lab.row("victim")["monitor_pid"])
    lab.is_empty()


def test_a_killed_monitor_is_told_to_whoever_waits(lab: Lab):
    """wait, logs -f, attach, an attached run and a stop with patience all end, with 137 where a code is told."""
    front = lab.begin("run", *RUN, *SLEEP)
    until(lambda: "victim" in lab.names() and lab.state("victim")[0] == "running", "run")
    waiting = [lab.begin("wait", "victim"), lab.begin("logs", "-f", "victim"), lab.begin("attach", "victim"),
               lab.begin("stop", "-t", "50", "victim")]  # fmt: skip
    time.sleep(0.4)
    kill(lab.row("victim")["monitor_pid"])
    answers = [command.communicate(timeout=10) for command in (front, *waiting)]
    codes = [command.returncode for command in (front, *waiting)]
    assert codes == [137, 0, 0, 137, 0], (codes, answers)
    assert answers[1][0] == b"137\n"
    assert lab.state("victim") == ("exited", 137)
    lab.is_clean()


def test_the_command_in_front_is_killed_and_the_container_stays(lab: Lab):
    front = lab.begin("run", "-i", *RUN, "busybox", "sh", "-c", "echo up; sleep 1000", stdin=-1)
    assert front.stdout.readline() == b"up\n"
    front.kill()
    front.communicate()
    assert lab.state("victim") == ("running", 0)
    lab.is_clean()
    assert lab.out("logs", "victim") == "up"


def test_the_program_is_killed_from_outside(lab: Lab):
    lab("run", "-d", *RUN, *SLEEP, code=0)
    kill(lab.row("victim")["pid"])
    assert lab.out("wait", "victim") == "137"
    assert lab.state("victim") == ("exited", 137)
    lab.is_clean()


def test_a_stop_is_killed_and_the_next_one_ends_the_container(lab: Lab):
    lab("run", "-d", *RUN, "busybox", "sh", "-c", "trap '' TERM; echo up; while :; do sleep 1; done", code=0)
    until(lambda: lab.out("logs", "victim") == "up", "trap")
    stop = lab.begin("stop", "-t", "100", "victim")
    time.sleep(0.3)
    stop.kill()
    stop.communicate()
    assert lab.state("victim") == ("running", 0)
    lab("stop", "-t", "0", "victim", code=0)
    assert lab.state("victim") == ("exited", 137)
    lab.is_clean()


@pytest.mark.parametrize("verb", ["run", "start", "rm", "exec", "stop", "create"])
def test_every_process_at_any_moment(lab: Lab, verb: str):
    """Whatever process the command has made so far is killed, after a delay that walks over the command's time.

    ``FIRKIN_TEST_KILLS`` says how many moments.
    """
    rounds = int(os.environ.get("FIRKIN_TEST_KILLS", "5"))
    for number in range(rounds):
        for whom in ("command", "others"):
            if verb in ("rm", "exec", "stop"):
                lab("run", "-d", *RUN, *SLEEP, code=0)
            elif verb == "start":
                lab("create", *RUN, *SLEEP, code=0)
            words = {
                "run": ("run", "-d", *RUN, *SLEEP), "create": ("create", *RUN, *SLEEP), "start": ("start", "victim"),
                "rm": ("rm", "-f", "-v", "victim"), "exec": ("exec", "victim", "true"), "stop": ("stop", "-t", "0", "victim"),
            }[verb]  # fmt: skip
            command = lab.begin(*words)
            time.sleep(0.008 + 0.07 * number / rounds)
            if whom == "command":
                command.kill()
            else:
                for pid in _descendants(command.pid):
                    kill(pid)
            command.communicate(timeout=20)
            for name in lab.names():
                status, code = lab.state(name)
                assert (status, code) in (
                    ("created", 0),
                    ("created", 128),
                    ("running", 0),
                    ("exited", 137),
                ), (status, code)
            lab.is_clean()
            if lab.names():
                lab("rm", "-f", "-v", "victim", code=0)
            lab.is_empty()


def _descendants(pid: int) -> list[int]:
    found = children(pid)
    return [*found, *(deeper for one in found for deeper in _descendants(one))]


def await_monitor(lab: Lab) -> None:
    """Wait for the monitor's end without a command that would repair."""

    def ended() -> bool:
        rows = [row for row in machine.Rows(lab.view + lab.root).containers if row["monitor_pid"]]
        return not any(machine.is_alive(row["monitor_pid"], row["monitor_start"]) for row in rows)

    until(ended, "the monitor ends")
    time.sleep(0.02)


def ended_with_its_monitor(lab: Lab, name: str) -> None:
    """Dead within a second, and told rightly by whichever command comes next."""
    row = lab.row(name)
    end = time.monotonic() + 1
    while machine.is_alive(row["pid"], row["start_time"]):
        assert time.monotonic() < end, "the program lives on without its monitor"
        time.sleep(0.005)
    assert lab.out("ps", "-q") == ""
    assert "Exited (137)" in lab.out("ps", "-a", "--format", "{{.Status}}")
    assert lab.state(name) == ("exited", 137)
    explained = lab.out("explain", name)
    assert "monitor" in explained, explained
    assert lab.out("logs", name) == ""
    lab.is_clean()
