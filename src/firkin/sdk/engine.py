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
from firkin.sdk.connection import Connection
from firkin.sdk.container import Container
from firkin.sdk.options import create_options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self, Unpack

    from firkin.sdk.image import Image
    from firkin.sdk.keywords import RunOptions


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
        image: str | Image,
        command: str | Sequence[str] | None = None,
        *,
        detach: bool = False,
        keep: bool = False,
        **options: Unpack[RunOptions],
    ) -> Container:
        """Start ``command`` in a new container of ``image`` and return it, or raise and leave nothing.

        image      a name, an id or an Image; "host" is a copy-on-write view of this machine
        command    a list of words, or a text that is split as a shell splits it; None is the image's own
        detach     False: the end of the ``with`` block, or of this program however it ends (also by SIGKILL), stops
                   and removes the container. True: nothing does; it lives on as with ``firkin run -d``
        keep       True: the end only stops it, and logs and files stay until ``remove()``
        options    the flags of ``firkin run`` in snake_case. The usual ones, with their defaults:
                     name=None            env={} | []            user=""              workdir=""
                     network="bridge"     ports={} | []          hostname=""          interactive=False (for ``stdin``)
                     memory=0 (no limit)  cpus=0                 pids_limit=None      ulimits=[]
                     volumes=[]           mounts=[]              tmpfs={}             read_only=False
                     cap_add=[]           cap_drop=[]            security_opt=[]      privileged=False
                     entrypoint=None      labels={}              init=False           userns=""
                   memory="64m", volumes=["data:/data:ro"], env={"A": "b"}, ports={"80/tcp": 8080}; all of them, with
                   their types: help(firkin.sdk.keywords.RunOptions)

        Raises (all in firkin.errors, all but SyscallError are FirkinError):
            NotFound            no such image; the nearest known name is in ``hint``
            InvalidArgument     an option is unknown, malformed or contradicts another
            CannotRun           the program was not found (``exit_code`` 127) or cannot be executed (126)
            AlreadyExists       the name is taken
            Conflict, InUse     a port is taken (by whom is said), a container to join does not run
            ResourceExhausted   disk, memory, addresses or processes ran out
            PermissionDenied    not allowed to
            Unsupported         this kernel cannot
            Unavailable         a lock was not free in time, the spawner was killed: try again
            SyscallError        the kernel refused something else (an OSError with ``syscall`` and ``filename``)
        """
        wanted = create_options(image, command, options).replace(detach=True)
        started = self.spawner().run(self.context(), wanted, bound=not detach, keep=keep)
        return Container(self, started.container.id, keep=keep, detach=detach, warnings=started.warnings)

    def create(
        self,
        image: str | Image,
        command: str | Sequence[str] | None = None,
        *,
        detach: bool = False,
        keep: bool = False,
        **options: Unpack[RunOptions],
    ) -> Container:
        """Make a container without starting it; ``Container.start`` does. Arguments and errors as for ``run``.

        With ``detach`` or ``keep`` it stays until ``remove()``; else it goes with the block or the program.
        """
        wanted = create_options(image, command, options).replace(detach=True)
        made = self.spawner().create(self.context(), wanted, bound=not (detach or keep))
        return Container(self, made.id, keep=keep, detach=detach)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_default: Engine | None = None
_default_lock = threading.Lock()


def _after_fork() -> None:
    global _default_lock
    _default_lock = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)


def default_engine() -> Engine:
    """Return the engine of the default roots, one a process."""
    global _default
    with _default_lock:
        if _default is None:
            _default = Engine()
        return _default
