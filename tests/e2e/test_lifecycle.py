"""create, start, stop, kill, wait, rm, ps, logs, exec, inspect, diff, top: one container's life."""

from __future__ import annotations

import json
import subprocess

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from e2e.target import Target


def test_create_then_start_attached(target: Target, name: str) -> None:
    identifier = target.out("create", "--name", name, "busybox", "sh", "-c", "echo hello; exit 7")
    assert len(identifier) == 64
    assert target.out("inspect", "-f", "{{.State.Status}}", name) == "created"
    ran = target.run("start", "-a", name)
    assert (ran.returncode, ran.stdout) == (7, "hello\n")
    assert target.out("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", name) == "exited 7"


def test_start_again_and_with_input(target: Target, name: str) -> None:
    target.run("create", "-i", "--name", name, "busybox", "cat", check=True)
    assert target.run("start", "-a", "-i", name, input="one\n").stdout == "one\n"
    assert target.run("start", "-ai", name, input="two\n").stdout == "two\n"


def test_start_says_what_it_started(target: Target, name: str) -> None:
    target.run("create", "--name", name, "busybox", "true", check=True)
    assert target.out("start", name) == name
    assert target.out("wait", name) == "0"


def test_stop_asks_and_kill_does_not(target: Target, sleeper: str) -> None:
    assert target.out("stop", sleeper) == sleeper
    assert target.out("inspect", "-f", "{{.State.ExitCode}}", sleeper) == "0"
    target.run("start", sleeper, check=True)
    assert target.out("kill", sleeper) == sleeper
    assert target.out("wait", sleeper) == "137"


def test_stop_kills_after_the_time(target: Target, name: str) -> None:
    target.run("run", "-d", "--name", name, "busybox", "sleep", "100", check=True)
    target.run("stop", "-t", "0", name, check=True)
    assert target.out("inspect", "-f", "{{.State.ExitCode}}", name) == "137"


def test_restart_and_rename(target: Target, sleeper: str) -> None:
    before = target.out("inspect", "-f", "{{.State.Pid}}", sleeper)
    assert target.out("restart", "-t", "1", sleeper) == sleeper
    assert target.out("inspect", "-f", "{{.State.Running}}", sleeper) == "true"
    assert target.out("inspect", "-f", "{{.State.Pid}}", sleeper) != before
    assert target.out("rename", sleeper, f"{sleeper}-new") == ""
    assert target.out("inspect", "-f", "{{.Name}}", f"{sleeper}-new").strip("/") == f"{sleeper}-new"
    assert target.run("rename", "nosuchthing", "other").returncode in (1, 125)
    target.run("rename", f"{sleeper}-new", sleeper, check=True)


def test_wait_prints_each_exit_code(target: Target, name: str) -> None:
    target.run("run", "-d", "--name", name, "busybox", "sh", "-c", "sleep 0.2; exit 5", check=True)
    assert target.out("wait", name) == "5"
    assert target.out("wait", name, name).split() == ["5", "5"]


def test_rm_refuses_what_runs_and_forces(target: Target, sleeper: str) -> None:
    ran = target.run("rm", sleeper)
    assert ran.returncode in (1, 2)  # podman's is 2
    assert target.out("rm", "-f", sleeper) == sleeper
    assert target.run("inspect", sleeper).returncode != 0


def test_what_is_not_there(target: Target) -> None:
    for verb in ("start", "stop", "kill", "rm", "wait", "logs", "inspect", "top", "diff", "attach"):
        ran = target.run(verb, "nosuchthing")
        assert ran.returncode in ((125, 1) if target.name == "podman" else (1,)), (verb, ran)
        assert "nosuchthing" in ran.stderr, verb


@pytest.mark.differs("podman", "it removes nothing when one name is unknown")
def test_one_failure_does_not_stop_the_others(target: Target, name: str) -> None:
    target.run("create", "--name", name, "busybox", "true", check=True)
    ran = target.run("rm", "nosuchthing", name)
    assert ran.returncode == 1
    assert name in ran.stdout
    assert target.run("inspect", name).returncode != 0


def test_ids_may_be_shortened(target: Target, sleeper: str) -> None:
    identifier = target.out("inspect", "-f", "{{.Id}}", sleeper)
    assert target.out("inspect", "-f", "{{.Name}}", identifier[:8]).strip("/") == sleeper


