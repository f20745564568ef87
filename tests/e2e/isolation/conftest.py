"""firkin and docker side by side: started once, each with the image ``busybox``."""

from __future__ import annotations

import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from e2e.conftest import busybox
from e2e.isolation.seen import PROBE, differences, sections
from e2e.target import TARGETS, Target, remove_home


class Pair:
    """Two engines. ``both`` does the same with each, at the same time."""

    def __init__(self, reference: Target, firkin: Target) -> None:
        self.reference = reference
        self.firkin = firkin
        self._pool = ThreadPoolExecutor(2)

    def both(self, *words: str, **more: object):
        """Return (the reference's, firkin's) finished command."""
        running = [self._pool.submit(t.run, *words, **more) for t in (self.reference, self.firkin)]
        return running[0].result(), running[1].result()

    def out(self, *words: str) -> tuple[str, str]:
        ran = self.both(*words)
        assert [r.returncode for r in ran] == [0, 0], (words, [r.stderr for r in ran])
        return ran[0].stdout, ran[1].stdout

    def differences(
        self, *flags: str, verb: str = "run", image: str = "busybox", skip: tuple[str, ...] = ()
    ) -> list[str]:
        """Run the probe in both with the same flags and return what differs."""
        start = ("run", "--rm", *flags) if verb == "run" else ("exec", *flags)
        theirs, ours = self.out(*start, image, "sh", "-c", PROBE)
        left = sections(theirs, str(self.reference.home))
        right = sections(ours, str(self.firkin.home))
        assert "end" in left
        assert "end" in right
        return [line for line in differences(left, right) if line.partition(":")[0] not in skip]

    def close(self) -> None:
        self._pool.shutdown()


def started(name: str) -> Target:
    home = Path(tempfile.mkdtemp(prefix=f"firkin-test-isolation-{name}-"))
    home.chmod(0o711)  # podman's user namespaces walk through it
    engine = TARGETS[name](home)
    try:
        engine.start()
        engine.run("load", "-i", str(busybox(home)), check=True)
    except BaseException:
        engine.stop()
        remove_home(home)
        raise
    return engine


def stopped(engine: Target) -> None:
    engine.stop()
    remove_home(engine.home)


@pytest.fixture(scope="session", autouse=True)
def only_for_firkin(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--target", "firkin") != "firkin":
        pytest.skip("these compare firkin with docker and podman, whatever the target")
    if os.getuid() != 0:
        pytest.skip("containers need root")


@pytest.fixture(scope="session")
def firkin(only_for_firkin: None):
    engine = started("firkin")
    yield engine
    stopped(engine)


@pytest.fixture(scope="session")
def pair(firkin: Target):
    if not shutil.which("dockerd"):
        pytest.skip("this machine lacks Debian's docker.io")
    docker = started("docker")
    both = Pair(docker, firkin)
    yield both
    both.close()
    stopped(docker)


@pytest.fixture(scope="session")
def podman_pair(firkin: Target):
    if not shutil.which("podman"):
        pytest.skip("this machine lacks Debian's podman")
    podman = started("podman")
    both = Pair(podman, firkin)
    yield both
    both.close()
    stopped(podman)
