"""``firkin create``."""

from __future__ import annotations

from firkin.cli.command import Call, Command
from firkin.cli.create_flags import FLAGS, HIDDEN, READERS
from firkin.cli.create_options import create_options
from firkin.cli.output import out, warn


def run(call: Call) -> None:
    from firkin.cli.cidfile import CidFile
    from firkin.cli.complaint import refused
    from firkin.engine.create import create_warned

    with refused(125):
        options = create_options(call)
    with CidFile(options.cidfile) as cidfile:
        made, warnings = create_warned(call.session.engine, options)
        warn(warnings)
        cidfile.write(made.id)
    out(f"{made.id}\n")


COMMAND = Command(
    name="create",
    usage="[OPTIONS] IMAGE [COMMAND] [ARG...]",
    short="Create a new container",
    run=run,
    aliases=("container create", "create"),
    flags=FLAGS,
    hidden=HIDDEN,
    readers=READERS,
    arguments=(1, None),
    interspersed=False,
    dynamic="image",
)
