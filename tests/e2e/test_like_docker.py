"""Small things in which firkin once differed from docker, each named after how it showed."""

from __future__ import annotations

import io
import signal as signals
import subprocess
import tarfile

import pytest

from e2e.conftest import busybox

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from e2e.target import Target


def test_ps_quotes_arguments_with_spaces_in_them(target: Target, name: str) -> None:
    target.run("create", "--name", name, "busybox", "sh", "-c", "exit 3", check=True)
    command = target.run("ps", "-a", "-f", f"name={name}", "--no-trunc", "--format", "{{.Command}}").stdout
    assert "exit 3" in command
    if target.name != "podman":
        assert command.strip() == "\"sh -c 'exit 3'\""


def test_ps_finds_a_name_written_with_its_slash(target: Target, name: str) -> None:
    target.run("create", "--name", name, "busybox", "true", check=True)
    for pattern in (f"^{name}$", name[2:]) + ((f"^/{name}$",) if target.name != "podman" else ()):
        assert target.run("ps", "-aq", "-f", f"name={pattern}").stdout.strip(), pattern


@pytest.mark.differs("podman", "it has no filter publish")
def test_ps_publish_means_the_port_outside(target: Target, name: str) -> None:
    target.run("run", "-d", "--name", name, "-p", "28543:543", "busybox", "sleep", "100", check=True)
    assert target.run("ps", "-q", "-f", "publish=28543").stdout.strip()
    assert not target.run("ps", "-q", "-f", "publish=543").stdout.strip()


@pytest.mark.differs("podman", "it joins an unfinished line with the one before, of the other stream too")
def test_logs_of_the_last_line_have_no_stamp_of_an_empty_one(target: Target, name: str) -> None:
    target.run("run", "--name", name, "busybox", "sh", "-c", "echo one >&2; sleep 0.1; printf two")
    ran = target.run("logs", "-t", "--tail", "1", name)
    assert (ran.stdout[-4:], ran.stderr) == (" two", "")


@pytest.mark.differs("podman", "it does not send SIGWINCH on")
@pytest.mark.parametrize("signal", ["CONT", "WINCH"])
def test_signals_that_are_usually_ignored_reach_the_program(target: Target, name: str, signal: str) -> None:
    script = f"trap 'echo got; exit 5' {signal}; echo ready; while :; do sleep 0.1; done"
    words = ("run", "--rm", "--name", name, "busybox", "sh", "-c", script)
    with target.popen(*words, stdout=subprocess.PIPE, text=True) as ran:
        assert ran.stdout is not None
        assert ran.stdout.readline() == "ready\n"
        ran.send_signal(signals.Signals[f"SIG{signal}"])
        assert (ran.stdout.read(), ran.wait(20)) == ("got\n", 5)


@pytest.mark.differs("podman", "it shows C /etc")
def test_diff_keeps_silent_about_the_engines_own_files(target: Target, name: str, tmp_path: Path) -> None:
    bare = tmp_path / "bare.tar"
    with tarfile.open(busybox(tmp_path)) as archive, tarfile.open(bare, "w") as out:
        layer = next(member for member in archive if member.name.endswith("layer.tar"))
        with tarfile.open(fileobj=archive.extractfile(layer)) as files:
            for member in files:
                if not member.name.strip("./").startswith(("etc/host", "etc/resolv")):
                    out.addfile(member, files.extractfile(member) if member.isreg() else None)
    target.run("import", str(bare), f"{name}:1", check=True)
    target.run("run", "--name", name, f"{name}:1", "true", check=True)
    assert target.run("diff", name).stdout == ""
    target.run("rm", name, check=True)
    target.run("run", "--name", name, f"{name}:1", "sh", "-c", "echo > /etc/x; chmod 700 /tmp", check=True)
    assert set(target.run("diff", name).stdout.split("\n")) == {"C /etc", "A /etc/x", "C /tmp", ""}
    target.run("rm", name, check=True)
    target.run("rmi", f"{name}:1", check=True)


