"""Where a command's monitors come from."""

from __future__ import annotations

from firkin.engine.context import Forker
from firkin.engine.monitor import birth

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firkin.engine.context import Context
    from firkin.engine.forked import Forked
    from firkin.engine.spawnserver import SpawnClient


class DirectForker(Forker):
    """Forks this process, as long as it has not opened the database; then the spawner's.

    A command starts one container (run) and forks first; `start A B C` forks before it looks at A, and has B's and
    C's monitors from a spawner.
    """

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._spawner: SpawnClient | None = None

    def fork(self, *, network: bool = True) -> Forked:
        return self._fork(agent=False, network=network)

    def fork_agent(self) -> Forked:
        return self._fork(agent=True)

    def _fork(self, *, agent: bool, network: bool = False) -> Forked:
        if not self._ctx.opened("db"):
            return birth.fork(self._ctx, agent=agent, network=network)
        from firkin.engine.spawnserver import AGENT, MONITOR, SpawnClient

        if self._spawner is None:
            self._spawner = SpawnClient.start(self._ctx)
        return self._spawner.fork(kind=AGENT if agent else MONITOR)

    def close(self) -> None:
        if self._spawner is not None:
            self._spawner.close()
