"""Diagnostics without ``logging``: a line on stderr when asked for, and marks for ``--profile``.

Libraries never print results; this is for ``--debug`` and for phases. Both are off unless a face turns them on, and
then cost one global look-up.
"""

from __future__ import annotations

import os
import time

_debug = False
_marks: list[tuple[str, int, int]] | None = None


def enable_debug() -> None:
    global _debug
    _debug = True


def debugging() -> bool:
    """Say whether --debug was given."""
    return _debug


def debug(message: str) -> None:
    """Write ``message`` to stderr under --debug."""
    if _debug:
        os.write(2, f"firkin[{os.getpid()}] {message}\n".encode(errors="replace"))


def enable_marks() -> None:
    global _marks
    _marks = []


def mark(phase: str) -> None:
    """Say that ``phase`` has just ended, in this process."""
    if _marks is not None:
        _marks.append((phase, time.monotonic_ns(), os.getpid()))


def marks() -> list[tuple[str, int, int]]:
    """Return (phase, CLOCK_MONOTONIC ns at its end, pid) in the order they were made; [] when off."""
    return list(_marks or ())


def marking() -> bool:
    """Say whether marks are on (a forked monitor then reports its own through its status pipe)."""
    return _marks is not None


def add_marks(more: list[tuple[str, int, int]]) -> None:
    """Add the marks of another process (same clock)."""
    if _marks is not None:
        _marks.extend(more)
