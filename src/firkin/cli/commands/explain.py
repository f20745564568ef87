"""``firkin explain``: why a container did not start, or why it died."""

from __future__ import annotations

from firkin.cli.command import Call, Command


def run(call: Call) -> None:
    from firkin.cli.each import each
    from firkin.cli.output import to_json
    from firkin.engine.explain.verb import explain

    engine = call.session.engine

    def tell(reference: str) -> str:
        found = explain(engine, reference)
        return to_json(found) if call["format"] == "json" else str(found)

    each(call.words, tell)


COMMAND = Command(
    name="explain",
    usage="[OPTIONS] CONTAINER [CONTAINER...]",
    short="Say in one line why a container did not start or how it ended, with proof and fix",
    run=run,
    aliases=("container explain", "explain"),
    flags=(("format", "", "string", None, "'json' for one object a line"),),
    arguments=(1, None),
    dynamic="container",
)
