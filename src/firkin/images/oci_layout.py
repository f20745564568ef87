"""The OCI image layout (image-spec 1.1, image-layout.md), in a tar or a directory; docker 25 and later save the same.

    oci-layout              {"imageLayoutVersion": "1.0.0"}
    index.json              descriptors of manifests, or of further indexes (one image for several platforms)
    blobs/sha256/HEX        everything else
    manifest.json           (docker's) names of the images by configuration

A name comes from the annotation io.containerd.image.name (whole) or org.opencontainers.image.ref.name, which is a whole
name (busybox:latest), a repository (busybox) or, where a writer keeps but the tag there, "latest": then docker's
manifest.json is asked, and without one the image has no name.
"""

from __future__ import annotations

from firkin.errors import InvalidArgument, NotFound, Unsupported
from firkin.images import docker_archive
from firkin.images.archive import BrokenArchive
from firkin.images.candidate import Candidate, LayerSource, read_config, read_verified
from firkin.oci import reference
from firkin.oci.digest import PREFIX, hex_of
from firkin.oci.manifest import (
    CONTAINERD_NAME,
    DOCKER_CONFIG,
    OCI_CONFIG,
    REF_NAME,
    Index,
    Manifest,
    parse_manifest,
)
from firkin.oci.platform import Platform, host_platform, rank
from firkin.oci.strict import parse
from firkin.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firkin.images.archive import Archive
    from firkin.oci.manifest import Descriptor

INDEX = "index.json"
LAYOUT = "oci-layout"
_ATTESTATION = "vnd.docker.reference.type"
_CONFIGS = frozenset({"", OCI_CONFIG, DOCKER_CONFIG})
_NESTED = 4
_MOST_MANIFESTS = 2000


class NoPlatform(NotFound):
    """None of an image's platforms is the one asked for; ``fields['available']``."""


class _Choice(Record):
    """One manifest that may be wanted, with its platform (from the index, else from its configuration)."""

    manifest: Manifest
    document: bytes
    digest: str
    platform: Platform


def read(archive: Archive, platform: Platform | None = None) -> list[Candidate]:
    """Return one candidate for each name of index.json (or each nameless image).

    Of several platforms the one that suits ``platform`` best (this machine by default) is taken; a single one is
    taken as it is unless ``platform`` is given. Raises NoPlatform, BrokenArchive, InvalidArgument.
    """
    _check_version(archive)
    index = parse_manifest(archive.read(INDEX), f"{archive.title}: {INDEX}")
    if not isinstance(index, Index) or not index.manifests:
        raise BrokenArchive(archive.title, "it lists no image", INDEX)
    legacy = _legacy_names(archive)
    groups: dict[str, list[_Choice]] = {}
    for descriptor in index.manifests:
        name = _name(descriptor, f"{archive.title}: {INDEX}")
        choices = _choices(archive, descriptor, 0)
        # Nameless manifests with a platform are one image for several; without, each is an image of its own.
        key = name or ("" if descriptor.platform else f"\0{descriptor.digest}")
        groups.setdefault(key, []).extend(choices)
    found: dict[str, Candidate] = {}
    for key, choices in groups.items():
        if not choices:
            continue
        chosen = _best(archive, choices, platform, key.strip("\0"))
        candidate = _candidate(archive, chosen)
        names = (key,) if key and not key.startswith("\0") else legacy.get(candidate.id, ())
        have = found.get(chosen.digest, candidate)
        found[chosen.digest] = have.replace(names=tuple(dict.fromkeys((*have.names, *names))))
    if not found:
        raise BrokenArchive(archive.title, "it holds attestations only, no image", INDEX)
    return list(found.values())


def _check_version(archive: Archive) -> None:
    if archive.has(LAYOUT):
        node = parse(archive.read(LAYOUT), f"{archive.title}: {LAYOUT}")["imageLayoutVersion"]
        if node.required().split(".")[0] != "1":
            node.fail("1.0.0", ascii(node.value[:20]))


def _blob(digest: str) -> str:
    return f"blobs/sha256/{hex_of(digest)}"


def _name(descriptor: Descriptor, file: str) -> str:
    """Return the canonical name in the annotations, or ""."""
    text = descriptor.annotations.get(CONTAINERD_NAME) or descriptor.annotations.get(REF_NAME) or ""
    if text in {"", reference.DEFAULT_TAG}:
        return ""
    try:
        ref = reference.parse(text)
    except InvalidArgument as error:
        raise InvalidArgument(
            f"{file}: annotation {REF_NAME}: expected an image name, found {text[:60]!a} ({error.message})"
        ) from None
    return ref.tagged


