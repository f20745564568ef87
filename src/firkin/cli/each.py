"""Verbs that take several objects: each is tried, what worked is printed, what did not is told at the end."""

from __future__ import annotations

from firkin.cli.complaint import Quit, sentences
from firkin.cli.output import err, out
from firkin.cli.session import PROGRAM
from firkin.errors import FirkinError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def each(references: Iterable[str], do: Callable[[str], object], *, echo: bool = True, code: int = 1) -> None:
    """Call ``do`` for each reference and print the reference (or the text that ``do`` returns).

    Goes on after a failure; then ends with ``code``.
    """
    failed = False
    for reference in references:
        try:
            said = do(reference)
        except (FirkinError, OSError, ExceptionGroup) as error:
            failed = True
            err("".join(f"{PROGRAM}: {line}\n" for line in dict.fromkeys(sentences(error))))
            continue
        if isinstance(said, str):
            out(f"{said}\n")
        elif echo:
            out(f"{reference}\n")
    if failed:
        raise Quit(code)
