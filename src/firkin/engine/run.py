"""run: create and start in one, with the monitor's fork first of all."""

from __future__ import annotations

from firkin import log
from firkin.engine.attach import AttachClient
from firkin.engine.steps import step

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firkin.engine.context import Context, Forker
    from firkin.engine.start import Started
    from firkin.specgen.options import CreateOptions


def run(
    ctx: Context,
    options: CreateOptions,
    *,
    owner: str = "",
    forker: Forker | None = None,
    leave_failed: bool = True,
    heir: str = "",
) -> Started:
    """Make and start a container. With ``options.detach`` there is no client.

    A start that fails leaves the container as docker does (state created, the error in it); with ``options.rm``
    or without ``leave_failed`` nothing. ``heir``: the caller sees to the end of it (engine/ends), if he lives then.
    Raises NotFound (image), AlreadyExists (name), InvalidArgument, CannotRun (126/127), ...
    """
    monitor = (forker or ctx.forker).fork(network=options.network == "bridge")
    log.mark("fork the monitor")
    client = AttachClient(monitor.fd)
    try:
        # Imported after the fork: the monitor imports what it needs at the same time, on another processor.
        from firkin.engine import create as creation
        from firkin.engine.start import launch

        container, lock, warnings = creation.make(ctx, options, owner)
        with lock:
            step("made")
            try:
                started = launch(ctx, container, monitor, client, streams_of(options), heir)
            except BaseException:
                if options.rm or not leave_failed:
                    from firkin.engine.erase import erase

                    erase(ctx, container.id, volumes=True)
                raise
        return started.replace(warnings=(*warnings, *started.warnings)) if warnings else started
    except BaseException:
        client.close()
        raise


def streams_of(options: CreateOptions) -> tuple[str, ...]:
    """Return which streams the starter is connected to: -a, else stdout and stderr, and stdin with -i."""
    if options.detach:
        return ()
    if options.attach:
        return options.attach
    return ("stdin", "stdout", "stderr") if options.interactive else ("stdout", "stderr")
