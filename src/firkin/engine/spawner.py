"""The engine's verbs for hosts with threads: everything that forks goes through the spawner."""

from __future__ import annotations

from firkin.engine import exec as executing
from firkin.engine.context import Forker
from firkin.engine.run import run
from firkin.engine.spawnserver import AGENT, SpawnClient
from firkin.engine.start import Started, start

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

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
    def start(cls, ctx: Context) -> Spawner:
        """Start the process (40 ms, once)."""
        return cls(SpawnClient.start(ctx))

    def run(self, ctx: Context, options: CreateOptions, *, bound: bool = True) -> Started:
        """As engine.run, but a start that fails leaves nothing.

        ``bound`` containers end and are removed when this process ends, however it ends.
        """
        owner = self._client.token if bound else ""
        source = _Source(self._client, bound=bound)
        return run(ctx, options, owner=owner, forker=source, leave_failed=False)

    def start_container(self, ctx: Context, ref: str, *, streams: Sequence[str] = ()) -> Started:
        """As engine.start; the container stays what it was: bound or not."""
        from firkin.engine.container import find

        bound = find(ctx, ref).owner == self._client.token
        return start(ctx, ref, streams=streams, forker=_Source(self._client, bound=bound))

    def execute(self, ctx: Context, ref: str, options: ExecOptions) -> Execution:
        """As engine.exec.execute."""
        return executing.execute(ctx, ref, options, forker=_Source(self._client, bound=False))

    def close(self) -> None:
        """End the process; bound containers end and are removed before this returns."""
        self._client.close()
