"""exit.json: what a dying monitor leaves behind before it does anything else.

    ROOT/containers/ID/exit.json     on a full disk: RUN/containers/ID/exit.json
    {"starts": 1, "exit_code": 137, "signal": 9, "oom": true, "oom_report": {...}, "killed_by": "firkin stop",
     "last_output": "...", "log_lost": 0, "drained": true, "started_ns": ..., "finished_ns": ...,
     "monitor_lost": false, "monitor_pid": 4711, "rebooted": false}

``drained``: all output is in the log.
``starts`` says which run it is about: an older one is a leftover of an earlier run.
"""

from __future__ import annotations

import os

from firkin import atomic
from firkin.wire import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from firkin.paths import Paths

LOST_CODE = 137  # the container of a killed monitor got SIGKILL
# without these it is damaged
_NUMBERS = ("starts", "exit_code", "signal", "oom", "started_ns", "finished_ns")
REBOOT_CODE = 255  # docker's code for what a restart of the machine found dead


def path(home: str) -> str:
    return f"{home}/exit.json"


def write(home: str, record: dict[str, Any]) -> None:
    """Write it, whole or not at all. Raises OSError."""
    atomic.write(path(home), json.dumps(record))


def read(home: str, starts: int) -> dict[str, Any] | None:
    """Return the record of run number ``starts``, or None."""
    try:
        text = atomic.read_text(path(home))
        record = json.loads(text) if text else None
    except (OSError, ValueError):
        return None
    if not isinstance(record, dict) or record.get("starts") != starts:
        return None
    whole = all(isinstance(record.get(key), int) for key in _NUMBERS)
    return record if whole else None


def find(paths: Paths, container_id: str, starts: int) -> dict[str, Any] | None:
    """Return the record of run number ``starts``, wherever it could be written; None when there is none."""
    return read(paths.container(container_id), starts) or read(paths.bundle(container_id), starts)


def note_killer(bundle: str, by: str, signal: int) -> None:
    """Say who is about to send ``signal``, for the record."""
    try:
        atomic.write(f"{bundle}/killer", json.dumps({"by": by, "signal": signal}))
    except OSError:
        pass  # a full /run does not keep anybody from killing


def killer(bundle: str, signal: int) -> str:
    """Return who sent the signal that ended the container, "" if nobody of ours."""
    try:
        text = atomic.read_text(f"{bundle}/killer")
        note = json.loads(text) if text else {}
    except (OSError, ValueError):
        return ""
    by = str(note.get("by", ""))
    # A program that handles stop's signal ends by itself, with a code of its own.
    return by if by == "firkin stop" or note.get("signal") == signal else ""


def last_lines(log_path: str, limit: int = 500, count: int = 4) -> str:
    """Return the last ``count`` lines of the output, at most ``limit`` characters.

    One is not enough: many a program says why, and then more.
    """
    from firkin.engine.logfile import LOST, read_backward

    try:
        fd = os.open(log_path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    text = b""
    try:
        for _, frame in read_backward(fd, os.fstat(fd).st_size):
            if frame.stream != LOST:
                text = frame.data[-4096:] + text
            if text.strip().count(b"\n") >= count or len(text) > 4096:
                break
    finally:
        os.close(fd)
    lines = text.decode(errors="replace").strip().splitlines()
    return "\n".join(line.strip() for line in lines[-count:])[-limit:]
