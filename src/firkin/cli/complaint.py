"""The one place that turns a failure into a line on standard error and an exit code.

    firkin: cause; next step

125 or 1 is a refusal of ours (each command's table says which), 126 and 127 come with CannotRun, 130 is Ctrl-C,
141 a reader who went away. A traceback appears only under --debug.
"""

from __future__ import annotations

from firkin.cli.output import err
from firkin.cli.session import PROGRAM
from firkin.errors import CannotRun, Conflict, FirkinError, NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from firkin.cli.command import Command

INTERRUPTED = 130
BROKEN_PIPE = 141
INTERNAL = 125


class Quit(Exception):
    """End with ``code``; whatever there was to say has been printed."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class refused:
    """``with refused(125):`` print a refusal of what is inside, and end with ``code`` whatever the command's own is."""

    def __init__(self, code: int) -> None:
        self._code = code

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, FirkinError):
            err("".join(f"{PROGRAM}: {line}\n" for line in sentences(error)))
            raise Quit(self._code) from error


def explain(error: BaseException, command: Command | None, *, debug: bool) -> int:
    """Print ``error`` and return the exit code."""
    if isinstance(error, Quit):
        return error.code
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 1
    if isinstance(error, BrokenPipeError) and error.filename is None:
        _forget_output()
        return BROKEN_PIPE
    if debug:
        import traceback

        err("".join(traceback.format_exception(error)))
    lines = list(dict.fromkeys(sentences(error)))
    err("".join(f"{PROGRAM}: {line}\n" for line in lines))
    return exit_code(error, command)


def exit_code(error: BaseException, command: Command | None) -> int:
    if isinstance(error, BaseExceptionGroup):
        return exit_code(error.exceptions[0], command)
    if isinstance(error, CannotRun):
        # create and start only report; run and exec stand for the program that could not run.
        return error.exit_code if command is None or command.stands_in else command.refused
    if command is not None and command.stands_in and command.refused != INTERNAL:
        # exec: which container is docker's own error (1); what is refused of the program is as in run.
        return command.refused if isinstance(error, NotFound | Conflict) else INTERNAL
    if isinstance(error, FirkinError | OSError):
        return command.refused if command is not None else 1
    return INTERNAL


def sentences(error: BaseException) -> Iterator[str]:
    """Yield one line for each cause; groups are flattened."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from sentences(inner)
        return
    notes = "".join(f", {note}" for note in getattr(error, "__notes__", ()))
    if isinstance(error, FirkinError):
        hint = f"; {error.hint}" if error.hint else ""
        yield f"{error.message}{notes}{hint}"
    elif isinstance(error, OSError):
        yield f"{_kernel(error)}{notes}"
    elif isinstance(error, MemoryError):
        yield "out of memory; free some, or raise the limit of this shell's cgroup"
    else:
        yield (
            f"internal error: {type(error).__name__}: {error}{notes}; "
            f"this is a bug: run the same again with {PROGRAM} --debug and report what it prints"
        )


def _kernel(error: OSError) -> str:
    where = f" ({error.filename})" if error.filename else ""
    return f"{error.strerror or error}{where}"


def _forget_output() -> None:
    # The interpreter flushes stdout at exit and would complain about the pipe again.
    import os

    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)
