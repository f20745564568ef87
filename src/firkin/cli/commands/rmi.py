"""``firkin rmi``."""

from __future__ import annotations

from firkin.cli.command import Call, Command


def run(call: Call) -> None:
    from firkin.cli.each import each
    from firkin.engine.image_users import image_users
    from firkin.errors import NotFound

    engine, dry_run, force = call.session.engine, call["dry-run"], call["force"]

    def take(reference: str) -> object:
        try:
            done = engine.images.remove(
                reference, force=force, used_by=lambda: image_users(engine), dry_run=dry_run
            )
        except NotFound as error:
            if not force:
                raise
            from firkin.cli.output import err
            from firkin.cli.session import PROGRAM

            err(f"{PROGRAM}: {error}\n")
            return False
        return report(done, dry_run=dry_run) or False

    each(call.words, take, echo=False)


def report(done: list[tuple[str, str]], *, dry_run: bool) -> str:
    """Return docker's lines: ``Untagged: busybox:latest``, ``Deleted: sha256:...``."""
    if dry_run:
        words = {"untagged": "would untag", "deleted": "would delete"}
    else:
        words = {"untagged": "Untagged:", "deleted": "Deleted:"}
    return "\n".join(f"{words[what]} {name}" for what, name in done)


COMMAND = Command(
    name="rmi",
    usage="[OPTIONS] IMAGE [IMAGE...]",
    short="Remove one or more images",
    run=run,
    aliases=("image rm", "image remove", "rmi"),
    flags=(
        ("dry-run", "", "bool", None, "Say what would be removed and remove nothing"),
        ("force", "f", "bool", None, "Remove the image though it has several names or stopped containers"),
        ("no-prune", "", "bool", None, "Keep untagged parents (there are none here)"),
    ),
    arguments=(1, None),
    dynamic="image",
)
