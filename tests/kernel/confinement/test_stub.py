"""The exec stub and the reaper, as the kernel runs them."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import platform
import pty
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from firkin.runtime.seccomp.abi import NATIVE
from firkin.runtime.seccomp.compile import compile_filter
from firkin.runtime.stub.exec import FILTER_REFUSED, exec_argv, exec_fd, read_status
from firkin.runtime.stub.reaper import reaper_fd

REPO = Path(__file__).resolve().parents[3]
STUBS = REPO / "src/firkin/runtime/stub"


def spawn(fd, path, args, *, stderr=None, tty=None, pidns=False, confine=None):
    """Fork, become ``path`` through the stub in ``fd``; return (pid, read end of the status pipe)."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    try:
        os.set_inheritable(writing, True)
        if tty is not None:
            os.setsid()
            fcntl.ioctl(tty, 0x540E, 0)  # TIOCSCTTY
            for number in (0, 1, 2):
                os.dup2(tty, number)
        elif stderr is not None:
            os.dup2(stderr, 2)
        if pidns:
            ctypes.CDLL(None).unshare(0x20000000)
            inner = os.fork()
            if inner:
                os.close(writing)
                signal.signal(signal.SIGTERM, lambda *_: os.kill(inner, signal.SIGTERM))
                os._exit(os.waitstatus_to_exitcode(os.waitpid(inner, 0)[1]))
        if confine is not None:
            policy, no_new_privileges = confine
            if no_new_privileges:
                ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)
            program = os.memfd_create("filter", 0)
            os.write(program, policy)
            confine = (program, len(policy) // 8, 4)
        os.execve(fd, exec_argv(os.fsencode(path), [a.encode() for a in args], writing, confine), os.environ)
    finally:
        os._exit(99)


def outcome(pid, reading):
    status = read_status(reading)
    os.close(reading)
    return status, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.fixture(params=["exec", "reaper"])
def stub(request):
    return {"exec": exec_fd, "reaper": reaper_fd}[request.param]()


def test_exit_code_of_the_program(stub):
    assert outcome(*spawn(stub, "/bin/sh", ["sh", "-c", "exit 42"])) == (0, 42)


def test_argv0_is_the_programs_own(stub, tmp_path):
    out = tmp_path / "out"
    script = f"tr '\\0' ' ' </proc/$$/cmdline >{out}"
    outcome(*spawn(stub, "/bin/sh", ["any name", "-c", script, "x"]))
    assert out.read_text().startswith("any name -c ")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/nonexistent", (errno.ENOENT, 127)),
        ("/etc/passwd", (errno.EACCES, 126)),
        ("/tmp", (errno.EACCES, 126)),
    ],
)
def test_a_failed_exec_is_told_by_its_errno(stub, path, expected):
    assert outcome(*spawn(stub, path, ["x"])) == expected


def test_a_file_that_is_no_program(stub, tmp_path):
    (tmp_path / "empty").touch(0o755)
    assert outcome(*spawn(stub, tmp_path / "empty", ["x"])) == (errno.ENOEXEC, 126)


@pytest.mark.parametrize("how", ["direct", "shebang", "forged"])
def test_proc_self_exe_ends_with_a_clean_error(stub, tmp_path, how):
    """CVE-2019-5736's way in: an image whose program is /proc/self/exe gets the stub, which says so once."""
    path, args = "/proc/self/exe", ["/proc/self/exe", "a", "b"]
    if how == "shebang":
        path = tmp_path / "script"
        path.write_text("#!/proc/self/exe\n")
        path.chmod(0o755)
    elif how == "forged":
        args = ["firkin-exec:9", "/proc/self/exe"] * 50
    complaint, writing = os.pipe()
    code = outcome(*spawn(stub, path, args, stderr=writing))[1]
    os.close(writing)
    with open(complaint) as stream:
        assert stream.read() == "firkin: /proc/self/exe cannot be a container's program\n"
    assert code == 126


def strict(*names, action="SCMP_ACT_ALLOW", default="SCMP_ACT_KILL_PROCESS"):
    rules = [{"names": list(names), "action": action}]
    machine = platform.machine()
    listed = list(NATIVE[machine][:1])
    return compile_filter({"defaultAction": default, "architectures": listed, "syscalls": rules}, machine)


# All that a program of a few hundred bytes needs: the stub itself again, which complains and ends.
TINY = ("execve", "write", "exit_group")


def test_a_policy_need_not_allow_more_than_the_program_does():
    """Everything else kills: no execveat, no fcntl, nothing of the interpreter's."""
    reading, writing = os.pipe()
    tiny = Path("/tmp/firkin-test-confinement-tiny")
    shutil.copy(STUBS / f"exec-{platform.machine()}.elf", tiny)
    tiny.chmod(0o755)
    try:
        assert outcome(*spawn(exec_fd(), tiny, ["tiny"], stderr=writing, confine=(strict(*TINY), True))) == (
            0,
            126,
        )
        assert os.read(reading, 100).startswith(b"firkin: ")
    finally:
        tiny.unlink()
        os.close(reading)
        os.close(writing)


def test_the_programs_policy_holds(stub):
    refusing = strict("chdir", "mkdir", action="SCMP_ACT_ERRNO", default="SCMP_ACT_ALLOW")
    pid, reading = spawn(stub, "/bin/sh", ["sh", "-c", "cd / || exit 9"], confine=(refusing, True))
    assert outcome(pid, reading) == (0, 9)