# ps


def test_ps_shows_what_runs(target: Target, sleeper: str) -> None:
    told = target.out("ps", "--filter", f"name={sleeper}")
    heading, row = told.splitlines()
    assert heading.split("  ")[0] == "CONTAINER ID"
    assert [word for word in heading.split("  ") if word][-1].strip() == "NAMES"
    assert row.endswith(sleeper)
    assert "Up" in row


def test_ps_formats(target: Target, sleeper: str) -> None:
    only = ("--filter", f"name={sleeper}")
    assert target.out("ps", *only, "--format", "{{.Names}}|{{.Command}}").startswith(f"{sleeper}|")
    table = target.out("ps", *only, "--format", "table {{.Names}}\\t{{.Image}}").splitlines()
    assert table[0].split() == ["NAMES", "IMAGE"]
    assert table[1].split()[0] == sleeper
    assert len(target.out("ps", "-q", *only)) == 12
    assert len(target.out("ps", "-q", "--no-trunc", *only)) == 64


@pytest.mark.only("firkin", "docker")
def test_ps_json_is_one_object_a_line(target: Target, sleeper: str) -> None:
    one = json.loads(target.out("ps", "--filter", f"name={sleeper}", "--format", "json"))
    assert one["Names"] == sleeper
    assert one["Image"] == "busybox"
    assert one["State"] == "running"
    assert one["Command"].startswith('"sh -c ')
    assert list(one) == sorted(one)


def test_ps_states_and_filters(target: Target, name: str) -> None:
    target.run("create", "--name", name, "--label", "a=1", "busybox", "true", check=True)

    def listed(*words: str) -> list[str]:
        return target.out("ps", "--format", "{{.Names}}", *words).split()

    assert name not in listed()
    assert name in listed("-a")
    assert listed("-l") == [name]
    assert listed("-n", "1") == [name]
    assert listed("-a", "--filter", "status=created", "--filter", f"name={name}") == [name]
    assert listed("-a", "--filter", "label=a=1") == [name]
    assert listed("-a", "--filter", "label=a=2") == []
    target.run("start", "-a", name, check=True)
    assert listed("-a", "--filter", "exited=0", "--filter", f"name={name}") == [name]
    assert listed("-a", "--filter", "exited=1", "--filter", f"name={name}") == []


def test_ps_refuses_an_unknown_filter(target: Target) -> None:
    assert target.run("ps", "--filter", "nosuch=1").returncode in (1, 125)


# logs


@pytest.fixture
def talker(target: Target, name: str) -> str:
    target.run(
        "run",
        "--name",
        name,
        "busybox",
        "sh",
        "-c",
        "echo 1; sleep 0.2; echo 2 >&2; sleep 0.2; echo 3",
        check=True,
    )
    return name


def test_logs_keep_the_streams_apart(target: Target, talker: str) -> None:
    ran = target.run("logs", talker)
    assert (ran.stdout, ran.stderr) == ("1\n3\n", "2\n")


def test_logs_tail_and_time(target: Target, talker: str) -> None:
    assert target.run("logs", "--tail", "1", talker).stdout == "3\n"
    assert target.run("logs", "--tail", "0", talker).stdout == ""
    stamped = target.run("logs", "-t", talker).stdout.splitlines()
    assert [line.split()[1] for line in stamped] == ["1", "3"]
    assert stamped[0].split()[0][10] == "T"
    assert target.run("logs", "--since", "1h", talker).stdout == "1\n3\n"
    assert target.run("logs", "--until", "2000-01-01", talker).stdout == ""
    assert target.run("logs", "--since", "2099-01-01", talker).stdout == ""


def test_logs_follow_to_the_end(target: Target, name: str) -> None:
    target.run("run", "-d", "--name", name, "busybox", "sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.2; done",
               check=True)  # fmt: skip
    assert target.run("logs", "-f", name).stdout == "1\n2\n3\n"


# exec


def test_exec(target: Target, sleeper: str) -> None:
    ran = target.run("exec", sleeper, "sh", "-c", "echo out; echo err >&2; exit 9")
    assert (ran.returncode, ran.stdout, ran.stderr) == (9, "out\n", "err\n")
    assert target.run("exec", "-i", sleeper, "cat", input="in").stdout == "in"
    told = target.out(
        "exec", "-e", "A=1", "-w", "/tmp", "-u", "5", sleeper, "sh", "-c", "echo $A; pwd; id -u"
    )
    assert told.split() == ["1", "/tmp", "5"]
    assert target.run("exec", "-d", sleeper, "touch", "/made").returncode == 0


