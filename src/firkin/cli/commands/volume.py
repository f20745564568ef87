"""``firkin volume create``, ``inspect``, ``ls``, ``rm``."""

from __future__ import annotations

from firkin.cli.command import Call, Command
from firkin.cli.listing import FORMAT_HELP, filters_of, show
from firkin.cli.volumes import users
from firkin.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firkin.storage.volumes import Volume

HEADINGS = {
    "Driver": "DRIVER",
    "Name": "VOLUME NAME",
    "Scope": "SCOPE",
    "Mountpoint": "MOUNTPOINT",
    "Labels": "LABELS",
    "Links": "LINKS",
    "Size": "SIZE",
    "Availability": "AVAILABILITY",
    "Group": "GROUP",
    "Status": "STATUS",
}
FILTERS = ("dangling", "driver", "label", "name")


def _create(call: Call) -> None:
    from firkin.cli.output import out

    if call.words and call.given("name"):
        raise InvalidArgument(
            "conflicting options: cannot specify a volume name through both --name and as a positional arg"
        )
    name = call.words[0] if call.words else call["name"] or None
    options = dict(text.partition("=")[::2] for text in call["opt"])
    made = call.session.engine.volumes.create(name, dict(call["label"]), options, call["driver"])
    out(f"{made.name}\n")


def _inspect(call: Call) -> int:
    from firkin.cli.objects import show as show_objects

    return show_objects(call, ("volume",))


def _list(call: Call) -> None:
    found = [volume for volume in call.session.engine.volumes.list() if _fits(call, volume)]
    rows = [
        {
            "Driver": volume.driver,
            "Name": volume.name,
            "Scope": "local",
            "Mountpoint": volume.mountpoint,
            "Labels": ",".join(f"{key}={value}" for key, value in sorted(volume.labels.items())),
            **dict.fromkeys(("Links", "Size", "Availability", "Group", "Status"), "N/A"),
        }
        for volume in found
    ]
    show(rows, HEADINGS, ("Driver", "Name"), form=call["format"], quiet="Name" if call["quiet"] else "")


def _fits(call: Call, volume: Volume) -> bool:
    filters = filters_of(call)
    for name in filters:
        if name not in FILTERS:
            raise InvalidArgument(f"invalid filter '{name}'", hint=f"use one of {', '.join(FILTERS)}")
    labels = volume.labels
    return (
        all(any(part in volume.name for part in filters[key]) for key in filters.keys() & {"name"})
        and all(volume.driver in filters[key] for key in filters.keys() & {"driver"})
        and all(
            key in labels and (not equals or labels[key] == value)
            for key, equals, value in (text.partition("=") for text in filters.get("label", ()))
        )
        and all(
            bool(users(call.session.engine, volume.name)) != (text.lower() in ("1", "true"))
            for text in filters.get("dangling", ())
        )
    )


def _remove(call: Call) -> None:
    from firkin.cli.each import each

    engine = call.session.engine

    def take(name: str) -> object:
        used = users(engine, name)
        if not call["dry-run"]:
            engine.volumes.remove(name, used, force=call["force"])
            return name
        if used:
            from firkin.errors import InUse

            raise InUse(f"volume {name} is in use by {', '.join(used)}", hint="remove them first")
        return f"would remove {engine.volumes.get(name).name}"

    each(call.words, take)


_FORMAT = ("format", "f", "string", None, "Format output using a custom template: 'json' or a Go template")

CREATE = Command(
    name="volume create",
    usage="[OPTIONS] [VOLUME]",
    short="Create a volume",
    run=_create,
    flags=(
        ("driver", "d", "string", "local", "Driver of the volume"),
        ("label", "", "list", None, "Set a label on the volume"),
        ("opt", "o", "map", None, "Option of the driver (key=value)"),
    ),
    hidden=(("name", "", "string", None, ""),),
    readers={"label": "specgen.parse_lines:parse_label"},
    arguments=(0, 1),
)
INSPECT = Command(
    name="volume inspect",
    usage="[OPTIONS] VOLUME [VOLUME...]",
    short="Display detailed information on one or more volumes",
    run=_inspect,
    flags=(_FORMAT,),
    arguments=(1, None),
    dynamic="volume",
)
LIST = Command(
    name="volume ls",
    usage="[OPTIONS]",
    short="List volumes",
    run=_list,
    aliases=("volume ls", "volume list"),
    flags=(
        ("filter", "f", "filter", None, "Show only what fits a condition (name=value)"),
        ("format", "", "string", None, FORMAT_HELP),
        ("quiet", "q", "bool", None, "Show volume names alone"),
    ),
)
REMOVE = Command(
    name="volume rm",
    usage="[OPTIONS] VOLUME [VOLUME...]",
    short="Remove one or more volumes that no container has",
    run=_remove,
    aliases=("volume rm", "volume remove"),
    flags=(
        ("dry-run", "", "bool", None, "Say what would be removed and remove nothing"),
        ("force", "f", "bool", None, "It is no failure when there is no such volume"),
    ),
    arguments=(1, None),
    dynamic="volume",
)
