"""kill: a signal to the container's first process, by pidfd so that it never hits somebody else."""

from __future__ import annotations

import os

from firkin.engine import exits, liveness, states
from firkin.engine.container import find
from firkin.engine.signals import number_of
from firkin.errors import Conflict

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal

    from firkin.engine.context import Context
    from firkin.engine.row import Container
else:
    import _signal


def kill(ctx: Context, ref: str, signal: int | str = "KILL", *, by: str = "firkin kill") -> None:
    """Send ``signal`` (a number, or a name with or without SIG). Raises NotFound, Conflict, InvalidArgument."""
    number = number_of(signal)
    container = find(ctx, ref)
    if container.state not in states.ALLOWED["kill"]:
        raise Conflict(
            f"cannot kill container: {container.name}: container {container.id} is not running",
            hint=f"start it with: firkin start {container.name}",
            state=states.shown(container.state),
        )
    if not send(ctx, container, number, by) and number != 9:
        raise Conflict(f"cannot kill container: {container.name}: it has just ended")


def send(ctx: Context, container: Container, number: int, by: str) -> bool:
    """Signal the container's first process; False when it has ended. Zombies and recycled pids are never hit."""
    try:
        pidfd = os.pidfd_open(container.pid)
    except OSError:
        return False
    try:
        # The pidfd first, then the look at the start time: now they are about the same process.
        if not liveness.running(container.pid, container.start_time):
            return False
        if by:
            exits.note_killer(ctx.config.paths.bundle(container.id), by, number)
        _signal.pidfd_send_signal(pidfd, number)
    except ProcessLookupError:
        return False
    else:
        return True
    finally:
        os.close(pidfd)
