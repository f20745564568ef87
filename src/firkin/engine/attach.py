"""The client's side of a container's streams: one connection to its monitor, and the loop that copies.

The monitor stops reading the container's output when a client's share of it is not taken (engine/monitor/loop), so
nothing is lost to a slow reader and memory is bounded on both sides.
"""

from __future__ import annotations

import os
import select

from firkin import log
from firkin.engine import frames
from firkin.engine.frames import EXIT, STDERR, STDOUT
from firkin.errors import Conflict, FirkinError, Internal, from_wire
from firkin.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from firkin.engine.context import Context

__all__ = ["EXIT", "STDERR", "STDOUT", "AttachClient", "Ended", "attach", "connect", "relay"]

ENOUGH = 256 << 10  # bytes of stdin that wait for the socket before the loop stops reading more
_CHUNK = 64 << 10


def wait_for(fd: int, events: int, timeout: float | None = None) -> bool:
    """poll(2) on one descriptor, which may be above select's 1023."""
    poll = select.poll()
    poll.register(fd, events)
    return bool(poll.poll(None if timeout is None else timeout * 1000))


def _send(fd: int, data: bytearray) -> int:
    """send(2) without SIGPIPE, which would end a host program that has it as the shell left it."""
    import _socket

    sock = _socket.socket(fileno=fd)
    sock.setblocking(False)  # whatever socket.setdefaulttimeout says in the host
    try:
        return sock.send(data, _socket.MSG_NOSIGNAL)
    finally:
        sock.detach()


class AttachClient:
    """One connection; closing it detaches. ``exit`` is EXIT's JSON once it has arrived."""

    def __init__(self, fd: int) -> None:
        os.set_blocking(fd, False)
        self._fd = fd
        self._unpacker = frames.Unpacker()
        self._waiting = bytearray()
        self._arrived: list[tuple[int, bytes]] = []
        self.gone = False  # the monitor does not take what we send any more
        self.exit: dict[str, Any] | None = None
        self.left: dict[str, Any] | None = None  # the same, when the row is left to the heir (engine/ends)

    def fileno(self) -> int:
        return self._fd

    def send(self, frame: bytes) -> None:
        """Queue a frame and send what the socket takes."""
        self._waiting += frame
        self.flush()

    def send_stdin(self, data: bytes) -> None:
        self.send(frames.pack(frames.STDIN, data))

    def close_stdin(self) -> None:
        self.send(frames.pack(frames.STDIN_END))

    def resize(self, rows: int, columns: int) -> None:
        self.send(frames.pack_size(rows, columns))

    def pending(self) -> int:
        """Return how many bytes the socket has not yet taken."""
        return len(self._waiting)

    def flush(self) -> None:
        """Send what the socket takes; what a gone monitor leaves is dropped."""
        while self._waiting:
            try:
                sent = _send(self._fd, self._waiting)
            except BlockingIOError:
                return
            except OSError:
                self._waiting.clear()
                self.gone = True
                return
            del self._waiting[:sent]

    def frames(self) -> list[tuple[int, bytes]] | None:
        """Return the output that has arrived (maybe none); None when the monitor has gone."""
        if self._arrived:
            found, self._arrived = self._arrived, []
            return found
        try:
            data = os.read(self._fd, _CHUNK)
        except BlockingIOError:
            return []
        except OSError:
            return None
        if not data:
            return None
        found = self._unpacker.feed(data)
        for kind, payload in found:
            if kind == EXIT:
                self.exit = _loads(payload)
            elif kind == frames.LEFT:
                self.left = self.exit
            elif kind == frames.MARKS:
                log.add_marks([(m[0], m[1], m[2]) for m in _loads(payload)])
        return found

    def await_input(self, timeout: float | None = None) -> bool:
        """Wait for something to read; False on time-out (seconds)."""
        return wait_for(self._fd, select.POLLIN, timeout)

    def await_room(self) -> None:
        """Wait until ``flush`` can send more."""
        wait_for(self._fd, select.POLLOUT)

    def await_start(self) -> dict[str, Any]:
        """Wait for the monitor's word on the start. Raises the error it reports, Internal when it dies."""
        while True:
            self.await_input()
            found = self.frames()
            if found is None:
                raise Internal(
                    "the container's monitor died before the container started",
                    hint="try again; the kernel's log (dmesg) may say why it died",
                )
            for index, (kind, payload) in enumerate(found):
                if kind == frames.STARTED:
                    self._arrived = found[index + 1 :]
                    started: dict[str, Any] = _loads(payload)
                    return started
                elif kind == frames.FAILED:
                    raise from_wire(_loads(payload))

    def wait_exit(self, timeout: float | None = None) -> dict[str, Any] | None:
        """Drop output until the monitor has ended; return EXIT's JSON, None if it died without; TimeoutError."""
        import time

        end = None if timeout is None else time.monotonic() + timeout
        while True:
            left = None if end is None else max(0.0, end - time.monotonic())
            if not self.await_input(left):
                raise TimeoutError
            if self.frames() is None:
                return self.exit

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _loads(payload: bytes) -> Any:  # noqa: ANN401 - JSON is anything
    from firkin.wire import json

    return json.loads(payload)


