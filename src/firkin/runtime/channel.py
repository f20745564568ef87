"""What the monitor and the container's first process say to each other, over one SEQPACKET socket pair.

    monitor                                child
       |---- "mapped" ---------------------->|   id maps are written (user namespace only)
       |<--- "offsets" ----------------------|   a time namespace waits for its offsets
       |---- "timed" ----------------------->|
       |<--- "ready" [+ terminal's master] --|   everything but the program
       |---- "go" -------------------------->|
       |<--- end of file --------------------|   the program runs (execve closed the socket)
       |<--- 4 bytes ------------------------|   the stub's execve failed: errno
       |<--- {"kind": ...} ------------------|   an error, as errors.to_wire writes it; the child has ended

End of file in the child means that the monitor has died: it ends itself.
"""

from __future__ import annotations

import os
import sys

from firkin import errors
from firkin.linux import fdpass
from firkin.wire import json

MAPPED, OFFSETS, TIMED, READY, GO = b"mapped", b"offsets", b"timed", b"ready", b"go"
_LONGEST = 60000


class ChildEnded(errors.Internal):
    """The child ended without a word (killed, perhaps for lack of memory)."""


class ProgramFailed(Exception):
    """The stub could not execute the program."""

    def __init__(self, errno: int) -> None:
        super().__init__(errno)
        self.errno = errno


def say(sock: int, word: bytes, fd: int | None = None) -> None:
    """Send a word, and a descriptor with it."""
    if fd is None:
        os.write(sock, word)
    else:
        fdpass.send(sock, fd, word)


def await_word(sock: int, word: bytes) -> None:
    """Wait, in the child, for the monitor's ``word``; end the process when the monitor has gone."""
    heard = os.read(sock, len(word) + 1)
    if heard != word:
        os._exit(1)


def report(sock: int, error: BaseException) -> None:
    """Tell the monitor why; never raises."""
    try:
        data = errors.to_wire(error)
        if isinstance(error, OSError) and not data["syscall"]:
            data["syscall"] = _where(error)
        data["notes"] = list(getattr(error, "__notes__", ()))
        os.write(sock, json.dumps(data).encode()[:_LONGEST])
    except Exception:  # noqa: BLE001 - the child's last act
        os._exit(1)


def _where(error: BaseException) -> str:
    """Return the function that failed, for an OSError of Python's own that does not name its system call."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace.tb_frame.f_code.co_name.strip("_").replace("_", " ") if trace is not None else ""


def listen(sock: int) -> tuple[bytes, int | None]:
    """Return the child's next word and descriptor; b"" when it has closed. Raises the error that it sent."""
    message, fd = fdpass.receive(sock)
    if message.startswith(b'{"'):
        raise _error(message)
    if len(message) == 4:
        raise ProgramFailed(int.from_bytes(message, sys.byteorder))
    return message, fd


def _error(message: bytes) -> Exception:
    data = json.loads(message)
    error = errors.from_wire(data)
    known = getattr(error, "__notes__", ())
    for note in data.get("notes") or ():
        if note not in known:
            error.add_note(note)
    return error
