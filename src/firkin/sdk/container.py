"""A container as a Python object. It holds a name only: state is asked for, never remembered."""

from __future__ import annotations

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
STDOUT, STDERR = 1, 2


class Ran(Record):
    """What ``exec`` gives: the exit code and the output, streams apart."""

    exit_code: int
    stdout: bytes
    stderr: bytes


class Container:
    """One container of an engine; as a context manager it is stopped and removed at the block's end."""

    def __init__(
        self, engine: Connection, identifier: str, *, keep: bool = True, detach: bool = True
    ) -> None:
        self._engine = engine
        self._keep, self._detach = keep, detach
        self._stdin: Stdin | None = None
        self.id = identifier

    @property
    def name(self) -> str:
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
        """The container's standard input (made with ``interactive=True``): ``write``, ``close``."""
        if self._stdin is None:
            from firkin.engine.attach import attach

            self._stdin = Stdin(attach(self._engine.context(), self.id, streams=("stdin",)))
        return self._stdin

    def start(self) -> None:
        """Start a container that is created or has exited. Raises CannotRun, Conflict, ..."""
        self._engine.spawner().start_container(self._engine.context(), self.id)

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code once it has ended (128 + n for signal n). Raises Unavailable on time-out (seconds)."""
        from firkin.engine.wait import wait

        return wait(self._engine.context(), self.id, timeout)

    @overload
    def logs(self, stdout: bool = True, stderr: bool = True, follow: Literal[False] = False) -> bytes: ...
    @overload
    def logs(self, stdout: bool = True, stderr: bool = True, *, follow: Literal[True]) -> Iterator[bytes]: ...
    def logs(self, stdout: bool = True, stderr: bool = True, follow: bool = False) -> bytes | Iterator[bytes]:
        """Return the output so far; with ``follow`` an iterator of chunks that ends with the container."""
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
        """Run ``command`` in the running container and return its exit code and output. Raises CannotRun (126/127)."""
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
        code = converse(execution, stdin, output)
        return Ran(exit_code=code, stdout=bytes(output[OUTPUT]), stderr=bytes(output[ERROR]))

    def stop(self, timeout: float | None = None, signal: str | int | None = None) -> None:
        """Ask it to end (its stop signal), kill it after ``timeout`` seconds (its own, else 10). No error if ended."""
        from firkin.engine.stop import stop

        stop(self._engine.context(), self.id, signal=signal, timeout=timeout)

    def kill(self, signal: str | int = "KILL") -> None:
        """Send ``signal``. Raises Conflict when it does not run."""
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
        """Remove it and all that it owned. Raises Conflict when it runs and ``force`` is not set."""
        from firkin.engine.remove import remove

        if self._stdin is not None:
            self._stdin.close()
        remove(self._engine.context(), self.id, force=force, volumes=volumes)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
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
