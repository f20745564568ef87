"""One attached container (run, start -a, attach, exec): our streams, terminal and signals on this side of relay().

    signal            with a terminal for the container        without
    SIGWINCH          its size follows                         sent on
    SIGPIPE           who reads our output has gone: we end, the container runs on, as docker has it
    the others        we end by it, the terminal mended        sent on to the container (--sig-proxy)

Signals that come before the container runs wait in ``held`` and are sent on as soon as it does.
"""

from __future__ import annotations

import os

from firkin.cli.complaint import Quit
from firkin.cli.output import err
from firkin.cli.session import PROGRAM
from firkin.cli.terminal import Raw, detach_keys, size
from firkin.errors import FirkinError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Callable, Sequence
    from typing import Any
else:
    import _signal

#: What docker sends on: all but those that the kernel or the runtime of the CLI use.
NOT_PROXIED = ("SIGCHLD", "SIGPIPE", "SIGURG", "SIGKILL", "SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU",
               "SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGTRAP", "SIGABRT", "SIGSYS", "SIGPROF",
               "SIGVTALRM", "SIGXCPU", "SIGXFSZ", "SIGIO", "SIGPWR", "SIGSTKFLT")  # fmt: skip
NO_TTY = 1  # docker's exit code, of run too
BROKEN = 1  # docker's exit code when its output's reader has gone
FATAL = ("SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM")


class Conversation:
    """``with Conversation(...) as talk: peer = start(); talk.relay(peer, kill)``."""

    def __init__(self, *, streams: Sequence[str], tty: bool, keys: str = "", sig_proxy: bool = True) -> None:
        if tty and "stdin" in streams and not os.isatty(0):
            err(f"{PROGRAM}: the input device is not a TTY; leave -t out, or run it from a terminal\n")
            raise Quit(NO_TTY)
        self._streams = streams
        self._tty = tty
        self._keys = detach_keys(keys) if tty else b""
        self._proxy = sig_proxy and not tty
        self._raw = Raw(0 if tty and "stdin" in streams else None)
        self._before: dict[int, Any] = {}
        self._pipe = (-1, -1)
        self._kill: Callable[[int], None] | None = None
        self._held: list[int] = []

    def __enter__(self) -> Conversation:
        self._pipe = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        _signal.set_wakeup_fd(self._pipe[1], warn_on_full_buffer=False)
        try:
            for number in self._watched():
                self._before[number] = _signal.signal(number, self._on_signal)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._raw.__exit__()
        for number, handler in self._before.items():
            _signal.signal(number, handler)
        self._before = {}
        _signal.set_wakeup_fd(-1)
        for fd in self._pipe:
            if fd >= 0:
                os.close(fd)
        self._pipe = (-1, -1)

    def _watched(self) -> list[int]:
        if self._tty:
            return [_signal.SIGWINCH, _signal.SIGPIPE, *(getattr(_signal, name) for name in FATAL)]
        if not self._proxy:
            return [_signal.SIGPIPE]
        refused = {getattr(_signal, name) for name in NOT_PROXIED if hasattr(_signal, name)}
        return [_signal.SIGPIPE] + [
            n for n in range(1, 65) if n not in refused and n not in (32, 33)
        ]  # glibc keeps 32 and 33

    def _on_signal(self, number: int, _frame: object) -> None:
        if number == _signal.SIGWINCH and self._tty:
            return  # relay's on_wake answers it, outside of any write
        if number == _signal.SIGPIPE:
            self._reader_gone()
        elif self._tty:
            raise Quit(128 + number)
        elif self._kill is None:
            if number in self._held and number in (_signal.SIGINT, _signal.SIGTERM):
                raise Quit(128 + number)  # asked twice: do not wait for a start that takes its time
            self._held.append(number)
        else:
            self._send(number)

    def _reader_gone(self) -> None:
        """End if it is our output that nobody reads (a write to a monitor that has died comes here too)."""
        import select

        poll = select.poll()
        for name, fd in (("stdout", 1), ("stderr", 2)):
            if name in self._streams:
                poll.register(fd, 0)
        for fd, _ in poll.poll(0):
            err(
                f"{PROGRAM}: write /dev/{'stdout' if fd == 1 else 'stderr'}: broken pipe; the container runs on\n"
            )
            raise Quit(BROKEN)

    def _send(self, number: int) -> None:
        assert self._kill is not None
        try:
            self._kill(number)
        except (FirkinError, OSError):
            pass  # it has just ended: there is nobody to tell

    def relay(self, peer: Any, kill: Callable[[int], None] | None = None) -> Any:  # noqa: ANN401 - AttachClient, Ended
        """Copy until the end and return relay's Ended. ``kill`` sends one signal to the container."""
        from firkin.engine.attach import relay

        self._kill = kill if kill is not None else lambda number: None
        for number in self._held:
            self._send(number)
        if self._tty:
            self._resize(peer)
        self._raw.__enter__()
        try:
            return relay(
                peer,
                stdin=0 if "stdin" in self._streams else None,
                stdout=1 if "stdout" in self._streams else None,
                stderr=2 if "stderr" in self._streams else None,
                detach_keys=self._keys if "stdin" in self._streams else b"",
                wake=self._pipe[0],
                on_wake=lambda data: self._resize(peer) if self._tty and _signal.SIGWINCH in data else None,
            )
        finally:
            self._raw.__exit__()

    def _resize(self, peer: Any) -> None:  # noqa: ANN401
        for fd in (1, 0, 2):
            found = size(fd)
            if found is not None and all(found):
                peer.resize(*found)
                return
