"""The values that leave this room."""

from __future__ import annotations

from firkin.errors import Conflict, NotFound
from firkin.oci.image import ImageConfig  # noqa: TC001 - a field's type, read by callers
from firkin.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    User = tuple[str, bool]  # name or short id of a container, and whether it runs
    UsedBy = Mapping[str, Sequence[User]]  # image id -> the containers that were made of it
    Removed = list[tuple[str, str]]  # ("untagged" | "deleted", what)

IMAGE, HOST = "image", "host"


class Image(Record):
    """An image that is stored, or the built-in ``host``.

    ``lowers`` are the directories to stack, top first; ``references`` and ``digests`` are as listings show them
    (``busybox:latest``, ``busybox@sha256:...``); ``masks`` are the host's paths that ``host`` hides (see host.py).
    """

    id: str
    references: tuple[str, ...]
    digests: tuple[str, ...]
    config: ImageConfig
    lowers: tuple[str, ...]
    size: int
    created_ns: int
    kind: str = IMAGE
    masks: tuple[str, ...] = ()
    loaded_ns: int = 0

    @property
    def dangling(self) -> bool:
        """No name leads to it (listings show ``<none>``)."""
        return not self.references


class Listed(Record):
    """One image of a listing; sizes in bytes."""

    image: Image
    size: int
    shared: int
    unique: int


class Loaded(Record):
    """What one image of an archive became: ``reference`` is "" where it has no name."""

    id: str
    reference: str = ""

    def __str__(self) -> str:
        return f"Loaded image: {self.reference}" if self.reference else f"Loaded image ID: {self.id}"


class NoSuchImage(NotFound):
    """Neither a name nor the beginning of an id."""


class AmbiguousImage(Conflict):
    """The beginning of more than one id; ``fields['candidates']``."""
