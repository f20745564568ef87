"""``firkin restart``."""

from __future__ import annotations

from firkin.cli.command import Call, Command


def run(call: Call) -> None:
    from firkin.cli.each import each
    from firkin.engine.restart import restart

    engine, signal = call.session.engine, call["signal"] or None
    chosen = "timeout" if call.given("timeout") else "time" if call.given("time") else ""
    timeout = float(call[chosen]) if chosen else None

    def again(reference: str) -> None:
        restart(engine, reference, timeout=timeout, signal=signal)

    each(call.words, again)


COMMAND = Command(
    name="restart",
    usage="[OPTIONS] CONTAINER [CONTAINER...]",
    short="Restart one or more containers",
    run=run,
    aliases=("container restart", "restart"),
    flags=(
        ("signal", "s", "string", None, "Signal to send first"),
        ("timeout", "t", "int", None, "Seconds to wait before killing, -1 for ever"),
    ),
    hidden=(("time", "", "int", None, ""),),
    arguments=(1, None),
    dynamic="container",
)
