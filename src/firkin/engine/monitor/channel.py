"""What a monitor hears from and says to the one who started it, before the copying begins."""

from __future__ import annotations

import os

from firkin import log
from firkin.engine import frames
from firkin.engine.steps import step
from firkin.errors import to_wire


def receive_plan(channel: int) -> bytes | None:
    """Wait for PLAN; None when the starter has gone without sending one."""
    unpacker = frames.Unpacker()
    while True:
        data = os.read(channel, 256 << 10)
        if not data:
            return None
        for kind, payload in unpacker.feed(data):
            if kind == frames.PLAN:
                return payload


def send(channel: int, kind: int, value: object) -> bool:
    """Send JSON to the starter; False when it has gone."""
    data = memoryview(frames.pack_json(kind, value))
    try:
        while data:
            data = data[os.write(channel, data) :]
    except OSError:
        return False
    return True


def report(channel: int, error: BaseException) -> bool:
    """Tell the starter that the start failed; False when it has gone."""
    return send(channel, frames.FAILED, to_wire(error))


def send_marks(channel: int) -> None:
    """Send this process's marks to the starter, when it asked for them."""
    if log.marking():
        send(channel, frames.MARKS, log.marks())


def warm() -> None:
    """Everything is imported: wait for the plan from here."""
    log.mark("imports")
    step("monitor-forked")
