"""``firkin images``."""

from __future__ import annotations

from firkin.cli.command import Call, Command
from firkin.cli.image_rows import COLUMNS, HEADINGS, WITH_DIGESTS, chosen, rows
from firkin.cli.listing import FORMAT_HELP, filters_of, show


def run(call: Call) -> None:
    import time

    form, digests = call["format"], call["digests"]
    images = call.session.engine.images.list()
    if call["filter"] or call.words:
        images = chosen(images, filters_of(call), "".join(call.words))
    found = rows(images, time.time(), no_trunc=call["no-trunc"], digests=digests or "Digest" in form)
    show(
        found, HEADINGS, WITH_DIGESTS if digests else COLUMNS, form=form, quiet="ID" if call["quiet"] else ""
    )


COMMAND = Command(
    name="images",
    usage="[OPTIONS] [REPOSITORY[:TAG]]",
    short="List images",
    run=run,
    aliases=("image ls", "image list", "images"),
    flags=(
        ("all", "a", "bool", None, "Show all images"),
        ("digests", "", "bool", None, "Show digests"),
        ("filter", "f", "filter", None, "Show only what fits a condition (name=value)"),
        ("format", "", "string", None, FORMAT_HELP),
        ("no-trunc", "", "bool", None, "Show everything in full length"),
        ("quiet", "q", "bool", None, "Show image IDs alone"),
    ),
    arguments=(0, 1),
    dynamic="image",
)
