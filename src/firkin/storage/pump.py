"""A stream made in a thread of its own, so that decompression, hashing and writing overlap.

    thread: read -> decompress -> sha256 -> queue (8 chunks at most) -> consumer: parse, write

zlib, isal, hashlib and read(2) let other threads run meanwhile (they release the GIL).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import queue
    from collections.abc import Iterator
    from types import TracebackType

    from firkin.storage.content import Readable

_DEPTH = 8


class Pump:
    """Readable: ``read`` gives the next plain chunk. ``digest`` is right once ``read`` has given b""."""

    def __init__(self, stream: Readable) -> None:
        import hashlib
        import queue
        import threading

        self._stream = stream
        self._hasher = hashlib.sha256()
        self._queue: queue.Queue[bytes | BaseException] = queue.Queue(_DEPTH)
        self._stop = False
        self._done = False
        self._thread = threading.Thread(target=self._run, name="firkin-unpack", daemon=True)
        self._thread.start()

    def read(self, _size: int, /) -> bytes:
        """Return the next chunk (decompress.CHUNK at most), b"" at the end; raise what the thread met."""
        if self._done:
            return b""
        item = self._queue.get()
        if isinstance(item, bytes):
            self._done = not item
            return item
        self._done = True
        raise item

    @property
    def digest(self) -> str:
        return f"sha256:{self._hasher.hexdigest()}"

    def __enter__(self) -> Pump:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # The thread may wait for room in the queue; it may also wait in read(2) of a pipe, for ever: then it is a
        # daemon's turn to be left behind.
        self._stop = True
        import queue

        while not self._done:
            try:
                item = self._queue.get(timeout=1.0)
            except queue.Empty:
                return
            self._done = not isinstance(item, bytes) or not item
        self._thread.join()

    def _run(self) -> None:
        try:
            for chunk in self._chunks():
                if self._stop:
                    break
                self._hasher.update(chunk)
                self._queue.put(chunk)
            self._queue.put(b"")
        except BaseException as error:  # noqa: BLE001 - it is raised in the consumer
            self._queue.put(error)

    def _chunks(self) -> Iterator[bytes]:
        from firkin.storage.decompress import chunks

        return chunks(self._stream)