def test_a_policy_that_the_kernel_refuses_is_told_apart(stub):
    status, code = outcome(*spawn(stub, "/bin/true", ["true"], confine=(b"\0" * 8, True)))
    assert (status, code) == (FILTER_REFUSED | errno.EINVAL, 126)


def test_the_memfd_cannot_be_changed(stub):
    for attack in (
        lambda: os.write(stub, b"x"),
        lambda: os.ftruncate(stub, 0),
        lambda: fcntl.fcntl(stub, 1033, 0),
    ):
        with pytest.raises(PermissionError):
            attack()


def test_one_memfd_a_process_and_a_new_one_when_the_number_was_taken_away():
    first = exec_fd()
    assert exec_fd() == first
    assert not os.get_inheritable(first)
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, first, inheritable=False)
    os.close(null)
    assert os.readlink(f"/proc/self/fd/{exec_fd()}") == "/memfd:firkin-exec (deleted)"
    os.close(first)


def test_the_program_gets_no_descriptor_of_ours(stub, tmp_path):
    out = tmp_path / "out"
    listing = ["sh", "-c", f"ls /proc/$$/fd >{out}"]
    subprocess.run(listing, check=True, close_fds=False)
    plain = out.read_text()
    outcome(*spawn(stub, "/bin/sh", listing))
    assert out.read_text() == plain


def test_the_reaper_hands_signals_on(tmp_path):
    ready = tmp_path / "ready"
    script = f"trap 'exit 7' TERM; touch {ready}; while :; do sleep 0.02; done"
    pid, reading = spawn(reaper_fd(), "/bin/sh", ["sh", "-c", script])
    assert read_status(reading) == 0
    os.close(reading)
    while not ready.exists():
        time.sleep(0.01)
    os.kill(pid, signal.SIGTERM)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7


def test_the_reaper_ends_with_128_and_the_signal():
    assert outcome(*spawn(reaper_fd(), "/bin/sh", ["sh", "-c", "kill -9 $$"])) == (0, 137)


@pytest.mark.needs_root
def test_zombies_never_pile_up(tmp_path):
    """As process 1, orphans come to the reaper; 50 of them leave no zombie."""
    out = tmp_path / "out"
    script = (
        "mount -t proc proc /proc 2>/dev/null; i=0; while [ $i -lt 50 ]; do (true & ) ; i=$((i+1)); done; sleep 0.3; "
        f"grep -l '^State:.Z' /proc/[0-9]*/status | wc -l >{out}; cat /proc/1/comm >>{out}"
    )
    program = "\n".join([
        f"import sys; sys.path[:0] = {[str(REPO / 'src'), str(Path(__file__).parent)]!r}",
        "from test_stub import spawn, outcome",
        "from firkin.runtime.stub.reaper import reaper_fd",
        f"print(outcome(*spawn(reaper_fd(), '/bin/sh', ['sh', '-c', {script!r}], pidns=True)))",
    ])  # fmt: skip
    command = ["unshare", "-m", "--propagation", "private", "--", sys.executable, "-c", program]
    shown = subprocess.run(command, capture_output=True, text=True, check=True)
    assert shown.stdout == "(0, 0)\n"
    assert out.read_text().split() == ["0", "firkin-init"]


def test_control_c_reaches_the_program_and_not_the_reaper():
    master, slave = pty.openpty()
    script = "trap 'echo caught; exit 3' INT; echo ready; while :; do sleep 0.02; done"
    pid, reading = spawn(reaper_fd(), "/bin/sh", ["sh", "-c", script], tty=slave)
    os.close(slave)
    assert read_status(reading) == 0
    os.close(reading)
    shown = b""
    while b"ready" not in shown:
        shown += os.read(master, 100)
    os.write(master, b"\x03")
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(master)
    assert code == 3


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("name", ["exec", "reaper"])
def test_the_shipped_bytes_are_those_of_the_source(tmp_path, machine, name):
    sys.path.insert(0, str(REPO / "tools"))
    try:
        import build_stubs
    finally:
        sys.path.pop(0)
    if build_stubs.compiler(machine) != build_stubs.BUILT_WITH[machine]:
        pytest.skip(
            f"the {machine} stubs were built with gcc {build_stubs.BUILT_WITH[machine]}, which is not installed"
        )
    build_stubs.build(name, machine, str(tmp_path / "elf"))
    assert (tmp_path / "elf").read_bytes() == (STUBS / f"{name}-{machine}.elf").read_bytes()


@pytest.mark.parametrize("name", ["exec", "reaper"])
def test_the_other_machines_stub_runs_under_emulation(name, tmp_path):
    emulator = "/usr/bin/qemu-aarch64-static"
    if platform.machine() != "x86_64" or not os.path.exists(emulator):
        pytest.skip("needs qemu-user-static on x86_64 to run aarch64 code")
    reading, writing = os.pipe()
    elf = shutil.copy(STUBS / f"{name}-aarch64.elf", tmp_path)
    os.chmod(elf, 0o755)
    program = exec_argv(b"/nonexistent", [b"x"], writing)
    run = subprocess.run([emulator, "-0", program[0], elf, *program[1:]], pass_fds=[writing], check=False)
    os.close(writing)
    assert (read_status(reading), run.returncode) == (errno.ENOENT, 127)
    os.close(reading)
