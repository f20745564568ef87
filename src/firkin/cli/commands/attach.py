"""``firkin attach``."""

from __future__ import annotations

from firkin.cli.command import Call, Command


def run(call: Call) -> int:
    from firkin.cli.converse import Conversation
    from firkin.engine.attach import attach
    from firkin.engine.container import find
    from firkin.engine.ends import inherit
    from firkin.engine.kill import kill

    engine = call.session.engine
    container = find(engine, call.words[0])
    options = container.create_options()
    wants_stdin = options.interactive and not call["no-stdin"]
    streams = ("stdin", "stdout", "stderr") if wants_stdin else ("stdout", "stderr")
    keys = call["detach-keys"] or options.detach_keys
    with Conversation(streams=streams, tty=options.tty, keys=keys, sig_proxy=call["sig-proxy"]) as talk:
        client = attach(engine, container.id, streams=streams)
        code: int = talk.relay(client, lambda number: kill(engine, container.id, number)).exit_code
        inherit(engine, container, client.left)
    return code


COMMAND = Command(
    name="attach",
    usage="[OPTIONS] CONTAINER",
    short="Attach to the input, output and error streams of a running container",
    run=run,
    aliases=("container attach", "attach"),
    flags=(
        ("detach-keys", "", "string", None, "Keys that detach from the container"),
        ("no-stdin", "", "bool", None, "Do not attach STDIN"),
        ("sig-proxy", "", "bool", True, "Send signals on to the process"),
    ),
    arguments=(1, 1),
    dynamic="container",
)
