"""``on_machine``: run a test's body in a child that has a network namespace of its own for a host."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from network_machine import play_in_child


@pytest.fixture
def on_machine():
    """Call the given body with a Machine, in a child of ours; its failure is the test's."""
    root = Path(f"/tmp/firkin-test-network/{os.getpid()}-{os.urandom(4).hex()}")

    def play(body) -> None:
        read, write = os.pipe()
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            os.close(read)
            play_in_child(write, root, body)
        os.close(write)
        with os.fdopen(read, "rb") as stream:
            words = stream.read().decode()
        _, status = os.waitpid(pid, 0)
        if status:
            pytest.fail(words or f"the child died of status {status}", pytrace=False)

    yield play
    shutil.rmtree(root, ignore_errors=True)
