"""Named steps at which a test may kill the process: ``FIRKIN_DIE_AT=step`` (or ``role:step``).

Every step names a moment after which a SIGKILL must leave nothing that the next command cannot repair; the list in
docs/dev/lifecycle.md says what a survivor needs at each. Without the variable a step is one comparison.
"""

from __future__ import annotations

import os

_armed = os.environ.get("FIRKIN_DIE_AT", "")


def step(name: str) -> None:
    """Say that ``name`` has just been done."""
    if _armed == name:
        os.kill(os.getpid(), 9)


def arm(name: str) -> None:
    """Choose the step to die at, for tests that fork instead of exec."""
    global _armed
    _armed = name
