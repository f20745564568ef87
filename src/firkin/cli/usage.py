"""Help pages in Docker's form, from the tables that the parser reads."""

from __future__ import annotations

from firkin.cli import index
from firkin.cli.session import GLOBALS, PROGRAM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from firkin.cli.command import Command, FlagRow

_SLOP = 5  # how far a line may run over, to avoid one orphaned word on the next


def page(command: Command, width: int | None = None) -> str:
    """Return ``firkin COMMAND --help``."""
    parts = [f"{usage_line(command)}\n\n{command.short}\n"]
    if command.long:
        parts.append(f"\n{command.long}\n")
    if command.aliases:
        parts.append(f"\nAliases:\n  {', '.join(f'{PROGRAM} {name}' for name in command.aliases)}\n")
    if command.flags:
        parts.append(f"\nOptions:\n{flag_lines(command.flags, width or terminal_width())}")
    return "".join(parts)


def group_page(name: str) -> str:
    """Return ``firkin GROUP --help``."""
    short, table = index.GROUPS[name]
    rows = [(word, index.load(place).short) for word, place in sorted(index.canonical(table).items())]
    return (
        f"Usage:  {PROGRAM} {name} COMMAND\n\n{short}\n\nCommands:\n{_columns(rows)}\n"
        f"Run '{PROGRAM} {name} COMMAND --help' for more information on a command.\n"
    )


def top_page(width: int | None = None) -> str:
    """Return ``firkin --help``."""
    shorts = {word: index.load(place).short for word, place in index.TOP.items()}
    common = [(word, shorts[word]) for word in index.COMMON]
    others = sorted((word, text) for word, text in shorts.items() if word not in index.COMMON)
    groups = [(word, text) for word, (text, _) in sorted(index.GROUPS.items())]
    return (
        f"Usage:  {PROGRAM} [OPTIONS] COMMAND\n\n"
        "Containers from images, isolated and explained, without a daemon\n\n"
        f"Common Commands:\n{_columns(common)}\n"
        f"Management Commands:\n{_columns(groups)}\n"
        f"Commands:\n{_columns(others)}\n"
        f"Global Options:\n{flag_lines(GLOBALS, width or terminal_width())}\n"
        f"Run '{PROGRAM} COMMAND --help' for more information on a command.\n"
    )


def usage_line(command: Command) -> str:
    return f"Usage:  {PROGRAM} {command.name} {command.usage}".rstrip()


def flag_lines(rows: Sequence[FlagRow], width: int) -> str:
    """Return the Options block: sorted by long name, help wrapped at ``width`` columns."""
    heads = []
    for long, short, kind, default, text in sorted(rows, key=lambda row: row[0]):
        head = f"  -{short}, --{long}" if short else f"      --{long}"
        if kind != "bool":
            head += f" {kind}"
        heads.append((head, text + _default(kind, default)))
    indent = max(len(head) for head, _ in heads) + 3
    return "".join(
        f"{head:<{indent}}{wrap(indent, width - 1, text)}".rstrip(" ") + "\n" for head, text in heads
    )


def _default(kind: str, value: object) -> str:
    if not value:
        return ""
    if kind == "string":
        return f' (default "{value}")'
    return f" (default {str(value).lower() if isinstance(value, bool) else value})"


def wrap(indent: int, width: int, text: str) -> str:
    """Wrap as pflag does: ``text`` starts at column ``indent``, following lines are indented by it."""
    room = width - indent
    prefix = ""
    if room < 24:  # too narrow: a block of its own on the next line
        indent = 16
        room = width - indent
        prefix = "\n" + " " * indent
    if room < 24:
        return prefix + text.replace("\n", "\n" + " " * indent)
    margin = "\n" + " " * indent
    pieces = []
    while True:
        piece, text = _cut(room - _SLOP, text)
        pieces.append(piece.replace("\n", margin))
        if not text:
            return prefix + margin.join(pieces)


def _cut(room: int, text: str) -> tuple[str, str]:
    if room + _SLOP > len(text):
        return text, ""
    blank = max(text.rfind(sign, 0, room) for sign in " \t\n")
    if blank <= 0:
        return text, ""
    line = text.rfind("\n", 0, room)
    if 0 < line < blank:
        return text[:line], text[line + 1 :]
    return text[:blank], text[blank + 1 :]


def _columns(rows: Iterable[tuple[str, str]]) -> str:
    return "".join(f"  {name:<11} {text}\n" for name, text in rows)


def terminal_width() -> int:
    """Return the columns of the terminal on standard input, as docker does, or 80."""
    import os

    try:
        return os.get_terminal_size(0).columns or 80
    except OSError:
        return 80
