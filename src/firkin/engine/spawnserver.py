"""The spawner: a single-threaded process that forks monitors for those who must not fork themselves.

    owner (may have threads)                      spawner: python -I -S, fresh, one thread, no database
      SpawnClient.start: posix_spawn ────────────►  imports what monitors need
      {"bound": true} ───────────────────────────►  fork (2 ms)
             ◄───────────────── {"pid", "start_time"} and the connection (SCM_RIGHTS)
      owner's socket closes, or it dies ─────────►  what is bound ends and is removed

A bound monitor holds the read end of the spawner's leash, a pipe whose only write end is the spawner's: when the
spawner ends, for whatever reason, it ends its container and removes it. What had ended before is removed by a child
of the spawner; should both be killed, by the next command (the row names the owner).
"""

from __future__ import annotations

import os
import select
import sys

from firkin.engine.forked import Forked
from firkin.errors import Unavailable, from_wire, to_wire
from firkin.wire import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    import signal as _signal
    from typing import Any

    from firkin.engine.context import Context
else:
    import _signal

_CODE = """\
import sys; sys.path.append(sys.argv[1])
from firkin.importing import install; install()
from firkin.app.engine import serve; serve(sys.argv[2:])
"""
_CHANNEL, _OWNER = 3, 4  # descriptors of a fresh spawner
MONITOR, AGENT = "monitor", "agent"
_MESSAGE = 64 << 10


class SpawnClient:
    """The owner's side. ``fork`` may be called from several threads."""

    def __init__(self, sock: _socket.socket, pid: int, token: str) -> None:
        from _thread import allocate_lock

        self._sock = sock
        self._pid = pid
        self._lock = allocate_lock()
        self._count = (
            0  # of requests: the answer to one whose caller was interrupted (Ctrl-C) is not the next one's
        )
        self.token = token  # what rows bound to this spawner say as their owner

    @classmethod
    def start(cls, ctx: Context, token: str = "") -> SpawnClient:
        """Start a spawner for this process; ``token`` is that of a dead one that it succeeds. Raises OSError."""
        import _socket

        from firkin.linux import process

        ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC)
        me = os.getpid()
        owner = process.pidfd_open(me)
        token = token or f"{me}:{process.start_time(me)}:{os.urandom(4).hex()}"
        source = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        paths = ctx.config.paths
        python = sys.executable or "python3"
        argv = [python, "-I", "-S", "-c", _CODE, source, paths.root, paths.run_root, token]
        high = [
            os.dup(fd) for fd in (theirs.fileno(), owner)
        ]  # so that neither dup2 covers the other's source
        try:
            actions: list[Any] = [
                (os.POSIX_SPAWN_DUP2, high[0], _CHANNEL + 100),
                (os.POSIX_SPAWN_DUP2, high[1], _OWNER + 100),
                # The host may have closed its own; a fresh interpreter needs some.
                (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDWR, 0),
                (os.POSIX_SPAWN_DUP2, 0, 1),
                (os.POSIX_SPAWN_DUP2, 0, 2),
                (os.POSIX_SPAWN_DUP2, _CHANNEL + 100, _CHANNEL),
                (os.POSIX_SPAWN_DUP2, _OWNER + 100, _OWNER),
            ]
            environ = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
            pid = os.posix_spawnp(python, argv, environ, file_actions=actions)
        finally:
            theirs.close()
            for fd in (owner, *high):
                os.close(fd)
        channel = _socket.socket(fileno=_above_stdio(ours.detach()))
        channel.settimeout(None)  # whatever socket.setdefaulttimeout says in the host
        return cls(channel, pid, token)

    def fork(self, *, bound: bool = False, kind: str = MONITOR) -> Forked:
        """Have a monitor (or an exec's agent) forked. Raises Unavailable when the spawner has died."""
        import _socket

        data = b""
        fds: list[int] = []
        answer: dict[str, Any] = {}
        with self._lock:
            try:
                self._count = number = self._count + 1
                request = json.dumps({"id": number, "kind": kind, "bound": bound}).encode()
                # Without MSG_NOSIGNAL a dead spawner would end a host that has SIGPIPE as the shell left it.
                self._sock.send(request, _socket.MSG_NOSIGNAL)
                while True:
                    data, fds = _receive(self._sock)
                    answer = json.loads(data) if data else {}
                    if not data or answer["id"] == number:
                        break
                    for fd in fds:
                        os.close(fd)  # its monitor reads end of file, and goes
            except OSError:
                data = b""
        if not data:
            raise Unavailable(
                f"the spawner of this program (pid {self._pid}) was killed, and what was bound to it has ended",
                hint="try again: a new one is started",
            )
        if "error" in answer:
            raise from_wire(answer["error"])
        return Forked(pid=answer["pid"], start_time=answer["start_time"], fd=_above_stdio(fds[0]))

    def alive(self) -> bool:
        """Say whether the spawner is still at the other end (3 us)."""
        poll = select.poll()
        poll.register(self._sock.fileno(), 0)
        return self._pid > 0 and not poll.poll(0)

    def close(self) -> bool:
        """End the spawner, what is bound to it, and wait until that has gone.

        False when it was killed: what was bound has ended, and somebody must remove it (engine/owners).
        """
        import _socket

        with self._lock:
            if self._pid <= 0:
                return True
            try:
                self._sock.shutdown(_socket.SHUT_RDWR)  # a forked child may hold a copy of the descriptor
            except OSError:
                pass
            self._sock.close()
            clean = True
            try:
                clean = os.waitpid(self._pid, 0)[1] == 0
            except ChildProcessError:
                pass  # the owner ignores SIGCHLD, or reaps for itself
            self._pid = 0
            return clean

    def abandon(self) -> None:
        """Forget it, in a forked child: it is the parent's."""
        self._sock.close()
        self._pid = 0


