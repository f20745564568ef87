"""``firkin start``."""

from __future__ import annotations

from firkin.cli.command import Call, Command
from firkin.errors import Conflict, InvalidArgument, Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def run(call: Call) -> int:
    from firkin.engine.start import start

    if call["checkpoint"] or call["checkpoint-dir"]:
        raise Unsupported("checkpoints are not supported", hint="leave --checkpoint out")
    engine = call.session.engine
    if call["attach"] or call["interactive"]:
        if len(call.words) > 1:
            raise InvalidArgument(
                "you cannot start and attach multiple containers at once", hint="start them one after another"
            )
        return _attached(call, engine)
    from firkin.cli.each import each

    def begin(reference: str) -> None:
        try:
            start(engine, reference)
        except Conflict as error:
            if error.fields.get("state") != "running":  # docker, too, is content with one that runs already
                raise

    each(call.words, begin)
    return 0


def _attached(call: Call, engine: Any) -> int:  # noqa: ANN401
    from firkin.cli.converse import Conversation
    from firkin.engine.container import find
    from firkin.engine.ends import inherit
    from firkin.engine.kill import kill
    from firkin.engine.plan import STARTER
    from firkin.engine.start import start

    container = find(engine, call.words[0])
    options = container.create_options()
    streams = (
        ("stdin", "stdout", "stderr") if call["interactive"] and options.interactive else ("stdout", "stderr")
    )
    keys = call["detach-keys"] or options.detach_keys
    with Conversation(streams=streams, tty=options.tty, keys=keys, sig_proxy=call["attach"]) as talk:
        started = start(engine, container.id, streams=streams, heir=STARTER)
        code: int = talk.relay(started.client, lambda number: kill(engine, container.id, number)).exit_code
        inherit(engine, started.container, started.client.left if started.client else None)
    return code


COMMAND = Command(
    name="start",
    usage="[OPTIONS] CONTAINER [CONTAINER...]",
    short="Start one or more stopped containers",
    run=run,
    aliases=("container start", "start"),
    flags=(
        ("attach", "a", "bool", None, "Attach STDOUT and STDERR and send signals on"),
        ("checkpoint", "", "string", None, "Checkpoint to restore from"),
        ("checkpoint-dir", "", "string", None, "Directory of the checkpoints"),
        ("detach-keys", "", "string", None, "Keys that detach from the container"),
        ("interactive", "i", "bool", None, "Attach the container's STDIN"),
    ),
    arguments=(1, None),
    dynamic="container",
)
