"""One engine, as a Python object: the way in for programs.

    with firkin.Engine(root="/srv/ci") as engine:
        engine.images.load("busybox.tar")
        with engine.run("busybox", ["echo", "hello"], network="none") as c:
            assert c.wait() == 0

Threads are welcome: each thread has a connection of its own, and containers are started by the spawner (a fresh,
single-threaded process that this one owns), never by a fork of the caller. When the owner is killed, even by SIGKILL,
the spawner ends and removes what was not detached.
"""

from __future__ import annotations

import os
import threading

from firkin.sdk.collections import Containers, Images, Volumes
from firkin.sdk.container import Container
from firkin.sdk.options import create_options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from firkin.engine.context import Context
    from firkin.engine.spawner import Spawner


class Engine:
    """Containers and images below one state root. Two roots are two engines that do not see each other.

    ``root`` and ``run_root`` default to FIRKIN_ROOT and FIRKIN_RUN_ROOT, then to /var/lib/firkin and /run/firkin.
    """

    def __init__(self, root: str | None = None, run_root: str | None = None) -> None:
        self._roots = (root, run_root)
        self._local = threading.local()
        self._lock = threading.Lock()
        self._spawner: Spawner | None = None
        self._pid = os.getpid()
        self.containers = Containers(self)
        self.images = Images(self)
        self.volumes = Volumes(self)

    def run(
        self,
        image: str,
        command: str | Sequence[str] | None = None,
        *,
        detach: bool = False,
        keep: bool = False,
        **options: object,
    ) -> Container:
        """Start ``command`` in a new container of ``image`` and return it, or raise and leave nothing.

        ``options`` are the flags of ``firkin run`` in snake_case (``memory="64m"``, ``network="none"``,
        ``volumes=["data:/data"]``, ``environment={"A": "b"}``, ``ports={"80/tcp": 8080}``): see sdk/options.py.
        The end of the ``with`` block stops and removes the container; ``keep=True`` only stops it, and
        ``detach=True`` leaves it running, also when this program ends.
        Raises firkin.errors: NotFound (image), InvalidArgument, CannotRun (126/127), Conflict, SyscallError...
        """
        wanted = create_options(image, command, {**options, "detach": True, "interactive": False})
        started = self.spawner().run(self.context(), wanted, bound=not (detach or keep))
        return Container(self, started.container.id, keep=keep, detach=detach)

    def create(self, image: str, command: str | Sequence[str] | None = None, **options: object) -> Container:
        """Make a container without starting it; ``options`` as for ``run``. It stays until ``remove``."""
        from firkin.engine.create import create

        made = create(self.context(), create_options(image, command, options))
        return Container(self, made.id, keep=True, detach=True)

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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_default: Engine | None = None
_default_lock = threading.Lock()


def default_engine() -> Engine:
    """Return the engine of the default roots, one a process."""
    global _default
    with _default_lock:
        if _default is None:
            import atexit

            _default = Engine()
            atexit.register(_default.close)
        return _default
