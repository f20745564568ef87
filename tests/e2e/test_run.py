"""run: streams, exit codes, the flags about the process."""

from __future__ import annotations

import subprocess

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from e2e.target import Target


def test_streams_stay_apart(target: Target) -> None:
    ran = target.run("run", "--rm", "busybox", "sh", "-c", "echo out; echo err >&2")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "out\n", "err\n")


@pytest.mark.parametrize("code", [0, 1, 3, 125, 255])
def test_the_programs_exit_code_is_ours(target: Target, code: int) -> None:
    assert target.run("run", "--rm", "busybox", "sh", "-c", f"exit {code}").returncode == code


@pytest.mark.parametrize(("signal", "code"), [("KILL", 137), ("TERM", 143), ("SEGV", 139)])
def test_death_by_signal_is_128_and_its_number(target: Target, signal: str, code: int) -> None:
    # A child of sh: init itself is immune to signals without a handler from inside.
    script = f"sh -c 'kill -{signal} $$'; exit $?"
    assert target.run("run", "--rm", "busybox", "sh", "-c", script).returncode == code


def test_a_killed_init_too(target: Target, name: str) -> None:
    ran = target.popen("run", "--name", name, "busybox", "sleep", "100", stdout=subprocess.DEVNULL)
    wait_running(target, name)
    target.run("kill", name, check=True)
    assert ran.wait(20) == 137


def wait_running(target: Target, name: str) -> None:
    import time

    deadline = time.monotonic() + 20
    while target.run("inspect", "-f", "{{.State.Running}}", name).stdout.strip() != "true":
        assert time.monotonic() < deadline, "it never ran"
        time.sleep(0.05)


def test_125_when_the_engine_refuses(target: Target) -> None:
    assert target.run("run", "--no-such-flag", "busybox", "true").returncode == 125
    assert target.run("run", "--rm", "-m", "x", "busybox", "true").returncode == 125
    assert target.run("run", "--rm", "-u", "nosuchuser", "busybox", "true").returncode in (125, 126)


@pytest.mark.only("firkin", "docker")
def test_125_for_an_unknown_image(target: Target) -> None:
    ran = target.run("run", "--rm", "--pull=never", "nosuchimage", "true")
    assert ran.returncode == 125
    assert "nosuchimage" in ran.stderr


def test_127_for_a_missing_program_and_126_for_one_that_cannot_run(target: Target) -> None:
    assert target.run("run", "--rm", "busybox", "/nosuch").returncode == 127
    assert target.run("run", "--rm", "busybox", "nosuch").returncode == 127
    assert target.run("run", "--rm", "busybox", "/etc").returncode == 126
    assert target.run("run", "--rm", "busybox", "/etc/passwd").returncode == 126


def test_flags_end_at_the_image(target: Target) -> None:
    assert target.out("run", "--rm", "busybox", "echo", "--rm", "-it", "--", "x") == "--rm -it -- x"


def test_environment(target: Target, tmp_path) -> None:
    file = tmp_path / "env"
    file.write_text("# comment\nA=file\nB=file value\nPASSED\nABSENT\n")
    told = target.out(
        "run", "--rm", "--env-file", str(file), "-e", "A=flag", "-e", "ALSO", "-e", "NEITHER", "busybox", "env",
        env={"PASSED": "1", "ALSO": "2"},
    )  # fmt: skip
    lines = set(told.splitlines())
    assert {"A=flag", "B=file value", "PASSED=1", "ALSO=2"} <= lines
    assert not any(line.startswith(("ABSENT", "NEITHER")) for line in lines)


def test_standard_input_reaches_it_and_its_end_too(target: Target) -> None:
    ran = target.run("run", "--rm", "-i", "busybox", "wc", "-c", input="x" * 100_000)
    assert ran.stdout.strip() == "100000"
    assert target.run("run", "--rm", "busybox", "cat", input="unheard").stdout == ""


def test_bytes_pass_unchanged(target: Target) -> None:
    every = bytes(range(256)) * 300
    assert target.run("run", "--rm", "-i", "busybox", "cat", input=every).stdout == every


def test_much_output_is_neither_lost_nor_reordered(target: Target) -> None:
    told = target.out("run", "--rm", "busybox", "seq", "300000", timeout=120)
    assert told == "\n".join(str(number) for number in range(1, 300_001))


@pytest.mark.only("firkin", "docker")
def test_when_the_reader_goes_we_end_and_the_container_does_not(target: Target, name: str) -> None:
    words = " ".join(target.argv("run", "--name", name, "busybox", "yes"))
    ran = subprocess.run(
        ["bash", "-c", f"{words} | head -n 1; echo ${{PIPESTATUS[0]}}"],
        capture_output=True, text=True, timeout=60, env=target.environ,
    )  # fmt: skip
    assert ran.stdout.split() == ["y", "1"]
    assert "broken pipe" in ran.stderr
    assert target.out("inspect", "-f", "{{.State.Running}}", name) == "true"


def test_the_process_flags(target: Target) -> None:
    told = target.out(
        "run", "--rm", "-w", "/etc", "-u", "7:8", "--hostname", "box", "busybox",
        "sh", "-c", "pwd; id -u; id -g; hostname",
    )  # fmt: skip
    assert told.split() == ["/etc", "7", "8", "box"]


@pytest.mark.differs("podman", "it refuses a working directory that is not there")
def test_the_working_directory_is_made(target: Target) -> None:
    assert target.out("run", "--rm", "-w", "/new/dir", "busybox", "pwd") == "/new/dir"


def test_entrypoint(target: Target) -> None:
    assert target.out("run", "--rm", "--entrypoint", "echo", "busybox", "a", "b") == "a b"


def test_detached_prints_the_id_and_rm_removes(target: Target, name: str) -> None:
    identifier = target.out("run", "-d", "--rm", "--name", name, "busybox", "sleep", "100")
    assert len(identifier) == 64
    assert target.out("ps", "-q", "--no-trunc", "--filter", f"name={name}") == identifier
    target.run("stop", "-t", "0", name, check=True)
    import time

    deadline = time.monotonic() + 10
    while target.run("inspect", name).returncode == 0:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_cidfile_is_written_once(target: Target, name: str, tmp_path) -> None:
    path = tmp_path / "cid"
    identifier = target.out("run", "-d", "--name", name, "--cidfile", str(path), "busybox", "true")
    assert path.read_text() == identifier
    assert target.run("run", "--rm", "--cidfile", str(path), "busybox", "true").returncode == 125
    assert path.read_text() == identifier


def test_attach_chooses_the_streams(target: Target) -> None:
    ran = target.run("run", "--rm", "-a", "stderr", "busybox", "sh", "-c", "echo out; echo err >&2")
    assert (ran.stdout, ran.stderr) == ("", "err\n")


def test_a_name_is_taken_once(target: Target, sleeper: str) -> None:
    ran = target.run("run", "--rm", "--name", sleeper, "busybox", "true")
    assert ran.returncode == 125
    assert sleeper in ran.stderr


@pytest.mark.differs("podman", "it lets -d win over -a")
def test_conflicting_options(target: Target) -> None:
    assert target.run("run", "--rm", "--restart", "always", "busybox", "true").returncode == 125
    assert target.run("run", "-d", "-a", "stdout", "busybox", "true").returncode in (1, 125)


@pytest.mark.differs("podman", "it only warns")
def test_t_needs_a_terminal_when_input_is_attached(target: Target) -> None:
    ran = target.run("run", "--rm", "-it", "busybox", "true", input="")
    assert ran.returncode == 1
    assert "the input device is not a TTY" in ran.stderr
