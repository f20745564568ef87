"""``firkin diff``."""

from __future__ import annotations

from firkin.cli.command import Call, Command
from firkin.cli.output import lines, out, to_json


def run(call: Call) -> None:
    from firkin.engine.diff import diff

    changes = diff(call.session.engine, call.words[0])
    if call["format"] == "json":
        out("".join(f"{to_json({'Kind': kind, 'Path': path})}\n" for kind, path in changes))
        return
    lines(f"{kind} {path}" for kind, path in changes)


COMMAND = Command(
    name="diff",
    usage="[OPTIONS] CONTAINER",
    short="Inspect what was added, changed and deleted in a container's files",
    run=run,
    aliases=("container diff", "diff"),
    flags=(("format", "", "string", None, "'json' for one object a line"),),
    arguments=(1, 1),
    dynamic="container",
)
