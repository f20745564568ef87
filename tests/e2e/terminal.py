"""A person at a terminal: a command on a pseudo-terminal, what it shows, what is typed."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from e2e.target import Target


class Terminal:
    """``with Terminal(target, "run", "-it", ...) as t: t.expect("$ "); t.type("exit\\n"); t.wait()``."""

    def __init__(self, target: Target, *words: str, rows: int = 24, columns: int = 80) -> None:
        self.master, self.slave = pty.openpty()
        self.resize(rows, columns)
        self.before = termios.tcgetattr(self.slave)
        self.shown = b""
        self.process = subprocess.Popen(
            target.argv(*words), stdin=self.slave, stdout=self.slave, stderr=self.slave, env=target.environ,
            start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text: str | bytes) -> None:
        os.write(self.master, text.encode() if isinstance(text, str) else text)

    def expect(self, text: str, timeout: float = 20) -> str:
        """Wait until ``text`` is shown; return what was shown before it and forget both."""
        deadline = time.monotonic() + timeout
        while text.encode() not in self.shown:
            ready, _, _ = select.select([self.master], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"{text!r} was not shown within {timeout} s, but: {self.shown!r}"
            self.shown += os.read(self.master, 4096)
        before, _, self.shown = self.shown.partition(text.encode())
        return before.decode(errors="replace")

    def wait(self, timeout: float = 20) -> int:
        """Wait for the command's end and return its exit code."""
        return self.process.wait(timeout)

    @property
    def mended(self) -> bool:
        """The terminal is as it was before the command."""
        return termios.tcgetattr(self.slave) == self.before

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)