@pytest.mark.only("firkin", "docker")
def test_an_images_size_counts_symbolic_links(target: Target, name: str, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "links.tar", "w") as archive:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "twelve/bytes"
        archive.addfile(link)
        file = tarfile.TarInfo("file")
        file.size = 5
        archive.addfile(file, io.BytesIO(b"bytes"))
    target.run("import", str(tmp_path / "links.tar"), f"{name}:1", check=True)
    assert target.run("inspect", "-f", "{{.Size}}", f"{name}:1").stdout.strip() == "17"
    target.run("rmi", f"{name}:1", check=True)


def test_shm_size_0_is_the_default(target: Target) -> None:
    ran = target.run("run", "--rm", "--shm-size", "0", "busybox", "df", "/dev/shm")
    assert ran.returncode == 0
    assert target.name == "podman" or " 65536 " in ran.stdout


def test_top_complains_in_one_line(target: Target, sleeper: str) -> None:
    ran = target.run("top", sleeper, "--no-such-option")
    assert ran.returncode != 0
    assert len(ran.stderr.splitlines()) == 1


@pytest.mark.only("firkin")
def test_a_broken_program_on_a_bind_mount_is_not_said_to_be_missing(target: Target, tmp_path: Path) -> None:
    for file, content, mode in (
        ("empty", "", 0o755),
        ("closed", "#!/bin/sh\n", 0o644),
        ("lost", "#!/no/sh\n", 0o755),
    ):
        (tmp_path / file).write_text(content)
        (tmp_path / file).chmod(mode)
    where = ("run", "--rm", "-v", f"{tmp_path}:/x", "-v", f"{tmp_path}/empty:/one", "busybox")
    for program, code, why in (
        ("/x/empty", 126, "empty file"),
        ("/one", 126, "empty file"),
        ("/x/closed", 126, "not executable"),
        ("/x/lost", 127, "/no/sh, which the image lacks"),
        ("/x/none", 127, "no such file"),
        ("/x", 126, "directory"),
    ):
        ran = target.run(*where, program)
        assert (ran.returncode, why in ran.stderr) == (code, True), ran.stderr


@pytest.mark.only("firkin", "docker")
def test_ps_prints_json_with_sorted_keys_in_a_template_too(target: Target, name: str) -> None:
    import json

    target.run("create", "--name", name, "busybox", "true", check=True)
    for form in ("json", "{{json .}}"):
        keys = list(json.loads(target.run("ps", "-a", "-f", f"name={name}", "--format", form).stdout))
        assert keys == sorted(keys)
        assert "Size" in keys


@pytest.mark.only("firkin", "docker")
def test_an_image_of_another_machine_is_warned_of(target: Target, name: str, tmp_path: Path) -> None:
    with tarfile.open(busybox(tmp_path)) as archive:
        layer = next(member for member in archive if member.name.endswith("layer.tar"))
        (tmp_path / "layer.tar").write_bytes(archive.extractfile(layer).read())
    target.run("import", "--platform", "linux/s390x", str(tmp_path / "layer.tar"), f"{name}:1", check=True)
    ran = target.run("run", "--rm", f"{name}:1", "true")
    assert ran.returncode == 0
    assert (
        target.name == "docker" or "The requested image's platform (linux/s390x) does not match" in ran.stderr
    )
    target.run("rmi", f"{name}:1", check=True)


@pytest.mark.differs("podman", "it does not name what runs already")
def test_start_is_content_with_a_container_that_runs_already(target: Target, sleeper: str) -> None:
    ran = target.run("start", sleeper)
    assert (ran.returncode, ran.stdout) == (0, f"{sleeper}\n")


@pytest.mark.differs("podman", "it prints nothing and is content")
def test_logs_of_the_driver_none_are_refused(target: Target, name: str) -> None:
    assert target.run("run", "--name", name, "--log-driver", "none", "busybox", "echo", "hi").stdout == "hi\n"
    ran = target.run("logs", name)
    assert ran.returncode == 1
    assert "does not support reading" in ran.stderr
