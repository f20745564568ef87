"""What is measured. A work gives, for each peer, a function whose call is one sample (seconds)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from peers import REPO, Peer

IMAGES = REPO.parent / "shared/images"
Sample = Callable[[], float]


class Work:
    """name, how often, the samples by peer, and what the issue asks: {peer: the ratio firkin/peer must not pass}."""

    def __init__(
        self,
        name: str,
        rounds: int,
        samples: dict[str, Sample],
        limits: dict[str, float],
        after: Callable[[], None] | None = None,
    ) -> None:
        self.name, self.rounds, self.samples, self.limits, self.after = name, rounds, samples, limits, after


def run_bridge(peers: list[Peer], home: Path) -> Work:
    samples = {p.name: (lambda p=p: p.time("run", "--rm", p.image, "true")) for p in peers}
    return Work("run --rm true, bridge", 20, samples, {"docker": 0.2, "podman": 0.33})


def run_none(peers: list[Peer], home: Path) -> Work:
    samples = {
        p.name: (lambda p=p: p.time("run", "--rm", "--network", "none", p.image, "true")) for p in peers
    }
    if shutil.which("runc"):
        samples["runc"] = _runc(home)
    return Work("run --rm true, network none", 20, samples, {"docker": 0.25, "podman": 0.35, "runc": 1.3})


def detach_remove(peers: list[Peer], home: Path) -> Work:
    def one(p: Peer) -> float:
        started = p.time("run", "-d", "--name", "bench-d", p.image, "sleep", "1000")
        return started + p.time(*p.rm_force, "bench-d")

    return Work(
        "run -d, then rm -f",
        10,
        {p.name: (lambda p=p: one(p)) for p in peers},
        {"docker": 0.25, "podman": 0.35},
    )


def exec_true(peers: list[Peer], home: Path) -> Work:
    for p in peers:
        p.run("run", "-d", "--name", "bench-e", "--network", "none", p.image, "sleep", "1000")

    def after() -> None:
        for p in peers:
            p.run(*p.rm_force, "bench-e")

    samples = {p.name: (lambda p=p: p.time("exec", "bench-e", "true")) for p in peers}
    return Work("exec true", 20, samples, {"docker": 0.5, "podman": 0.25}, after)


def ps_hundred(peers: list[Peer], home: Path) -> Work:
    for p in peers:
        for number in range(100):
            p.run("create", "--name", f"bench-p{number}", "--network", "none", p.image, "true")

    def after() -> None:
        for p in peers:
            p.run("rm", *(f"bench-p{n}" for n in range(100)))

    return Work(
        "ps -a, 100 containers",
        15,
        {p.name: (lambda p=p: p.time("ps", "-a")) for p in peers},
        {"docker": 1.3, "podman": 0.7},
        after,
    )


def images(peers: list[Peer], home: Path) -> Work:
    return Work(
        "images", 15, {p.name: (lambda p=p: p.time("images")) for p in peers}, {"docker": 1.3, "podman": 0.7}
    )


def load_debian(peers: list[Peer], home: Path) -> Work:
    # skopeo's OCI archive is loadable by podman and firkin; docker wants its own format: the same image, converted here.
    source = IMAGES / "debian-bookworm-slim.oci.tar"
    converted = home / "debian.docker.tar"
    subprocess.run(
        [
            "skopeo",
            "copy",
            "-q",
            "--insecure-policy",
            f"oci-archive:{source}",
            f"docker-archive:{converted}:bench-debian:latest",
        ],
        check=True,
    )

    def one(p: Peer) -> float:
        file = converted if p.name == "docker" else source
        before = set(p.run("images", "-q", "--no-trunc").split())
        seconds = p.time("load", "-i", str(file))
        for new in set(p.run("images", "-q", "--no-trunc").split()) - before:
            p.run("rmi", "-f", new)
        return seconds

    return Work(
        "load Debian, unpacked",
        5,
        {p.name: (lambda p=p: one(p)) for p in peers},
        {"docker": 0.6, "podman": 0.6},
    )


def hundred_by_eight(peers: list[Peer], home: Path) -> Work:
    def one(p: Peer) -> float:
        started = time.perf_counter()
        with ThreadPoolExecutor(8) as pool:
            list(
                pool.map(
                    lambda n: p.run("run", "-d", "--name", f"bench-h{n}", p.image, "sleep", "1000"),
                    range(100),
                )
            )
        seconds = time.perf_counter() - started
        p.run(*p.rm_force, *(f"bench-h{n}" for n in range(100)))
        return seconds

    return Work(
        "100 containers, 8 at a time",
        1,
        {p.name: (lambda p=p: one(p)) for p in peers},
        {"docker": 0.25, "podman": 0.25},
    )


def library(peers: list[Peer], home: Path) -> Work:
    """A warm Python process runs true and waits, beside bwrap from the same process."""
    firkin = next(p for p in peers if p.name == "firkin")
    root = _rootfs(home)
    code = f"""
