"""``firkin inspect``, ``container inspect``, ``image inspect``."""

from __future__ import annotations

from firkin.cli.command import Call, Command
from firkin.cli.objects import show
from firkin.errors import InvalidArgument

_FORMAT = (
    "Format output using a custom template:\n"
    "'json':             Print as JSON in one line\n"
    "'TEMPLATE':         Print each object using the given Go template"
)


def run(call: Call) -> int:
    kinds: tuple[str, ...] = ("container", "image", "volume")
    if call["type"]:
        if call["type"] not in kinds:
            raise InvalidArgument(f'unknown type: "{call["type"]}"', hint="use container, image or volume")
        kinds = (call["type"],)
    return show(call, kinds, size=call["size"])


def _container_only(call: Call) -> int:
    return show(call, ("container",), size=call["size"])


def _image_only(call: Call) -> int:
    return show(call, ("image",))


_FORMAT_FLAG = ("format", "f", "string", None, _FORMAT)
_SIZE_FLAG = ("size", "s", "bool", None, "Show sizes too, of containers")

COMMAND = Command(
    name="inspect",
    usage="[OPTIONS] NAME|ID [NAME|ID...]",
    short="Return low-level information on containers, images and volumes",
    run=run,
    flags=(
        _FORMAT_FLAG,
        _SIZE_FLAG,
        ("type", "", "string", None, "Look for this type alone (container|image|volume)"),
    ),
    arguments=(1, None),
    dynamic="object",
)
CONTAINER = Command(
    name="container inspect",
    usage="[OPTIONS] CONTAINER [CONTAINER...]",
    short="Display detailed information on one or more containers",
    run=_container_only,
    flags=(_FORMAT_FLAG, _SIZE_FLAG),
    arguments=(1, None),
    dynamic="container",
)
IMAGE = Command(
    name="image inspect",
    usage="[OPTIONS] IMAGE [IMAGE...]",
    short="Display detailed information on one or more images",
    run=_image_only,
    flags=(_FORMAT_FLAG,),
    arguments=(1, None),
    dynamic="image",
)
