"""Markers that probe the machine and say why they skip, and a look at what the whole session left behind.

CI=true turns a missing capability that CI is expected to have into a failure: a skipped suite is not a passed one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parent.parent
SHARED = REPO.parent / "shared"

# What the CI machines are known to have: there, a missing one is a failure and not a skip.
EXPECTED_IN_CI = {
    "needs_root",
    "needs_overlay",
    "needs_cgroup1",
    "needs_nft",
    "needs_docker",
    "needs_podman",
    "needs_shared",
}


def _cgroup1() -> bool:
    return Path("/sys/fs/cgroup/pids/cgroup.procs").exists()


def _cgroup2() -> bool:
    controllers = Path("/sys/fs/cgroup/cgroup.controllers")
    return controllers.exists() and "memory" in controllers.read_text().split()


def _nft() -> bool:
    if os.getuid() != 0 or not shutil.which("nft"):
        return False
    return (
        subprocess.run(
            ["unshare", "-n", "nft", "add", "table", "ip", "probe"], capture_output=True, check=False
        ).returncode
        == 0
    )


PROBES = {
    "needs_root": (lambda: os.getuid() == 0, "uid 0"),
    "needs_overlay": (
        lambda: "\toverlay\n" in Path("/proc/filesystems").read_text(),
        "overlay in /proc/filesystems",
    ),
    "needs_cgroup1": (_cgroup1, "cgroup v1 controllers"),
    "needs_cgroup2": (
        _cgroup2,
        "a unified cgroup hierarchy with the memory controller (make cgroup2 runs these in a VM)",
    ),
    "needs_nft": (_nft, "nf_tables in the kernel and the nft program"),
    "needs_docker": (lambda: bool(shutil.which("dockerd")), "Debian's docker.io"),
    "needs_podman": (lambda: bool(shutil.which("podman")), "Debian's podman"),
    "needs_shared": (lambda: (SHARED / "images").is_dir(), "../shared/images"),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    answers: dict[str, bool] = {}
    for item in items:
        for name, (probe, what) in PROBES.items():
            if item.get_closest_marker(name) is None:
                continue
            if name not in answers:
                answers[name] = bool(probe())
            if answers[name]:
                continue
            if os.environ.get("CI") == "true" and name in EXPECTED_IN_CI:
                raise pytest.UsageError(f"{item.nodeid}: this CI machine lacks {what}")
            item.add_marker(pytest.mark.skip(reason=f"this machine lacks {what}"))


def machine() -> dict[str, set[str]]:
    """What firkin could have left on the machine, by kind; only things with our names in them."""
    found: dict[str, set[str]] = {
        "mounts": set(),
        "cgroups": set(),
        "links": set(),
        "tables": set(),
        "processes": set(),
    }
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        if "firkin" in line.split(" - ")[0].split()[4] or "firkin" in line.split(" - ")[1]:
            found["mounts"].add(line.split()[4])
    for base, folders, _ in os.walk("/sys/fs/cgroup"):
        found["cgroups"].update(f"{base}/{folder}" for folder in folders if "firkin" in folder)
        if base.count("/") >= 5:
            folders.clear()
    found["links"].update(
        name for name in os.listdir("/sys/class/net") if name.startswith(("fk", "fv", "firkin"))
    )
    if shutil.which("nft") and os.getuid() == 0:
        out = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=False).stdout
        found["tables"].update(line for line in out.splitlines() if "firkin" in line)
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if any("firkin/__main__.py" in word or "firkin/engine/spawner" in word for word in words):
            found["processes"].add(f"{pid} {' '.join(words)[:120]}")
    return found


@pytest.fixture(scope="session", autouse=True)
def nothing_left_behind():
    """Fail the session when it leaves a mount, cgroup, link, nft table or process that was not there before."""
    before = machine()
    yield
    deadline = time.monotonic() + 5
    while True:  # the kernel finishes some of it (veth, cgroup) after the last process is gone
        left = {kind: things - before[kind] for kind, things in machine().items()}
        left = {kind: things for kind, things in left.items() if things}
        if not left or time.monotonic() > deadline:
            break
        time.sleep(0.1)
    assert not left, f"the tests left behind: {left}"
