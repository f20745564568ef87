"""Image archives made byte by byte: docker's two layouts, OCI's, honest or not."""

from __future__ import annotations

import gzip
import hashlib
import json

import tarcraft

Files = dict[str, bytes]


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def gzipped(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def layer(files: Files) -> bytes:
    """A layer: a plain tar of ``files`` (a name that ends in / is a directory)."""
    members = [
        tarcraft.directory(name.encode()) if name.endswith("/") else tarcraft.member(name.encode(), data)
        for name, data in files.items()
    ]
    return tarcraft.archive(*members)


def config(layers: list[bytes], **more: object) -> bytes:
    value = {
        "created": "2026-11-24T06:45:09.5Z",
        "architecture": "amd64",
        "os": "linux",
        "config": {"Env": ["PATH=/bin"], "Cmd": ["sh"]},
        "rootfs": {"type": "layers", "diff_ids": [digest(one) for one in layers]},
        "history": [
            {"created": "2026-11-24T06:45:09Z", "created_by": f"step {n}"} for n in range(len(layers))
        ],
        **more,
    }
    return json.dumps(value).encode()


def tar(files: Files, links: dict[str, str] | None = None) -> bytes:
    members = [tarcraft.member(name.encode(), data) for name, data in files.items()]
    members += [tarcraft.symlink(name.encode(), target.encode()) for name, target in (links or {}).items()]
    return tarcraft.archive(*members)


def docker_files(layers: list[bytes], tags: list[str] | None = None, document: bytes | None = None) -> Files:
    """docker's legacy layout; manifest.json comes last, as docker writes it."""
    document = config(layers) if document is None else document
    name = f"{hashlib.sha256(document).hexdigest()}.json"
    files = {name: document}
    names = []
    for number, data in enumerate(layers):
        names.append(f"{number:064x}/layer.tar")
        files[f"{number:064x}/VERSION"] = b"1.0"
        files[names[-1]] = data
    files["manifest.json"] = json.dumps([{"Config": name, "RepoTags": tags, "Layers": names}]).encode()
    return files


def blob(files: Files, data: bytes, media_type: str = "", **more: object) -> dict:
    """Put ``data`` among ``files``; return its descriptor."""
    files[f"blobs/sha256/{hashlib.sha256(data).hexdigest()}"] = data
    return {"mediaType": media_type, "digest": digest(data), "size": len(data), **more}


OCI = "application/vnd.oci.image."


def manifest(files: Files, layers: list[bytes], compress=gzipped, **more: object) -> dict:
    """Put an image among ``files``; return its manifest's descriptor."""
    suffix = "+gzip" if compress is gzipped else ""
    value = {
        "schemaVersion": 2,
        "mediaType": f"{OCI}manifest.v1+json",
        "config": blob(files, config(layers, **more), f"{OCI}config.v1+json"),
        "layers": [blob(files, compress(one), f"{OCI}layer.v1.tar{suffix}") for one in layers],
    }
    return blob(files, json.dumps(value).encode(), value["mediaType"])


def index(files: Files, manifests: list[dict]) -> Files:
    value = {"schemaVersion": 2, "manifests": manifests}
    return {
        **files,
        "index.json": json.dumps(value).encode(),
        "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
    }


def oci_files(layers: list[bytes], name: str | None = "box:1", compress=gzipped) -> Files:
    files: Files = {}
    descriptor = manifest(files, layers, compress)
    if name is not None:
        descriptor["annotations"] = {"org.opencontainers.image.ref.name": name}
    return index(files, [descriptor])
