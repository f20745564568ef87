"""What every listing has in common: --format (table, json, a template), --quiet, headings.

A row is a mapping of placeholders (``ID``, ``Names``) to text. The usual table never loads the template's parts.
"""

from __future__ import annotations

from firkin.cli.output import err, out
from firkin.cli.session import PROGRAM
from firkin.cli.table import aligned

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from firkin.cli.command import Call

    Row = Mapping[str, object]

FORMAT_HELP = (
    "Format output using a custom template:\n"
    "'table':            Print a table with column headers (default)\n"
    "'table TEMPLATE':   Print a table using the given Go template\n"
    "'json':             Print one JSON object a line\n"
    "'TEMPLATE':         Print output using the given Go template"
)


def filters_of(call: Call) -> dict[str, list[str]]:
    """Return --filter by name."""
    found: dict[str, list[str]] = {}
    for text in call["filter"]:
        name, _, value = text.partition("=")
        found.setdefault(name, []).append(value)
    return found


def show(
    rows: Sequence[Row],
    headings: Mapping[str, str],
    columns: Sequence[str],
    *,
    form: str = "",
    quiet: str = "",
) -> None:
    """Print ``rows``. ``columns`` are the placeholders of the usual table, ``quiet`` the only one under --quiet."""
    if quiet:
        if form and form != "table":
            err(f"{PROGRAM}: --format has no effect together with --quiet\n")
        out("".join(f"{row[quiet]}\n" for row in rows))
    elif form in ("", "table"):
        out(
            aligned(
                [
                    [headings[name] for name in columns],
                    *([str(row[name]) for name in columns] for row in rows),
                ]
            )
        )
    else:
        out(_formatted(rows, headings, form))


def _formatted(rows: Sequence[Row], headings: Mapping[str, str], form: str) -> str:
    from firkin.cli.template.render import compiled, header
    from firkin.cli.template.values import Method, compact

    if form == "json":
        plain = ({k: v for k, v in row.items() if not isinstance(v, Method)} for row in rows)
        return "".join(f"{compact(dict(sorted(row.items())))}\n" for row in plain)
    form = form.replace("\\t", "\t").replace("\\n", "\n")
    table = form == "table" or form.startswith(("table ", "table\t"))
    if table:
        form = form[len("table") :].lstrip(" \t")
    template = compiled(form)
    lines = [template(dict(sorted(row.items()))) for row in rows]  # sorted: for {{json .}}
    if not table:
        return "".join(f"{line}\n" for line in lines)
    lines.insert(0, header(form, headings))
    return aligned([cells.split("\t") for line in lines for cells in line.split("\n")])
