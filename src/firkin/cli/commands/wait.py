"""``firkin wait``."""

from __future__ import annotations

from firkin.cli.command import Call, Command


def run(call: Call) -> None:
    from firkin.cli.each import each
    from firkin.engine.wait import wait

    engine = call.session.engine
    each(call.words, lambda reference: str(wait(engine, reference)))


COMMAND = Command(
    name="wait",
    usage="CONTAINER [CONTAINER...]",
    short="Block until one or more containers stop, then print their exit codes",
    run=run,
    aliases=("container wait", "wait"),
    arguments=(1, None),
    dynamic="container",
)
