"""A monitor or an exec's agent that was just forked."""

from __future__ import annotations

from firkin.record import Record


class Forked(Record):
    """It waits for its plan; ``fd`` is the starter's end of the connection, (pid, start_time) names it."""

    pid: int
    start_time: int
    fd: int
