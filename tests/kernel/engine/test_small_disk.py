"""A root on a tmpfs of 24 MB that fills up: clear errors, and all is well again when there is room."""

import os
import subprocess

import pytest
from conftest import ARCHIVE, Commands

from firkin.engine.remove import remove
from firkin.errors import FirkinError, SyscallError


@pytest.fixture
def small(tmp_path):
    if os.getuid() != 0:
        pytest.skip("needs root: a tmpfs is mounted")
    base = f"/tmp/firkin-test-engine-{os.getpid()}-small"
    os.makedirs(f"{base}/root")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "firkin-test", f"{base}/root"], check=True)
    try:
        commands = Commands(f"{base}/root", f"{base}/run")
        commands.call(lambda ctx: len(ctx.images.load(ARCHIVE)))
        yield commands
        assert commands.is_empty()
    finally:
        subprocess.run(["umount", "-l", f"{base}/root"], check=True)
        subprocess.run(["rm", "-r", base], check=True)


def _fill(path):
    with pytest.raises(OSError, match="space"), open(path, "wb", buffering=0) as file:
        while True:
            file.write(bytes(1 << 12))


def test_a_full_disk(small):
    running = small.run_detached("sh", "-c", "while ! test -e /end; do sleep 0.05; done; exit 5")
    filler = f"{small.root}/filler"
    _fill(filler)
    with pytest.raises((FirkinError, SyscallError), match=r"space|full|write"):
        small.run("true", rm=True)
    code, out, _ = small.call(_exec, running, ("sh", "-c", "echo still here"))
    assert (code, out) == (0, "still here\n")
    os.unlink(filler)
    assert small.run("echo", "again", rm=True) == [0, "again\n", ""]
    small.call(_exec, running, ("touch", "/end"))
    assert small.await_state(running, "exited")["exit_code"] == 5
    small.call(_remove, running)


def test_an_end_on_a_full_disk_is_still_told(small):
    running = small.run_detached("sh", "-c", "while ! test -e /dev/shm/end; do sleep 0.05; done; exit 5")
    _fill(f"{small.root}/filler")
    small.call(_exec, running, ("touch", "/dev/shm/end"))
    from firkin.engine.wait import wait

    assert small.call(lambda ctx: wait(ctx, running, 30)) == 5
    os.unlink(f"{small.root}/filler")
    assert small.await_state(running, "exited")["exit_code"] == 5
    small.call(_remove, running)


def _exec(ctx, ref, command):
    from firkin.engine.attach import STDOUT
    from firkin.engine.exec import execute
    from firkin.specgen.options import ExecOptions

    execution = execute(ctx, ref, ExecOptions(command=command))
    out = b""
    while (found := execution.frames()) is not None:
        out += b"".join(data for kind, data in found if kind == STDOUT)
        if not found:
            execution.await_input()
    return execution.wait(), out.decode(), ""


def _remove(ctx, ref):
    remove(ctx, ref)
