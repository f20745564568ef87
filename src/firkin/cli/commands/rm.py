"""``firkin rm``."""

from __future__ import annotations

from firkin.cli.command import Call, Command


def run(call: Call) -> None:
    from firkin.cli.each import each
    from firkin.engine.remove import remove
    from firkin.errors import NotFound

    engine = call.session.engine

    def take(reference: str) -> object:
        if call["dry-run"]:
            return _would(call, reference)
        try:
            remove(engine, reference, force=call["force"], volumes=call["volumes"], link=call["link"])
        except NotFound as error:
            if not call["force"]:
                raise
            # rm -f: that it is gone is what was asked for.
            from firkin.cli.output import err
            from firkin.cli.session import PROGRAM

            err(f"{PROGRAM}: {error.message}\n")
            return False
        return reference

    each(call.words, take, echo=False)


def _would(call: Call, reference: str) -> str:
    from firkin.engine.container import find
    from firkin.errors import Conflict
    from firkin.ids import short

    container = find(call.session.engine, reference)
    if container.state in ("running", "paused") and not call["force"]:
        raise Conflict(f"container {container.name} is {container.state}", hint="stop it first, or use rm -f")
    return f"would remove {short(container.id)} {container.name} ({container.state})"


COMMAND = Command(
    name="rm",
    usage="[OPTIONS] CONTAINER [CONTAINER...]",
    short="Remove one or more containers",
    run=run,
    aliases=("container rm", "container remove", "rm"),
    flags=(
        ("dry-run", "", "bool", None, "Say what would be removed and remove nothing"),
        ("force", "f", "bool", None, "Remove a running container too (SIGKILL)"),
        ("link", "l", "bool", None, "Remove the link, not the container"),
        ("volumes", "v", "bool", None, "Remove the container's anonymous volumes"),
    ),
    arguments=(1, None),
    dynamic="container",
)
