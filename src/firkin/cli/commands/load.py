"""``firkin load``: an archive or layout directory, from a path or standard input."""

from __future__ import annotations

import os
import sys

from firkin.cli.command import Call, Command
from firkin.cli.output import out
from firkin.errors import InvalidArgument


def run(call: Call) -> None:
    path = call["input"]
    if not path and os.isatty(0):
        raise InvalidArgument(
            "requested load from stdin, but stdin is empty",
            hint="use -i FILE, or redirect an archive into it",
        )
    loaded = call.session.engine.images.load(path or sys.stdin.buffer, call["platform"] or None)
    out("".join(f"{one}\n" for one in loaded))


COMMAND = Command(
    name="load",
    usage="[OPTIONS]",
    short="Load images from an archive of docker or OCI form, a layout directory or STDIN",
    run=run,
    aliases=("image load", "load"),
    flags=(
        ("input", "i", "string", None, "Read this file or directory instead of STDIN"),
        ("platform", "", "string", None, "Load this platform of an archive of several (os[/arch[/variant]])"),
        ("quiet", "q", "bool", None, "Show no progress"),
    ),
    readers={"platform": "cli.create_options:platform"},
)
