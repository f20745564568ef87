"""``docker save``'s own layout (moby image/spec/v1.2, "Combined Image JSON"), as docker to 24, podman, skopeo write it.

    manifest.json           [{"Config": "HEX.json", "RepoTags": ["busybox:latest"], "Layers": ["HEX/layer.tar"]}]
    HEX.json                the image configuration
    HEX/layer.tar           a layer; or a symbolic link to another image's (../HEX/layer.tar)
    repositories            older still, not read

docker 25 and later put an OCI layout beside the same manifest.json; then oci_layout.py reads it.
"""

from __future__ import annotations

from firkin.errors import InvalidArgument
from firkin.images.archive import BrokenArchive
from firkin.images.candidate import Candidate, LayerSource, read_config
from firkin.oci import reference
from firkin.oci.digest import PREFIX, is_digest
from firkin.oci.strict import parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firkin.images.archive import Archive
    from firkin.oci.strict import Node

MANIFEST = "manifest.json"


def read(archive: Archive) -> list[Candidate]:
    """Return the images of manifest.json. Raises BrokenArchive, InvalidArgument naming file and field."""
    root = parse(archive.read(MANIFEST), f"{archive.title}: {MANIFEST}")
    if not isinstance(root.value, list):
        root.fail("an array of images")
    found = [_image(archive, item) for item in root.items()]
    if not found:
        root.fail("at least one image", "none")
    return found


def tags(node: Node) -> tuple[str, ...]:
    """Return the canonical names in an array of them."""
    out = []
    for item in node.items():
        text = item.required()
        try:
            ref = reference.parse(text)
        except InvalidArgument as error:
            item.fail("an image name", f"{text[:60]!a} ({error.message})")
        if ref.digest is not None:
            item.fail("a name with a tag", ascii(text[:60]))
        out.append(ref.tagged)
    return tuple(dict.fromkeys(out))


def _image(archive: Archive, item: Node) -> Candidate:
    file = item["Config"].required()
    identifier, document, config = read_config(archive, file, _promised(file))
    files = item["Layers"].strings() or ()
    if len(files) != len(config.diff_ids):
        item["Layers"].fail(f"{len(config.diff_ids)} layers, as {file} has", str(len(files)))
    for name in files:
        if not archive.has(name):
            raise BrokenArchive(archive.title, "not in the archive", name, hint="get the archive again")
    layers = tuple(
        LayerSource(file=name, diff_id=diff_id, digest=_promised(name) if name.startswith("blobs/") else None)
        for name, diff_id in zip(files, config.diff_ids, strict=True)
    )
    return Candidate(
        id=identifier, config=config, document=document, layers=layers, names=tags(item["RepoTags"])
    )


def _promised(file: str) -> str | None:
    """Return the digest that a file's name promises, if it does."""
    name = file.rpartition("/")[2].removesuffix(".json")
    return PREFIX + name if is_digest(PREFIX + name) else None
