"""Containers that cannot start: standard error, `inspect` and `explain` give cause, proof and fix in one line each."""

from __future__ import annotations

import socket

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from e2e.why.conftest import Why

pytestmark = pytest.mark.only("firkin")

#: what is run -> exit code, what the line must say (cause, proof or fix)
PROGRAMS = [
    ("nosuchprogram", 127, ["executable file not found in $PATH", "looked in /", "install it in the image"]),
    ("busyboxx", 127, ["did you mean 'busybox'?"]),
    ("/opt/app/run", 127, ["no such file or directory", "/opt is not there", "correct the path"]),
    ("/bin/nothing", 127, ["stat /bin/nothing: no such file or directory", "correct the path"]),
    ("/bin/dangling", 127, ["symbolic link to nothing", "it points to /opt/gone"]),
    ("/bin/circle", 126, ["in a circle"]),
    ("/a-file/x", 126, ["/a-file, on the way to", "is not a directory"]),
    ("/etc", 126, ["is a directory", "name the program inside it"]),
    ("/bin/noexec", 126, ["is not executable for uid 0", "its mode is 0644", "chmod +x"]),
    ("/bin/empty", 126, ["is an empty file", "0 bytes"]),
    ("/bin/text", 126, ["neither an ELF program nor a script", "begin it with #!/bin/sh"]),
    ("/bin/crlf", 127, ["ends in CRLF", "dos2unix"]),
    ("/bin/python-script", 127, ["is a script for /usr/bin/python3.99, which the image lacks", "#!/usr/bin/python3.99 -u"]),
    ("/bin/shebang-empty", 126, ["names no interpreter"]),
    ("/bin/arm", 126, ["is a program for aarch64, this machine is", "its ELF header says aarch64, 64 bit", "--platform"]),
    ("/bin/riscv", 126, ["is a program for riscv64"]),
    ("/bin/musl", 127, ["needs the dynamic loader /lib/ld-musl-x86_64.so.1", "PT_INTERP", "install musl"]),
    ("/bin/damaged", 126, ["is a damaged ELF program", "it ends after 50 bytes"]),
    ("/bin/object", 126, ["a relocatable object (.o), not a program"]),
    ("/bin/windows.exe", 126, ["is a Windows program", "use the Linux build"]),
    ("/bin/macos", 126, ["is a macOS program"]),
]  # fmt: skip


def one_line(text: str) -> str:
    """Return the single line that a failed command says."""
    lines = text.splitlines()
    assert len(lines) == 1, text
    assert lines[0].startswith("firkin: ")
    assert "Traceback" not in text
    sentences = lines[0].removeprefix("firkin: ").split(": ")
    assert len(set(sentences)) == len(sentences), f"a sentence twice: {lines[0]}"
    return lines[0].removeprefix("firkin: ")


@pytest.mark.parametrize(("program", "code", "says"), PROGRAMS, ids=[p[0] for p in PROGRAMS])
def test_a_program_that_cannot_run(why: Why, name: str, program: str, code: int, says: list[str]) -> None:
    ran = why.run("run", "--name", name, "--network", "none", "broken", program)
    assert (ran.returncode, ran.stdout) == (code, "")
    line = one_line(ran.stderr)
    state = why.state(name)
    assert (state["Status"], state["ExitCode"], state["OOMKilled"]) == ("created", code, False)
    assert line == state["Error"]
    told = why.said(name).splitlines()[0]
    assert told.startswith(f"{name} (created): ")
    for words in says:
        assert words in line
    assert told.rpartition("; ")[2] == line.rpartition("; ")[2]  # the fix


def test_exec_says_the_same(why: Why, name: str) -> None:
    why.run("run", "-d", "--name", name, "--network", "none", "broken", "sleep", "100", check=True)
    for program, code, says in PROGRAMS:
        ran = why.run("exec", name, program)
        assert ran.returncode == code, (program, ran.stderr)
        for words in says:
            assert words in one_line(ran.stderr)


def test_an_unprivileged_user(why: Why, name: str) -> None:
    ran = why.run("run", "--name", name, "--network", "none", "-u", "1000", "broken", "/private/inner")
    assert ran.returncode == 126
    assert "uid 1000 may not enter /private" in one_line(ran.stderr)


