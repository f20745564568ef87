"""The monitor as a process: forked from a command or from the spawner, before either has opened the database.

    starter                                     monitor
      fork ─────────────────────────────────────► own session, default signals, no inherited descriptors
      open database, create rows, plan            import what a start needs, meanwhile
      PLAN ─────────────────────────────────────► set up, launch
           ◄──────────────────────── MARKS, STARTED or FAILED
      row: running                                copy until the container ends, clean up, row: exited

SQLite must not be carried over a fork (sqlite.org/howtocorrupt.html, 2.6), and a monitor opens it at the end: so
the fork comes first. The starter knows the monitor's pid when it writes the row, so that there is no moment at
which a container is being started and nobody can tell by whom. When the starter dies before PLAN the monitor reads
end of file and goes.
"""

from __future__ import annotations

import gc
import os

from firkin import log
from firkin.engine import liveness
from firkin.engine.forked import Forked
from firkin.engine.monitor import channel as channels

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal

    from firkin.engine.context import Context
else:
    import _signal

_IGNORED = ("SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGPIPE", "SIGTTOU", "SIGTTIN", "SIGTSTP")


def fork(ctx: Context, owner: int = -1, *, agent: bool = False, network: bool = True) -> Forked:
    """Fork a monitor. The caller has one thread and has not opened the database. Raises OSError.

    ``owner`` is a descriptor that becomes readable when the container must end (the spawner's). ``agent``: it will
    not run a container but execute in one (engine/monitor/agent).
    """
    import _socket

    ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        _child(ctx, theirs.detach(), owner, agent=agent, network=network)
    theirs.close()
    return Forked(pid=pid, start_time=liveness.start_time(pid), fd=ours.detach())


def _child(ctx: Context, channel: int, owner: int, *, agent: bool, network: bool) -> None:
    code = 70
    try:
        if log.marking():
            log.enable_marks()  # our own
        gc.disable()  # one process, one container: what is garbage here is little, and collecting unshares pages
        detach_from_starter((channel, owner))
        if agent:
            from firkin.engine.monitor.agent import main as execute

            execute(ctx.for_monitor(), channel)
        else:
            from firkin.engine.monitor.main import main

            main(ctx.for_monitor(), channel, owner, network=network)
        code = 0
    except BaseException as error:  # noqa: BLE001 - the last word of a process
        channels.report(channel, error)
    finally:
        os._exit(code)


def detach_from_starter(keep: tuple[int, ...]) -> None:
    """Become a process of its own: session, signals, descriptors, working directory."""
    for name in _IGNORED:
        _signal.signal(getattr(_signal, name), _signal.SIG_IGN)
    _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
    for name in ("SIGWINCH", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGCONT"):
        _signal.signal(getattr(_signal, name), _signal.SIG_DFL)
    _signal.set_wakeup_fd(-1)
    _signal.pthread_sigmask(_signal.SIG_SETMASK, ())
    os.setsid()
    os.chdir("/")
    os.umask(0o022)
    null = os.open("/dev/null", os.O_RDWR)
    for fd in range(3):
        os.dup2(null, fd, inheritable=False)
    first = 3
    for fd in sorted(fd for fd in keep if fd >= 0):
        os.closerange(first, fd)
        first = fd + 1
    os.closerange(first, os.sysconf("SC_OPEN_MAX"))
    with open("/proc/self/comm", "wb", buffering=0) as file:
        file.write(b"firkin-monitor")
