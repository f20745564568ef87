"""The engine's verbs for hosts with threads: everything that forks goes through the spawner."""

from __future__ import annotations

from firkin.engine import exec as executing
from firkin.engine.context import Forker
from firkin.engine.plan import OWNER
from firkin.engine.run import run
from firkin.engine.spawnserver import AGENT, SpawnClient
from firkin.engine.start import Started, start

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from firkin.engine.container import Container
    from firkin.engine.context import Context
    from firkin.engine.exec import Execution
    from firkin.engine.forked import Forked
    from firkin.specgen.options import CreateOptions, ExecOptions


class _Source(Forker):
    def __init__(self, client: SpawnClient, *, bound: bool) -> None:
        self._client = client
        self._bound = bound

    def fork(self, *, network: bool = True) -> Forked:
        del network  # the spawner has everything imported
        return self._client.fork(bound=self._bound)

    def fork_agent(self) -> Forked:
        return self._client.fork(bound=self._bound, kind=AGENT)


class Spawner:
    """One spawner process. Safe to use from several threads, each with a Context of its own."""

    def __init__(self, client: SpawnClient) -> None:
        self._client = client

    @classmethod
    def start(cls, ctx: Context, token: str = "") -> Spawner:
        """Start the process (40 ms, once); ``token`` is that of a dead one that it succeeds."""
        return cls(SpawnClient.start(ctx, token))

    @property
    def token(self) -> str:
        """What rows bound to this program say as their owner."""
        return self._client.token

    def alive(self) -> bool:
        """Say whether the process still is there."""
        return self._client.alive()

    def run(self, ctx: Context, options: CreateOptions, *, bound: bool = True, keep: bool = False) -> Started:
        """As engine.run, but a start that fails leaves nothing.

        ``bound`` containers end when this process ends, however it ends, and are removed unless ``keep``.
        """
        owner = self._client.token if bound and not keep else ""
        source = _Source(self._client, bound=bound)
        return run(ctx, options, owner=owner, forker=source, leave_failed=False, heir=OWNER if bound else "")

    def create(self, ctx: Context, options: CreateOptions, *, bound: bool = True) -> Container:
        """As engine.create; a ``bound`` container is removed when this process ends."""
        from firkin.engine import states, tables
        from firkin.engine.create import make

        container, lock, *_ = make(ctx, options, self._client.token if bound else "")
        with lock:
            tables.update(ctx.db, container.id, state=states.CREATED)
        return container.replace(state=states.CREATED)

    def start_container(
        self, ctx: Context, ref: str, *, streams: Sequence[str] = (), bound: bool | None = None
    ) -> Started:
        """As engine.start; ``bound`` None: the container stays what it was."""
        from firkin.engine.container import find

        if bound is None:
            bound = find(ctx, ref).owner == self._client.token
        source = _Source(self._client, bound=bound)
        return start(ctx, ref, streams=streams, forker=source, heir=OWNER if bound else "")

    def execute(self, ctx: Context, ref: str, options: ExecOptions) -> Execution:
        """As engine.exec.execute."""
        return executing.execute(ctx, ref, options, forker=_Source(self._client, bound=False))

    def close(self) -> bool:
        """End the process; bound containers end and are removed before this returns. False when it was killed before:
        they have ended, and ``owners.remove_of(ctx, token)`` removes them."""
        return self._client.close()

    def abandon(self) -> None:
        """Forget the process, in a forked child: it is the parent's."""
        self._client.abandon()
