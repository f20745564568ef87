"""``firkin restart``."""

from __future__ import annotations

from firkin.cli.command import Call, Command
from firkin.cli.commands.stop import FLAGS, HIDDEN, timeout_of


def run(call: Call) -> None:
    from firkin.cli.each import each
    from firkin.engine.restart import restart

    engine, signal, timeout = call.session.engine, call["signal"] or None, timeout_of(call)

    def again(reference: str) -> None:
        restart(engine, reference, timeout=timeout, signal=signal)

    each(call.words, again)


COMMAND = Command(
    name="restart",
    usage="[OPTIONS] CONTAINER [CONTAINER...]",
    short="Restart one or more containers",
    run=run,
    aliases=("container restart", "restart"),
    flags=FLAGS,
    hidden=HIDDEN,
    arguments=(1, None),
    dynamic="container",
)
