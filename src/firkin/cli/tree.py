"""Processes of containers as a tree, with the PID that the host sees and the one inside, side by side."""

from __future__ import annotations

from firkin.cli.output import out
from firkin.cli.table import aligned

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any


def show_trees(engine: Any, found: Iterable[Any]) -> None:  # noqa: ANN401 - Context, Listed
    """Print the tree of each running container that ``ps`` found."""
    from firkin.engine.top import processes

    rows = [("PID", "INSIDE", "USER", "CONTAINER")]
    for listed in found:
        names = listed.placeholders()
        rows.append(("", "", "", f"{names['Names']} ({names['ID']}, {names['State']})"))
        if names["State"] in ("running", "paused"):
            rows.extend(branches(processes(engine, names["ID"])))
    out(aligned(rows, 0))


def show_tree(engine: Any, reference: str) -> None:  # noqa: ANN401
    """Print one container's tree."""
    from firkin.engine.top import processes

    out(aligned([("PID", "INSIDE", "USER", "COMMAND"), *branches(processes(engine, reference))], 0))


def branches(found: Sequence[Any]) -> list[tuple[str, str, str, str]]:
    """Return rows of (outside, inside, user, drawn command), children below their parent."""
    known = {process.pid for process in found}
    children: dict[int, list[Any]] = {}
    for process in sorted(found, key=lambda process: process.pid):
        children.setdefault(process.ppid if process.ppid in known else 0, []).append(process)
    rows: list[tuple[str, str, str, str]] = []
    # A stack, not recursion: a container may nest processes deeper than Python its frames.
    waiting = [(process, "", "") for process in reversed(children.get(0, ()))]
    while waiting:
        process, first, following = waiting.pop()
        text = " ".join(process.args) if process.args else f"[{process.comm}]"
        rows.append((str(process.pid), str(process.inside), process.user, first + text))
        below = children.pop(process.pid, []) if process.pid != 0 else []
        for at, child in enumerate(reversed(below)):
            last = at == 0
            waiting.append(
                (child, following + ("└─ " if last else "├─ "), following + ("   " if last else "│  "))
            )
    return rows