def connect(bundle: str, streams: Sequence[str]) -> AttachClient | None:
    """Connect to the monitor of the container whose run directory is ``bundle``; None when there is none."""
    import _socket

    try:
        folder = os.open(bundle, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    try:
        # A unix socket's path is limited to 107 bytes; through /proc it is short however deep the run root.
        sock.connect(f"/proc/self/fd/{folder}/attach.sock")
    except OSError:
        sock.close()
        return None
    finally:
        os.close(folder)
    client = AttachClient(sock.detach())
    client.send(frames.pack_json(frames.HELLO, {"streams": list(streams)}))
    return client


def attach(ctx: Context, ref: str, *, streams: Sequence[str] = ("stdin", "stdout", "stderr")) -> AttachClient:
    """Connect to a running container's streams. Raises NotFound, Conflict."""
    from firkin.engine import states
    from firkin.engine.container import find

    container = find(ctx, ref)
    states.check("attach", container)
    client = connect(ctx.config.paths.bundle(container.id), streams)
    if client is None:
        raise Conflict(f"cannot attach to container {container.name}: it has just ended")
    return client


class Ended(Record):
    """How ``relay`` ended. ``exit`` is EXIT's JSON ({} when detached or when the monitor was killed)."""

    exit_code: int
    detached: bool
    exit: dict[str, Any] = {}


class _Peer:  # what relay needs; AttachClient and exec's Execution have it
    exit: dict[str, Any] | None
    fileno: Callable[[], int]
    send_stdin: Callable[[bytes], None]
    close_stdin: Callable[[], None]
    pending: Callable[[], int]
    flush: Callable[[], None]
    frames: Callable[[], list[tuple[int, bytes]] | None]


class DetachKeys:
    """Finds the detach sequence in what is typed; bytes that begin it are held back until it is decided."""

    def __init__(self, keys: bytes) -> None:
        self._keys = keys
        self._seen = 0

    def feed(self, data: bytes) -> tuple[bytes, bool]:
        """Return (bytes to send on, whether the sequence is complete)."""
        if not self._keys:
            return data, False
        out = bytearray()
        for byte in data:
            if byte == self._keys[self._seen]:
                self._seen += 1
                if self._seen == len(self._keys):
                    return bytes(out), True
                continue
            out += self._keys[: self._seen]
            self._seen = 0
            if byte == self._keys[0]:
                self._seen = 1
            else:
                out.append(byte)
        return bytes(out), False


def relay(
    peer: Any,  # noqa: ANN401 - AttachClient | Execution: the latter is above us
    *,
    stdin: int | None,
    stdout: int | None,
    stderr: int | None,
    detach_keys: bytes = b"",
    wake: int | None = None,
    on_wake: Callable[[bytes], None] | None = None,
) -> Ended:
    """Copy until the container has ended and all is cleaned up, or the detach keys are typed.

    Blocks in writes to ``stdout`` and ``stderr``: that is what makes the container wait for a slow reader. A reader
    that has gone (EPIPE) ends the copying of that stream as docker does: its output is dropped.
    """
    loop = _Relay(peer, stdin, {STDOUT: stdout, STDERR: stderr}, detach_keys)
    loop.run(wake, on_wake)
    if loop.detached:
        return Ended(exit_code=0, detached=True)
    if peer.exit is None:
        return Ended(exit_code=137, detached=False)
    return Ended(exit_code=int(peer.exit["exit_code"]), detached=False, exit=peer.exit)


class _Relay:
    def __init__(
        self, peer: _Peer, stdin: int | None, outputs: dict[int, int | None], detach_keys: bytes
    ) -> None:
        self.peer = peer
        self.stdin = stdin
        self.outputs = outputs
        self.keys = DetachKeys(detach_keys)
        self.detached = False

    def run(self, wake: int | None, on_wake: Callable[[bytes], None] | None) -> None:
        peer_fd = self.peer.fileno()
        if not self._output():  # what came together with STARTED is here already, and wakes no poll
            return
        while not self.detached:
            poll = select.poll()
            poll.register(peer_fd, select.POLLIN | (select.POLLOUT if self.peer.pending() else 0))
            if self.stdin is not None and self.peer.pending() < ENOUGH and self.peer.exit is None:
                try:
                    poll.register(self.stdin, select.POLLIN)
                except OSError:
                    self._end_of_stdin()
            if wake is not None:
                poll.register(wake, select.POLLIN)
            for fd, event in poll.poll():
                if fd == peer_fd:
                    self.peer.flush()
                    if event & ~select.POLLOUT and not self._output():
                        return
                elif fd == wake:
                    data = os.read(fd, 4096)
                    if on_wake is not None:
                        on_wake(data)
                elif fd == self.stdin:
                    self._input()

    def _input(self) -> None:
        assert self.stdin is not None
        try:
            data = os.read(self.stdin, _CHUNK)
        except BlockingIOError:
            return
        except OSError:  # EIO: the terminal hung up
            data = b""
        if not data:
            self._end_of_stdin()
            return
        data, self.detached = self.keys.feed(data)
        if data:
            self.peer.send_stdin(data)

    def _end_of_stdin(self) -> None:
        self.stdin = None
        self.peer.close_stdin()

    def _output(self) -> bool:
        found = self.peer.frames()
        if found is None:
            return False
        for kind, payload in found:
            target = self.outputs.get(kind)
            if target is not None and not _write_all(target, payload):
                self.outputs[kind] = None
        return True


def _write_all(fd: int, data: bytes) -> bool:
    """Write ``data``, waiting as long as it takes; False when nobody will ever read it."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:
            wait_for(fd, select.POLLOUT)
        except OSError as error:
            import errno

            if error.errno in (errno.EPIPE, errno.EIO, errno.EBADF):
                return False
            raise FirkinError(
                f"cannot write the container's output: {os.strerror(error.errno or 0)}"
            ) from error
    return True