def _above_stdio(fd: int) -> int:
    """Move a descriptor out of 0 to 2, which a host that has closed its own hands out, and others write to."""
    if fd > 2:
        return fd
    import fcntl

    moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)
    os.close(fd)
    return moved


def _receive(sock: _socket.socket) -> tuple[bytes, list[int]]:
    import _socket
    from array import array

    data, ancillary, _, _ = sock.recvmsg(_MESSAGE, _socket.CMSG_SPACE(4), _socket.MSG_CMSG_CLOEXEC)
    fds = array("i")
    for level, kind, payload in ancillary:
        if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS:
            fds.frombytes(payload[: len(payload) - len(payload) % 4])
    return data, list(fds)


def serve(ctx: Context, token: str) -> None:
    """Be the spawner, until the owner has gone. Descriptors 3 and 4 are the channel and the owner's pidfd."""
    import _socket

    from firkin.engine.monitor import birth, preload
    from firkin.linux import process

    _become_server(process)
    # What monitors and agents need, once for all of them.
    import firkin.engine.monitor.agent
    import firkin.engine.monitor.main  # noqa: F401

    preload.everything()

    sock = _socket.socket(fileno=_CHANNEL)
    leash, holding = os.pipe2(os.O_CLOEXEC)
    poll = select.poll()
    poll.register(_CHANNEL, select.POLLIN)
    poll.register(_OWNER, select.POLLIN)
    while True:
        if any(fd == _OWNER for fd, _ in poll.poll()):
            break
        try:
            data = sock.recv(_MESSAGE)
        except OSError:
            break
        if not data:
            break
        request = json.loads(data)
        try:
            forked = birth.fork(ctx, leash if request["bound"] else -1, agent=request["kind"] == AGENT)
        except OSError as error:
            sock.send(json.dumps({"id": request["id"], "error": to_wire(error)}).encode())
            continue
        answer = json.dumps(
            {"id": request["id"], "pid": forked.pid, "start_time": forked.start_time}
        ).encode()
        rights = (_socket.SOL_SOCKET, _socket.SCM_RIGHTS, forked.fd.to_bytes(4, sys.byteorder))
        try:
            sock.sendmsg([answer], [rights])
        except OSError:
            pass  # who asked has gone; what was forked reads end of file and goes as well
        os.close(forked.fd)
    os.close(holding)
    _remove_bound(ctx, token)


def _become_server(process: Any) -> None:  # noqa: ANN401 - the module
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"):
        _signal.signal(getattr(_signal, name), _signal.SIG_IGN)
    _signal.signal(_signal.SIGCHLD, _signal.SIG_IGN)  # the kernel reaps the monitors
    os.setsid()
    os.chdir("/")
    null = os.open("/dev/null", os.O_RDWR)
    for fd in range(3):
        os.dup2(null, fd, inheritable=False)
    for fd in (_CHANNEL, _OWNER):
        os.set_inheritable(fd, False)
    process.close_range(_OWNER + 1)
    process.set_name("firkin-spawner")


def _remove_bound(ctx: Context, token: str) -> None:
    """Remove the containers of an owner that has gone; their monitors are ending them at this moment."""
    from firkin.engine.owners import remove_of

    remove_of(ctx, token)
