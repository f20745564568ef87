"""Output: nothing lost, nothing reordered within a stream, memory bounded; and 300 runs leave the machine as it was.

``FIRKIN_TEST_BURST`` is the size of the burst in MB (the promise is 1000), ``FIRKIN_TEST_RUNS`` the number of runs (300).
"""

from __future__ import annotations

import os
import subprocess  # noqa: TC003
import time
from pathlib import Path

import pytest

from e2e.crash.lab import Lab, private_kib, until

BURST = int(os.environ.get("FIRKIN_TEST_BURST", "200")) << 20
RUNS = int(os.environ.get("FIRKIN_TEST_RUNS", "120"))
LINE = 64  # bytes a line, its number in it
GROWTH = 4096  # KiB that a monitor may grow over a burst


def numbers(count: int, where: str = "") -> tuple[str, ...]:
    """A program that writes ``count`` numbered lines of 64 bytes."""
    script = f'BEGIN {{ for (i = 0; i < {count}; i++) printf "%063d\\n", i {where} }}'
    return ("busybox", "awk", script)


class Checker:
    """Takes a stream in pieces of any size, and fails at the first line that is not the next number."""

    def __init__(self) -> None:
        self.count, self.rest = 0, b""

    def feed(self, data: bytes) -> None:
        data = self.rest + data
        whole = len(data) // LINE
        first, last = self.count, self.count + whole
        expected = b"".join(b"%063d\n" % number for number in range(first, last))
        assert data[: whole * LINE] == expected, f"lost or reordered near line {first}"
        self.count, self.rest = last, data[whole * LINE :]


def consume(
    command: subprocess.Popen[bytes], pause: float = 0.0, size: int = 1 << 20, watch: object = None
) -> Checker:
    checker = Checker()
    assert command.stdout is not None
    while data := os.read(command.stdout.fileno(), size):
        checker.feed(data)
        if watch is not None:
            watch()  # type: ignore[operator]
        if pause:
            time.sleep(pause)
    _, complaint = command.communicate()
    assert command.returncode == 0, complaint
    assert not checker.rest
    return checker


class Growth:
    """Watches the memory of a container's monitor; asserts at the end."""

    def __init__(self, lab: Lab, name: str) -> None:
        self.lab, self.name, self.pid, self.first, self.most, self.calls = lab, name, 0, 0, 0, 0

    def __call__(self) -> None:
        self.calls += 1
        if self.calls % 16 != 1:
            return
        try:
            self.pid = self.pid or self.lab.row(self.name)["monitor_pid"]
            now = private_kib(self.pid)
        except (OSError, KeyError):
            return
        self.first = self.first or now
        self.most = max(self.most, now)

    def check(self) -> None:
        assert self.first, "the monitor was never looked at"
        assert self.most - self.first < GROWTH, f"from {self.first} to {self.most} KiB"


