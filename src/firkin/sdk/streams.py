"""Standard input as an object, and the loop that feeds and reads one execution."""

from __future__ import annotations

import select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firkin.engine.attach import AttachClient
    from firkin.engine.exec import Execution

_CHUNK = 1 << 16


class Stdin:
    """The container's standard input. ``write`` blocks while the container does not read."""

    def __init__(self, client: AttachClient) -> None:
        self._client = client
        self._closed = False

    def write(self, data: bytes) -> int:
        """Send ``data``; returns its length. Raises BrokenPipeError when closed or when the container has gone."""
        if self._closed:
            raise BrokenPipeError("the container's standard input is closed")
        for start in range(0, len(data), _CHUNK):
            self._client.send_stdin(data[start : start + _CHUNK])
            self._drain()
            if self._client.gone:
                raise BrokenPipeError("the container has ended")
        return len(data)

    def close(self) -> None:
        """End the input: the container reads end of file."""
        if self._closed:
            return
        self._closed = True
        try:
            self._client.close_stdin()
            self._drain()
        finally:
            self._client.close()

    def _drain(self) -> None:
        poll = select.poll()
        poll.register(self._client.fileno(), select.POLLOUT)
        while self._client.pending():
            poll.poll()
            self._client.flush()


def converse(execution: Execution, stdin: bytes, output: dict[int, bytearray]) -> int:
    """Feed ``stdin``, gather ``output`` by stream, and return the exit code."""
    if stdin:
        execution.send_stdin(stdin)
    execution.close_stdin()
    poll = select.poll()
    poll.register(execution.fileno(), select.POLLIN)
    while True:
        poll.modify(execution.fileno(), select.POLLIN | (select.POLLOUT if execution.pending() else 0))
        events = poll.poll()[0][1]
        if events & select.POLLOUT:
            execution.flush()
        if events & ~select.POLLOUT:
            frames = execution.frames()
            if frames is None:
                break
            for stream, data in frames:
                if stream in output:
                    output[stream] += data
            if execution.exit is not None:
                break
    return execution.wait()
