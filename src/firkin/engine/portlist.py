"""Ports as `ps` writes them, in docker's order: ``443/tcp, 0.0.0.0:80->80/tcp, 0.0.0.0:8080->81/tcp``. Pure.

Neighbours that keep their number outside are joined to ranges; what changes its number comes last, one by one.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any


def ports_text(bindings: Sequence[Mapping[str, Any]], exposed: Sequence[str]) -> str:
    """Return the text for published ``bindings`` (host_ip, host_port, container_port, proto) and ``exposed`` ports."""
    published = {(b["container_port"], b["proto"]) for b in bindings}
    rows = [(b["container_port"], b["host_ip"], b["host_port"], b["proto"]) for b in bindings]
    rows += [(port, "", 0, proto) for port, proto in map(_split, exposed) if (port, proto) not in published]
    done: list[str] = []
    moved: list[str] = []
    groups: dict[tuple[str, str], tuple[int, int]] = {}
    for inside, ip, outside, proto in sorted(rows):
        if ip and outside != inside:
            moved.append(f"{ip}:{outside}->{inside}/{proto}")
            continue
        first, last = groups.get((ip, proto), (inside, inside - 1))
        if inside != last + 1:
            done.append(_group(ip, proto, first, last))
            first = inside
        groups[ip, proto] = (first, inside)
    done += [_group(ip, proto, first, last) for (ip, proto), (first, last) in groups.items()]
    return ", ".join(done + moved)


def _group(ip: str, proto: str, first: int, last: int) -> str:
    numbers = str(first) if first == last else f"{first}-{last}"
    return f"{ip}:{numbers}->{numbers}/{proto}" if ip else f"{numbers}/{proto}"


def _split(text: str) -> tuple[int, str]:
    number, _, proto = text.partition("/")
    return int(number.partition("-")[0]), proto or "tcp"
