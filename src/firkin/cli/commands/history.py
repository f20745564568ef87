"""``firkin history``."""

from __future__ import annotations

from firkin import ids, units
from firkin.cli.command import Call, Command
from firkin.cli.listing import FORMAT_HELP, show

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

HEADINGS = {
    "ID": "IMAGE",
    "CreatedSince": "CREATED",
    "CreatedAt": "CREATED AT",
    "CreatedBy": "CREATED BY",
    "Size": "SIZE",
    "Comment": "COMMENT",
}


def run(call: Call) -> None:
    import time

    steps = call.session.engine.images.history(call.words[0])
    now, human, whole = time.time(), call["human"], call["no-trunc"]
    rows = [row(step, now, human=human, whole=whole) for step in steps]
    columns = ("ID", "CreatedSince" if human else "CreatedAt", "CreatedBy", "Size", "Comment")
    show(rows, HEADINGS, columns, form=call["format"], quiet="ID" if call["quiet"] else "")


def row(step: Mapping[str, Any], now: float, *, human: bool, whole: bool) -> dict[str, str]:
    """Return the placeholders of one step."""
    from firkin.cli.table import shortened

    by = step["CreatedBy"].replace("\t", " ")
    created = step["Created"]
    return {
        "ID": step["Id"] if whole or step["Id"].startswith("<") else ids.short(step["Id"]),
        "CreatedSince": f"{units.human_duration(now - created)} ago" if created else "N/A",
        "CreatedAt": units.rfc3339(created * 1_000_000_000),
        "CreatedBy": by if whole else shortened(by, 45),
        "Size": units.human_size(step["Size"], 3) if human else str(step["Size"]),
        "Comment": step["Comment"],
    }


COMMAND = Command(
    name="history",
    usage="[OPTIONS] IMAGE",
    short="Show the history of an image",
    run=run,
    aliases=("image history", "history"),
    flags=(
        ("format", "", "string", None, FORMAT_HELP),
        ("human", "H", "bool", True, "Print sizes and times for people"),
        ("no-trunc", "", "bool", None, "Show everything in full length"),
        ("quiet", "q", "bool", None, "Show image IDs alone"),
    ),
    arguments=(1, 1),
    dynamic="image",
)
