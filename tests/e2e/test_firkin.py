"""What firkin has beyond docker: --dry-run, --tree, explain, --profile, doctor, completion."""

from __future__ import annotations

import json
import time

import pytest

from e2e.target import FIRKIN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from e2e.target import Target

pytestmark = pytest.mark.only("firkin")


def test_dry_runs_change_nothing(target: Target, name: str) -> None:
    target.run("create", "--name", name, "busybox", "true", check=True)
    assert f" {name} (created)" in target.out("rm", "--dry-run", name)
    assert target.out("inspect", "-f", "{{.State.Status}}", name) == "created"
    assert target.out("inspect", "-f", "{{.Id}}", name) in target.out("container", "prune", "--dry-run")
    target.out("image", "prune", "-a", "--dry-run")
    target.out("volume", "prune", "-a", "--dry-run")
    assert target.out("inspect", "-f", "{{.State.Status}}", name) == "created"
    assert target.run("rmi", "--dry-run", "busybox").returncode == 1  # in use


def test_prune_asks_first(target: Target, name: str) -> None:
    target.run("create", "--name", name, "busybox", "true", check=True)
    assert "Are you sure" in target.run("container", "prune", input="n\n").stdout
    assert target.run("inspect", name).returncode == 0
    assert "Deleted Containers:" in target.run("container", "prune", input="y\n").stdout
    assert target.run("inspect", name).returncode == 1


def test_trees_show_pids_inside_and_outside(target: Target, sleeper: str) -> None:
    lines = target.out("top", "--tree", sleeper).splitlines()
    assert lines[0].split() == ["PID", "INSIDE", "USER", "COMMAND"]
    assert lines[1].split()[:3] == [target.out("inspect", "-f", "{{.State.Pid}}", sleeper), "1", "root"]
    rows = [json.loads(line) for line in target.out("top", "--format", "json", sleeper).splitlines()]
    assert rows[0]["PID"] == target.out("inspect", "-f", "{{.State.Pid}}", sleeper)
    assert any(f"{sleeper} (" in line for line in target.out("ps", "--tree").splitlines())


def test_explain_says_why(target: Target, name: str) -> None:
    target.run("run", "--name", name, "busybox", "sh", "-c", "exit 3")
    assert target.out("explain", name).startswith(f"{name} (exited): ")
    assert json.loads(target.out("explain", "--format", "json", name))["container"] == name
    assert target.run("explain", "nosuchthing").returncode == 1


def test_a_profile_sums_to_the_wall_time(target: Target, tmp_path) -> None:
    trace = tmp_path / "trace.json"
    before = time.monotonic_ns()
    ran = target.run(
        "--profile",
        "--profile-json",
        str(trace),
        "run",
        "--rm",
        "--network",
        "none",
        "busybox",
        "true",
        check=True,
    )
    wall_ms = (time.monotonic_ns() - before) / 1e6
    lines = ran.stderr.splitlines()
    assert lines[0].split() == ["ms", "%", "phase"]
    end = next(
        i for i, line in enumerate(lines) if "from the start of the process" in line or "within 10 ms" in line
    )
    total = float(lines[end].split()[0])
    assert sum(float(line.split()[0]) for line in lines[1:end]) == pytest.approx(total, rel=0.01)
    # Our own wall time has a fork before it and a wait after it; it is never less.
    assert 0 < total <= wall_ms
    events = json.loads(trace.read_text())["traceEvents"]
    own = [event for event in events if event["ph"] == "X" and event["tid"] == event["pid"]]
    assert sum(event["dur"] for event in own) / 1000 == pytest.approx(total, rel=0.01)
    assert {event["args"]["name"] for event in events if event["ph"] == "M"} == {"firkin", "monitor"}


def test_doctor_and_info(target: Target) -> None:
    assert "kernel: Linux" in target.run("doctor").stdout
    assert json.loads(target.out("info", "--format", "json"))["DockerRootDir"] == f"{target.home}/root"
    assert target.out("version", "--format", "{{.Server.Version}}").count(".") == 2


def test_two_roots_do_not_see_each_other(target: Target, sleeper: str) -> None:
    import subprocess

    other = ["--root", f"{target.home}/other", "--run-root", f"{target.home}/other-run"]
    told = subprocess.run([FIRKIN, *other, "ps", "-aq"], capture_output=True, text=True, check=True)
    assert told.stdout == ""
    assert target.out("ps", "-q", "--filter", f"name={sleeper}") != ""


def test_volumes(target: Target, name: str) -> None:
    volume = f"v{name}"
    assert target.out("volume", "create", "--label", "a=1", volume) == volume
    assert target.out("volume", "ls", "-q", "--filter", "label=a=1") == volume
    assert json.loads(target.out("volume", "inspect", volume))[0]["Labels"] == {"a": "1"}
    target.run("create", "--name", name, "-v", f"{volume}:/data", "busybox", "true", check=True)
    ran = target.run("volume", "rm", volume)
    assert ran.returncode == 1
    assert name in ran.stderr
    target.run("rm", name, check=True)
    assert target.out("volume", "rm", "--dry-run", volume) == f"would remove {volume}"
    assert target.out("volume", "rm", volume) == volume
    assert target.run("volume", "inspect", volume).returncode == 1
