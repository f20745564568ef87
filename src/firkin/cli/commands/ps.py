"""``firkin ps``."""

from __future__ import annotations

from firkin.cli.command import Call, Command
from firkin.cli.listing import FORMAT_HELP, filters_of, show

HEADINGS = {
    "ID": "CONTAINER ID",
    "Image": "IMAGE",
    "Command": "COMMAND",
    "RunningFor": "CREATED",
    "Status": "STATUS",
    "Ports": "PORTS",
    "Names": "NAMES",
    "Size": "SIZE",
    "CreatedAt": "CREATED AT",
    "Labels": "LABELS",
    "LocalVolumes": "LOCAL VOLUMES",
    "Mounts": "MOUNTS",
    "Networks": "NETWORKS",
    "Platform": "PLATFORM",
    "State": "STATE",
}
TYPE_CHECKING = False
if TYPE_CHECKING:
    from firkin.cli.listing import Row

COLUMNS = ("ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names")


def run(call: Call) -> None:
    from firkin.engine.listing import ps

    form = call["format"]
    found = ps(
        call.session.engine,
        all=call["all"],
        last=1 if call["latest"] else max(call["last"], 0),
        size=call["size"] or "Size" in form,
        filters=filters_of(call),
    )
    if call["tree"]:
        from firkin.cli.tree import show_trees

        show_trees(call.session.engine, found)
        return
    rows: list[Row] = [listed.placeholders(no_trunc=call["no-trunc"]) for listed in found]
    if "Label" in form:
        from firkin.cli.template.values import Method

        rows = [{**row, "Label": Method(one.labels)} for row, one in zip(rows, found, strict=True)]
    columns = (*COLUMNS, "Size") if call["size"] else COLUMNS
    if call["size"] and form.startswith("table "):
        form += "\t{{.Size}}"
    show(rows, HEADINGS, columns, form=form, quiet="ID" if call["quiet"] else "")


COMMAND = Command(
    name="ps",
    usage="[OPTIONS]",
    short="List containers",
    run=run,
    aliases=("container ls", "container list", "container ps", "ps"),
    flags=(
        ("all", "a", "bool", None, "Show all containers, not only those that run"),
        ("filter", "f", "filter", None, "Show only what fits a condition (name=value)"),
        ("format", "", "string", None, FORMAT_HELP),
        ("last", "n", "int", -1, "Show the n containers created last, in whatever state"),
        ("latest", "l", "bool", None, "Show the container created last, in whatever state"),
        ("no-trunc", "", "bool", None, "Show everything in full length"),
        ("quiet", "q", "bool", None, "Show container IDs alone"),
        ("size", "s", "bool", None, "Show the size of what each container has written"),
        ("tree", "", "bool", None, "Show each container's processes, with their PIDs inside and outside"),
    ),
)
