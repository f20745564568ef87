"""``firkin container prune``, ``image prune``, ``volume prune``: what nothing needs any more."""

from __future__ import annotations

from firkin.cli.command import Call, Command
from firkin.cli.listing import filters_of
from firkin.cli.output import err, out
from firkin.errors import FirkinError, InvalidArgument
from firkin.units import human_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def _ask(call: Call, warning: str) -> None:
    if not call["force"] and not call["dry-run"]:
        from firkin.cli.confirm import confirm

        confirm(warning)


def _report(title: str, names: list[str], freed: int, *, dry_run: bool) -> None:
    if names:
        heading = f"Would delete {title}" if dry_run else f"Deleted {title}"
        out("".join(f"{line}\n" for line in (f"{heading}:", *names, "")))
    out(f"Total {'reclaimable' if dry_run else 'reclaimed'} space: {human_size(freed)}\n")


def _containers(call: Call) -> None:
    from firkin.engine.listing import ps
    from firkin.engine.remove import remove

    filters = _container_filters(call)
    _ask(call, "This will remove all stopped containers.")
    engine = call.session.engine
    names, freed = [], 0
    for listed in ps(engine, all=True, filters=filters):
        size = engine.snapshots.usage(listed.id)[0]
        if not call["dry-run"]:
            try:
                remove(engine, listed.id)
            except FirkinError as error:  # somebody started or removed it meanwhile
                err(f"{error}\n")
                continue
        names.append(listed.id)
        freed += size
    _report("Containers", names, freed, dry_run=call["dry-run"])


def _container_filters(call: Call) -> dict[str, list[str]]:
    filters = filters_of(call)
    for name in filters:
        if name not in ("label", "until"):
            raise InvalidArgument(f"invalid filter '{name}'", hint="use label or until")
    return {**filters, "status": ["created", "exited", "dead"]}


def _images(call: Call) -> None:
    from firkin.engine.image_users import image_users

    everything = call["all"]
    what = (
        "all images without at least one container associated to them"
        if everything
        else "all dangling images"
    )
    _ask(call, f"This will remove {what}.")
    engine: Any = call.session.engine
    done, freed = engine.images.prune(lambda: image_users(engine), all=everything, dry_run=call["dry-run"])
    _report("Images", [f"{kind}: {name}" for kind, name in done], freed, dry_run=call["dry-run"])


def _volumes(call: Call) -> None:
    from firkin.cli.volumes import users

    everything = call["all"]
    what = "all local volumes" if everything else "anonymous local volumes"
    _ask(call, f"This will remove {what} not used by at least one container.")
    volumes = call.session.engine.volumes
    names, freed = [], 0
    for volume in volumes.list():
        if not (everything or volume.anonymous) or users(call.session.engine, volume.name):
            continue
        size = volumes.usage(volume.name)[0]
        if not call["dry-run"]:
            volumes.remove(volume.name)
        names.append(volume.name)
        freed += size
    _report("Volumes", names, freed, dry_run=call["dry-run"])


_FORCE = ("force", "f", "bool", None, "Do not ask")
_DRY_RUN = ("dry-run", "", "bool", None, "Say what would be removed and remove nothing")

CONTAINERS = Command(
    name="container prune",
    usage="[OPTIONS]",
    short="Remove all stopped containers",
    run=_containers,
    flags=(_DRY_RUN, ("filter", "", "filter", None, "Take only what fits (until=TIME, label=NAME)"), _FORCE),
)
IMAGES = Command(
    name="image prune",
    usage="[OPTIONS]",
    short="Remove unused images",
    run=_images,
    flags=(
        ("all", "a", "bool", None, "Remove all images without a container, not only nameless ones"),
        _DRY_RUN,
        _FORCE,
    ),
)
VOLUMES = Command(
    name="volume prune",
    usage="[OPTIONS]",
    short="Remove unused volumes",
    run=_volumes,
    flags=(("all", "a", "bool", None, "Remove named volumes too, not only anonymous ones"), _DRY_RUN, _FORCE),
)
