"""``firkin stop``."""

from __future__ import annotations

from firkin.cli.command import Call, Command


def run(call: Call) -> None:
    from firkin.cli.each import each
    from firkin.engine.stop import stop

    timeout = (
        float(call["timeout"])
        if call.given("timeout")
        else float(call["time"])
        if call.given("time")
        else None
    )
    engine, signal = call.session.engine, call["signal"] or None
    each(call.words, lambda reference: stop(engine, reference, signal=signal, timeout=timeout))


COMMAND = Command(
    name="stop",
    usage="[OPTIONS] CONTAINER [CONTAINER...]",
    short="Stop one or more running containers",
    run=run,
    aliases=("container stop", "stop"),
    flags=(
        ("signal", "s", "string", None, "Signal to send first"),
        ("timeout", "t", "int", None, "Seconds to wait before killing, -1 for ever"),
    ),
    hidden=(("time", "", "int", None, ""),),
    arguments=(1, None),
    dynamic="container",
)
