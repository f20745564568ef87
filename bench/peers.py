"""The engines side by side, each with roots and sockets of its own, all in the bench's own network and mount namespace.

firkin   bin/firkin of this tree
docker   Debian's dockerd, started here, stopped here
podman   Debian's podman, cgroupfs manager (systemd does not run on the build machines)
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent


class Peer:
    """One engine's command line. ``argv(words)`` is the whole command; ``available`` says whether it can run here."""

    name = ""
    image = "busybox:latest"
    rm_force: tuple[str, ...] = ("rm", "-f")

    def __init__(self, home: Path) -> None:
        self.home = home / self.name
        self.home.mkdir(parents=True, exist_ok=True)
        self.environ = dict(os.environ)

    def argv(self, *words: str) -> list[str]:
        raise NotImplementedError

    def run(self, *words: str, check: bool = True) -> str:
        done = subprocess.run(
            self.argv(*words),
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        if check and done.returncode:
            raise RuntimeError(
                f"{self.name} {' '.join(words)}: exit {done.returncode}: {done.stderr.strip()}"
            )
        return done.stdout

    def time(self, *words: str) -> float:
        """Wall seconds of one command; raises when it fails."""
        started = time.perf_counter()
        process = subprocess.Popen(
            self.argv(*words),
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        _, error = process.communicate()
        seconds = time.perf_counter() - started
        if process.returncode:
            raise RuntimeError(
                f"{self.name} {' '.join(words)}: exit {process.returncode}: {error.decode().strip()}"
            )
        return seconds

    def start(self) -> None:
        """Make ready."""

    def stop(self) -> None:
        """End what ``start`` started."""


class Firkin(Peer):
    name = "firkin"

    def argv(self, *words: str) -> list[str]:
        return [
            str(REPO / "bin/firkin"),
            "--root",
            f"{self.home}/root",
            "--run-root",
            f"{self.home}/run",
            *words,
        ]


class Docker(Peer):
    name = "docker"

    def argv(self, *words: str) -> list[str]:
        return ["docker", "-H", f"unix://{self.home}/sock", *words]

    def start(self) -> None:
        log = open(self.home / "log", "w")
        self.daemon = subprocess.Popen(
            ["dockerd", "--data-root", f"{self.home}/data", "--exec-root", f"{self.home}/exec", "-H", f"unix://{self.home}/sock",
             "-p", f"{self.home}/pid", "--storage-driver", "overlay2"],
            stdout=log, stderr=log)  # fmt: skip
        for _ in range(150):
            if subprocess.run(self.argv("version"), capture_output=True, check=False).returncode == 0:
                return
            time.sleep(0.2)
        raise RuntimeError(f"dockerd did not start: {(self.home / 'log').read_text()[-2000:]}")

    def stop(self) -> None:
        self.daemon.terminate()
        self.daemon.wait(60)


class Podman(Peer):
    name = "podman"
    image = "localhost/busybox:latest"
    rm_force = ("rm", "-f", "-t", "0")  # else it asks politely for ten seconds; docker and firkin kill

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        # podman raises these limits, which root may not do where CAP_SYS_RESOURCE is missing.
        limits = '"nofile=1024:1024", "nproc=4096:4096"'
        (self.home / "containers.conf").write_text(
            f"[containers]\ndefault_ulimits = [{limits}]\n"
            '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
        )
        self.environ["CONTAINERS_CONF"] = str(self.home / "containers.conf")

    def argv(self, *words: str) -> list[str]:
        return [
            "podman",
            "--runtime",
            "runc",
            "--root",
            f"{self.home}/root",
            "--runroot",
            f"{self.home}/run",
            *words,
        ]


def available(home: Path, only: list[str] | None = None) -> list[Peer]:
    """The engines of this machine, firkin first."""
    program = {"docker": "dockerd", "podman": "podman", "firkin": "python3"}
    kinds = [
        k for k in (Firkin, Docker, Podman) if shutil.which(program[k.name]) and (not only or k.name in only)
    ]
    return [kind(home) for kind in kinds]
