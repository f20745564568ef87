"""``firkin inspect`` of an image: docker's JSON (Engine API 1.47, ImageInspect)."""

from __future__ import annotations

from firkin.images.image import HOST
from firkin.images.resolve import find
from firkin.units import rfc3339

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from firkin.images.image import Image
    from firkin.images.shelf import Shelf
    from firkin.oci.image import ImageConfig


def inspect(store: Shelf, text: str) -> dict[str, Any]:
    """Return docker's fields; those docker drops when empty (Variant, OsVersion, Comment stays) are dropped too."""
    found = find(store.table, text)
    image = store.image(found)
    config = image.config
    document: dict[str, Any] = {
        "Id": image.id,
        "RepoTags": list(image.references),
        "RepoDigests": list(image.digests),
        "Parent": "",
        "Comment": config.comment or _last_comment(config),
        "Created": config.created or rfc3339(image.created_ns),
        "DockerVersion": config.docker_version,
        "Author": config.author,
        "Config": docker_config(config),
        "Architecture": config.architecture,
        "Variant": config.variant,
        "Os": config.os,
        "OsVersion": config.os_version,
        "Size": image.size,
        "GraphDriver": _graph_driver(image),
        "RootFS": {"Type": "layers", "Layers": list(config.diff_ids)},
        "Metadata": {"LastTagTime": rfc3339(store.table.last_tagged(image.id))},
    }
    if isinstance(found, str):
        document["Firkin"] = {"Builtin": "host", "Masked": list(image.masks)}
    elif found.manifest:
        document["Descriptor"] = _descriptor(store, found.manifest)
    for key in ("Variant", "OsVersion", "DockerVersion"):
        if not document[key]:
            del document[key]
    return document


def docker_config(config: ImageConfig) -> dict[str, Any]:
    """Return docker's container configuration of an image, in docker's order."""
    document: dict[str, Any] = {
        "Hostname": "",
        "Domainname": "",
        "User": config.user,
        "AttachStdin": False,
        "AttachStdout": False,
        "AttachStderr": False,
        "ExposedPorts": {port: {} for port in config.exposed_ports},
        "Tty": False,
        "OpenStdin": False,
        "StdinOnce": False,
        "Env": _list(config.env),
        "Cmd": _list(config.cmd),
        "Healthcheck": config.healthcheck,
        "ArgsEscaped": config.args_escaped,
        "Image": "",
        "Volumes": {path: {} for path in config.volumes} or None,
        "WorkingDir": config.working_dir,
        "Entrypoint": _list(config.entrypoint),
        "OnBuild": _list(config.on_build),
        "Labels": config.labels or None,
        "StopSignal": config.stop_signal,
        "Shell": _list(config.shell),
    }
    for key in ("ExposedPorts", "Healthcheck", "ArgsEscaped", "StopSignal", "Shell"):
        if not document[key]:
            del document[key]
    return document


def _list(value: tuple[str, ...] | None) -> list[str] | None:
    return None if value is None else list(value)


def _last_comment(config: ImageConfig) -> str:
    return str(config.history[-1].get("comment") or "") if config.history else ""


def _graph_driver(image: Image) -> dict[str, Any]:
    data: dict[str, str] = {}
    if image.lowers:
        # docker's overlay2: the top layer is its UpperDir, the rest LowerDir.
        data["UpperDir"] = image.lowers[0]
        if len(image.lowers) > 1:
            data["LowerDir"] = ":".join(image.lowers[1:])
    if image.kind == HOST:
        data = {"LowerDir": "/"}
    return {"Name": "overlay2", "Data": data}


def _descriptor(store: Shelf, digest: str) -> dict[str, Any]:
    from firkin.oci.manifest import OCI_MANIFEST, parse_manifest

    data = store.blobs.read(digest)
    return {
        "mediaType": parse_manifest(data, digest).media_type or OCI_MANIFEST,
        "digest": digest,
        "size": len(data),
    }
