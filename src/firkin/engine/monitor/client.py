"""A monitor's view of one connection: what it wants, and what waits for it."""

from __future__ import annotations

import os

from firkin.engine import frames

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_STREAMS = {"stdout": frames.STDOUT, "stderr": frames.STDERR}


class Client:
    """Owns ``fd``; ``dead`` says that the other side has gone."""

    def __init__(self, fd: int, streams: Iterable[str], *, starter: bool = False) -> None:
        os.set_blocking(fd, False)
        self.fd = fd
        self.unpacker = frames.Unpacker()
        self.queue: list[memoryview] = []
        self.backlog = 0
        self.starter = starter
        self.dead = False
        self.wants: frozenset[int] = frozenset()
        self.stdin = False
        self.choose(streams)

    def busy(self) -> bool:
        """Say whether something is held for it, or half a frame has come from it."""
        return bool(self.queue) or self.unpacker.partial()

    def streams(self) -> list[str]:
        """Return what ``choose`` was told."""
        names = [name for name, stream in _STREAMS.items() if stream in self.wants]
        return [*names, "stdin"] if self.stdin else names

    def choose(self, streams: Iterable[str]) -> None:
        names = set(streams)
        self.wants = frozenset(_STREAMS[name] for name in names & _STREAMS.keys())
        self.stdin = "stdin" in names

    def push(self, kind: int, data: bytes) -> None:
        """Send a frame, or keep what the socket does not take."""
        parts = [frames.head(kind, len(data)), data]
        sent = 0
        if not self.queue:
            try:
                sent = os.writev(self.fd, parts)
            except BlockingIOError:
                pass
            except OSError:
                self.dead = True
                return
        for part in parts:
            if sent >= len(part):
                sent -= len(part)
                continue
            rest = memoryview(part)[sent:]
            sent = 0
            self.queue.append(rest)
            self.backlog += len(rest)

    def flush(self) -> None:
        """Send what the socket takes of the queue."""
        while self.queue:
            try:
                sent = os.writev(self.fd, self.queue[:64])
            except BlockingIOError:
                return
            except OSError:
                self.dead = True
                return
            self.backlog -= sent
            done = 0
            for part in self.queue:
                if sent < len(part):
                    break
                sent -= len(part)
                done += 1
            del self.queue[:done]
            if sent:
                self.queue[0] = self.queue[0][sent:]
