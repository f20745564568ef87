"""The one place that puts an engine together: which part is made of which, each at its first use."""

from __future__ import annotations

import os

from firkin import config as configuration
from firkin import log
from firkin.engine.context import Context
from firkin.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from firkin.db.connection import Database
    from firkin.engine.forker import DirectForker
    from firkin.images.store import ImageStore
    from firkin.network.bridge import Bridge
    from firkin.storage.content import BlobStore
    from firkin.storage.layers import LayerStore
    from firkin.storage.limits import Limits
    from firkin.storage.snapshots import Snapshots
    from firkin.storage.volumes import Volumes

SCHEMA_VERSION = 1


def open_engine(root: str | None = None, run_root: str | None = None) -> Context:
    """Return the engine of these roots (see config.locate). Raises PermissionDenied, Internal."""
    found = configuration.load(configuration.locate(root, run_root))
    log.mark("configuration")
    return Context(found, _MAKERS)


def serve(argv: Sequence[str]) -> None:
    """Be a spawner: ``argv`` is root, run root, token (engine/spawnserver)."""
    from firkin.engine import spawnserver

    spawnserver.serve(open_engine(argv[0], argv[1]), argv[2])


def _schemas() -> Iterator[str]:
    from firkin.engine import tables as engine
    from firkin.images import tables as images
    from firkin.network import tables as network
    from firkin.storage import tables as storage

    for room in (engine, images, storage, network):
        yield room.SCHEMA


def _plain_db(ctx: Context) -> Database:
    from firkin.db.connection import open_database

    database = open_database(ctx.config.paths.database, SCHEMA_VERSION, _schemas)
    log.mark("open database")
    return database


def _db(ctx: Context) -> Database:
    from firkin.engine.reconcile import reconcile

    database = _plain_db(ctx)
    ctx.__dict__["db"] = database  # what reconcile uses
    reconcile(ctx)
    return database


class _LateDatabase:
    """Stands for ``ctx.db`` and opens it at the first use: a monitor attaches a network without any row."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx

    def __getattr__(self, name: str) -> object:
        return getattr(self._ctx.db, name)


def _late(ctx: Context) -> Database:
    return _LateDatabase(ctx)  # type: ignore[return-value]  # the same face, opened at its first use


def _content(ctx: Context) -> BlobStore:
    from firkin.storage.content import BlobStore

    return BlobStore(ctx.config.paths)


def _layers(ctx: Context) -> LayerStore:
    from firkin.storage.layers import LayerStore

    return LayerStore(ctx.config.paths, _limits())


def _limits() -> Limits | None:
    """Return what FIRKIN_MAX_UNPACKED (a size) and FIRKIN_MAX_ENTRIES allow a layer; None: 64 GiB, 10 million."""
    size, entries = os.environ.get("FIRKIN_MAX_UNPACKED", ""), os.environ.get("FIRKIN_MAX_ENTRIES", "")
    if not size and not entries:
        return None
    from firkin.storage.limits import Limits
    from firkin.units import parse_size

    default = Limits()
    if entries and not entries.isdigit():
        raise InvalidArgument(f"FIRKIN_MAX_ENTRIES={entries} is not a number", hint="write it like 1000000")
    return default.replace(
        size=parse_size(size) if size else default.size, entries=int(entries) if entries else default.entries
    )


def _images(ctx: Context) -> ImageStore:
    from firkin.images.store import ImageStore

    return ImageStore(ctx.config, ctx.db, ctx.content, ctx.layers)


def _snapshots(ctx: Context) -> Snapshots:
    from firkin.storage.snapshots import Snapshots

    return Snapshots(ctx.config.paths)


def _volumes(ctx: Context) -> Volumes:
    from firkin.storage.volumes import Volumes

    return Volumes(ctx.config.paths, _late(ctx))


def _network(ctx: Context) -> Bridge:
    from firkin.network.bridge import Bridge

    return Bridge(ctx.config, _late(ctx))


def _forker(ctx: Context) -> DirectForker:
    from firkin.engine.forker import DirectForker

    return DirectForker(ctx)


_MAKERS = {
    "db": _db,
    "plain_db": _plain_db,
    "content": _content,
    "layers": _layers,
    "images": _images,
    "snapshots": _snapshots,
    "volumes": _volumes,
    "network": _network,
    "forker": _forker,
}
