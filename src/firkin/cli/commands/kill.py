"""``firkin kill``."""

from __future__ import annotations

from firkin.cli.command import Call, Command


def run(call: Call) -> None:
    from firkin.cli.each import each
    from firkin.engine.kill import kill

    engine, signal = call.session.engine, call["signal"] or "KILL"
    each(call.words, lambda reference: kill(engine, reference, signal))


COMMAND = Command(
    name="kill",
    usage="[OPTIONS] CONTAINER [CONTAINER...]",
    short="Kill one or more running containers",
    run=run,
    aliases=("container kill", "kill"),
    flags=(("signal", "s", "string", None, "Signal to send to the container"),),
    arguments=(1, None),
    dynamic="container",
)
