"""What a layout reader found, checked against itself, before anything is unpacked."""

from __future__ import annotations

from firkin.images.archive import BrokenArchive
from firkin.oci.image import ImageConfig
from firkin.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firkin.images.archive import Archive


class LayerSource(Record):
    """One layer of a candidate: ``file`` in the archive; ``digest`` and ``size`` are what was promised of the file."""

    file: str
    diff_id: str
    media_type: str = ""
    digest: str | None = None
    size: int | None = None


class Candidate(Record):
    """One image of an archive.

    ``names`` are canonical (docker.io/library/busybox:latest); ``manifest`` is the document that its digest names, or
    None where the archive has none (docker's legacy layout).
    """

    id: str
    config: ImageConfig
    document: bytes
    layers: tuple[LayerSource, ...]
    names: tuple[str, ...] = ()
    manifest: bytes | None = None


def read_config(
    archive: Archive, file: str, expected: str | None, size: int | None = None
) -> tuple[str, bytes, ImageConfig]:
    """Return (image id, document, configuration). Raises BrokenArchive, InvalidArgument naming file and field."""
    document = read_verified(archive, file, expected, size)
    config = ImageConfig.parse(document, f"{archive.title}: {file}")
    from firkin.oci.digest import sha256

    return sha256(document), document, config


def read_verified(archive: Archive, file: str, expected: str | None, size: int | None = None) -> bytes:
    """Return a metadata file whose digest and size are as promised."""
    from firkin.oci.digest import sha256

    data = archive.read(file)
    if size is not None and len(data) != size:
        raise BrokenArchive(archive.title, f"{len(data)} bytes, its descriptor says {size}", file)
    if expected is not None and (found := sha256(data)) != expected:
        raise BrokenArchive(
            archive.title, f"its digest is {found}, expected {expected}", file, hint="get it again"
        )
    return data
