"""A full file system under the root, the run root, the log: a clear error, and all is well when there is space again."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

import pytest

from e2e.crash.lab import Lab, until
from e2e.crash.test_kills import await_monitor

SLEEP = ("busybox", "sh", "-c", "echo up; sleep 1000")


class Disk:
    """A mount namespace in which root and run root are small file systems of their own."""

    def __init__(self, lab: Lab, kind: str) -> None:
        self.lab = lab
        self.holder = subprocess.Popen(["unshare", "-m", "--propagation", "private", "sh", "-c", "echo; exec sleep 600"],
                                       stdout=subprocess.PIPE)  # fmt: skip
        assert self.holder.stdout is not None
        self.holder.stdout.readline()
        lab.prefix = ["nsenter", "-t", str(self.holder.pid), "-m", "--"]
        lab.view = f"/proc/{self.holder.pid}/root"
        options = "loop" if kind == "ext4" else "size=24m"
        source = f"{lab.home}/image" if kind == "ext4" else "tmpfs"
        if kind == "ext4":
            with open(source, "wb") as file:
                file.truncate(24 << 20)
            subprocess.run(
                ["mkfs.ext4", "-q", "-m", "0", "-b", "1024", "-O", "^has_journal", source], check=True
            )
        self.sh(f"mkdir -p {lab.root} {lab.run_root}; mount -t {kind} -o {options} {source} {lab.root};"
                f"mount -t tmpfs -o size=256k,nr_inodes=200 tmpfs {lab.run_root}")  # fmt: skip

    def sh(self, script: str) -> None:
        subprocess.run([*self.lab.prefix, "sh", "-c", script], check=True)

    def fill(self, folder: str = "") -> None:
        """Take the last byte."""
        target = folder or self.lab.root
        self.sh(
            f"dd if=/dev/zero of={target}/filler bs=64k 2>/dev/null; dd if=/dev/zero of={target}/filler2 bs=1 count=5000 2>/dev/null; true"
        )

    def free(self, folder: str = "") -> None:
        target = folder or self.lab.root
        self.sh(f"rm -f {target}/filler {target}/filler2")

    def close(self) -> None:
        self.holder.kill()
        self.holder.wait()
        self.holder.stdout.close()


@pytest.fixture(scope="module", params=["tmpfs", "ext4"])
def disk(request: pytest.FixtureRequest, archive: Path):
    with tempfile.TemporaryDirectory(prefix="firkin-test-crash-", ignore_cleanup_errors=True) as home:
        Path(home).chmod(0o755)
        lab = Lab(home)
        made = Disk(lab, request.param)
        try:
            lab("load", "-qi", str(archive), code=0)
            lab.out("run", "--rm", "busybox", "true")
            yield made
            lab.is_empty(idle=True)
        finally:
            made.close()


@pytest.fixture
def full(disk: Disk, archive: Path):
    """The disk; a test fills it. Afterwards everything works again."""
    yield disk
    lab = disk.lab
    for folder in (lab.root, lab.run_root):
        disk.free(folder)
    for name in lab.names():
        lab("rm", "-f", "-v", name, code=0)
    if "busybox" not in lab.out("images"):
        lab("load", "-qi", str(archive), code=0)
    assert lab.out("run", "--rm", "busybox", "echo", "well") == "well"
    lab.is_empty()


def refused(lab: Lab, *words: str) -> None:
    done = lab(*words)
    assert done.returncode in (1, 125), (words, done.returncode, done.stdout, done.stderr)
    assert "space" in done.stderr or "full" in done.stderr, (words, done.stderr)


def test_a_full_root_refuses_what_needs_space_and_keeps_what_there_is(full: Disk, archive: Path):
    lab = full.lab
    lab("run", "-d", "--name", "runs", *SLEEP, code=0)
    lab("create", "--name", "waits", "busybox", "true", code=0)
    full.fill()
    for words in (("create", "busybox", "true"), ("run", "busybox", "true"), ("run", "--rm", "busybox", "true"),
                  ("run", "-d", "-v", "/data", "busybox", "true"), ("import", str(archive), "other:1")):  # fmt: skip
        done = lab(*words)
        if done.returncode:  # a few bytes in a last block may have been enough
            assert "space" in done.stderr or "full" in done.stderr, (words, done.stderr)
    assert lab.out("logs", "runs") == "up"
    assert sorted(set(lab.out("ps", "-a", "--format", "{{.Names}}").split()) & {"runs", "waits"}) == [
        "runs",
        "waits",
    ]
    assert lab.out("exec", "runs", "echo", "well") == "well"
    assert lab.state("runs") == ("running", 0)


def test_load_on_a_full_root_leaves_nothing(full: Disk, archive: Path):
    lab = full.lab
    lab("rmi", "busybox", code=0)
    full.fill()
    refused(lab, "load", "-qi", str(archive))
    full.free()
    assert "busybox" not in lab.out("images")
    lab.is_clean()
    lab("load", "-qi", str(archive), code=0)


def test_stop_and_rm_on_a_full_root(full: Disk):
    """Ending and removing need next to nothing; what cannot be written is repaired when there is space."""
    lab = full.lab
    lab("run", "-d", "--name", "runs", *SLEEP, code=0)
    lab("run", "-d", "--name", "goes", *SLEEP, code=0)
    full.fill()
    for words in (("stop", "-t", "0", "runs"), ("rm", "-f", "goes")):
        done = lab(*words)
        assert done.returncode == 0 or "space" in done.stderr or "full" in done.stderr, (words, done.stderr)
    full.free()
    assert lab.state("runs") == ("exited", 137)
    if "goes" in lab.names():
        lab("rm", "-f", "goes", code=0)
    lab.is_clean()


def test_a_container_that_fills_the_disk_gets_enospc_and_its_exit_code_is_kept(full: Disk):
    lab = full.lab
    done = lab(
        "run",
        "--name",
        "greedy",
        "busybox",
        "sh",
        "-c",
        "dd if=/dev/zero of=/big bs=64k; echo still here; exit 9",
    )
    assert "still here" in done.stdout
    assert "No space" in done.stderr
    assert done.returncode == 9
    lab("rm", "greedy", code=0)
    lab.is_clean()
    assert lab.out("run", "--rm", "busybox", "echo", "well") == "well"


def test_a_container_that_fills_the_disk_dies_and_the_end_is_kept(full: Disk):
    """Detached: nobody hears the exit code, and nothing can be written to the disk."""
    lab = full.lab
    script = "dd if=/dev/zero of=/big bs=64k 2>/dev/null; dd if=/dev/zero of=/big2 bs=1 count=5000 2>/dev/null; exit 9"
    lab("run", "-d", "--name", "greedy", "busybox", "sh", "-c", script, code=0)
    await_monitor(lab)
    full.sh(f"rm -f {lab.root}/containers/*/upper/big*")
    assert lab.state("greedy") == ("exited", 9)


def test_a_log_on_a_full_disk_costs_lines_and_says_so(full: Disk):
    lab = full.lab
    lab("run", "-d", "--name", "talks", "busybox", "sh", "-c",
        "echo first; while [ ! -e /go ]; do sleep 0.05; done; head -c 300000 /dev/zero | tr '\\0' x; echo; echo last; exit 4", code=0)  # fmt: skip
    until(lambda: lab.out("logs", "talks") == "first", "first")
    full.fill()
    subprocess.run([*lab.prefix, "sh", "-c", f": > /proc/{lab.row('talks')['pid']}/root/go"], check=False)
    await_monitor(lab)
    full.free()
    assert lab.state("talks") == ("exited", 4)
    done = lab("logs", "talks", code=0)
    assert done.stdout.startswith("first\n")


def test_a_full_run_root_refuses_to_start_and_a_running_container_can_be_ended(full: Disk):
    lab = full.lab
    lab("run", "-d", "--name", "runs", *SLEEP, code=0)
    full.fill(lab.run_root)
    refused(lab, "run", "--name", "fails", "busybox", "true")
    assert lab.out("exec", "runs", "echo", "well") == "well"
    lab("stop", "-t", "0", "runs", code=0)
    assert lab.state("runs") == ("exited", 137)
    assert json.loads(lab.out("inspect", "runs"))[0]["State"]["Running"] is False


def test_a_run_root_without_inodes(full: Disk):
    lab = full.lab
    lab("run", "-d", "--name", "runs", *SLEEP, code=0)
    full.sh(
        f"mkdir {lab.run_root}/many; i=0; while touch {lab.run_root}/many/$i; do i=$((i+1)); done 2>/dev/null; true"
    )
    try:
        refused(lab, "run", "--rm", "busybox", "true")
        lab("rm", "-f", "runs", code=0)
    finally:
        full.sh(f"rm -r {lab.run_root}/many")


def test_on_a_full_disk_a_container_that_has_ended_is_not_shown_as_running(full: Disk):
    """The row cannot be changed, but what is shown has to be true."""
    lab = full.lab
    lab(
        "run",
        "-d",
        "--name",
        "ends",
        "busybox",
        "sh",
        "-c",
        "while [ ! -e /go ]; do sleep 0.05; done; exit 5",
        code=0,
    )
    full.sh(f": > /proc/{lab.row('ends')['pid']}/root/go")
    full.fill()
    await_monitor(lab)
    assert lab("ps", "-q").stdout == ""
    assert lab.state("ends") == ("exited", 5)
    assert "5" in lab.out("explain", "ends")