def test_exec_that_cannot(target: Target, sleeper: str) -> None:
    # Debian's docker 20.10 says 126 here, newer ones 127.
    assert target.run("exec", sleeper, "nosuch").returncode in (
        (126, 127) if target.name == "docker" else (127,)
    )
    assert target.run("exec", sleeper, "/etc").returncode == 126
    assert target.run("exec", sleeper, "sh", "-c", "kill -9 $$").returncode == 137


def test_exec_needs_a_running_container(target: Target, name: str) -> None:
    target.run("create", "--name", name, "busybox", "true", check=True)
    assert target.run("exec", name, "true").returncode in (1, 125, 255)
    assert target.run("exec", "nosuchthing", "true").returncode in (1, 125)


# inspect, diff, top


def test_inspect_json_and_templates(target: Target, sleeper: str) -> None:
    one = json.loads(target.out("inspect", sleeper))[0]
    assert one["State"]["Running"] is True
    assert one["Config"]["Cmd"][0] == "sh"
    assert target.out("inspect", "-f", "{{json .Config.Cmd}}", sleeper).startswith('["sh","-c",')
    assert "\nPATH=" in "\n" + target.out(
        "inspect", "-f", "{{range .Config.Env}}{{println .}}{{end}}", sleeper
    )
    assert target.out("inspect", "-f", "{{if .State.Running}}up{{else}}down{{end}}", sleeper) == "up"
    assert target.out("container", "inspect", "-f", "{{.Config.Image}}", sleeper).endswith(
        ("busybox", "busybox:latest")
    )
    assert target.run("inspect", "-f", "{{.Nosuch}}", sleeper).returncode != 0
    assert target.run("inspect", "-f", "{{.State", sleeper).returncode != 0
    assert target.run("inspect", "--type", "image", sleeper).returncode != 0


def test_inspect_of_several_prints_what_there_is(target: Target, sleeper: str) -> None:
    ran = target.run("inspect", sleeper, "nosuchthing")
    assert ran.returncode in (1, 125)
    assert [one["State"]["Status"] for one in json.loads(ran.stdout)] == ["running"]


def test_diff(target: Target, name: str) -> None:
    target.run(
        "run",
        "--name",
        name,
        "busybox",
        "sh",
        "-c",
        "echo > /new; rm /etc/group; echo >> /etc/passwd",
        check=True,
    )
    changes = set(target.out("diff", name).splitlines())
    assert {"A /new", "C /etc", "D /etc/group", "C /etc/passwd"} <= changes


def test_top(target: Target, sleeper: str) -> None:
    lines = target.out("top", sleeper).splitlines()
    assert "PID" in lines[0].split()
    assert any("trap" in line for line in lines[1:])


# signals and terminals are in test_terminal.py


def test_signals_reach_the_program(target: Target, name: str) -> None:
    script = "trap 'echo got; exit 3' USR1; echo ready; while :; do sleep 0.05; done"
    ran = target.popen("run", "--name", name, "busybox", "sh", "-c", script, stdout=subprocess.PIPE)
    assert ran.stdout is not None
    assert ran.stdout.readline() == b"ready\n"
    import signal

    ran.send_signal(signal.SIGUSR1)
    assert ran.wait(20) == 3
    with ran.stdout as rest:
        assert rest.read() == b"got\n"


def test_without_sig_proxy_the_container_lives_on(target: Target, name: str) -> None:
    ran = target.popen("run", "--sig-proxy=false", "--name", name, "busybox", "sh", "-c", "echo ready; sleep 100",
                       stdout=subprocess.PIPE)  # fmt: skip
    assert ran.stdout is not None
    assert ran.stdout.readline() == b"ready\n"
    ran.terminate()
    with pytest.raises(subprocess.TimeoutExpired):  # the container does not hear of it
        subprocess.run(target.argv("wait", name), env=target.environ, timeout=0.5, capture_output=True)
    assert target.out("inspect", "-f", "{{.State.Running}}", name) == "true"
    target.run("kill", name, check=True)
    ran.wait(20)
    ran.stdout.close()
