"""CVE-2024-21626 and relatives: a way out through what was left open, the working directory, or a mount's place."""

from __future__ import annotations

import os
import subprocess
import uuid

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.needs_root

LIST = "for f in /proc/self/fd/*; do echo $(readlink $f); done | grep -v '^/proc/'"


def opened(told: str) -> list[str]:
    return [
        line
        for line in told.replace("\r", "").splitlines()
        if line and not line.startswith(("pipe:", "/dev/null", "/dev/pts/"))
    ]


def with_leaks(firkin, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command that inherits descriptors of the host's directories."""
    held = [os.open("/", os.O_RDONLY | os.O_DIRECTORY) for _ in range(8)]
    try:
        return subprocess.run(firkin.argv(*words), capture_output=True, text=True, stdin=subprocess.DEVNULL,
                              env=firkin.environ, pass_fds=held, timeout=60)  # fmt: skip
    finally:
        for fd in held:
            os.close(fd)


def test_nothing_but_the_streams_is_open(firkin) -> None:
    name = f"t{uuid.uuid4().hex[:8]}"
    for flags in ((), ("-t",), ("--init",), ("--privileged",), ("--userns", "auto")):
        ran = with_leaks(firkin, "run", "--rm", "--network", "none", *flags, "busybox", "sh", "-c", LIST)
        assert ran.returncode == 0, ran.stderr
        assert opened(ran.stdout) == [], flags
    ran = with_leaks(firkin, "run", "-d", "--name", name, "--network", "none", "busybox", "sleep", "1000")
    assert ran.returncode == 0, ran.stderr
    try:
        for flags in ((), ("-t",), ("--privileged",)):
            ran = with_leaks(
                firkin, "exec", *flags, name, "sh", "-c", LIST + "; ls -l /proc/1/fd | grep -c ' / *$'"
            )
            assert opened(ran.stdout) == ["0"], flags
    finally:
        firkin.run("rm", "-f", name)


def test_a_working_directory_through_a_descriptor(firkin, hostile: str) -> None:
    name = f"t{uuid.uuid4().hex[:8]}"
    firkin.run("run", "-d", "--name", name, "--network", "none", hostile, "sleep", "1000", check=True)
    try:
        for number in (3, 7, 8, 11):
            for cwd in (f"/proc/self/fd/{number}", f"/proc/self/fd/{number}/../../..", f"/cwd{number}"):
                ran = with_leaks(firkin, "exec", "-w", cwd, name, "ls")
                # made shorter by name, the second one is the container's own /proc
                assert ran.returncode != 0 or cwd.endswith(".."), (cwd, ran.stdout)
                assert not {"boot", "lib64", "sbin"} & set(ran.stdout.split()), (cwd, ran.stdout)
            ran = with_leaks(firkin, "run", "--rm", "--network", "none", "-w", f"/cwd{number}", hostile, "ls")
            assert ran.returncode != 0, (number, ran.stdout)
    finally:
        firkin.run("rm", "-f", name)


def test_mounts_through_symlinks_end_inside(firkin, hostile: str, tmp_path: Path) -> None:
    before = set(os.listdir("/etc"))
    (tmp_path / "x").write_text("bound\n")
    told = firkin.out("run", "--rm", "--network", "none", "-v", f"{tmp_path}:/volume/made", "-v", "attack:/volume", hostile,
                      "sh", "-c", "cat /etc/of-the-image /volume/made/x; ls /volume")  # fmt: skip
    assert told.splitlines()[:2] == ["image", "bound"]
    assert "shadow" not in told  # the volume took the image's /etc, not the host's
    assert set(os.listdir("/etc")) == before
    firkin.run("volume", "rm", "attack", check=True)


SWAP = "mkdir -p /v/d; ln -sfn / /v/l; echo inside > /v/d/mark; echo ready; while :; do mv -T /v/d /v/t; mv -T /v/l /v/d; mv -T /v/d /v/l; mv -T /v/t /v/d; done"


def test_a_subpath_that_becomes_a_symlink(firkin) -> None:
    """A container swaps a directory of its volume for a link to / while another is given that directory."""
    name = f"t{uuid.uuid4().hex[:8]}"
    firkin.run(
        "run",
        "-d",
        "--name",
        name,
        "--network",
        "none",
        "-v",
        "swapped:/v",
        "busybox",
        "sh",
        "-c",
        SWAP,
        check=True,
    )
    try:
        outcomes = set()
        for _ in range(8):
            ran = firkin.run("run", "--rm", "--network", "none", "--mount", "type=volume,src=swapped,dst=/w,volume-subpath=d",
                             "busybox", "ls", "/w")  # fmt: skip
            assert set(ran.stdout.split()) <= {"mark"}, ran.stdout
            outcomes.add(ran.returncode)
        assert outcomes <= {0, 125}
    finally:
        firkin.run("rm", "-f", name)
        firkin.run("volume", "rm", "swapped", check=True)


def test_volumes_from_does_not_widen_a_subpath(firkin) -> None:
    name = f"t{uuid.uuid4().hex[:8]}"
    firkin.run(
        "run",
        "--rm",
        "--network",
        "none",
        "-v",
        "parts:/v",
        "busybox",
        "mkdir",
        "-p",
        "/v/public",
        "/v/secret",
        check=True,
    )
    firkin.run(
        "create",
        "--name",
        name,
        "--mount",
        "type=volume,src=parts,dst=/w,volume-subpath=public",
        "busybox",
        check=True,
    )
    try:
        assert (
            firkin.out("run", "--rm", "--network", "none", "--volumes-from", name, "busybox", "ls", "/w")
            == ""
        )
    finally:
        firkin.run("rm", "-f", name)
        firkin.run("volume", "rm", "parts", check=True)


def test_subpaths_stay_in_the_volume(firkin) -> None:
    firkin.run("run", "--rm", "--network", "none", "-v", "links:/v", "busybox", "sh", "-c",
               "ln -s / /v/root; ln -s /etc/shadow /v/file; ln -s ../../../.. /v/up; mkfifo /v/fifo", check=True)  # fmt: skip
    for subpath in ("root", "root/etc", "file", "up", "fifo", "missing"):
        ran = firkin.run("run", "--rm", "--network", "none", "--mount", f"type=volume,src=links,dst=/w,volume-subpath={subpath}",
                         "busybox", "ls", "/w")  # fmt: skip
        assert (ran.returncode, ran.stdout) == (125, ""), subpath
    firkin.run("volume", "rm", "links", check=True)
