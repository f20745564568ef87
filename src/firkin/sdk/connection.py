"""What every object of the library holds on to: a thread's own connection to the engine, and the spawner.

Threads are welcome: each thread has a connection of its own, and containers are started by the spawner (a fresh,
single-threaded process that this one owns), never by a fork of the caller.

After os.fork() in the host program the child has neither: it opens a connection and starts a spawner of its own at the
first use, and what the parent has started stays the parent's.
"""

from __future__ import annotations

import os
import threading
import weakref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firkin.engine.context import Context
    from firkin.engine.spawner import Spawner

_inherited: list[
    object
] = []  # SQLite connections of a parent: closing one here would harm it (howtocorrupt.html, 2.6)
_open: weakref.WeakSet[_Spawners] = weakref.WeakSet()


class _Mine:
    """A thread's context. It is closed when the thread ends, or its Connection does."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.pid = os.getpid()

    def __del__(self) -> None:
        try:
            if self.pid == os.getpid():
                self.context.close()
            else:
                _inherited.append(self.context)
        except Exception:  # noqa: BLE001, S110 - at the interpreter's end nothing is certain any more
            pass


class _Spawners:
    """The spawner of one Connection, started at first use, and again after somebody has killed it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._current: Spawner | None = None
        self._token = ""
        self._lost = False  # one was killed: what was bound to it is removed at the end
        self._roots: tuple[str | None, str | None] = (None, None)
        _open.add(self)

    def get(self, context: Context, roots: tuple[str | None, str | None]) -> Spawner:
        with self._lock:
            if self._current is not None and self._current.alive():
                return self._current
            from firkin.engine.spawner import Spawner

            if self._current is not None:
                self._lost |= not self._current.close()
            self._current = Spawner.start(context, self._token)
            self._token, self._roots = self._current.token, roots
            return self._current

    def close(self) -> None:
        with self._lock:
            spawner, self._current = self._current, None
            if spawner is None:
                return
            lost = not spawner.close() or self._lost
            token, self._token, self._lost = self._token, "", False
        if lost:
            from firkin.app.engine import open_engine
            from firkin.engine.owners import remove_of

            context = open_engine(*self._roots)
            context.embedded = True
            try:
                remove_of(context, token)
            finally:
                context.close()

    def after_fork(self) -> None:
        """Forget what is the parent's; a thread of the parent may have held the lock."""
        self._lock = threading.Lock()
        spawner, self._current = self._current, None
        self._token, self._lost = "", False
        if spawner is not None:
            spawner.abandon()


_importing = threading.Lock()


def _after_fork() -> None:
    global _importing
    _importing = threading.Lock()
    for spawners in list(_open):
        spawners.after_fork()


os.register_at_fork(
    before=lambda: _importing.acquire(),
    after_in_parent=lambda: _importing.release(),
    after_in_child=_after_fork,
)


class Connection:
    """The two roots of an engine, and what is opened for them in this process."""

    def __init__(self, root: str | None = None, run_root: str | None = None) -> None:
        self._roots = (
            None if root is None else os.fspath(root),
            None if run_root is None else os.fspath(run_root),
        )
        self._local = threading.local()
        self._spawners = _Spawners()
        # Also when nobody closes it: at the garbage collection of the last container, and at the program's end.
        self._finalizer = weakref.finalize(self, self._spawners.close)

    def context(self) -> Context:
        """Return this thread's own connection to the engine (never shared, never carried over a fork)."""
        found: _Mine | None = getattr(self._local, "mine", None)
        if found is None or found.pid != os.getpid():
            from firkin.app.engine import open_engine

            with _importing:
                from firkin.sdk import preload  # noqa: F401

            context = open_engine(*self._roots)
            context.embedded = True
            found = self._local.mine = _Mine(context)
        return found.context

    def spawner(self) -> Spawner:
        """Return the fork server of this process, started on first use."""
        return self._spawners.get(self.context(), self._roots)

    def close(self) -> None:
        """End what is bound to this engine object: its containers are stopped and removed when this returns.

        Containers that were started with ``detach=True`` live on. The object may be used again afterwards.
        """
        self._spawners.close()
        self._local.__dict__.pop("mine", None)
