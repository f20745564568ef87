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

import threading

from firkin.sdk.collections import Containers, Images, Volumes
from firkin.sdk.connection import Connection
from firkin.sdk.container import Container
from firkin.sdk.options import create_options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self


class Engine(Connection):
    """Containers and images below one state root. Two roots are two engines that do not see each other.

    ``root`` and ``run_root`` default to FIRKIN_ROOT and FIRKIN_RUN_ROOT, then to /var/lib/firkin and /run/firkin.
    """

    def __init__(self, root: str | None = None, run_root: str | None = None) -> None:
        super().__init__(root, run_root)
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
        wanted = create_options(image, command, {**options, "detach": True})
        started = self.spawner().run(self.context(), wanted, bound=not (detach or keep))
        return Container(self, started.container.id, keep=keep, detach=detach)

    def create(self, image: str, command: str | Sequence[str] | None = None, **options: object) -> Container:
        """Make a container without starting it; ``options`` as for ``run``. It stays until ``remove``."""
        from firkin.engine.create import create

        made = create(self.context(), create_options(image, command, options))
        return Container(self, made.id, keep=True, detach=True)

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
