"""Manifests, indexes and descriptors: OCI image-spec 1.1 and Docker's v2 schema 2. Pure, strict."""

from __future__ import annotations

from firkin.errors import InvalidArgument, Unsupported
from firkin.oci.digest import check_digest
from firkin.oci.platform import Platform
from firkin.oci.strict import parse
from firkin.record import Record
from firkin.wire import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firkin.oci.strict import Node

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
DOCKER_MANIFEST_V1 = "application/vnd.docker.distribution.manifest.v1"
INDEXES = frozenset({OCI_INDEX, DOCKER_LIST})
MANIFESTS = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
REF_NAME = "org.opencontainers.image.ref.name"
CONTAINERD_NAME = "io.containerd.image.name"
MAX_SIZE = 1 << 50


class Descriptor(Record):
    media_type: str
    digest: str
    size: int
    annotations: dict[str, str] = {}
    platform: Platform | None = None
    artifact_type: str = ""

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form."""
        out: dict[str, object] = {"mediaType": self.media_type, "digest": self.digest, "size": self.size}
        if self.annotations:
            out["annotations"] = dict(self.annotations)
        return out


class Manifest(Record):
    media_type: str
    config: Descriptor
    layers: tuple[Descriptor, ...]
    annotations: dict[str, str] = {}
    subject: Descriptor | None = None

    def to_json(self) -> bytes:
        """Return a compact document with keys in the specification's order."""
        value: dict[str, object] = {
            "schemaVersion": 2,
            "mediaType": self.media_type,
            "config": self.config.to_dict(),
            "layers": [layer.to_dict() for layer in self.layers],
        }
        if self.annotations:
            value["annotations"] = self.annotations
        return json.dumps(value).encode()


class Index(Record):
    media_type: str
    manifests: tuple[Descriptor, ...]
    annotations: dict[str, str] = {}


def parse_manifest(data: bytes, file: str, media_type: str = "") -> Manifest | Index:
    """Return what the document is; ``media_type`` is what its descriptor promised.

    Raises BadMetadata (with ``file`` and the field), Unsupported for schema 1.
    """
    node = parse(data, file)
    version = node["schemaVersion"].integer()
    stated = node["mediaType"].string()
    if version == 1 or stated.startswith(DOCKER_MANIFEST_V1):
        raise Unsupported(f"{file}: manifest schema 1 is not supported", hint="pull or save the image anew")
    if version != 2:
        node["schemaVersion"].fail("2", str(version))
    if media_type and stated and stated != media_type:
        node["mediaType"].fail(media_type, stated)
    index = node["manifests"].present
    if index and (node["layers"].present or node["config"].present):
        # CVE-2021-41190: a document that is both could be read either way.
        node.fail("either an index or a manifest", "both")
    kind = stated or media_type or (OCI_INDEX if index else OCI_MANIFEST)
    if (kind in INDEXES) != index and kind in INDEXES | MANIFESTS:
        node.fail(f"a document of type {kind}", "an index" if index else "no manifests")
    if index:
        return Index(
            media_type=kind,
            manifests=tuple(parse_descriptor(item) for item in node["manifests"].items()),
            annotations=node["annotations"].string_map(),
        )
    if not node["config"].present:
        node["config"].fail("a descriptor", "nothing")
    subject = node["subject"]
    return Manifest(
        media_type=kind,
        config=parse_descriptor(node["config"]),
        layers=tuple(parse_descriptor(item) for item in node["layers"].items()),
        annotations=node["annotations"].string_map(),
        subject=parse_descriptor(subject) if subject.present else None,
    )


def parse_descriptor(node: Node) -> Descriptor:
    """Return the descriptor at ``node``; digest and size are required."""
    if not node["size"].present:
        node["size"].fail("a size in bytes", "nothing")
    size = node["size"].integer()
    if size > MAX_SIZE:
        node["size"].fail("a size below 1 PiB", str(size))
    if any(True for _ in node["urls"].items()) and "foreign" in node["mediaType"].string():
        raise Unsupported(f"{node.file}: {node.field} is a foreign layer, whose content is elsewhere")
    platform = node["platform"]
    return Descriptor(
        media_type=node["mediaType"].string(),
        digest=digest_at(node["digest"]),
        size=size,
        annotations=node["annotations"].string_map(),
        platform=parse_platform_object(platform) if platform.present else None,
        artifact_type=node["artifactType"].string(),
    )


def parse_platform_object(node: Node) -> Platform:
    return Platform(
        os=node["os"].string(),
        architecture=node["architecture"].string(),
        variant=node["variant"].string(),
        os_version=node["os.version"].string(),
        os_features=node["os.features"].strings() or (),
    )


def digest_at(node: Node) -> str:
    """Return the digest at ``node``, or refuse naming the field."""
    text = node.required()
    try:
        return check_digest(text)
    except InvalidArgument:
        node.fail("sha256: and 64 hex digits", ascii(text[:80]))
    except Unsupported as error:
        raise Unsupported(f"{node.file}: {node.field}: {error.message}", hint=error.hint) from None
