"""What a command is: a table that the parser, the help page and the completions all read.

    COMMAND = Command(
        name="wait",
        usage="CONTAINER [CONTAINER...]",
        short="Block until one or more containers stop, then print their exit codes",
        aliases=("container wait", "wait"),
        arguments=(1, None),
        run=run,
    )

A flag is one tuple, so that a hundred of them are one constant of the compiled module:

    (long, short or "", kind, default, help)

``kind`` is the word that the help page shows; KINDS in flags.py says how its text is read.
"""

from __future__ import annotations

from firkin.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from firkin.cli.session import Session

    FlagRow = tuple[str, str, str, Any, str]

REFUSED = 1
BAD_FLAG = 125


class Command(Record):
    """One command. ``refused`` is the exit code when the engine says no, ``stands_in`` gives the program's own 126 and
    127 (run, exec); ``interspersed`` false stops at the first
    positional word (run, create, exec: the rest belongs to the container). ``readers`` names, by a flag's long name,
    the ``module:function`` that turns each of its texts into a value; ``hidden`` flags are understood and not shown.
    """

    name: str
    usage: str
    short: str
    run: Callable[[Call], int | None]
    aliases: tuple[str, ...] = ()
    flags: tuple[FlagRow, ...] = ()
    arguments: tuple[int, int | None] = (0, 0)
    readers: Mapping[str, str] = {}
    hidden: tuple[FlagRow, ...] = ()
    interspersed: bool = True
    stands_in: bool = False
    refused: int = REFUSED
    long: str = ""
    dynamic: str = ""


class Call:
    """A command as it was typed: ``call["rm"]`` is the flag's value or default, ``given`` says if it was typed."""

    def __init__(self, command: Command, session: Session, values: dict[str, Any], words: list[str]) -> None:
        self.command = command
        self.session = session
        self.values = values
        self.words = words

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - a flag may be anything
        if name in self.values:
            return self.values[name]
        return default(next(row for row in self.command.flags if row[0] == name))

    def given(self, name: str) -> bool:
        return name in self.values


def default(row: FlagRow) -> Any:  # noqa: ANN401
    """Return what a flag is worth when nobody typed it."""
    if row[3] is not None:
        return row[3]
    return _ZERO.get(row[2], ())


_ZERO: dict[str, object] = {
    "bool": False, "string": "", "int": 0, "uint": 0, "uint16": 0, "bytes": 0, "decimal": 0, "duration": 0,
}  # fmt: skip
