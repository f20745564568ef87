"""logs: a container's output from its framed log (engine/logfile), newest files last, followed without polling.

-n N        frames are read backwards from the end until N lines are found, then forwards from there
--since     the same, until a frame is older
-f          inotify wakes us; the end comes when the monitor closes the log or dies
"""

from __future__ import annotations

import os
import select
import time

from firkin.engine import exits, liveness, states
from firkin.engine.container import find
from firkin.engine.frames import STDERR, STDOUT
from firkin.engine.logfile import LOST, Frame, read_backward, read_forward
from firkin.engine.loglines import Lines
from firkin.errors import Unsupported
from firkin.linux import inotify

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from firkin.engine.context import Context
    from firkin.engine.row import Container

_CHUNK = 64 << 10
_EVENTS = inotify.IN_MODIFY | inotify.IN_CLOSE_WRITE | inotify.IN_MOVE_SELF | inotify.IN_DELETE_SELF


def logs(
    ctx: Context,
    ref: str,
    *,
    stdout: bool = True,
    stderr: bool = True,
    follow: bool = False,
    tail: int | None = None,
    since_ns: int = 0,
    until_ns: int = 0,
    timestamps: bool = False,
    details: bool = False,
) -> Iterator[tuple[int, bytes]]:
    """Yield (STDOUT or STDERR, bytes) in the order of arrival, 64 KiB at most at a time. Raises NotFound at once.

    ``tail`` None is everything; times are ns since the epoch, 0 is no limit.
    """
    container = find(ctx, ref)
    if container.create_options().log.driver == "none":
        raise Unsupported("configured logging driver does not support reading", hint="drop --log-driver none")
    wanted = frozenset(({STDOUT} if stdout else set()) | ({STDERR} if stderr else set()))
    chosen = _Choice(wanted, since_ns, until_ns)
    shape = Lines(timestamps, _attributes(container) if details else None)
    path = f"{ctx.config.paths.container(container.id)}/log"
    return _joined(_frames(ctx, container, path, chosen, tail, follow), shape)


class _Choice:
    """Which frames are wanted."""

    def __init__(self, streams: frozenset[int], since_ns: int, until_ns: int) -> None:
        self.streams = streams
        self.since_ns = since_ns
        self.until_ns = until_ns

    def takes(self, frame: Frame) -> bool:
        if self.until_ns and frame.time_ns > self.until_ns:
            return False
        return frame.time_ns >= self.since_ns and (frame.stream in self.streams or frame.stream == LOST)


def _joined(found: Iterator[Frame | None], shape: Lines) -> Iterator[tuple[int, bytes]]:
    """Join what follows each other on one stream; None in ``found`` says that nothing more is there for now."""
    stream, size = 0, 0
    parts: list[bytes] = []
    for frame in found:
        if parts and (frame is None or frame.stream != stream or size >= _CHUNK):
            yield stream, b"".join(parts)
            parts, size = [], 0
        if frame is None:
            continue
        if frame.stream == LOST:
            yield STDERR, _lost(frame)
            continue
        data = shape.shaped(frame)
        stream = frame.stream
        parts.append(data)
        size += len(data)
    if parts:
        yield stream, b"".join(parts)


def _lost(frame: Frame) -> bytes:
    count, _, number = frame.data.decode("ascii", "replace").partition(" ")
    why = os.strerror(int(number)) if number.isdigit() else "unknown"
    return f"firkin: {count} bytes of output could not be logged here: {why}\n".encode()


def _frames(
    ctx: Context, container: Container, path: str, chosen: _Choice, tail: int | None, follow: bool
) -> Iterator[Frame | None]:
    files = _files(path)
    at = len(files) - 1
    offset = os.stat(files[-1]).st_size if files else 0
    first: Frame | None = None
    if tail is None and not chosen.since_ns:
        at, offset = 0, 0
    elif tail != 0:
        at, offset, first = _rewind(files, chosen, tail)
    if first is not None:
        yield first
    for number, file in enumerate(files[at:]):
        fd = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        try:
            last = at + number == len(files) - 1
            start = offset if number == 0 else 0
            for after, frame in read_forward(fd, start):
                start = after
                if chosen.takes(frame):
                    yield frame
            if last and follow:
                yield None
                yield from _Follower(ctx, container, path, fd, start).frames(chosen)
        finally:
            os.close(fd)


def _files(path: str) -> list[str]:
    """Return the log's files that exist, oldest first."""
    found = [path] if os.path.exists(path) else []
    number = 1
    while os.path.exists(f"{path}.{number}"):
        found.append(f"{path}.{number}")
        number += 1
    return found[::-1]


