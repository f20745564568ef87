"""A container as a Python object. It holds a name only: state is asked for, never remembered."""

from __future__ import annotations

import os
from typing import overload

from firkin.errors import Conflict, NotFound
from firkin.record import Record
from firkin.sdk.streams import Stdin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any, Literal, Self

    from firkin.engine.container import Container as Row
    from firkin.sdk.connection import Connection


class Ran(Record):
    """What ``exec`` gives: the exit code and the output, streams apart."""

    exit_code: int
    stdout: bytes
    stderr: bytes


class Container:
    """One container of an engine.

    As a context manager, what ``run`` or ``create`` gave is stopped and removed at the block's end (stopped only with
    ``keep=True``, left alone with ``detach=True``); what ``containers.get`` or ``list`` gave is left alone.

    All methods ask the engine anew. Once the container is gone they raise NotFound; besides what each names, they may
    raise Unavailable (a lock was not free in time) and SyscallError. Any thread may call them.
    """

    id: str  #: 64 hexadecimal digits
    warnings: tuple[str, ...]  #: what the start had to say, as ``firkin run`` prints it

    def __init__(
        self,
        engine: Connection,
        identifier: str,
        *,
        keep: bool = True,
        detach: bool = True,
        warnings: tuple[str, ...] = (),
    ) -> None:
        self._engine = engine
        self._keep, self._detach = keep, detach
        self._stdin: Stdin | None = None
        self._process = os.getpid()
        self.id = identifier
        self.warnings = warnings

    @property
    def name(self) -> str:
        """Its name: the given one, or one that was made up."""
        return self._row().name

    @property
    def status(self) -> str:
        """``created``, ``running``, ``paused``, ``exited`` ..., as ``firkin ps`` says."""
        return self._row().state

    @property
    def pid(self) -> int:
        """The host's pid of the container's first process; 0 when it does not run."""
        return self._row().pid

    @property
    def exit_code(self) -> int | None:
        """The exit code of the last run; None while there is none."""
        row = self._row()
        return row.exit_code if row.state in ("exited", "dead") else None

    @property
    def stdin(self) -> Stdin:
        """The container's standard input: ``write(bytes)``, ``close()``.

        Raises Conflict when it was not started with ``interactive=True``, or does not run.
        """
        if self._stdin is None:
            from firkin.engine.attach import attach

            if not self._row().create_options().interactive:
                raise Conflict(
                    f"container {self.name} has no standard input", hint="start it with interactive=True"
                )

            self._stdin = Stdin(attach(self._engine.context(), self.id, streams=("stdin",)))
        return self._stdin

    def start(self) -> None:
        """Start a container that is created or has exited. Raises CannotRun, Conflict, ..."""
        bound = None if self._detach else True
        self._engine.spawner().start_container(self._engine.context(), self.id, bound=bound)

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code once it has ended (128 + n for signal n); at once when it does not run.

        ``timeout`` is in seconds, None is for ever. Raises Unavailable when it is over and the container still runs.
        """
        from firkin.engine.wait import wait

        return wait(self._engine.context(), self.id, timeout)

    @overload
    def logs(self, stdout: bool = True, stderr: bool = True, follow: Literal[False] = False) -> bytes: ...
    @overload
    def logs(self, stdout: bool = True, stderr: bool = True, *, follow: Literal[True]) -> Iterator[bytes]: ...
    def logs(self, stdout: bool = True, stderr: bool = True, follow: bool = False) -> bytes | Iterator[bytes]:
        """Return the output so far, in the order in which it came.

        ``stdout=False`` or ``stderr=False`` leaves a stream out. With ``follow`` an iterator of chunks that waits for
        more and ends with the container.
        """
        from firkin.engine.logs import logs

        pieces = logs(self._engine.context(), self.id, stdout=stdout, stderr=stderr, follow=follow)
        if follow:
            return (data for _, data in pieces)
        return b"".join(data for _, data in pieces)

    def exec(
        self,
        command: str | Sequence[str],
        *,
        stdin: bytes = b"",
        environment: Mapping[str, str] | None = None,
        user: str = "",
        workdir: str = "",
        privileged: bool = False,
    ) -> Ran:
        """Run ``command`` in the running container, feed it ``stdin``, and return its exit code and output.

        ``environment``, ``user`` and ``workdir`` are the container's own where not given; ``privileged`` gives all
        capabilities. Raises CannotRun (126/127), Conflict (it does not run), InvalidArgument.
        """
        from firkin.engine.attach import STDERR as ERROR
        from firkin.engine.attach import STDOUT as OUTPUT
        from firkin.sdk.options import words
        from firkin.sdk.streams import converse
        from firkin.specgen.options import ExecOptions

        options = ExecOptions(
            command=words(command),
            env=tuple(f"{key}={value}" for key, value in (environment or {}).items()),
            user=user,
            workdir=workdir,
            privileged=privileged,
            interactive=bool(stdin),
        )
        execution = self._engine.spawner().execute(self._engine.context(), self.id, options)
        output = {OUTPUT: bytearray(), ERROR: bytearray()}
        try:
            code = converse(execution, stdin, output)
        finally:
            execution.close()
        return Ran(exit_code=code, stdout=bytes(output[OUTPUT]), stderr=bytes(output[ERROR]))

    def stop(self, timeout: float | None = None, signal: str | int | None = None) -> None:
        """Ask it to end by ``signal`` (its own stop signal, else TERM), and kill it after ``timeout`` seconds.

        ``timeout`` None is its own, else 10; -1 waits for ever. No error when it has ended already.
        """
        from firkin.engine.stop import stop

        stop(self._engine.context(), self.id, signal=signal, timeout=timeout)

    def kill(self, signal: str | int = "KILL") -> None:
        """Send ``signal`` (``"HUP"``, ``"SIGHUP"``, 1). Raises Conflict when it does not run, InvalidArgument."""
        from firkin.engine.kill import kill

        kill(self._engine.context(), self.id, signal)

    def inspect(self) -> dict[str, Any]:
        """Return docker's JSON of a container."""
        from firkin.engine.inspect import inspect

        return inspect(self._engine.context(), self.id)

    def diff(self) -> list[tuple[str, str]]:
        """Return what it changed in its file system: (``A`` | ``C`` | ``D``, path)."""
        from firkin.engine.diff import diff

        return diff(self._engine.context(), self.id)

    def remove(self, force: bool = False, volumes: bool = False) -> None:
        """Remove it and all that it owned; ``volumes`` takes its anonymous volumes along, ``force`` kills it first.

        Raises Conflict when it runs and ``force`` is not set.
        """
        from firkin.engine.remove import remove

        if self._stdin is not None:
            self._stdin.close()
        remove(self._engine.context(), self.id, force=force, volumes=volumes)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process != os.getpid():
            return  # a fork of the program leaves the block too; the container is the parent's
        if self._stdin is not None:
            self._stdin.close()
        try:
            if self._detach:
                return
            if self._keep:
                self.stop()
            else:
                self.remove(force=True, volumes=True)
        except (NotFound, Conflict) as error:
            if isinstance(error, Conflict) and not self._keep:
                raise  # it still exists: saying nothing would leave it behind

    def _row(self) -> Row:
        from firkin.engine.container import find

        return find(self._engine.context(), self.id)

    def __repr__(self) -> str:
        return f"<firkin.Container {self.id[:12]}>"
