"""``firkin stop``."""

from __future__ import annotations

from firkin.cli.command import Call, Command

FLAGS = (
    ("signal", "s", "string", None, "Signal to send first"),
    ("timeout", "t", "int", None, "Seconds to wait before killing, -1 for ever"),
)
HIDDEN = (("time", "", "int", None, ""),)


def timeout_of(call: Call) -> float | None:
    """Return the seconds of --timeout, or of docker's older --time."""
    chosen = "timeout" if call.given("timeout") else "time" if call.given("time") else ""
    return float(call[chosen]) if chosen else None


def run(call: Call) -> None:
    from firkin.cli.each import each
    from firkin.engine.stop import stop

    engine, signal, timeout = call.session.engine, call["signal"] or None, timeout_of(call)
    each(call.words, lambda reference: stop(engine, reference, signal=signal, timeout=timeout))


COMMAND = Command(
    name="stop",
    usage="[OPTIONS] CONTAINER [CONTAINER...]",
    short="Stop one or more running containers",
    run=run,
    aliases=("container stop", "stop"),
    flags=FLAGS,
    hidden=HIDDEN,
    arguments=(1, None),
    dynamic="container",
)
