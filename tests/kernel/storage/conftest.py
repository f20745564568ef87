"""A root of its own for each test."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from firkin.paths import Paths


@pytest.fixture
def paths():
    """A firkin root on the disk (not on a tmpfs), with a sentinel beside it that nobody may touch."""
    home = Path(f"/var/tmp/firkin-test-storage-{os.getpid()}-{os.urandom(3).hex()}")
    home.mkdir()
    made = Paths(root=f"{home}/root", run_root=f"{home}/run")
    for folder in (made.root, made.blobs, made.layers, made.tmp, made.containers, made.volumes):
        os.makedirs(folder)
    yield made
    shutil.rmtree(home)