import sys, time, subprocess
sys.path.insert(0, {str(REPO / "src")!r})
import firkin
engine = firkin.Engine(root={f"{firkin.home}/root"!r}, run_root={f"{firkin.home}/run"!r})
def ours():
    started = time.perf_counter()
    with engine.run("busybox:latest", ["true"], network="none") as c:
        assert c.wait() == 0
    return time.perf_counter() - started
def theirs():
    started = time.perf_counter()
    subprocess.run(["bwrap", "--unshare-all", "--bind", {str(root)!r}, "/", "--proc", "/proc", "--dev", "/dev", "true"], check=True)
    return time.perf_counter() - started
ours(), theirs()
for line in sys.stdin:
    print(ours() if line.strip() == "firkin" else theirs(), flush=True)
"""
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )

    def ask(who: str) -> float:
        print(who, file=child.stdin, flush=True)
        return float(child.stdout.readline())

    def after() -> None:
        child.stdin.close()
        child.wait(30)

    return Work(
        "library, warm: run and wait true",
        20,
        {"firkin": lambda: ask("firkin"), "bwrap": lambda: ask("bwrap")},
        {"bwrap": 3.0},
        after,
    )


def memory(peers: list[Peer], home: Path) -> dict[str, float]:
    """Private (unshared) kB that one of 50 running containers costs in its monitor or shim."""
    found: dict[str, float] = {}
    for p in peers:
        for number in range(50):
            p.run("run", "-d", "--name", f"bench-m{number}", "--network", "none", p.image, "sleep", "1000")
        time.sleep(8)  # firkin's monitors become lean after five quiet seconds
        costs = [kb for pid, kb in _privates() if _keeper(p, pid)]
        assert len(costs) == 50, f"{p.name}: {len(costs)} processes keep 50 containers"
        found[p.name] = sum(costs) / 50
        p.run(*p.rm_force, *(f"bench-m{n}" for n in range(50)))
    return found


def _keeper(p: Peer, pid: int) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
    except OSError:
        return False
    if p.name == "docker":
        return "containerd-shim" in words and str(p.home) in words
    if p.name == "podman":
        return "conmon" in words and str(p.home) in words
    return f"{p.home}/root" in words  # its spawner, if there is one, has gone with the work that used it


def _privates() -> list[tuple[int, int]]:
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        found.append(
            (int(pid), sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Private_")))
        )
    return found


def _rootfs(home: Path) -> Path:
    root = home / "rootfs"
    if not root.exists():
        (root / "bin").mkdir(parents=True)
        for folder in ("proc", "dev", "sys", "etc", "tmp"):
            (root / folder).mkdir()
        shutil.copy("/bin/busybox", root / "bin/busybox")
        for name in ("sh", "true", "sleep"):
            (root / "bin" / name).symlink_to("busybox")
    return root


def _runc(home: Path) -> Sample:
    bundle = home / "bundle"
    bundle.mkdir()
    subprocess.run(["runc", "spec"], cwd=bundle, check=True)
    spec = json.loads((bundle / "config.json").read_text())
    spec["process"].update(terminal=False, args=["true"], rlimits=[])
    spec["root"] = {"path": str(_rootfs(home)), "readonly": False}
    spec["linux"]["cgroupsPath"] = "/firkin-bench-runc"
    (bundle / "config.json").write_text(json.dumps(spec))

    def one() -> float:
        started = time.perf_counter()
        subprocess.run(
            ["runc", "--root", str(home / "runc"), "run", "--bundle", str(bundle), "bench"],
            check=True,
            stdin=subprocess.DEVNULL,
        )
        return time.perf_counter() - started

    return one


WORKS = {
    f.__name__: f
    for f in (
        run_bridge,
        run_none,
        detach_remove,
        exec_true,
        images,
        load_debian,
        library,
        hundred_by_eight,
        ps_hundred,
    )
}
