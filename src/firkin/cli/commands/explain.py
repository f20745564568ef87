"""``firkin explain``: why a container did not start, or why it died."""

from __future__ import annotations

from firkin.cli.command import Call, Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firkin.engine.explain.verb import Explanation


def run(call: Call) -> None:
    from firkin.cli.each import each
    from firkin.cli.output import to_json
    from firkin.engine.explain.verb import explain

    engine, as_json = call.session.engine, call["format"] == "json"

    def tell(reference: str) -> str:
        found = explain(engine, reference)
        return to_json(found) if as_json else text(found)

    each(call.words, tell)


def text(found: Explanation) -> str:
    """Return the one line, and the facts below it."""
    wide = max((len(title) for title, _ in found.facts), default=0)
    facts = "".join(f"\n    {title:<{wide}}  {value}" for title, value in found.facts)
    return f"{found.container} ({found.state}): {found.cause.line()}{facts}"


COMMAND = Command(
    name="explain",
    usage="[OPTIONS] CONTAINER [CONTAINER...]",
    short="Say in one line why a container did not start or how it ended",
    run=run,
    aliases=("container explain", "explain"),
    flags=(("format", "", "string", None, "'json' for one object a line"),),
    arguments=(1, None),
    dynamic="container",
)
