"""``firkin run``: the options, one call, then either the id or the conversation with the container."""

from __future__ import annotations

from firkin.cli.command import Call, Command
from firkin.cli.complaint import INTERNAL
from firkin.cli.create_flags import FLAGS, HIDDEN, READERS
from firkin.cli.create_options import create_options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from firkin.specgen.options import CreateOptions


def run(call: Call) -> int:
    from firkin import log
    from firkin.cli.cidfile import CidFile

    options = create_options(call)
    log.mark("cli: command line")
    with CidFile(options.cidfile) as cidfile:
        if options.detach:
            return _detached(call.session.engine, options, cidfile)
        return _attached(call.session.engine, options, cidfile)


def _detached(engine: Any, options: CreateOptions, cidfile: Any) -> int:  # noqa: ANN401
    from firkin.cli.output import out
    from firkin.engine.run import run as start

    started = start(engine, options)
    _warn(started.warnings)
    cidfile.write(started.container.id)
    out(f"{started.container.id}\n")
    return 0


def _attached(engine: Any, options: CreateOptions, cidfile: Any) -> int:  # noqa: ANN401
    from firkin import log
    from firkin.cli.converse import Conversation
    from firkin.engine.kill import kill
    from firkin.engine.plan import STARTER
    from firkin.engine.run import run as start

    streams = streams_of(options)
    with Conversation(
        streams=streams, tty=options.tty, keys=options.detach_keys, sig_proxy=options.sig_proxy
    ) as talk:
        log.mark("cli: signals and terminal")
        started = start(engine, options, heir=STARTER)
        _warn(started.warnings)
        identifier = started.container.id
        cidfile.write(identifier)
        ended = talk.relay(started.client, lambda number: kill(engine, identifier, number))
        log.mark("cli: container's run and end")
        from firkin.engine.ends import inherit

        inherit(engine, started.container, started.client.left if started.client else None)
    code: int = ended.exit_code
    return code


def streams_of(options: CreateOptions) -> tuple[str, ...]:
    """Return the streams that the caller gets: those of --attach, else all (stdin with --interactive alone)."""
    if options.attach:
        return options.attach
    return ("stdin", "stdout", "stderr") if options.interactive else ("stdout", "stderr")


def _warn(warnings: tuple[str, ...]) -> None:
    if warnings:
        from firkin.cli.output import err

        err("".join(f"WARNING: {text}\n" for text in warnings))


COMMAND = Command(
    name="run",
    usage="[OPTIONS] IMAGE [COMMAND] [ARG...]",
    short="Create and run a new container from an image",
    run=run,
    aliases=("container run", "run"),
    flags=(
        *FLAGS,
        ("detach", "d", "bool", None, "Run the container in the background and print its ID"),
        ("sig-proxy", "", "bool", True, "Send signals on to the process"),
    ),
    hidden=HIDDEN,
    readers=READERS,
    arguments=(1, None),
    interspersed=False,
    refused=INTERNAL,
    stands_in=True,
    dynamic="image",
)
