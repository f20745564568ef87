"""Content into the two stores: each layer's blob as it came, and its unpacked tree, at the same time.

    main thread    unpack layer 1 | unpack layer 2 | ...      (decompressed and hashed in a thread of its own)
    blob thread    hash and store blob 1 | blob 2 | ...       (from the archive's pages, still in memory)

The tree is checked by its diff id, the blob by its digest. A layer that is unpacked already is not unpacked again, but
a blob that is new to it must prove that it is that layer.
"""

from __future__ import annotations

from firkin.errors import FirkinError, Internal
from firkin.images.archive import BrokenArchive
from firkin.images.tables import LayerRow
from firkin.oci.manifest import OCI_LAYER
from firkin.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from firkin.images.archive import Archive, Source
    from firkin.images.candidate import LayerSource
    from firkin.storage.content import BlobStore
    from firkin.storage.layers import Layer, LayerStore


class Stored(Record):
    """A layer that is in both stores."""

    row: LayerRow
    opaque: bool


class Bring:
    """Brings the layers of one archive in. ``known`` are the (diff id, blob) that rows vouch for."""

    def __init__(self, blobs: BlobStore, layers: LayerStore, known: set[tuple[str, str]]) -> None:
        self._blobs = blobs
        self._layers = layers
        self._known = known
        self.blobs_touched: set[str] = set()
        self.layers_touched: set[str] = set()

    def all(self, archive: Archive, sources: Sequence[LayerSource]) -> dict[str, Stored]:
        """Store each layer once; return them by diff id. Raises what the stores raise, naming the archive and file."""
        from threading import Event, Thread

        unique = list({source.diff_id: source for source in sources}.values())
        digests: dict[str, tuple[str, int]] = {}
        failures: list[BaseException] = []
        stop = Event()

        def store_blobs() -> None:
            try:
                for source in unique:
                    if not stop.is_set():
                        digests[source.diff_id] = self._blob(archive, source, stop)
            except _Stopped:
                pass
            except BaseException as error:  # noqa: BLE001 - raised by the main thread
                failures.append(error)
                stop.set()

        thread = Thread(target=store_blobs, name="firkin-blobs")
        thread.start()
        trees: dict[str, Layer] = {}
        try:
            for source in unique:
                trees[source.diff_id] = self._tree(archive, source, stop)
        except _Stopped:
            pass
        except BaseException:
            stop.set()
            raise
        finally:
            thread.join()
        if failures:
            raise failures[0]
        self._prove(archive, unique, digests)
        return {
            s.diff_id: _stored(s, trees[s.diff_id], *digests[s.diff_id], self._type(archive, s))
            for s in unique
        }

    def _blob(self, archive: Archive, source: LayerSource, stop: threading.Event) -> tuple[str, int]:
        stored = archive.stored(source.file)
        if stored is not None:
            if source.digest not in (None, stored):
                raise BrokenArchive(
                    archive.title, f"its digest is {stored}, expected {source.digest}", source.file
                )
            digest, size = stored, self._blobs.size(stored)
        elif source.digest is not None and self._blobs.has(source.digest):
            digest, size = source.digest, self._blobs.size(source.digest)
        else:
            stream = _Watched(archive.open(source.file), stop)
            try:
                digest, size = self._blobs.ingest(stream, source.digest, expected_size=source.size)
            except FirkinError as error:
                raise _named(error, archive, source) from error
            finally:
                stream.close()
        self.blobs_touched.add(digest)
        return digest, size

    def _tree(self, archive: Archive, source: LayerSource, stop: threading.Event) -> Layer:
        if self._layers.has(source.diff_id):
            self.layers_touched.add(source.diff_id)
            return self._layers.get(source.diff_id)
        stream = _Watched(archive.open(source.file), stop)
        try:
            layer = self._layers.unpack(stream, source.diff_id)
        except FirkinError as error:
            raise _named(error, archive, source) from error
        finally:
            stream.close()
        self.layers_touched.add(source.diff_id)
        # What was just unpacked came from this very file, so that the pair is proven.
        self._known.add((source.diff_id, source.file))
        return layer

    def _prove(
        self, archive: Archive, unique: Sequence[LayerSource], digests: dict[str, tuple[str, int]]
    ) -> None:
        for source in unique:
            digest = digests[source.diff_id][0]
            if digest == source.diff_id or not self._known.isdisjoint(
                {(source.diff_id, digest), (source.diff_id, source.file)}
            ):
                continue
            import hashlib

            from firkin.storage.decompress import chunks

            hasher = hashlib.sha256()
            try:
                with self._blobs.open(digest) as stream:
                    for chunk in chunks(stream):
                        hasher.update(chunk)
            except FirkinError as error:
                raise _named(error, archive, source) from error
            if (found := f"sha256:{hasher.hexdigest()}") != source.diff_id:
                raise BrokenArchive(
                    archive.title, f"its diff id is {found}, expected {source.diff_id}", source.file
                )

    @staticmethod
    def _type(archive: Archive, source: LayerSource) -> str:
        if source.media_type:
            return source.media_type
        from firkin.storage.decompress import MAGIC_SIZE, detect

        stream = archive.open(source.file)
        try:
            return layer_type(detect(stream.read(MAGIC_SIZE)))
        finally:
            stream.close()


def layer_type(compression: str) -> str:
    """Return the OCI media type for what decompress.detect says (none is registered for xz and bzip2)."""
    return OCI_LAYER if compression == "none" else f"{OCI_LAYER}+{compression}"


def restore(blobs: BlobStore, layers: LayerStore, row: LayerRow) -> None:
    """Unpack a layer again that a power cut took, from its blob. Raises Internal when that is gone too."""
    try:
        with blobs.open(row.blob) as stream:
            layers.unpack(stream, row.diff_id)
    except FirkinError as error:
        raise Internal(
            f"layer {row.diff_id} is gone, and cannot be made again: {error.message}",
            hint="load or pull its image again",
        ) from error


class _Stopped(Exception):
    """The other thread failed."""


class _Watched:
    """A source that ends when the other thread has failed."""

    def __init__(self, source: Source, stop: threading.Event) -> None:
        self._read: Callable[[int], bytes] = source.read
        self.close = source.close
        self._stopped = stop.is_set

    def read(self, size: int, /) -> bytes:
        if self._stopped():
            raise _Stopped
        return self._read(size)


def _named(error: FirkinError, archive: Archive, source: LayerSource) -> FirkinError:
    """Return the error with archive and file in front, of the same kind."""
    if isinstance(error, BrokenArchive):
        return error
    fields = {**error.fields, "archive": archive.title, "file": source.file}
    message = f"{archive.title}: {source.file}: {error.message}"
    kind = next(k for k in type(error).__mro__ if k.__module__ == FirkinError.__module__)
    named: FirkinError = kind(message, hint=error.hint, **fields)
    return named


def _stored(source: LayerSource, layer: Layer, digest: str, size: int, media_type: str) -> Stored:
    row = LayerRow(
        diff_id=source.diff_id, size=layer.size, blob=digest, blob_size=size, media_type=media_type
    )
    return Stored(row=row, opaque=layer.opaque)
