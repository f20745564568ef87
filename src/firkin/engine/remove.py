"""rm: a container that does not run, or with force any; afterwards nothing of it is left."""

from __future__ import annotations

from firkin.engine import locks, states, tables
from firkin.engine.container import find
from firkin.engine.erase import clean, erase
from firkin.engine.image_users import let_go_of_images
from firkin.engine.settle import await_end, settled
from firkin.engine.steps import step
from firkin.engine.stop import end
from firkin.errors import Conflict, NotFound, ResourceExhausted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firkin.engine.context import Context
    from firkin.engine.row import Container


def remove(ctx: Context, ref: str, *, force: bool = False, volumes: bool = False, link: bool = False) -> None:
    """Remove a container; ``force`` kills it first, ``volumes`` takes its anonymous volumes along.

    Raises NotFound, Conflict (it runs). ``link`` removes a link of the legacy kind, of which there are none: NotFound.
    """
    container = find(ctx, ref)
    if link:
        raise NotFound(f"No such link: {ref}", hint="legacy links do not exist here: use networks")
    with locks.lock(ctx.config.paths, container.id):
        try:
            _take_away(ctx, container, force=force, volumes=volumes)
        except ResourceExhausted:
            from firkin.engine.makeroom import make_room

            if not make_room(ctx, container.id):
                raise
            _take_away(ctx, container, force=force, volumes=volumes)
    let_go_of_images(ctx)


def _take_away(ctx: Context, container: Container, *, force: bool, volumes: bool) -> None:
    try:
        found = settled(ctx, container)
        if found.state in states.LIVE:
            found = _end(ctx, found, force=force)
    except NotFound:
        locks.forget(ctx.config.paths, container.id)
        return  # a --rm container's monitor was faster
    with ctx.db.write():
        tables.update(ctx.db, found.id, state=states.REMOVING, rm=int(volumes))
    step("row-removing")
    clean(ctx, found.id)
    erase(ctx, found.id, volumes=volumes)


def _end(ctx: Context, container: Container, *, force: bool) -> Container:
    if not force:
        raise Conflict(
            f'cannot remove container "{container.name}": container is {states.shown(container.state)}',
            hint=f"stop it first (firkin stop {container.name}), or use: firkin rm -f {container.name}",
            state=states.shown(container.state),
        )
    if not container.pid:  # a start whose starter was killed: the monitor may be about to launch
        await_end(ctx, container, 0.2)
        container = settled(ctx, container)
    if container.state in states.LIVE:
        end(ctx, container, "firkin rm -f")
        step("killed")
    return settled(ctx, container)
