"""The images of one root: each verb in its own file, found here under one roof.

``resolve`` is on the way of ``run``: one query, no import. Everything else imports what it needs when it is asked.
"""

from __future__ import annotations

from firkin.errors import NotFound
from firkin.images.image import Image
from firkin.images.resolve import HOST_ID, display, find
from firkin.images.tables import ImageTable
from firkin.oci.image import ImageConfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    import builtins
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from firkin.config import Config
    from firkin.db.connection import Database
    from firkin.images.image import Listed, Loaded
    from firkin.images.remove import Removed, User
    from firkin.images.tables import ImageRow
    from firkin.oci.platform import Platform
    from firkin.storage.content import BlobStore, Readable
    from firkin.storage.layers import LayerStore

    # image id -> the containers that were made of it
    UsedBy = Mapping[str, Sequence[User]]


class ImageStore:
    """Names, configurations and layers of images. Errors: NoSuchImage, AmbiguousImage, BrokenArchive, kinds."""

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

    def list(self) -> builtins.list[Image]:
        """Return the stored images, newest first; the built-in host is the last."""
        from firkin.images.listing import images

        return images(self)

    def listing(self) -> builtins.list[Listed]:
        """Return the same with what each shares with others, in bytes."""
        from firkin.images.listing import listing

        return listing(self)

    def load(
        self, source: str | int | Readable, platform: Platform | str | None = None
    ) -> builtins.list[Loaded]:
        """Load an archive: a path (file or OCI layout directory), a descriptor (0 is stdin), a binary stream.

        All of its images or none. Raises NotFound, BrokenArchive, InvalidArgument, ResourceExhausted, Unsupported.
        """
        from firkin.images.load import load

        return load(self, source, _platform(platform))

    def import_(
        self,
        source: str | int | Readable,
        changes: Sequence[str] = (),
        message: str = "",
        reference: str | None = None,
        platform: Platform | str | None = None,
    ) -> Image:
        """Make an image of a root file system: a tar (plain, gzip, zstd, xz, bzip2), a directory or a stream.

        ``changes`` are Dockerfile instructions (images/changes.py). Raises as ``load``.
        """
        from firkin.images.import_ import import_image

        return import_image(self, source, tuple(changes), message, reference, _platform(platform))

    def tag(self, source: str, target: str) -> str:
        """Give an image one more name; return it as listings show it. Raises NoSuchImage, InvalidArgument."""
        from firkin.images.tag import tag

        return tag(self, source, target)

    def remove(
        self,
        reference: str,
        force: bool = False,
        used_by: UsedBy | Callable[[], UsedBy] | None = None,
        *,
        dry_run: bool = False,
    ) -> Removed:
        """Take a name away, and the image with its last one; docker's rules (images/remove.py).

        Returns ("untagged" | "deleted", what) in order. Raises NoSuchImage, InUse, Conflict.
        """
        from firkin.images.remove import remove

        return remove(self, reference, force=force, used_by=used_by, dry_run=dry_run)

    def prune(
        self,
        used_by: UsedBy | Callable[[], UsedBy] | None = None,
        *,
        all: bool = False,
        dry_run: bool = False,
    ) -> tuple[Removed, int]:
        """Remove the nameless images (``all``: those without a container) and content that no row names.

        Returns what was removed, and the bytes of disk that it held.
        """
        from firkin.images.prune import prune

        return prune(self, used_by, everything=all, dry_run=dry_run)

    def inspect(self, reference: str) -> dict[str, Any]:
        """Return docker's JSON of an image."""
        from firkin.images.inspect import inspect

        return inspect(self, reference)

    def history(self, reference: str) -> builtins.list[dict[str, Any]]:
        """Return docker's history, newest first: Id, Created (seconds), CreatedBy, Tags, Size, Comment."""
        from firkin.images.history import history

        return history(self, reference)

    def collect(self, blobs: set[str], layers: set[str]) -> None:
        """Delete those of the given content that no row names, unless somebody is bringing content in."""
        from firkin.images.prune import collect

        if blobs or layers:
            collect(self, blobs, layers)

    def recover(self, used_by: UsedBy | None = None) -> builtins.list[str]:
        """Finish what killed commands left: content without rows, images that the last container let go.

        Cheap when nothing happened (one directory is listed). Returns what was removed.
        """
        from firkin.images.prune import recover

        return recover(self, used_by)


def _platform(given: Platform | str | None) -> Platform | None:
    if not isinstance(given, str):
        return given
    from firkin.oci.platform import parse_platform

    return parse_platform(given) if given else None
