"""``firkin top``."""

from __future__ import annotations

from firkin.cli.command import Call, Command
from firkin.cli.output import out
from firkin.errors import InvalidArgument


def run(call: Call) -> None:
    engine, reference, arguments = call.session.engine, call.words[0], call.words[1:]
    if call["tree"]:
        if arguments or call["format"]:
            raise InvalidArgument(
                "--tree takes no --format and no options of ps", hint="leave one of them out"
            )
        from firkin.cli.tree import show_tree

        show_tree(engine, reference)
        return
    from firkin.cli.table import aligned
    from firkin.engine.top import top

    table = top(engine, reference, arguments)
    if call["format"] == "json":
        from firkin.cli.output import to_json

        out("".join(f"{to_json(dict(zip(table.titles, row, strict=False)))}\n" for row in table.rows))
        return
    out(aligned([table.titles, *table.rows], 20))


COMMAND = Command(
    name="top",
    usage="[OPTIONS] CONTAINER [ps OPTIONS]",
    short="Display the running processes of a container",
    run=run,
    aliases=("container top", "top"),
    flags=(
        ("format", "", "string", None, "'json' for one object a line"),
        ("tree", "", "bool", None, "Show a tree, with the processes' PIDs inside and outside"),
    ),
    arguments=(1, None),
    interspersed=False,
    dynamic="container",
)
