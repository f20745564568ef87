"""The copying: a container's output to its log and its clients, their input to the container.

    container ──stdout, stderr pipes (or pty master)──► log, every client that wants the stream
    clients   ──STDIN frames──► stdin pipe (or pty master)

Nothing waits but epoll. What a client has not taken is held for it; past HIGH bytes the container's output is not
read until it has taken them, so memory is bounded and the container feels the slow reader. In the same way a client's
frames are not read while the container does not take its input. No timers: an idle container costs no CPU.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import termios

from firkin.engine import frames
from firkin.engine.monitor.client import Client

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Callable

    from firkin.engine.logfile import LogWriter
else:
    import _signal

HIGH = 256 << 10
_CHUNK = 64 << 10
_DRAIN = 64 << 20  # after the end of the container, at most this much is taken out of its pipes
IN, OUT = select.EPOLLIN, select.EPOLLOUT


class Loop:
    """See the module's drawing. ``run`` returns when the program has ended; it is killed when its owner dies."""

    def __init__(
        self,
        *,
        pidfd: int,
        outputs: dict[int, int],
        stdin: int = -1,
        terminal: int = -1,
        log: LogWriter | None = None,
        listener: int = -1,
        owner: int = -1,
        stdin_once: bool = False,
    ) -> None:
        self.pidfd = pidfd
        self.outputs = outputs  # fd -> stream
        self.stdin = stdin
        self.terminal = terminal  # the pty's master, also in outputs and stdin
        self.log = log
        self.listener = listener
        self.owner = owner
        self.stdin_once = stdin_once
        self.clients: dict[int, Client] = {}
        self.owner_died = False
        self.ended = False
        self._input: list[memoryview] = []
        self._input_ends = False
        self._throttled = False
        self._epoll = select.epoll()
        self._handlers: dict[int, Callable[[int], None]] = {}
        self._armed: dict[int, int] = {}
        self._watch(pidfd, IN, self._on_end)
        for fd in outputs:
            os.set_blocking(fd, False)
            self._watch(fd, IN, self._on_output)
        if stdin >= 0:
            os.set_blocking(stdin, False)
        if listener >= 0:
            self._watch(listener, IN, self._on_connect)
        if owner >= 0:
            self._watch(owner, IN, self._on_owner)

    # -- watching -------------------------------------------------------------------------------------------

    def _watch(self, fd: int, events: int, handler: Callable[[int], None]) -> None:
        self._handlers[fd] = handler
        self._arm(fd, events)

    def _arm(self, fd: int, events: int) -> None:
        """Wait for ``events`` on a watched fd. 0 takes it out of epoll, which would report EPOLLHUP all the same."""
        before = self._armed.get(fd, 0)
        if events == before:
            return
        if not events:
            self._epoll.unregister(fd)
        elif before:
            self._epoll.modify(fd, events)
        else:
            self._epoll.register(fd, events)
        self._armed[fd] = events

    def _forget(self, fd: int) -> None:
        if self._handlers.pop(fd, None) is not None:
            self._arm(fd, 0)
            del self._armed[fd]

    def run(self, patience: float | None = None) -> bool:
        """Copy until the program has ended (True); with ``patience`` return False after that many quiet seconds."""
        while not self.ended:
            events = self._epoll.poll(patience)
            if not events and patience is not None:
                return False
            for fd, event in events:
                handler = self._handlers.get(fd)
                if handler is not None:
                    handler(event)
        return True

    def idle(self) -> bool:
        """Say whether nothing is held for anybody."""
        held = self._input or self._throttled or (self.log is not None and self.log.lost)
        return not (held or any(client.busy() for client in self.clients.values()))

    def _on_end(self, _: int) -> None:
        self.ended = True

    def _on_owner(self, _: int) -> None:
        self.owner_died = True
        self._forget(self.owner)
        try:
            _signal.pidfd_send_signal(self.pidfd, 9)
        except ProcessLookupError:
            pass

    # -- clients --------------------------------------------------------------------------------------------

    def add(self, client: Client) -> None:
        self.clients[client.fd] = client
        self._watch(
            client.fd, IN | (OUT if client.queue else 0), lambda event: self._on_client(client, event)
        )

    def _on_connect(self, _: int) -> None:
        import _socket

        listener = _socket.socket(fileno=os.dup(self.listener))
        try:
            fd, _address = listener._accept()  # type: ignore[attr-defined]
        except OSError:
            return
        finally:
            listener.close()
        self.add(Client(fd, ()))

    def _on_client(self, client: Client, event: int) -> None:
        if event & OUT:
            client.flush()
        if event & ~OUT:
            self._read_client(client)
        self._settle(client)

    def _read_client(self, client: Client) -> None:
        try:
            data = os.read(client.fd, _CHUNK)
            found = client.unpacker.feed(data)
        except BlockingIOError:
            return
        except (OSError, ValueError):
            data, found = b"", []
        if not data:
            client.dead = True
        for kind, payload in found:
            self._frame(client, kind, payload)

    def _frame(self, client: Client, kind: int, payload: bytes) -> None:
        if kind == frames.STDIN:
            if client.stdin and self.stdin >= 0 and payload and not self._input_ends:
                self._input.append(memoryview(payload))
                self._feed()
        elif kind == frames.STDIN_END:
            if client.stdin:
                self._end_input()
        elif kind == frames.RESIZE:
            self.resize(payload)
        elif kind == frames.HELLO:
            from firkin.wire import json

            client.choose(json.loads(payload).get("streams", ()))

    def _settle(self, client: Client) -> None:
        """Bring what is watched in line with what is held."""
        if client.dead:
            self._drop(client)
        elif client.fd in self._handlers:
            read = IN if len(self._input) < 16 else 0
            self._arm(client.fd, read | (OUT if client.queue else 0))
        self._throttle()

    def _drop(self, client: Client) -> None:
        if self.clients.pop(client.fd, None) is None:
            return
        self._forget(client.fd)
        os.close(client.fd)
        if client.stdin and self.stdin_once and self.terminal < 0:
            self._end_input()

    def _throttle(self) -> None:
        slow = any(client.backlog > HIGH for client in self.clients.values())
        if slow != self._throttled:
            self._throttled = slow
            for fd in self.outputs:
                if fd in self._handlers:
                    self._arm(fd, self._output_events(fd))

    def _output_events(self, fd: int) -> int:
        wanted = 0 if self._throttled else IN
        return wanted | OUT if fd == self.terminal and self._input else wanted

    # -- input ----------------------------------------------------------------------------------------------

    def _feed(self, _: int = 0) -> None:
        """Give the container what it takes of the input."""
        while self._input:
            try:
                sent = os.write(self.stdin, self._input[0])
            except BlockingIOError:
                break
            except OSError:  # EPIPE: nobody will ever read it
                self._input.clear()
                self._input_ends = True
                break
            rest = self._input[0][sent:]
            if rest:
                self._input[0] = rest
            else:
                del self._input[0]
        if self.stdin >= 0:
            self._watch_input()

    def _watch_input(self) -> None:
        if self.terminal >= 0:
            if self.terminal in self._handlers:
                self._arm(self.terminal, self._output_events(self.terminal))
        elif self._input:
            self._watch(self.stdin, OUT, self._on_input_room)
        else:
            self._forget(self.stdin)
            if self._input_ends:
                self._close_input()

    def _on_input_room(self, _: int) -> None:
        self._feed()
        for client in list(self.clients.values()):
            self._settle(client)

    def _end_input(self) -> None:
        """No more input will come; docker leaves a terminal open, we also tell its line discipline (VEOF)."""
        if self.stdin < 0 or self._input_ends:
            return
        if self.terminal >= 0:
            self._input.append(memoryview(b"\x04"))
        else:
            self._input_ends = True
        self._feed()

    def _close_input(self) -> None:
        if self.stdin >= 0:
            os.close(self.stdin)
            self.stdin = -1

    def resize(self, payload: bytes) -> None:
        """Set the terminal's size; the kernel sends SIGWINCH."""
        if self.terminal < 0:
            return
        import _struct

        try:
            rows, columns = frames.unpack_size(payload)
            fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, _struct.pack("HHHH", rows, columns, 0, 0))
        except (OSError, ValueError):
            pass  # a terminal that hung up, or a client that sends nonsense: the size stays

    # -- output ---------------------------------------------------------------------------------------------

    def _on_output(self, event: int) -> None:
        if event & OUT:
            self._on_input_room(0)
        if event & ~OUT and not self._throttled:
            for fd in list(self.outputs):
                self._copy(fd)

    def _copy(self, fd: int) -> int:
        """Copy what ``fd`` has, at most one chunk; return its length, 0 at its end, -1 when there is nothing now."""
        try:
            data = os.read(fd, _CHUNK)
        except BlockingIOError:
            return -1
        except OSError as error:
            if error.errno != errno.EIO:  # EIO: the last slave of the pty is closed
                raise
            data = b""
        if not data:
            self._end_output(fd)
            return 0
        stream = self.outputs[fd]
        if self.log is not None:
            self.log.write(stream, data)
        for client in list(self.clients.values()):
            if stream in client.wants:
                client.push(stream, data)
                if client.queue or client.dead:
                    self._settle(client)
        return len(data)

    def _end_output(self, fd: int) -> None:
        self._forget(fd)
        del self.outputs[fd]
        if fd != self.terminal:
            os.close(fd)

    # -- the end --------------------------------------------------------------------------------------------

    def drain(self) -> None:
        """Take what the dead container's pipes still hold."""
        total = 0
        while self.outputs and total < _DRAIN:
            got = [self._copy(fd) for fd in list(self.outputs)]
            if max(got) < 0:
                return
            total += sum(length for length in got if length > 0)

    def announce(self, kind: int, payload: bytes) -> None:
        """Send a frame to all clients."""
        for client in list(self.clients.values()):
            client.push(kind, payload)
            self._settle(client)

    def farewell(self) -> None:
        """Close each client once it has all that is held for it."""
        for fd in (self.pidfd, self.listener, *self.outputs):
            self._forget(fd)
        while True:
            for client in list(self.clients.values()):
                if not client.queue or client.dead:
                    self._drop(client)
            if not self.clients:
                return
            for client in self.clients.values():
                self._arm(client.fd, OUT)
            for fd, event in self._epoll.poll():
                waiting = self.clients.get(fd)
                if waiting is not None:
                    waiting.flush()
                    waiting.dead = waiting.dead or bool(event & (select.EPOLLERR | select.EPOLLHUP))
