"""ps: one query, then what docker's placeholders say, each worked out only when it is asked for."""

from __future__ import annotations

import time

from firkin import ids, units
from firkin.engine import states, tables
from firkin.engine.portlist import ports_text
from firkin.record import Record
from firkin.wire import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from firkin.engine.context import Context
    from firkin.engine.row import Container

_COMMAND_WIDTH = 20


class Listed(Record):
    """One container of a listing. ``size`` is (written bytes, bytes with the image), None when not asked for."""

    container: Container
    now_ns: int
    size: tuple[int, int] | None = None

    @property
    def id(self) -> str:
        return self.container.id

    @property
    def name(self) -> str:
        return self.container.name

    @property
    def state(self) -> str:
        """Docker's word: created, running, paused, exited, removing."""
        return states.shown(self.container.state)

    @property
    def labels(self) -> dict[str, str]:
        found: dict[str, str] = self.summary.get("labels") or {}
        return found

    @property
    def summary(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.container.summary or "{}")
        return found

    @property
    def mounts(self) -> list[dict[str, Any]]:
        return list(self.container.opened("mounts") or [])

    @property
    def networks(self) -> tuple[str, ...]:
        return (self.container.create_options().network,)

    @property
    def status(self) -> str:
        """``Up 5 minutes``, ``Exited (0) 3 hours ago``, ``Created``, as docker says it."""
        return status(self.container, self.now_ns)

    def ports(self) -> str:
        if self.container.state not in (states.RUNNING, states.PAUSED):
            return ""
        endpoint = self.container.opened("endpoint") or {}
        return ports_text(endpoint.get("ports") or (), self.summary.get("exposed") or ())

    def placeholders(self, *, no_trunc: bool = False) -> dict[str, str]:
        """Return the texts of docker's --format placeholders."""
        row = self.container
        summary = self.summary
        mounts = [point.get("Name") or point["Source"] for point in self.mounts]
        found = {
            "ID": row.id if no_trunc else ids.short(row.id),
            "Image": row.image,
            "Command": _command(summary.get("command") or (), no_trunc=no_trunc),
            "CreatedAt": _local(row.created_ns),
            "RunningFor": f"{units.human_duration((self.now_ns - row.created_ns) / 1e9)} ago",
            "Ports": self.ports(),
            "State": self.state,
            "Status": self.status,
            "Size": "0B",  # docker's, when nobody asked for it
            "Names": row.name,
            "Labels": ",".join(f"{key}={value}" for key, value in (summary.get("labels") or {}).items()),
            "Mounts": ",".join(text if no_trunc else _ellipsis(text, 15) for text in mounts),
            "Networks": ",".join(self.networks),
            "LocalVolumes": str(sum(point["Type"] == "volume" for point in self.mounts)),
            "Platform": row.create_options().platform,
        }
        if self.size is not None:
            written, virtual = self.size
            found["Size"] = f"{units.human_size(written, 3)} (virtual {units.human_size(virtual, 3)})"
        return found


def status(row: Container, now_ns: int) -> str:
    """Return docker's status text."""
    if row.state in (states.RUNNING, states.PAUSED):
        text = f"Up {units.human_duration((now_ns - row.started_ns) / 1e9)}"
        return f"{text} (Paused)" if row.state == states.PAUSED else text
    if row.state == states.EXITED:
        return f"Exited ({row.exit_code}) {units.human_duration((now_ns - row.finished_ns) / 1e9)} ago"
    return "Removal In Progress" if row.state == states.REMOVING else "Created"


def _command(words: Sequence[str], *, no_trunc: bool) -> str:
    first = words[:1]  # docker quotes arguments alone
    text = " ".join([*first, *(f"'{word}'" if " " in word else word for word in words[1:])])
    return f'"{text if no_trunc else _ellipsis(text, _COMMAND_WIDTH)}"'


def _ellipsis(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _local(nanoseconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S %z %Z", time.localtime(nanoseconds // 1_000_000_000))


def ps(
    ctx: Context,
    *,
    all: bool = False,
    last: int = 0,
    size: bool = False,
    filters: Mapping[str, Sequence[str]] = {},
) -> list[Listed]:
    """Return the containers, newest first: those that run, or with ``all`` (or ``last`` n, or a filter on state) any.

    Raises InvalidArgument for a filter that docker does not have, NotFound for the container that one names.
    """
    if ctx.embedded and ctx.opened("db"):
        from firkin.engine.reconcile import reconcile

        reconcile(ctx)  # a program's database has been open for long; a command's was opened a moment ago
    found = tables.listed(ctx.db)
    if filters:
        from firkin.engine.filters import chosen

        found = chosen(ctx, found, filters)
    if last > 0:
        found = found[:last]
    elif not all and not filters.keys() & {"status", "exited"}:
        found = [row for row in found if row.state in (states.RUNNING, states.PAUSED)]
    now = time.time_ns()
    return [Listed(container=row, now_ns=now, size=sizes(ctx, row) if size else None) for row in found]


def sizes(ctx: Context, row: Container) -> tuple[int, int]:
    """Return (bytes written, bytes with the image)."""
    from firkin.errors import FirkinError

    try:
        written = ctx.snapshots.usage(row.id)[0]
    except (FirkinError, OSError):
        written = 0
    try:
        image = ctx.images.resolve(row.image_id).size
    except FirkinError:
        image = 0
    return written, written + image
