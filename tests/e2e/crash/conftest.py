"""One engine a module, with busybox in it; every test must leave it empty."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path  # noqa: TC003

import pytest

from e2e.conftest import busybox
from e2e.crash.lab import Lab


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if os.getuid() != 0:
        pytest.skip("containers need root")
    return busybox(tmp_path_factory.mktemp("busybox"))


@pytest.fixture(scope="module")
def engine(archive: Path):
    home = tempfile.mkdtemp(prefix="firkin-test-crash-")
    os.chmod(home, 0o755)
    lab = Lab(home)
    lab("load", "-i", str(archive), code=0)
    yield lab
    lab.is_empty(idle=True)
    leave(lab)


def leave(lab: Lab) -> None:
    """Remove the engine's directories: nothing else is left of it."""
    shutil.rmtree(lab.home)


@pytest.fixture
def lab(engine: Lab):
    """The module's engine; what a test leaves in it is a failure of the test, and is removed."""
    yield engine
    left = engine("ps", "-aq").stdout.split()
    if left:
        engine("rm", "-f", "-v", *left, code=0)
    engine.is_clean()


@pytest.fixture
def home():
    """A directory for an engine that a test ruins."""
    made = tempfile.mkdtemp(prefix="firkin-test-crash-")
    os.chmod(made, 0o755)
    yield made
    subprocess.run(["umount", "-R", "-q", f"{made}/root"], check=False)
    shutil.rmtree(made, ignore_errors=True)
