"""What a monitor has in its charge once the program runs: small, plain, and all that the end needs."""

from __future__ import annotations

from firkin.record import Record


class Charge(Record):
    """JSON-able, so that it survives the monitor's exec (engine/monitor/lean)."""

    container_id: str
    starts: int
    home: str  # ROOT/containers/ID
    bundle: str  # RUN/containers/ID
    cgroup_path: str
    network: bool  # it has a lease
    rm: bool
    started_ns: int
    heir: str = ""  # StartPlan.heir
    marks: int = 0  # how many of our marks the starter has
    users_fd: int = -1  # Bridge.users_fd
    spare: list[int] = []  # descriptors to close at the end: slave of the terminal, network namespace, ports
