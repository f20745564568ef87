"""What every object of the library holds on to: a thread's own connection to the engine, and the spawner.

Threads are welcome: each thread has a connection of its own, and containers are started by the spawner (a fresh,
single-threaded process that this one owns), never by a fork of the caller.
"""

from __future__ import annotations

import os
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firkin.engine.context import Context
    from firkin.engine.spawner import Spawner


class Connection:
    """The two roots of an engine, and what is opened for them in this process."""

    def __init__(self, root: str | None = None, run_root: str | None = None) -> None:
        self._roots = (root, run_root)
        self._local = threading.local()
        self._lock = threading.Lock()
        self._spawner: Spawner | None = None
        self._pid = os.getpid()

    def context(self) -> Context:
        """Return this thread's own connection to the engine (never shared, never carried over a fork)."""
        found: tuple[int, Context] | None = getattr(self._local, "context", None)
        if found is None or found[0] != os.getpid():
            from firkin.app.engine import open_engine

            found = self._local.context = (os.getpid(), open_engine(*self._roots))
        return found[1]

    def spawner(self) -> Spawner:
        """Return the fork server of this process, started on first use."""
        with self._lock:
            if self._spawner is None or self._pid != os.getpid():
                from firkin.engine.spawner import Spawner

                self._spawner, self._pid = Spawner.start(self.context()), os.getpid()
            return self._spawner

    def close(self) -> None:
        """End the spawner: containers that are bound to this engine object are stopped and removed."""
        with self._lock:
            spawner, self._spawner = self._spawner, None
        if spawner is not None and self._pid == os.getpid():
            spawner.close()
        found: tuple[int, Context] | None = getattr(self._local, "context", None)
        if found is not None and found[0] == os.getpid():
            found[1].close()
        self._local = threading.local()
