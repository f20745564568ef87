"""Measure firkin beside its peers in one run: interleaved, medians, ratios. ``make bench``; ``--help`` for choices.

Everything happens in a network and a mount namespace of the bench's own: no bridge, firewall rule or mount of the machine
is touched. Results: bench/out/results.json, table.md and plot.svg.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from peers import REPO, available
from report import write_plot, write_table
from works import IMAGES, WORKS, memory

OUT = REPO / "bench/out"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("works", nargs="*", help=f"some of: {', '.join(WORKS)}, memory (default: all)")
    parser.add_argument("--peers", help="comma-separated: firkin,docker,podman")
    parser.add_argument("--rounds", type=int, help="samples of each work")
    options = parser.parse_args()
    home = os.environ.get("FIRKIN_BENCH_INSIDE")
    if not home:
        with tempfile.TemporaryDirectory(
            prefix="firkin-bench-"
        ) as home:  # removed when the inner mounts are gone
            environ = {**os.environ, "FIRKIN_BENCH_INSIDE": home}
            return subprocess.run(
                ["unshare", "-n", "-m", sys.executable, *sys.argv], env=environ, check=False
            ).returncode
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    # A way out for the bridges' NAT rules to refer to; nothing listens at the other end.
    subprocess.run("ip link add fbup type veth peer name fbdown; ip addr add 198.51.100.1/24 dev fbup; ip link set fbup up;"
                   "ip link set fbdown up; ip route add default via 198.51.100.2", shell=True, check=True)  # fmt: skip
    OUT.mkdir(exist_ok=True)
    return measure(options, Path(home))


def measure(options: argparse.Namespace, home: Path) -> int:
    peers = available(home, options.peers.split(",") if options.peers else None)
    wanted = options.works or [*WORKS, "memory"]
    results: dict[str, object] = {"machine": machine(), "works": {}}
    started = []
    try:
        for peer in peers:
            peer.start()
            started.append(peer)
            peer.run("load", "-i", str(IMAGES / "busybox.docker.tar"))
        for name in wanted:
            if name != "memory":
                results["works"][name] = one_work(WORKS[name](peers, home), options.rounds)
        if "memory" in wanted:
            results["memory_kb"] = memory(peers, home)
    finally:
        for peer in started:
            peer.stop()
    (OUT / "results.json").write_text(json.dumps(results, indent=1))
    print(write_table(results, OUT / "table.md"))
    write_plot(results, OUT / "plot.svg")
    return 0


def one_work(work, rounds: int | None) -> dict[str, object]:
    times: dict[str, list[float]] = {name: [] for name in work.samples}
    try:
        if work.rounds > 1:
            for sample in work.samples.values():
                sample()  # warm caches; not counted
        for _ in range(rounds or work.rounds):
            for name, sample in work.samples.items():
                times[name].append(sample())
    finally:
        if work.after:
            work.after()
    medians = {name: statistics.median(values) for name, values in times.items()}
    print(
        f"{work.name}: " + ", ".join(f"{name} {1000 * value:.1f} ms" for name, value in medians.items()),
        file=sys.stderr,
        flush=True,
    )
    return {"title": work.name, "limits": work.limits, "medians": medians, "times": times}


def machine() -> str:
    model = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        "?",
    )
    return f"{os.cpu_count()} x {model}, Linux {os.uname().release}, {time.strftime('%Y-%m-%d')}"


if __name__ == "__main__":
    sys.exit(main())
