"""``firkin logs``."""

from __future__ import annotations

import os

from firkin.cli.command import Call, Command
from firkin.errors import InvalidArgument

_WHEN = "timestamp (2026-01-02T13:23:37Z) or relative (42m for 42 minutes ago)"


def run(call: Call) -> None:
    from firkin.cli.moment import moment
    from firkin.engine.logs import logs

    chunks = logs(
        call.session.engine,
        call.words[0],
        follow=call["follow"],
        tail=_tail(call["tail"]),
        since_ns=moment(call["since"], "since"),
        until_ns=moment(call["until"], "until"),
        timestamps=call["timestamps"],
        details=call["details"],
    )
    for stream, data in chunks:
        _write(stream, data)


def _tail(text: str) -> int | None:
    if text in ("", "all"):
        return None
    try:
        count = int(text)
    except ValueError:
        raise InvalidArgument(f'invalid value for "tail": {text}', hint='give a number or "all"') from None
    return None if count < 0 else count


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


COMMAND = Command(
    name="logs",
    usage="[OPTIONS] CONTAINER",
    short="Fetch the logs of a container",
    run=run,
    aliases=("container logs", "logs"),
    flags=(
        ("details", "", "bool", None, "Show what --log-opt asked to be kept beside each line"),
        ("follow", "f", "bool", None, "Go on with what the container writes"),
        ("since", "", "string", None, f"Leave out what is older: {_WHEN}"),
        ("tail", "n", "string", "all", "Number of lines from the end of the logs"),
        ("timestamps", "t", "bool", None, "Put the time before each line"),
        ("until", "", "string", None, f"Leave out what is younger: {_WHEN}"),
    ),
    arguments=(1, 1),
    dynamic="container",
)
