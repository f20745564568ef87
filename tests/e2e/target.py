"""A container engine behind its command line: firkin, or a reference that the tests themselves are checked with.

    firkin   a root and a run root of its own
    docker   Debian's dockerd in mount and network namespaces of its own: its bridge and rules never touch the host's
    podman   roots of its own, in a network namespace of its own

``Target.run("run", "--rm", "busybox", "true")`` is ``firkin run --rm busybox true``, and so on.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
FIRKIN = REPO / "bin" / "firkin"
TIMEOUT = 60


class Target:
    """One engine; ``stop`` leaves nothing of it."""

    name = ""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environ = {**os.environ, "LC_ALL": "C.UTF-8"}

    def argv(self, *words: str) -> list[str]:
        raise NotImplementedError

    def run(self, *words: str, input: str | bytes | None = None, check: bool = False, timeout: float = TIMEOUT,
            env: dict[str, str] | None = None, text: bool = True, **more: object):  # fmt: skip
        """Run one command to its end; standard input is empty unless given."""
        if isinstance(input, bytes):
            text = False
        where = {"stdin": subprocess.DEVNULL} if input is None and "stdin" not in more else {}
        ran = subprocess.run(
            self.argv(*words), input=input, capture_output=True, text=text, timeout=timeout,
            env={**self.environ, **(env or {})}, **where, **more,
        )  # fmt: skip
        if check:
            assert ran.returncode == 0, (words, ran.returncode, ran.stdout, ran.stderr)
        return ran

    def out(self, *words: str, **more: object) -> str:
        """Run a command that must succeed, and return its standard output without the last line's end."""
        return self.run(*words, check=True, **more).stdout.removesuffix("\n")

    def popen(self, *words: str, **more: object) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self.argv(*words), env=self.environ, **more)

    def in_network(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a program where the engine publishes its ports."""
        return subprocess.run(words, capture_output=True, text=True, timeout=TIMEOUT)

    def start(self) -> None:
        """Make the engine usable."""

    def stop(self) -> None:
        """Remove all containers and whatever else there is."""
        left = self.run("ps", "-aq").stdout.split()
        if left:
            self.run("rm", "-f", "-v", *left)


class Firkin(Target):
    name = "firkin"

    def argv(self, *words: str) -> list[str]:
        return [str(FIRKIN), "--root", f"{self.home}/root", "--run-root", f"{self.home}/run", *words]

    def stop(self) -> None:
        """Wait for the bridge to go too: whoever sees to it, a second after the last container, needs the directories."""
        super().stop()
        state = self.home / "root" / "engine.json"
        if not state.exists():
            return
        bridge = Path("/sys/class/net/fk" + json.loads(state.read_text())["id"])
        deadline = time.monotonic() + 10
        while bridge.exists() and time.monotonic() < deadline:
            time.sleep(0.05)


class _Elsewhere(Target):
    """An engine in namespaces of its own, held by one process."""

    _holder: subprocess.Popen[bytes] | None = None

    def _inside(self, *words: str) -> list[str]:
        assert self._holder is not None
        return ["nsenter", "-t", str(self._holder.pid), "-m", "-n", *words]

    def _hold(self, script: str) -> None:
        with open(self.home / "log", "wb") as log:
            self._holder = subprocess.Popen(
                ["unshare", "-m", "-n", "sh", "-c", f"ip link set lo up; {script}"],
                stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            )  # fmt: skip

    def in_network(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self._inside(*words), capture_output=True, text=True, timeout=TIMEOUT)

    def stop(self) -> None:
        super().stop()
        if self._holder is not None:
            self._holder.send_signal(signal.SIGTERM)
            try:
                self._holder.wait(20)
            except subprocess.TimeoutExpired:
                self._holder.kill()
                self._holder.wait()


class Docker(_Elsewhere):
    name = "docker"

    def argv(self, *words: str) -> list[str]:
        return ["docker", "-H", f"unix://{self.home}/sock", *words]

    def start(self) -> None:
        (self.home / "daemon.json").write_text("{}")
        self.environ["DOCKER_CONFIG"] = str(self.home / "config")
        self._hold(
            f"exec dockerd --config-file {self.home}/daemon.json --data-root {self.home}/data --exec-root {self.home}/exec "
            f"--pidfile {self.home}/pid -H unix://{self.home}/sock --cgroup-parent {self._cgroup}"
        )
        deadline = time.monotonic() + 30
        while self.run("version").returncode:
            assert self._holder is not None
            if self._holder.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"dockerd did not start: {(self.home / 'log').read_text()[-2000:]}")
            time.sleep(0.1)

    @property
    def _cgroup(self) -> str:
        return f"/firkin-test-{self.home.name}"

    def stop(self) -> None:
        super().stop()
        for hierarchy in Path("/sys/fs/cgroup").iterdir():
            try:
                (hierarchy / self._cgroup[1:]).rmdir()
            except OSError:
                pass


class Podman(_Elsewhere):
    name = "podman"

    def argv(self, *words: str) -> list[str]:
        return self._inside(
            "podman", "--runtime", "runc", "--root", f"{self.home}/root", "--runroot", f"{self.home}/run", "--cgroup-manager=cgroupfs",
            "--events-backend=file", "--network-config-dir", f"{self.home}/net", "--tmpdir", f"{self.home}/tmp", *words,
        )  # fmt: skip

    def start(self) -> None:
        # podman raises these limits, which root may not do where CAP_SYS_RESOURCE is missing.
        limits = '"nofile=1024:1024", "nproc=4096:4096"'
        (self.home / "containers.conf").write_text(f"[containers]\ndefault_ulimits = [{limits}]\n")
        self.environ["CONTAINERS_CONF"] = str(self.home / "containers.conf")
        self._hold("exec sleep infinity")
        deadline = time.monotonic() + 5
        while (
            subprocess.run(self._inside("true"), capture_output=True).returncode
            and time.monotonic() < deadline
        ):
            time.sleep(0.05)


TARGETS: dict[str, type[Target]] = {"firkin": Firkin, "docker": Docker, "podman": Podman}


def remove_home(home: Path) -> None:
    """Remove a target's directory; a file system that is still mounted below it is left and told."""
    held = [
        line.split()[4]
        for line in Path("/proc/self/mountinfo").read_text().splitlines()
        if str(home) in line.split()[4]
    ]
    assert not held, f"still mounted: {held}"
    shutil.rmtree(home)
