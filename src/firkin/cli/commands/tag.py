"""``firkin tag``."""

from __future__ import annotations

from firkin.cli.command import Call, Command


def run(call: Call) -> None:
    call.session.engine.images.tag(call.words[0], call.words[1])


COMMAND = Command(
    name="tag",
    usage="SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
    short="Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
    run=run,
    aliases=("image tag", "tag"),
    arguments=(2, 2),
    dynamic="image",
)
