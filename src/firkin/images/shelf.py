"""What every verb of this room works on: the rows, the two stores of content, and how a row becomes an Image."""

from __future__ import annotations

from firkin.errors import NotFound
from firkin.images.image import Image
from firkin.images.resolve import HOST_ID, display, find
from firkin.images.tables import ImageTable
from firkin.oci.image import ImageConfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firkin.config import Config
    from firkin.db.connection import Database
    from firkin.images.tables import ImageRow
    from firkin.storage.content import BlobStore
    from firkin.storage.layers import LayerStore


class Shelf:
    """The parts, by name; no verbs but ``resolve``."""

    def __init__(self, config: Config, db: Database, blobs: BlobStore, layers: LayerStore) -> None:
        self.paths = config.paths
        self.db = db
        self.blobs = blobs
        self.layers = layers
        self.table = ImageTable(db)

    def resolve(self, reference: str) -> Image:
        """Return the image that a name, ``name@digest``, id or unique beginning of an id leads to.

        ``host`` is built in. Raises NoSuchImage (with the nearest known name), AmbiguousImage, InvalidArgument.
        """
        return self.image(find(self.table, reference))

    def image(self, found: ImageRow | str) -> Image:
        """Return the record of a row (or of HOST_ID)."""
        if isinstance(found, str):
            from firkin.images.host import host_image

            return host_image(self.table.names_of(HOST_ID))
        config = ImageConfig.trusted(found.config)
        try:
            lowers = tuple(map(self.layers.path, config.diff_ids[found.base :][::-1]))
        except NotFound:
            lowers = self._restored(found)
        return Image(
            id=found.id,
            references=tuple(map(display, found.names)),
            digests=tuple(map(display, found.digests)),
            config=config,
            lowers=lowers,
            size=found.size,
            created_ns=found.created_ns,
            loaded_ns=found.loaded_ns,
        )

    def _restored(self, row: ImageRow) -> tuple[str, ...]:
        """Unpack again what a power cut took."""
        from firkin.images.bring import restore
        from firkin.images.content_lock import Bringing

        rows = self.table.layers(row.id)
        with Bringing(self.paths):
            for layer in rows:
                if not self.layers.has(layer.diff_id):
                    restore(self.blobs, self.layers, layer)
        return tuple(self.layers.path(layer.diff_id) for layer in rows[row.base :][::-1])
