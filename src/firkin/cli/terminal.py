"""The caller's terminal while a container has it: raw, the right size, and whole again whatever happens.

    raw()         no echo, no line editing, no signals from keys: every byte goes to the container
    restore       at the end of the ``with``, which every way out passes (a return, an error, a signal that we end by)

Detach keys are Docker's: ``ctrl-p,ctrl-q``; each key is a letter or ``ctrl-`` and one of a-z @ [ \\ ] ^ _.
"""

from __future__ import annotations

import os

from firkin.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DEFAULT_DETACH_KEYS = "ctrl-p,ctrl-q"


def detach_keys(text: str) -> bytes:
    """Return the bytes of a ``--detach-keys`` value, the default for an empty one. Raises InvalidArgument."""
    found = bytearray()
    for key in (text or DEFAULT_DETACH_KEYS).split(","):
        if len(key) == 1 and key.isascii():
            found += key.encode()
            continue
        word, _, letter = key.partition("-")
        if word != "ctrl" or len(letter) != 1 or not ("a" <= letter <= "z" or letter in "@[\\]^_"):
            raise InvalidArgument(
                f"invalid detach keys ({text}): unknown character: '{key}'",
                hint="write them like ctrl-p,ctrl-q",
            )
        found.append(ord(letter) & 0x1F)
    return bytes(found)


def size(fd: int) -> tuple[int, int] | None:
    """Return (rows, columns), None where there is no terminal."""
    try:
        columns, rows = os.get_terminal_size(fd)
    except OSError:
        return None
    return rows, columns


class Raw:
    """``with Raw(fd):`` the terminal is raw inside; a descriptor that is no terminal is left alone."""

    def __init__(self, fd: int | None) -> None:
        self._fd = fd
        self._before: list[Any] | None = None

    def __enter__(self) -> Raw:
        if self._fd is not None and os.isatty(self._fd):
            import termios

            self._before = termios.tcgetattr(self._fd)
            termios.tcsetattr(self._fd, termios.TCSADRAIN, _raw(self._before))
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None and self._fd is not None:
            import termios

            # A terminal that hung up (EIO) has nothing left to mend.
            try:
                termios.tcsetattr(self._fd, termios.TCSADRAIN, self._before)
            except termios.error:
                pass
            self._before = None

    @property
    def on(self) -> bool:
        return self._before is not None


def _raw(mode: list[Any]) -> list[Any]:
    """cfmakeraw(3), with output processing left on where docker leaves it off too: none."""
    import termios

    iflag, oflag, cflag, lflag, ispeed, ospeed, cc = mode
    iflag &= ~(
        termios.IGNBRK | termios.BRKINT | termios.PARMRK | termios.ISTRIP
        | termios.INLCR | termios.IGNCR | termios.ICRNL | termios.IXON
    )  # fmt: skip
    oflag &= ~termios.OPOST
    lflag &= ~(termios.ECHO | termios.ECHONL | termios.ICANON | termios.ISIG | termios.IEXTEN)
    cflag = (cflag & ~(termios.CSIZE | termios.PARENB)) | termios.CS8
    characters = list(cc)
    characters[termios.VMIN], characters[termios.VTIME] = 1, 0
    return [iflag, oflag, cflag, lflag, ispeed, ospeed, characters]
