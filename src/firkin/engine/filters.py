"""``ps --filter``: docker's conditions. Several values of one key are alternatives, several keys must all hold."""

from __future__ import annotations

import re  # noqa: TID253 - only imported when there is a filter

from firkin.engine import states
from firkin.engine.container import find
from firkin.errors import FirkinError, InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from firkin.engine.context import Context
    from firkin.engine.row import Container

    Test = Callable[[Container], bool]

_STATES = ("created", "restarting", "running", "removing", "paused", "exited", "dead")


def chosen(ctx: Context, rows: Sequence[Container], filters: Mapping[str, Sequence[str]]) -> list[Container]:
    """Return the rows that fit. Raises InvalidArgument, NotFound."""
    for key, values in filters.items():
        make = _KEYS.get(key)
        if make is None:
            raise InvalidArgument(f"invalid filter '{key}'", hint=f"docker has {', '.join(sorted(_KEYS))}")
        tests = [make(ctx, value) for value in values]
        combine = all if key == "label" else any
        rows = [row for row in rows if combine(test(row) for test in tests)]
    return list(rows)


def _id(_: Context, value: str) -> Test:
    return lambda row: row.id.startswith(value)


def _name(_: Context, value: str) -> Test:
    try:
        pattern = re.compile(value)
    except re.error as error:
        raise InvalidArgument(f"invalid filter 'name={value}': {error}") from None
    return lambda row: pattern.search(row.name) is not None or pattern.search(f"/{row.name}") is not None


def _label(_: Context, value: str) -> Test:
    key, equals, wanted = value.partition("=")

    def test(row: Container) -> bool:
        labels = (row.opened("summary") or {}).get("labels") or {}
        return key in labels and (not equals or labels[key] == wanted)

    return test


def _exited(_: Context, value: str) -> Test:
    if not value.lstrip("-").isdigit():
        raise InvalidArgument(f"invalid filter 'exited={value}'", hint="give an exit code")
    return lambda row: row.state == states.EXITED and row.exit_code == int(value)


def _status(_: Context, value: str) -> Test:
    if value not in _STATES:
        raise InvalidArgument(f"invalid filter 'status={value}'", hint=f"use one of {', '.join(_STATES)}")
    return lambda row: states.shown(row.state) == value


def _ancestor(ctx: Context, value: str) -> Test:
    try:
        image_id = ctx.images.resolve(value).id
    except FirkinError:
        image_id = ""
    return lambda row: row.image_id == image_id or row.image == value


def _before(ctx: Context, value: str) -> Test:
    limit = find(ctx, value).created_ns
    return lambda row: row.created_ns < limit


def _since(ctx: Context, value: str) -> Test:
    limit = find(ctx, value).created_ns
    return lambda row: row.created_ns > limit


def _volume(_: Context, value: str) -> Test:
    def test(row: Container) -> bool:
        points = row.opened("mounts") or []
        return any(value in (point.get("Name"), point["Destination"], point["Source"]) for point in points)

    return test


def _network(_: Context, value: str) -> Test:
    return lambda row: row.create_options().network == value


def _port(text: str) -> tuple[int, int, str]:
    number, _, proto = text.partition("/")
    first, _, last = number.partition("-")
    if not first.isdigit() or (last and not last.isdigit()):
        raise InvalidArgument(f"invalid port: {text}", hint="write it like 80, 80/udp or 80-90/tcp")
    return int(first), int(last or first), proto or "tcp"


def _publish(_: Context, value: str) -> Test:
    first, last, proto = _port(value)

    def test(row: Container) -> bool:
        bindings = (row.opened("endpoint") or {}).get("ports") or ()
        return any(first <= b["host_port"] <= last and b["proto"] == proto for b in bindings)

    return test


def _expose(_: Context, value: str) -> Test:
    first, last, proto = _port(value)

    def test(row: Container) -> bool:
        exposed = map(_port, (row.opened("summary") or {}).get("exposed") or ())
        return any(low <= last and high >= first and proto == kind for low, high, kind in exposed)

    return test


def _health(_: Context, value: str) -> Test:
    return lambda row: value == "none"


def _never(_: Context, value: str) -> Test:
    return lambda row: value == "false"


_KEYS: dict[str, Callable[[Context, str], Test]] = {
    "id": _id, "name": _name, "label": _label, "exited": _exited, "status": _status, "ancestor": _ancestor,
    "before": _before, "since": _since, "volume": _volume, "network": _network, "publish": _publish,
    "expose": _expose, "health": _health, "is-task": _never,
}  # fmt: skip
