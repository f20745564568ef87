"""``firkin import``: a root file system becomes an image."""

from __future__ import annotations

import sys

from firkin.cli.command import Call, Command
from firkin.cli.output import out


def run(call: Call) -> None:
    source = call.words[0]
    made = call.session.engine.images.import_(
        sys.stdin.buffer if source == "-" else source,
        changes=tuple(call["change"]),
        message=call["message"],
        reference=call.words[1] if len(call.words) > 1 else None,
        platform=call["platform"] or None,
    )
    out(f"{made.id}\n")


COMMAND = Command(
    name="import",
    usage="[OPTIONS] FILE|DIRECTORY|- [REPOSITORY[:TAG]]",
    short="Make an image of a root file system: a tarball, a directory or STDIN",
    run=run,
    aliases=("image import", "import"),
    flags=(
        (
            "change",
            "c",
            "list",
            None,
            "Apply a Dockerfile instruction (CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, USER, ...)",
        ),
        ("message", "m", "string", None, "Comment of the image's history"),
        ("platform", "", "string", None, "Platform of the image (os[/arch[/variant]])"),
    ),
    readers={"platform": "cli.create_options:platform"},
    arguments=(1, 2),
)
