"""Ports as `ps` writes them: ``0.0.0.0:8080->80/tcp, 443/tcp``, neighbours joined to ranges. Pure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any


def ports_text(bindings: Sequence[Mapping[str, Any]], exposed: Sequence[str]) -> str:
    """Return the text for published ``bindings`` (host_ip, host_port, container_port, proto) and ``exposed`` ports."""
    published = {(b["container_port"], b["proto"]) for b in bindings}
    bound = sorted((b["proto"], b["host_ip"], b["container_port"], b["host_port"]) for b in bindings)
    bare = sorted(
        (proto, "", port, 0) for port, proto in map(_split, exposed) if (port, proto) not in published
    )
    rows: list[list[Any]] = []
    for proto, ip, inside, outside in bound + bare:
        before = rows[-1] if rows else None
        if (
            before is not None
            and before[:2] == [proto, ip]
            and before[3] == inside - 1
            and (outside == 0) == (before[4] == 0)
            and (outside == 0 or before[5] == outside - 1)
        ):
            before[3], before[5] = inside, outside
        else:
            rows.append([proto, ip, inside, inside, outside, outside])
    rows.sort(key=lambda row: (row[2], row[0], row[1] == "", row[1]))
    return ", ".join(map(_row, rows))


def _row(row: list[Any]) -> str:
    proto, ip, first, last, out_first, out_last = row
    inside = f"{_range(first, last)}/{proto}"
    return f"{ip}:{_range(out_first, out_last)}->{inside}" if out_first else inside


def _range(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"


def _split(text: str) -> tuple[int, str]:
    number, _, proto = text.partition("/")
    return int(number.partition("-")[0]), proto or "tcp"
