"""``engine.containers``, ``engine.images``, ``engine.volumes``: list, get and what needs no object first."""

from __future__ import annotations

import os

from firkin.errors import InvalidArgument
from firkin.sdk.container import Container
from firkin.sdk.image import Image, remove_image

TYPE_CHECKING = False
if TYPE_CHECKING:
    import builtins
    from collections.abc import Mapping, Sequence
    from typing import BinaryIO

    from firkin.sdk.connection import Connection
    from firkin.storage.volumes import Volume


class Containers:
    """The containers of an engine."""

    def __init__(self, engine: Connection) -> None:
        self._engine = engine

    def list(self, all: bool = False) -> builtins.list[Container]:
        """Return the running ones, or ``all``; newest first."""
        from firkin.engine.listing import ps

        return [Container(self._engine, row.id) for row in ps(self._engine.context(), all=all)]

    def get(self, reference: str) -> Container:
        """Return the one with this name, id or unique beginning of an id. Raises NotFound."""
        from firkin.engine.container import find

        return Container(self._engine, find(self._engine.context(), reference).id)


class Images:
    """The images of an engine."""

    def __init__(self, engine: Connection) -> None:
        self._engine = engine

    def list(self) -> builtins.list[Image]:
        """Return all images that are stored, newest first."""
        return [Image(self._engine, i.id, i.references) for i in self._engine.context().images.list()]

    def get(self, reference: str) -> Image:
        """Return the image with this name, digest or unique beginning of an id. Raises NotFound."""
        found = self._engine.context().images.resolve(reference)
        return Image(self._engine, found.id, found.references)

    def load(self, source: str | os.PathLike[str] | BinaryIO) -> builtins.list[Image]:
        """Load what ``docker save`` or skopeo wrote, or an OCI layout directory: a path or a binary stream.

        Raises InvalidArgument for an archive that is corrupt, cut short or hostile, ResourceExhausted past the limits;
        then nothing has changed.
        """
        loaded = self._engine.context().images.load(_source(source))
        return [self.get(one.id) for one in loaded]

    def import_(
        self,
        source: str | os.PathLike[str] | BinaryIO,
        reference: str = "",
        *,
        changes: Sequence[str] = (),
        message: str = "",
    ) -> Image:
        """Make an image of a root file system: a tar file's path, a directory's path or a binary stream.

        ``changes`` are Dockerfile instructions: CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, USER, VOLUME, WORKDIR...
        Raises as ``load``.
        """
        made = self._engine.context().images.import_(
            _source(source), changes=tuple(changes), message=message, reference=reference or None
        )
        return self.get(made.id)

    def remove(self, reference: str, force: bool = False) -> None:
        """Remove an image or one of its names. Raises NotFound, InUse."""
        remove_image(self._engine, reference, force=force)


class Volumes:
    """The named volumes of an engine."""

    def __init__(self, engine: Connection) -> None:
        self._engine = engine

    def list(self) -> builtins.list[Volume]:
        """Return all volumes, by name."""
        return self._engine.context().volumes.list()

    def get(self, name: str) -> Volume:
        """Return one volume. Raises NotFound."""
        return self._engine.context().volumes.get(name)

    def create(self, name: str | None = None, labels: Mapping[str, str] | None = None) -> Volume:
        """Make a volume (without ``name`` an anonymous one), or return the one that has the name."""
        return self._engine.context().volumes.create(name, dict(labels or {}))

    def remove(self, name: str) -> None:
        """Remove a volume and its content. Raises NotFound, InUse (by which container)."""
        from firkin.engine.listing import ps

        context = self._engine.context()
        users = ps(context, all=True, filters={"volume": [name]})
        context.volumes.remove(name, used_by=[str(one.placeholders()["Names"]) for one in users])


def _source(source: str | os.PathLike[str] | BinaryIO) -> str | BinaryIO:
    if isinstance(source, os.PathLike):
        return os.fspath(source)
    if isinstance(source, str) or hasattr(source, "read"):
        return source
    raise InvalidArgument(
        f"a {type(source).__name__} is neither a path nor a binary stream",
        hint="open it first, or wrap bytes in io.BytesIO",
    )
