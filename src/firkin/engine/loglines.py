"""What `logs -t` and `--details` put before each line; without them the bytes pass as they are. Pure."""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firkin.engine.logfile import Frame


class Lines:
    """Remembers, for each stream, whether a line is under way."""

    def __init__(self, timestamps: bool, attributes: str | None) -> None:
        self._timestamps = timestamps
        self._attributes = attributes
        self._open: set[int] = set()
        self._second = -1
        self._stamp = ""

    def shaped(self, frame: Frame) -> bytes:
        """Return the frame's bytes with a prefix at each beginning of a line."""
        if not self._timestamps and self._attributes is None:
            return frame.data
        prefix = self._prefix(frame.time_ns)
        data = frame.data
        lead = b"" if frame.stream in self._open else prefix
        if data.endswith(b"\n"):
            self._open.discard(frame.stream)
            body = data[:-1].replace(b"\n", b"\n" + prefix) + b"\n"
        else:
            self._open.add(frame.stream)
            body = data.replace(b"\n", b"\n" + prefix)
        return lead + body

    def _prefix(self, time_ns: int) -> bytes:
        text = ""
        if self._timestamps:
            second, fraction = divmod(time_ns, 1_000_000_000)
            if second != self._second:
                self._second = second
                self._stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
            text = f"{self._stamp}.{fraction:09d}Z "
        if self._attributes is not None:
            text += f"{self._attributes} "
        return text.encode()