def _rewind(files: list[str], chosen: _Choice, tail: int | None) -> tuple[int, int, Frame | None]:
    """Return (file, offset) to read forwards from, and the part of the frame before it that belongs to the lines."""
    lines: int | None = None
    for at in range(len(files) - 1, -1, -1):
        fd = os.open(files[at], os.O_RDONLY | os.O_CLOEXEC)
        try:
            end = os.fstat(fd).st_size
            for offset, frame in read_backward(fd, end):
                if frame.time_ns < chosen.since_ns:
                    return at, end, None
                if tail is not None and chosen.takes(frame) and frame.stream != LOST:
                    if lines is None:  # an unfinished last line is one, too
                        lines = tail if frame.data.endswith(b"\n") else tail - 1
                    count = frame.data.count(b"\n")
                    if count > lines:
                        cut = _after_newline(frame.data, lines + 1)
                        rest = frame.data[cut:]  # nothing, where the lines wanted begin with the next frame
                        return at, end, Frame(frame.time_ns, frame.stream, rest) if rest else None
                    lines -= count
                end = offset
        finally:
            os.close(fd)
    return 0, 0, None


def _after_newline(data: bytes, number: int) -> int:
    """Return the offset after the ``number``-th newline from the end."""
    end = len(data)
    for _ in range(number):
        end = data.rindex(b"\n", 0, end)
    return end + 1


class _Follower:
    """Reads on as the log grows, through rotations, until its writer has finished."""

    def __init__(self, ctx: Context, container: Container, path: str, fd: int, offset: int) -> None:
        self._ctx = ctx
        self._container = container
        self._path = path
        self._fd = os.dup(fd)
        self._offset = offset

    def frames(self, chosen: _Choice) -> Iterator[Frame | None]:
        watch = monitor = -1
        try:
            watch = inotify.watch(self._path, _EVENTS)
            live = self._container.state in states.LIVE
            if live:
                monitor = self._monitor()
            while True:
                inotify.forget(watch)
                over = monitor < 0 or self._dead(monitor)
                yield from self._read(chosen)
                if self._rotated():
                    os.close(watch)
                    watch = inotify.watch(self._path, _EVENTS)
                    continue
                if over or self._past(chosen):
                    return
                yield None
                self._wait(watch, monitor, chosen)
        finally:
            for fd in (watch, monitor, self._fd):
                if fd >= 0:
                    os.close(fd)

    def _monitor(self) -> int:
        container = self._container
        try:
            fd = os.pidfd_open(container.monitor_pid)
        except OSError:
            return -1
        if not liveness.alive(container.monitor_pid, container.monitor_start):
            os.close(fd)
            return -1
        return fd

    def _dead(self, monitor: int) -> bool:
        """Say whether nothing more will be written: the monitor has died, or has recorded the container's end."""
        poll = select.poll()
        poll.register(monitor, select.POLLIN)
        if poll.poll(0):
            return True
        record = exits.find(self._ctx.config.paths, self._container.id, self._container.starts)
        return record is not None and bool(record.get("drained"))

    def _read(self, chosen: _Choice) -> Iterator[Frame]:
        if os.fstat(self._fd).st_size < self._offset:
            self._offset = 0  # --log-opt max-file=1: it was cut to nothing
        for after, frame in read_forward(self._fd, self._offset):
            self._offset = after
            if chosen.takes(frame):
                yield frame

    def _rotated(self) -> bool:
        try:
            same = os.stat(self._path).st_ino == os.fstat(self._fd).st_ino
        except FileNotFoundError:
            return False
        if same:
            return False
        os.close(self._fd)
        self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        self._offset = 0
        return True

    def _past(self, chosen: _Choice) -> bool:
        return bool(chosen.until_ns) and time.time_ns() > chosen.until_ns

    def _wait(self, watch: int, monitor: int, chosen: _Choice) -> None:
        poll = select.poll()
        poll.register(watch, select.POLLIN)
        poll.register(monitor, select.POLLIN)
        left = None
        if chosen.until_ns:
            left = max(0, (chosen.until_ns - time.time_ns()) // 1_000_000 + 1)
        poll.poll(left)


def _attributes(container: Container) -> str:
    """Return what --details shows: the labels and variables that --log-opt labels=, env= name."""
    options = container.create_options()
    opts = options.log.opts
    found = {}
    for key in filter(None, opts.get("labels", "").split(",")):
        if key in options.label:
            found[key] = options.label[key]
    names = set(filter(None, opts.get("env", "").split(",")))
    for text in options.env:
        name, equals, value = text.partition("=")
        if equals and name in names:
            found[name] = value
    return ",".join(f"{key}={value}" for key, value in sorted(found.items()))
