"""restart: stop, if it runs, and start again."""

from __future__ import annotations

from firkin.engine.start import start
from firkin.engine.stop import stop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firkin.engine.context import Context, Forker
    from firkin.engine.start import Started


def restart(
    ctx: Context,
    ref: str,
    *,
    signal: str | int | None = None,
    timeout: float | None = None,
    forker: Forker | None = None,
) -> Started:
    """Stop the container (as engine.stop) and start it (as engine.start, detached)."""
    stop(ctx, ref, signal=signal, timeout=timeout)
    return start(ctx, ref, forker=forker)
