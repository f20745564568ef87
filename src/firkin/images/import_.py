"""``firkin import``: a root file system becomes an image of one layer.

tar, plain gzip zstd      the blob is kept as it came
tar, xz bzip2             kept plain: OCI has no media type for them
directory                 written as a reproducible tar first (storage/archive.py)
"""

from __future__ import annotations

import os
import stat
import time

from firkin.errors import FirkinError, InvalidArgument, NotFound, Unsupported
from firkin.images.archive import BrokenArchive
from firkin.images.bring import Stored, layer_type
from firkin.images.candidate import Candidate, LayerSource
from firkin.images.changes import apply_changes
from firkin.images.collect import collect
from firkin.images.content_lock import Bringing
from firkin.images.load import commit
from firkin.images.open_archive import Descriptor
from firkin.images.tables import LayerRow
from firkin.images.tag import target_name
from firkin.oci.digest import sha256
from firkin.oci.image import ImageConfig
from firkin.oci.platform import host_platform
from firkin.units import rfc3339

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from firkin.images.image import Image
    from firkin.images.shelf import Shelf
    from firkin.oci.platform import Platform
    from firkin.storage.content import Readable

_KEPT = frozenset({"none", "gzip", "zstd"})


def import_image(
    store: Shelf,
    source: str | int | Readable,
    changes: tuple[str, ...],
    message: str,
    reference: str | None,
    platform: Platform | None,
) -> Image:
    """Make the image; see ImageStore.import_. The arguments are checked before anything is read."""
    name = target_name(reference) if reference else None
    target = platform or host_platform()
    now = rfc3339(time.time_ns())
    title = source if isinstance(source, str) else "-"
    if isinstance(source, str) and source.startswith(("http://", "https://")):
        raise Unsupported(
            f"cannot import from {source}: URLs are not fetched", hint="curl URL | firkin import -"
        )
    config = ImageConfig(
        architecture=target.architecture, variant=target.variant, os=target.os, created=now,
        comment=message or f"Imported from {title}",
        history=({"created": now, "comment": message or f"Imported from {title}"},),
    )  # fmt: skip
    config = apply_changes(config, changes)
    blobs: set[str] = set()
    layers: set[str] = set()
    try:
        with Bringing(store.paths):
            stored = _bring(store, source, title, blobs, layers)
            config = config.replace(diff_ids=(stored.row.diff_id,))
            document = config.to_json()
            candidate = Candidate(
                id=sha256(document),
                config=ImageConfig.parse(document),
                document=document,
                layers=(LayerSource(file=title, diff_id=stored.row.diff_id),),
                names=(name,) if name else (),
            )
            commit(store, [candidate], {stored.row.diff_id: stored}, blobs)
    finally:
        collect(store, blobs, layers)
    return store.resolve(candidate.id)


def _bring(
    store: Shelf, source: str | int | Readable, title: str, blobs: set[str], layers: set[str]
) -> Stored:
    """Store the blob, then unpack it (its diff id is not known before its end)."""
    from firkin.storage.decompress import detect, peek

    fd, stream = _opened(source)
    try:
        if stream is None:
            return _bring_directory(store, str(source) if fd < 0 else f"/proc/self/fd/{fd}", blobs, layers)
        head, whole = peek(stream)
        if not head:
            raise BrokenArchive(title, "empty", hint="give a tar archive of a root file system")
        kind = detect(head)
        try:
            digest, size = store.blobs.ingest(whole if kind in _KEPT else _Plain(whole))
            blobs.add(digest)
            return _unpacked(store, digest, size, kind if kind in _KEPT else "none", layers)
        except FirkinError as error:
            error.message = f"cannot import {title}: {error.message}"
            error.args = (error.message,)
            raise
    finally:
        if fd >= 0:
            os.close(fd)


def _opened(source: str | int | Readable) -> tuple[int, Readable | None]:
    """Return (a descriptor to close or -1, the stream or None for a directory)."""
    if not isinstance(source, str | int):
        return -1, source
    if isinstance(source, int):
        fd = os.dup(source)
    else:
        try:
            fd = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise NotFound(
                f"cannot open {source}: {os.strerror(error.errno or 0)}", hint="check the path", path=source
            ) from error
    mode = os.fstat(fd).st_mode
    if stat.S_ISDIR(mode):
        return fd, None
    if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or stat.S_ISCHR(mode)):
        os.close(fd)
        raise InvalidArgument(f"cannot import {source}: neither a file nor a directory")
    return fd, Descriptor(fd)


def _bring_directory(store: Shelf, path: str, blobs: set[str], layers: set[str]) -> Stored:
    from firkin.images.directory import DirectoryTar

    with DirectoryTar(path, leave_out=(store.paths.root, store.paths.run_root)) as stream:
        digest, size = store.blobs.ingest(stream)
    blobs.add(digest)
    return _unpacked(store, digest, size, "none", layers)


def _unpacked(store: Shelf, digest: str, size: int, kind: str, layers: set[str]) -> Stored:
    layer = store.layers.unpack(store.blobs.path(digest), None)  # so that an end that is missing is found
    layers.add(layer.diff_id)
    row = LayerRow(
        diff_id=layer.diff_id, size=layer.size, blob=digest, blob_size=size, media_type=layer_type(kind)
    )
    return Stored(row=row, opaque=layer.opaque)


class _Plain:
    """What a compressed stream holds."""

    def __init__(self, stream: Readable) -> None:
        from firkin.storage.decompress import chunks

        self._chunks: Iterator[bytes] = chunks(stream)

    def read(self, _size: int, /) -> bytes:
        return next(self._chunks, b"")