@pytest.mark.parametrize("reader", ["fast", "slow"])
def test_a_burst_arrives_whole_in_order_and_in_bounded_memory(lab: Lab, reader: str):
    lines = (BURST if reader == "fast" else BURST // 4) // LINE
    command = lab.begin("run", "--name", "burst", "--network", "none", *numbers(lines), bufsize=0)
    growth = Growth(lab, "burst")
    pause = 0.002 if reader == "slow" else 0.0
    checker = consume(command, pause, 64 << 10, growth)
    assert checker.count == lines
    growth.check()
    follow = lab.begin("logs", "burst", bufsize=0)
    assert consume(follow).count == lines


def test_followers_of_a_detached_burst_get_all_of_it(lab: Lab):
    """One that reads fast, one that reads slowly; the container waits for neither, the log has it all."""
    lines = BURST // 4 // LINE
    lab("run", "-d", "--name", "burst", "--network", "none", *numbers(lines), code=0)
    growth = Growth(lab, "burst")
    growth()
    fast = lab.begin("logs", "-f", "burst", bufsize=0)
    slow = lab.begin("logs", "-f", "burst", bufsize=0)
    followers = [slow.pid, fast.pid]
    most = 0

    def watch() -> None:
        nonlocal most
        growth()
        for pid in followers:
            try:
                most = max(most, private_kib(pid))
            except OSError:
                continue

    assert consume(fast, 0, 256 << 10, watch).count == lines
    assert consume(slow, 0.001, 256 << 10, watch).count == lines
    growth.check()
    assert most < 24 << 10, f"a follower took {most} KiB"


def test_both_streams_keep_their_own_order(lab: Lab):
    lines = 200_000
    script = f'BEGIN {{ for (i = 0; i < {lines}; i++) {{ printf "%063d\\n", i; printf "%063d\\n", i > "/dev/stderr" }} }}'
    done = lab("run", "--name", "both", "--network", "none", "busybox", "awk", script, code=0)
    for text in (done.stdout, done.stderr):
        checker = Checker()
        checker.feed(text.encode())
        assert (checker.count, checker.rest) == (lines, b"")
    logged = lab("logs", "both", code=0)
    assert (logged.stdout, logged.stderr) == (done.stdout, done.stderr)


def test_a_reader_that_leaves_does_not_stop_the_container(lab: Lab):
    command = lab.begin(
        "run",
        "--name",
        "left",
        "--network",
        "none",
        "busybox",
        "sh",
        "-c",
        "seq 1 2000000; exit 6",
        bufsize=0,
    )
    assert command.stdout is not None
    os.read(command.stdout.fileno(), 10)
    command.stdout.close()
    command.kill()
    command.wait()
    assert command.stderr is not None
    command.stderr.close()
    assert lab.out("wait", "left") == "6"
    assert lab.out("logs", "-n", "1", "left") == "2000000"


def tally(lab: Lab) -> dict[str, int]:
    """Count what could grow."""
    files = sum(len(names) for _, _, names in os.walk(lab.root))
    folders = sum(len(names) for base in (lab.root, lab.run_root) for _, names, _ in os.walk(base))
    size = sum(
        os.lstat(f"{folder}/{name}").st_size for folder, _, names in os.walk(lab.root) for name in names
    )
    run_files = sum(len(names) for _, _, names in os.walk(lab.run_root))
    return {"files": files, "folders": folders, "run files": run_files, "bytes": size,
            "mounts": len(Path("/proc/self/mounts").read_text().splitlines())}  # fmt: skip


def test_many_runs_in_a_row_leave_nothing_that_grows(lab: Lab):
    for _ in range(20):
        lab("run", "--rm", "busybox", "true", code=0)
    until(lambda: not os.listdir(f"{lab.run_root}/containers"), "the last monitor ends")
    before = tally(lab)
    for number in range(RUNS):
        lab("run", *(("-d",) if number % 3 == 0 else ()), "--rm", *(("-v", "/data") if number % 5 == 0 else ()),
            *(("-p", "80") if number % 7 == 0 else ()), "busybox", "true", code=0)  # fmt: skip
    lab.is_empty()
    after = tally(lab)
    assert (
        after.pop("bytes") - before.pop("bytes") < 5 << 20
    )  # SQLite's log grows to 4 MB, then is used again
    assert after == before


def test_a_lasting_container_does_not_grow_by_what_is_done_to_it(lab: Lab):
    """40 execs and attaches to one container: its monitor has the memory and the descriptors it had."""
    lab("run", "-d", "--name", "lasts", "--network", "none", "busybox", "sleep", "1000", code=0)
    monitor = lab.row("lasts")["monitor_pid"]

    def look() -> tuple[int, int]:
        return private_kib(monitor), len(os.listdir(f"/proc/{monitor}/fd"))

    # Before, it still has in memory what a start needs.
    until(lambda: b"app.resume" in Path(f"/proc/{monitor}/cmdline").read_bytes(), "it becomes a lean one", 20)

    def attach_and_leave() -> None:
        lab("exec", "lasts", "true", code=0)
        front = lab.begin("attach", "--no-stdin", "lasts")
        time.sleep(0.05)
        front.kill()
        front.communicate()

    for _ in range(5):
        attach_and_leave()
    memory, descriptors = look()
    for _ in range(40):
        attach_and_leave()
    until(lambda: look()[1] <= descriptors, "descriptors are given back")
    assert look()[0] - memory < 512
