"""An image as a Python object."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from firkin.sdk.connection import Connection


def remove_image(engine: Connection, reference: str, *, force: bool) -> None:
    """Remove an image or one of its names. Raises NotFound, InUse."""
    from firkin.engine.image_users import image_users
    from firkin.engine.reconcile import reconcile

    context = engine.context()
    if context.opened("db"):
        reconcile(context)  # who runs is asked anew
    context.images.remove(reference, force=force, used_by=image_users(context))


class Image:
    """One image of an engine, by its id."""

    def __init__(self, engine: Connection, identifier: str, tags: tuple[str, ...]) -> None:
        self._engine = engine
        self.id = identifier
        self.tags = tags

    def inspect(self) -> dict[str, Any]:
        """Return docker's JSON of an image."""
        return self._engine.context().images.inspect(self.id)

    def history(self) -> list[dict[str, Any]]:
        """Return its steps, newest first, as ``docker history`` does."""
        return self._engine.context().images.history(self.id)

    def tag(self, name: str) -> None:
        """Give it one more name."""
        self._engine.context().images.tag(self.id, name)

    def remove(self, force: bool = False) -> None:
        """Remove it. Raises InUse when a container needs it."""
        remove_image(self._engine, self.id, force=force)

    def __repr__(self) -> str:
        return f"<firkin.Image {self.id.removeprefix('sha256:')[:12]} {', '.join(self.tags)}>"