def _legacy_names(archive: Archive) -> dict[str, tuple[str, ...]]:
    """Return image id -> names of docker's manifest.json beside the index."""
    if not archive.has(docker_archive.MANIFEST):
        return {}
    root = parse(archive.read(docker_archive.MANIFEST), f"{archive.title}: {docker_archive.MANIFEST}")
    out: dict[str, tuple[str, ...]] = {}
    for item in root.items():
        identifier = PREFIX + item["Config"].string().rpartition("/")[2].removesuffix(".json")
        out[identifier] = (*out.get(identifier, ()), *docker_archive.tags(item["RepoTags"]))
    return out


def _choices(archive: Archive, descriptor: Descriptor, depth: int) -> list[_Choice]:
    """Return the manifests that ``descriptor`` leads to, those that the archive holds."""
    if descriptor.annotations.get(_ATTESTATION) or _is_unknown(descriptor.platform):
        return []
    file = _blob(descriptor.digest)
    document = read_verified(archive, file, descriptor.digest, descriptor.size)
    found = parse_manifest(document, f"{archive.title}: {file}", descriptor.media_type)
    if isinstance(found, Manifest):
        return [_choice(archive, descriptor, found, document)]
    if depth >= _NESTED or len(found.manifests) > _MOST_MANIFESTS:
        raise BrokenArchive(archive.title, "indexes nested too deeply, or too large", file)
    # docker and skopeo save one platform of an index; the others' blobs are not there, which is no fault.
    present = [inner for inner in found.manifests if archive.has(_blob(inner.digest))]
    if not present and found.manifests:
        raise BrokenArchive(
            archive.title, "not in the archive", _blob(found.manifests[0].digest), hint="get it again"
        )
    return [choice for inner in present for choice in _choices(archive, inner, depth + 1)]


def _choice(archive: Archive, descriptor: Descriptor, manifest: Manifest, document: bytes) -> _Choice:
    platform = descriptor.platform
    if platform is None or not platform.architecture:
        file = _blob(manifest.config.digest)
        _, _, config = read_config(archive, file, manifest.config.digest, manifest.config.size)
        platform = Platform(os=config.os, architecture=config.architecture, variant=config.variant)
    return _Choice(manifest=manifest, document=document, digest=descriptor.digest, platform=platform)


def _is_unknown(platform: Platform | None) -> bool:
    return platform is not None and platform.os == "unknown" and platform.architecture == "unknown"


def _best(archive: Archive, choices: list[_Choice], wanted: Platform | None, name: str) -> _Choice:
    different = list({choice.digest: choice for choice in choices}.values())
    if len(different) == 1 and wanted is None:
        return different[0]
    target = wanted or host_platform()
    ranked = [
        (level, place)
        for place, choice in enumerate(different)
        if (level := rank(choice.platform, target)) is not None
    ]
    if not ranked:
        available = ", ".join(sorted({str(choice.platform) for choice in different}))
        what = reference.familiar(name) if ":" in name and not name.startswith(PREFIX) else "the image"
        raise NoPlatform(
            f"{archive.title}: {what} is not there for {target}, only for {available}",
            hint="choose one of these with --platform" if wanted is None else None,
            available=available,
        )
    return different[min(ranked)[1]]


def _candidate(archive: Archive, choice: _Choice) -> Candidate:
    manifest = choice.manifest
    file = _blob(manifest.config.digest)
    if manifest.config.media_type not in _CONFIGS:
        raise Unsupported(
            f"{archive.title}: {file}: an artifact of type {manifest.config.media_type[:80]!a}, not an image"
        )
    identifier, document, config = read_config(archive, file, manifest.config.digest, manifest.config.size)
    if len(manifest.layers) != len(config.diff_ids):
        raise BrokenArchive(
            archive.title,
            f"{len(config.diff_ids)} diff ids, its manifest has {len(manifest.layers)} layers",
            file,
        )
    layers = []
    for descriptor, diff_id in zip(manifest.layers, config.diff_ids, strict=True):
        name = _blob(descriptor.digest)
        if (size := archive.size(name)) != descriptor.size:
            raise BrokenArchive(archive.title, f"{size} bytes, its descriptor says {descriptor.size}", name)
        layers.append(
            LayerSource(
                file=name,
                diff_id=diff_id,
                media_type=descriptor.media_type,
                digest=descriptor.digest,
                size=descriptor.size,
            )
        )
    return Candidate(
        id=identifier, config=config, document=document, layers=tuple(layers), manifest=choice.document
    )
