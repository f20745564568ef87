"""``firkin rename``."""

from __future__ import annotations

from firkin.cli.command import Call, Command


def run(call: Call) -> None:
    from firkin.engine.rename import rename

    rename(call.session.engine, call.words[0], call.words[1])


COMMAND = Command(
    name="rename",
    usage="CONTAINER NEW_NAME",
    short="Rename a container",
    run=run,
    aliases=("container rename", "rename"),
    arguments=(2, 2),
    dynamic="container",
)