def test_a_noexec_mount(why: Why, name: str, tmp_path) -> None:
    program = tmp_path / "x"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    why.run("volume", "create", "--opt", "type=tmpfs", "--opt", "device=tmpfs", "--opt", "o=noexec", name)
    ran = why.run("run", "--name", name, "--network", "none", "--tmpfs", "/x:noexec", "busybox", "sh", "-c",
                  "cp /bin/busybox /x/ls; /x/ls")  # fmt: skip
    why.run("volume", "rm", name)
    assert ran.returncode == 126
    assert "has noexec" in why.said(name)


def test_no_command_at_all(why: Why) -> None:
    ran = why.run("run", "--rm", "--network", "none", "broken")
    assert ran.returncode == 125
    assert "no command specified" in one_line(ran.stderr)


#: flags -> exit code, what the line must say; nothing may be left of any
FLAGS = [
    (["-u", "nosuchuser"], 125, ["unable to find user nosuchuser", "use a user of the image"]),
    (["-u", "0:nosuchgroup"], 125, ["unable to find group nosuchgroup"]),
    (["--group-add", "nosuchgroup"], 125, ["unable to find group nosuchgroup"]),
    (["--mount", "type=bind,source=/nosuch,target=/x"], 125, ["does not exist: /nosuch", "make it first"]),
    (["-w", "/a-file"], 126, ["not a directory", "-w"]),
    (["-w", "/loop"], 126, ["symbolic link", "-w"]),
    (["--network", "nosuchnet"], 125, ["nosuchnet not found"]),
    (["--network", "container:nobody"], 125, ["No such container: nobody"]),
    (["--cap-add", "CAP_NOSUCH"], 125, ["CAP_NOSUCH"]),
    (["--device", "/dev/nosuch"], 125, ["/dev/nosuch"]),
    (["--security-opt", "seccomp=/nosuch.json"], 125, ["/nosuch.json"]),
    (["--name", "not a name"], 125, ["invalid container name (not a name)"]),
    (["-v", "relative"], 125, ["must be absolute"]),
    (["-m", "1k"], 125, ["6m"]),
]  # fmt: skip


@pytest.mark.parametrize(("flags", "code", "says"), FLAGS, ids=[" ".join(f[0]) for f in FLAGS])
def test_flags_that_cannot_be_met(why: Why, flags: list[str], code: int, says: list[str]) -> None:
    network = [] if "--network" in flags else ["--network", "none"]
    ran = why.run("run", "--rm", *network, *flags, "broken", "true")
    assert (ran.returncode, ran.stdout) == (code, "")
    line = one_line(ran.stderr)
    for words in says:
        assert words in line
    assert why.out("ps", "-aq") == ""


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["run", "--nosuchflag", "busybox"], "unknown flag: --nosuchflag"),
        (["run", "-m", "5x", "busybox"], "invalid size: '5x'; write it like 64m or 1.5g"),
        (["run"], "at least 1 argument"),
        (["nosuchcommand"], "nosuchcommand"),
        (["run", "-p", "99999:80", "busybox"], "99999"),
    ],
)
def test_bad_command_lines(why: Why, words: list[str], says: str) -> None:
    ran = why.run(*words)
    assert ran.returncode in (1, 125)
    assert says in ran.stderr
    assert "Traceback" not in ran.stderr


def test_unknown_names_get_the_nearest_and_no_nonsense(why: Why, name: str) -> None:
    assert "did you mean busybox:latest?" in one_line(why.run("run", "busybux").stderr)
    assert "did you mean" not in one_line(why.run("run", "xyzzy").stderr)
    why.run("create", "--name", name, "busybox", check=True)
    assert f"did you mean {name}?" in one_line(why.run("explain", f"{name}x").stderr)


def test_a_port_that_is_taken(why: Why, name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        ran = why.run("run", "--name", name, "-p", f"127.0.0.1:{port}:80", "busybox", "true")
        import os

        assert f"port {port} is taken by pid {os.getpid()} (" in one_line(ran.stderr)
    assert ran.returncode == 125
    assert f"port {port} is taken by pid" in why.state(name)["Error"]
    assert f"port {port} is taken by pid" in why.said(name)
    why.run("rm", name, check=True)
    why.run("run", "-d", "--name", name, "-p", f"127.0.0.1:{port}:80", "busybox", "sleep", "100", check=True)
    ran = why.run("run", "--rm", "-p", f"127.0.0.1:{port}:80", "busybox", "true")
    assert f"port {port} is taken by container {name}" in one_line(ran.stderr)
