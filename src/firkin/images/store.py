"""The images of one root: each verb in its own file, found here under one roof.

``resolve`` is on the way of ``run``: one query, no import. Everything else imports what it needs when it is asked.
"""

from __future__ import annotations

from firkin.images.resolve import find
from firkin.images.shelf import Shelf

TYPE_CHECKING = False
if TYPE_CHECKING:
    import builtins
    from collections.abc import Callable, Sequence
    from typing import Any

    from firkin.images.image import Image, Listed, Loaded, Removed, UsedBy
    from firkin.oci.platform import Platform
    from firkin.storage.content import Readable


class ImageStore(Shelf):
    """Names, configurations and layers of images. Errors: NoSuchImage, AmbiguousImage, BrokenArchive, kinds.

    ``ImageStore(config, db, blobs, layers)``; ``resolve(reference) -> Image`` is inherited.
    """

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

    def hold(self, identifier: str) -> None:
        """Raise NoSuchImage unless the image is (still) there.

        For whoever inserts a container: called in the same transaction as the insert, it closes the gap between
        ``resolve`` and a removal by another command (which asks who uses the image in its own transaction).
        """
        find(self.table, identifier)

    def recover(self, used_by: UsedBy | Callable[[], UsedBy] | None = None) -> builtins.list[str]:
        """Finish what killed commands left: content without rows, images that the last container let go.

        Cheap when nothing happened (one directory, one query). Returns what was removed. For the command that repairs
        what a killed one left, and for the removal of a container.
        """
        from firkin.images.prune import recover

        return recover(self, used_by)


def _platform(given: Platform | str | None) -> Platform | None:
    if not isinstance(given, str):
        return given
    from firkin.oci.platform import parse_platform

    return parse_platform(given) if given else None
