"""Each broken program is really executed by the kernel in a chroot, and the errno that it gave is explained."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from firkin.engine.explain.program import Caller, examine

sys.path.insert(0, str(Path(__file__).parents[2] / "unit/engine"))
from test_elf import program

pytestmark = pytest.mark.needs_root
PATH = "/usr/bin:/bin"


@pytest.fixture
def root(tmp_path):
    for folder in ("bin", "usr/bin", "dir"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copy("/bin/busybox", tmp_path / "bin/busybox")
    os.symlink("busybox", tmp_path / "bin/sh")
    return tmp_path


def put(root, name, data, mode=0o755):
    path = root / name.lstrip("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(mode)
    return name


def kernel_says(root, path, uid=0):
    """errno of execve(path) in a chroot of root."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.chroot(root)
        os.chdir("/")
        if uid:
            os.setgid(uid)
            os.setuid(uid)
        number = 0
        try:
            os.execve(path, [path], {})
        except OSError as error:
            number = error.errno
        os.write(writer, bytes([number]))
        os._exit(0)
    os.close(writer)
    answer = os.read(reader, 1)
    os.close(reader)
    os.waitpid(pid, 0)
    return answer[0] if answer else 0


def why(root, path, uid=0, number=None):
    number = kernel_says(root, path, uid) if number is None else number
    assert number != 0, "the kernel executed what was meant to be broken"
    fd = os.open(root, os.O_PATH)
    try:
        return examine(fd, path, number, Caller(uid, [uid], "/", PATH))
    finally:
        os.close(fd)


CASES = [
    ("empty-file", b"", 0o755, 0),
    ("no-shebang", b"echo hello\n", 0o755, 0),
    ("not-executable", b"#!/bin/sh\n", 0o644, 0),
    ("not-executable", b"#!/bin/sh\n", 0o700, 1000),
    ("shebang-interpreter-missing", b"#!/usr/bin/python3.99\n", 0o755, 0),
    ("shebang-crlf", b"#!/bin/sh\r\necho hi\r\n", 0o755, 0),
    ("shebang-empty", b"#!\n", 0o755, 0),
    ("wrong-architecture", program(machine=183), 0o755, 0),
    ("wrong-architecture", program(machine=243, interpreter=b"/lib/ld-linux-riscv64-lp64d.so.1"), 0o755, 0),
    ("elf-interpreter-missing", program(kind=3, interpreter=b"/lib/ld-musl-x86_64.so.1"), 0o755, 0),
    ("damaged-elf", program()[:50], 0o755, 0),
    ("elf-not-a-program", program(kind=1), 0o755, 0),
    ("foreign-format", b"MZ\x90\x00" + bytes(60), 0o755, 0),
    ("foreign-format", b"\xcf\xfa\xed\xfe" + bytes(60), 0o755, 0),
]


@pytest.mark.parametrize(
    ("code", "data", "mode", "uid"), CASES, ids=[f"{c[0]}-{n}" for n, c in enumerate(CASES)]
)
def test_broken_file_is_named(root, code, data, mode, uid):
    put(root, "/bin/x", data, mode)
    cause = why(root, "/bin/x", uid)
    assert cause.code == code
    assert "/bin/x" in cause.cause
    assert cause.fix


def test_missing_file_names_the_first_missing_part(root):
    cause = why(root, "/opt/app/run")
    assert cause.code == "no-such-file"
    assert cause.proof == "/opt is not there"


def test_program_not_in_path_gets_the_nearest_name(root):
    fd = os.open(root, os.O_PATH)
    cause = examine(fd, "busybx", errno.ENOENT, Caller(0, [0], "/", PATH))
    os.close(fd)
    assert cause.code == "not-in-path"
    assert "did you mean 'busybox'?" in cause.fix


def test_directory(root):
    assert why(root, "/dir").code == "is-a-directory"


def test_dangling_symlink_and_circle(root):
    os.symlink("/opt/gone", root / "bin/gone")
    assert "/opt/gone" in why(root, "/bin/gone").proof
    os.symlink("circle", root / "bin/circle")
    cause = why(root, "/bin/circle")
    assert cause.code == "dangling-symlink"
    assert "circle" in cause.cause


def test_symlink_out_of_the_root_does_not_leave_it(root, tmp_path):
    os.symlink("../../../../../../../../etc/hostname", root / "bin/out")
    assert why(root, "/bin/out", number=errno.ENOENT).code == "dangling-symlink"


def test_file_on_the_way(root):
    assert why(root, "/bin/busybox/x").code == "not-a-directory"


def test_parent_that_the_user_may_not_enter(root):
    put(root, "/private/x", b"#!/bin/sh\n")
    (root / "private").chmod(0o700)
    cause = why(root, "/private/x", uid=1000)
    assert cause.code == "parent-not-searchable"
    assert "/private" in cause.cause


def test_script_of_a_script_of_a_missing_program(root):
    put(root, "/bin/inner", b"#!/opt/none\n")
    put(root, "/bin/outer", b"#!/bin/inner\n")
    cause = why(root, "/bin/outer")
    assert "/opt/none" in cause.cause


def test_scripts_without_end(root):
    put(root, "/bin/a", b"#!/bin/b\n")
    put(root, "/bin/b", b"#!/bin/a\n")
    assert why(root, "/bin/a").code == "shebang-loop"


def test_file_that_is_being_written(root):
    put(root, "/bin/x", Path("/bin/busybox").read_bytes())
    with open(root / "bin/x", "ab"):
        assert why(root, "/bin/x").code == "text-busy"


def test_noexec_mount(tmp_path):
    script = (
        "import os,sys; sys.path[:0]=sys.argv[2:]; from test_program import *\n"
        "root=Path(sys.argv[1]); put(root,'/bin/x',b'#!/bin/sh\\n'); print(why(root,'/bin/x',number=errno.EACCES).code)"
    )
    command = f'mount -t tmpfs -o noexec firkin-test {tmp_path} && exec "$@"'
    here = str(Path(__file__).parent)
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", command, "sh", sys.executable, "-c", script, str(tmp_path), here, str(Path(__file__).parents[3] / "src")],
        capture_output=True, text=True, check=False)  # fmt: skip
    assert done.stdout.strip() == "noexec-mount", done.stderr


def test_arguments_too_long(root):
    assert why(root, "/bin/sh", number=errno.E2BIG).code == "arguments-too-long"


def test_special_file(root):
    os.mkfifo(root / "bin/fifo", 0o755)
    assert why(root, "/bin/fifo").code == "not-a-file"


def test_file_in_order_passes_on_the_kernels_word(root):
    cause = why(root, "/bin/sh", number=errno.EPERM)
    assert cause.code == "exec-not-permitted"
    assert "EPERM" in cause.proof
