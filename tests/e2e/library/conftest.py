"""A root of its own for the library's tests, busybox in it, and programs that use it. Each test must leave it empty."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import pytest

from e2e.conftest import busybox
from e2e.crash.machine import audit
from e2e.target import REPO, remove_home

SOURCE = str(REPO / "src")
TIMEOUT = 60


class Lab:
    """Two directories, and what runs in them."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.root, self.run_root = f"{home}/root", f"{home}/run"
        self.environ = {
            **os.environ, "FIRKIN_ROOT": self.root, "FIRKIN_RUN_ROOT": self.run_root, "PYTHONPATH": SOURCE,
            "PYTHONWARNINGS": "error",
        }  # fmt: skip

    def program(self, code: str, *arguments: str, **more: object) -> subprocess.Popen[str]:
        """Start a Python program that imports firkin; its standard output is a pipe."""
        given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **more}
        argv = [sys.executable, "-c", f"import firkin, os, sys\n{textwrap.dedent(code)}", *arguments]
        return subprocess.Popen(argv, env=self.environ, **given)

    def run(self, code: str, *arguments: str) -> str:
        """Run a program that must succeed and say nothing on standard error; return its standard output."""
        program = self.program(code, *arguments)
        try:
            out, err = program.communicate(timeout=TIMEOUT)
        except BaseException:
            program.kill()
            program.communicate()
            raise
        assert (program.returncode, err) == (0, ""), (program.returncode, out, err)
        return out

    def firkin(self, *words: str) -> str:
        """Run a command line that must succeed."""
        argv = [str(REPO / "bin" / "firkin"), *words]
        done = subprocess.run(argv, env=self.environ, capture_output=True, text=True, timeout=TIMEOUT)
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout.strip()

    def containers(self) -> list[str]:
        """Return the directories of containers: looked at without any firkin, which would repair."""
        return os.listdir(f"{self.root}/containers")

    def await_containers(self, count: int, seconds: float) -> float:
        """Return after how many seconds no more than ``count`` containers were there; fail when it lasts longer."""
        start = time.monotonic()
        while len(self.containers()) > count:
            assert time.monotonic() - start < seconds, self.containers()
            time.sleep(0.005)
        return time.monotonic() - start

    def is_clean(self) -> bool:
        """Say whether nothing of any container is left; what the kernel finishes by itself gets its moment."""
        end = time.monotonic() + 5
        while left := [*self.containers(), *self._orphans()]:
            assert time.monotonic() < end, left
            time.sleep(0.02)
        return True

    def _orphans(self) -> list[str]:
        """What the audit finds; but the spawner of an engine that is still open is nobody's orphan."""
        return [one for one in audit(self.root, self.run_root) if "serve(sys.argv" not in one]


def await_bridge_gone(root: str) -> None:
    """Wait until the bridge of this root has gone: a second after its last container, and before its files do."""
    bridge = f"/sys/class/net/fk{json.loads(Path(f'{root}/engine.json').read_text())['id']}"
    end = time.monotonic() + 20
    while os.path.exists(bridge) and time.monotonic() < end:
        time.sleep(0.05)


@pytest.fixture(scope="session")
def _lab(pytestconfig: pytest.Config):
    if os.getuid() != 0:
        pytest.skip("containers need root")
    home = Path(tempfile.mkdtemp(prefix="firkin-test-library-"))
    made = Lab(home)
    try:
        assert "busybox" in made.run("print(firkin.images.load(sys.argv[1]))", str(busybox(home)))
        yield made
    finally:
        left = made.firkin("ps", "-aq").split()
        if left:
            made.firkin("rm", "-f", *left)
        await_bridge_gone(made.root)
        remove_home(home)


@pytest.fixture
def lab(_lab: Lab):
    yield _lab
    assert _lab.is_clean()


@pytest.fixture
def engine(lab: Lab):
    """An Engine in pytest's own process."""
    import firkin

    with firkin.Engine(root=lab.root, run_root=lab.run_root) as made:
        yield made
