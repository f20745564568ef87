"""An image store in a directory, without an engine, and a look at whether it is whole."""

from __future__ import annotations

import os
from pathlib import Path

from firkin import config
from firkin.db.connection import open_database
from firkin.images import tables
from firkin.images.store import ImageStore
from firkin.paths import Paths
from firkin.storage.content import BlobStore
from firkin.storage.layers import LayerStore

SHARED = Path(__file__).resolve().parents[2] / "shared" / "images"


def open_store(home: str) -> ImageStore:
    made = config.load(Paths(root=f"{home}/root", run_root=f"{home}/run"))
    db = open_database(made.paths.database, 1, lambda: iter([tables.SCHEMA]))
    return ImageStore(made, db, BlobStore(made.paths), LayerStore(made.paths))


def rows(store: ImageStore) -> dict[str, list[tuple]]:
    names = ("images", "image_layers", "image_blobs", "tags", "digests")
    return {name: store.db.rows(f"select * from {name} order by 1, 2") for name in names}


def files(store: ImageStore) -> dict[str, list[str]]:
    paths = store.paths
    return {folder: sorted(os.listdir(folder)) for folder in (paths.blobs, paths.layers, paths.tmp)}


def state(store: ImageStore) -> tuple:
    return rows(store), files(store)


def check_whole(store: ImageStore) -> None:
    """Each row's content is there, all content has a row, nothing is half-made."""
    blobs, layers = set(store.blobs.list()), {layer.diff_id for layer in store.layers.list()}
    assert blobs == store.table.held_blobs()
    assert layers == store.table.held_layers()
    assert os.listdir(store.paths.tmp) == []
    ids = {row.id for row in store.table.all()} | set(store.table.removed())
    assert {image for _, image in store.table.names()} <= ids
