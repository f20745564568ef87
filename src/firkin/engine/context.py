"""One engine as the verbs see it: its configuration and its parts, each made at its first use.

``app`` gives the makers; nothing here knows how a part is built. A Context is for one process: what a fork inherits
of it must not be used there (a SQLite connection least of all).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from firkin.config import Config
    from firkin.db.connection import Database
    from firkin.engine.forked import Forked
    from firkin.images.store import ImageStore
    from firkin.network.bridge import Bridge
    from firkin.storage.content import BlobStore
    from firkin.storage.layers import LayerStore
    from firkin.storage.snapshots import Snapshots
    from firkin.storage.volumes import Volumes


class Forker:
    """Where monitors come from: a fork of this process, or of the spawner."""

    def fork(self, *, network: bool = True) -> Forked:
        """Return a monitor that waits for its plan; ``network`` says that it will probably need the bridge."""
        raise NotImplementedError

    def fork_agent(self) -> Forked:
        """Return an agent for exec that waits for its plan."""
        raise NotImplementedError

    def close(self) -> None:
        """Give back what it holds."""


class Context:
    """See the attributes; ``opened("db")`` says whether a part has been made already."""

    config: Config
    db: Database  # its first use finishes what a killed process left behind (engine/reconcile)
    content: BlobStore
    layers: LayerStore
    images: ImageStore
    snapshots: Snapshots
    volumes: Volumes
    network: Bridge
    forker: Forker  # where monitors come from
    embedded = False  # in a program that may have threads: nothing here may fork

    def __init__(self, config: Config, makers: Mapping[str, Callable[[Context], object]]) -> None:
        self.config = config
        self._makers = makers

    def __getattr__(self, name: str) -> object:
        maker = self.__dict__.get("_makers", {}).get(name)
        if maker is None:
            raise AttributeError(name)
        value = maker(self)
        self.__dict__[name] = value
        return value

    def for_monitor(self) -> Context:
        """Return a context for a child that was just forked: nothing of ours is in it, and its database is opened
        without looking after the others."""
        # Kept alive for ever: the child must not run the finalizers of what it inherited.
        child = Context(self.config, {**self._makers, "db": self._makers["plain_db"]})
        child.__dict__["_inherited"] = self
        return child

    def opened(self, name: str) -> bool:
        """Say whether the part ``name`` has been made."""
        return name in self.__dict__

    def close(self) -> None:
        """Give back what the parts hold."""
        for name in ("forker", "network", "db"):
            part = self.__dict__.pop(name, None)
            if part is not None:
                part.close()
