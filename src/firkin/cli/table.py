"""Columns as docker's tables have them: at least ten wide, three blanks between, the last one open."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_LEAST = 10
_GAP = 3


def aligned(rows: Sequence[Sequence[str]], least: int = _LEAST) -> str:
    """Return the rows as lines, each cell but a row's last padded to its column's width."""
    widths: list[int] = []
    for row in rows:
        for at, cell in enumerate(row[:-1]):
            if at == len(widths):
                widths.append(least)
            if len(cell) + _GAP > widths[at]:
                widths[at] = len(cell) + _GAP
    found = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=False)]
        found.append("".join((*cells, *row[-1:], "\n")))
    return "".join(found)


def shortened(text: str, size: int) -> str:
    """Return ``text``, cut to ``size`` characters with an ellipsis as the last one."""
    return text if len(text) <= size else f"{text[: size - 1]}…"
