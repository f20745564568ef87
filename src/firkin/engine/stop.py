"""stop: the container's stop signal, its patience, then SIGKILL."""

from __future__ import annotations

from firkin.engine import locks, states
from firkin.engine.container import find
from firkin.engine.kill import send
from firkin.engine.reconcile import look_after
from firkin.engine.settle import await_end
from firkin.engine.signals import number_of
from firkin.errors import Unavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firkin.engine.context import Context
    from firkin.engine.row import Container

BY = "firkin stop"
PATIENCE = 10.0  # seconds, docker's default
_END = 30.0  # seconds for the monitor to record and clean up after SIGKILL


def stop(ctx: Context, ref: str, *, signal: str | int | None = None, timeout: float | None = None) -> None:
    """End a container; it is exited when this returns. One that does not run is left as it is.

    ``signal`` and ``timeout`` (seconds; below 0 is for ever) default to the container's own, else TERM and 10.
    Raises NotFound, InvalidArgument, Unavailable (it did not end even so).
    """
    container = find(ctx, ref)
    given = number_of(signal) if signal is not None else None
    if container.state == states.STARTING:  # let who starts it finish
        with locks.lock(ctx.config.paths, container.id):
            container = find(ctx, ref)
    if container.state not in (states.RUNNING, states.PAUSED):
        return
    options = container.create_options()
    if timeout is None:
        timeout = PATIENCE if options.stop_timeout is None else float(options.stop_timeout)
    number = given or number_of(options.stop_signal or _image_signal(container) or "TERM")
    send(ctx, container, number, BY)
    if not await_end(ctx, container, None if timeout < 0 else timeout):
        end(ctx, container, BY)
    look_after(ctx, container.id)


def _image_signal(container: Container) -> str:
    from firkin.oci.image import ImageConfig

    return ImageConfig.trusted(container.image_config).stop_signal or ""


def end(ctx: Context, container: Container, by: str) -> None:
    """Kill the container and wait until its end is recorded. Raises Unavailable."""
    send(ctx, container, 9, by)
    if not await_end(ctx, container, _END):
        raise Unavailable(
            f"container {container.name} did not end within {_END:.0f} s of SIGKILL",
            hint="its processes are stuck in the kernel (state D in firkin top); try again",
        )
