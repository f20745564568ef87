"""A container that lasts is watched by a small process: the monitor executes a fresh interpreter in its own place.

What a start needs (network, specs, runtime, SQLite) makes 6 MB of private memory that Python never gives back; the loop
alone needs less than 3. The pid, its children, the mount namespace and the descriptors stay as they are over an
execve(2); the program's parent-death signal, too, for its parent does not end. What the loop knows goes along as JSON
in a memfd. The rest is imported again when the container ends (10 ms that nobody waits for).
"""

from __future__ import annotations

import os
import sys

from firkin.engine.logfile import LogWriter
from firkin.engine.monitor.charge import Charge
from firkin.engine.monitor.client import Client
from firkin.engine.monitor.loop import Loop
from firkin.wire import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LASTING = 5.0  # seconds without a byte of output or input
_TRIES = 12
_CODE = """\
import sys; sys.path.append(sys.argv[1])
from firkin.importing import install; install()
from firkin.app.resume import main; main(sys.argv[2:])
"""


def run_until_lasting(loop: Loop) -> bool:
    """Copy until the program has ended (True), or a quiet moment shows that it lasts (False)."""
    for _ in range(_TRIES):
        if loop.run(LASTING):
            return True
        if loop.idle():
            return False
    return loop.run()


def become(charge: Charge, loop: Loop, root: str, run_root: str) -> None:
    """Execute the lean monitor; returns only when that is not possible, and nothing has changed then."""
    source = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    if not sys.executable or not os.path.exists(f"{source}/firkin/app/resume.py"):
        return
    known = {"charge": charge.to_dict(), "loop": _describe(loop)}
    fds = [fd for fd in _descriptors(charge, loop) if fd >= 0]
    memory = os.memfd_create("firkin-monitor", 0)
    try:
        os.write(memory, json.dumps(known).encode())
        for fd in fds:
            os.set_inheritable(fd, True)
        argv = [sys.executable, "-I", "-S", "-B", "-c", _CODE, source, str(memory), root, run_root]
        os.execve(sys.executable, argv, {"PATH": os.environ.get("PATH", "")})  # noqa: S606 - that is the point
    except OSError:
        os.close(memory)
        for fd in fds:
            os.set_inheritable(fd, False)


def _descriptors(charge: Charge, loop: Loop) -> list[int]:
    log = [loop.log.fd] if loop.log is not None else []
    return [
        charge.users_fd, loop.pidfd, loop.stdin, loop.terminal, loop.listener, loop.owner, *loop.outputs,
        *loop.clients, *charge.spare, *log,
    ]  # fmt: skip


def _describe(loop: Loop) -> dict[str, Any]:
    log = loop.log
    return {
        "pidfd": loop.pidfd,
        "outputs": [[fd, stream] for fd, stream in loop.outputs.items()],
        "stdin": loop.stdin,
        "terminal": loop.terminal,
        "listener": loop.listener,
        "owner": loop.owner,
        "stdin_once": loop.stdin_once,
        "clients": [[client.fd, client.streams(), client.starter] for client in loop.clients.values()],
        "log": None if log is None else [log.fd, log.path, log.max_size, log.max_files],
    }


def resumed(memory: int) -> tuple[Charge, Loop]:
    """Return what ``become`` put into the memfd."""
    os.lseek(memory, 0, os.SEEK_SET)
    known = json.loads(b"".join(iter(lambda: os.read(memory, 1 << 16), b"")))
    os.close(memory)
    charge = Charge(**known["charge"])
    of = known["loop"]
    log = None
    if of["log"] is not None:
        fd, path, max_size, max_files = of["log"]
        log = LogWriter(path, max_size, max_files, fd=fd)
    loop = Loop(
        pidfd=of["pidfd"],
        outputs=dict(of["outputs"]),
        stdin=of["stdin"],
        terminal=of["terminal"],
        log=log,
        listener=of["listener"],
        owner=of["owner"],
        stdin_once=of["stdin_once"],
    )
    for fd, streams, starter in of["clients"]:
        loop.add(Client(fd, streams, starter=starter))
    for fd in _descriptors(charge, loop):
        if fd >= 0:
            os.set_inheritable(fd, False)
    return charge, loop
