"""``firkin load``: an archive becomes images, all of them or none.

read the names -> check every document -> blobs and trees (bring.py) -> one transaction: images, names
                                                                        |
killed before: complete content without a row, found by ``recover``  <--+-->  killed after: all there
"""

from __future__ import annotations

import time

from firkin.images import docker_archive, oci_layout
from firkin.images.archive import BrokenArchive
from firkin.images.bring import Bring
from firkin.images.collect import collect
from firkin.images.content_lock import Bringing
from firkin.images.image import Loaded
from firkin.images.open_archive import open_archive
from firkin.images.resolve import display
from firkin.images.tables import BlobRow, ImageRow
from firkin.oci.digest import sha256
from firkin.oci.manifest import OCI_CONFIG, OCI_MANIFEST, Descriptor, Manifest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from firkin.images.archive import Archive
    from firkin.images.bring import Stored
    from firkin.images.candidate import Candidate
    from firkin.images.shelf import Shelf
    from firkin.oci.platform import Platform
    from firkin.storage.content import Readable


def load(store: Shelf, source: str | int | Readable, platform: Platform | None = None) -> list[Loaded]:
    """Load every image of ``source`` (a path, a descriptor, a binary stream).

    Raises NotFound, BrokenArchive, InvalidArgument, ResourceExhausted, Unsupported; then nothing has changed.
    """
    blobs: set[str] = set()
    layers: set[str] = set()
    try:
        with Bringing(store.paths):
            archive = open_archive(source, store.blobs, blobs)
            try:
                candidates = read_layout(archive, platform)
                bring = Bring(store.blobs, store.layers, store.table.known_pairs())
                bring.blobs_touched, bring.layers_touched = blobs, layers
                stored = bring.all(archive, [layer for one in candidates for layer in one.layers])
                return commit(store, candidates, stored, blobs)
            finally:
                archive.close()
    finally:
        # Of a load that failed everything goes; of one that succeeded, what it spooled and did not use.
        collect(store, blobs, layers)


def read_layout(archive: Archive, platform: Platform | None) -> list[Candidate]:
    """Return the images of an archive, whichever layout it has."""
    if archive.has(oci_layout.INDEX):
        return oci_layout.read(archive, platform)
    if archive.has(docker_archive.MANIFEST):
        found = docker_archive.read(archive)
        for one in found if platform is not None else ():
            _check_platform(archive, one, platform)
        return found
    if archive.has("repositories"):
        raise BrokenArchive(
            archive.title, "an archive of docker 1.9 or older", hint="save it again with a newer docker"
        )
    raise BrokenArchive(
        archive.title,
        "neither a docker archive (manifest.json) nor an OCI layout (index.json)",
        hint="if it holds a root file system, use firkin import",
    )


def _check_platform(archive: Archive, one: Candidate, platform: Platform | None) -> None:
    from firkin.oci.platform import normalized, rank

    has = normalized(one.config.os, one.config.architecture, one.config.variant)
    if platform is not None and rank(has, platform) is None:
        raise oci_layout.NoPlatform(
            f"{archive.title}: the image is for {has}, not for {platform}",
            hint=f"leave --platform out, or load an archive for {platform}",
            available=str(has),
        )


def commit(
    store: Shelf, candidates: Sequence[Candidate], stored: dict[str, Stored], touched: set[str]
) -> list[Loaded]:
    """Store the documents, then add all rows in one transaction."""
    now = time.time_ns()
    prepared = []
    for one in candidates:
        rows = tuple(stored[layer.diff_id] for layer in one.layers)
        manifest = one.manifest or synthesized(one, rows)
        digest = store.blobs.add(manifest, sha256(manifest))
        touched.update((digest, store.blobs.add(one.document, one.id)))
        documents = (
            BlobRow(digest=one.id, kind="config", size=len(one.document)),
            BlobRow(digest=digest, kind="manifest", size=len(manifest)),
        )
        row = ImageRow(
            id=one.id, config=one.config.to_json().decode(), created_ns=one.config.created_ns, loaded_ns=now,
            size=sum(s.row.size for s in rows), manifest=digest, names=one.names, digests=(), base=_base(rows),
        )  # fmt: skip
        prepared.append((one, row, tuple(s.row for s in rows), documents))
    store.blobs.settle()
    loaded = []
    with store.db.write():
        for one, row, layers, documents in prepared:
            store.table.insert(row, layers, documents)
            for name in one.names:
                store.table.tag(name, one.id, now)
                if one.manifest is not None:
                    store.table.add_digest(name.rpartition(":")[0], row.manifest, one.id)
            loaded += [Loaded(id=one.id, reference=display(name)) for name in one.names]
            if not one.names:
                loaded.append(Loaded(id=one.id))
    return loaded


def synthesized(one: Candidate, rows: Sequence[Stored]) -> bytes:
    """Return a manifest for an image that came without: what push and save will send."""
    manifest = Manifest(
        media_type=OCI_MANIFEST,
        config=Descriptor(media_type=OCI_CONFIG, digest=one.id, size=len(one.document)),
        layers=tuple(
            Descriptor(media_type=s.row.media_type, digest=s.row.blob, size=s.row.blob_size) for s in rows
        ),
    )
    return manifest.to_json()


def _base(rows: Sequence[Stored]) -> int:
    """Return the first layer that can be seen: one whose root is opaque hides all below (overlayfs cannot say that)."""
    opaque = [position for position, stored in enumerate(rows) if stored.opaque]
    return opaque[-1] if opaque else 0
