"""The image configuration (OCI image-spec 1.1, config.md; Docker's image JSON v1.2), read strictly.

    parse(bytes from a stranger) -> every field checked          (load, import, pull)
    trusted(our own row)         -> the same record, unchecked   (run: the C scanner alone, no import)

``to_json`` writes the OCI form; ``parse(x.to_json()) == x`` and ``trusted(x.to_json()) == x``.
"""

from __future__ import annotations

from firkin.record import Record
from firkin.wire import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class ImageConfig(Record):
    """What an image says about itself. Tuples that are None were absent or null (inspect shows the difference)."""

    architecture: str = ""
    os: str = "linux"
    variant: str = ""
    os_version: str = ""
    os_features: tuple[str, ...] = ()
    created: str = ""
    author: str = ""
    comment: str = ""
    docker_version: str = ""
    env: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    shell: tuple[str, ...] | None = None
    on_build: tuple[str, ...] | None = None
    user: str = ""
    working_dir: str = ""
    labels: dict[str, str] = {}
    exposed_ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    stop_signal: str = ""
    args_escaped: bool = False
    healthcheck: dict[str, Any] | None = None
    diff_ids: tuple[str, ...] = ()
    history: tuple[dict[str, Any], ...] = ()

    @classmethod
    def parse(cls, data: bytes, file: str = "image configuration") -> ImageConfig:
        """Read a stranger's document of at most 8 MiB. Raises InvalidArgument naming ``file`` and the field."""
        from firkin.oci.image_check import checked

        return _build(checked(data, file))

    @classmethod
    def trusted(cls, text: str) -> ImageConfig:
        """Read what ``to_json`` wrote and we stored; nothing is checked."""
        return _build(json.loads(text))

    def to_json(self) -> bytes:
        """Return the OCI document, compact, with the specification's names."""
        return json.dumps(_document(self)).encode()

    @property
    def created_ns(self) -> int:
        """Nanoseconds since the epoch; 0 where the time is absent or before 1970."""
        from firkin.oci.times import parse_time

        return parse_time(self.created) or 0


def _tuple(value: list[str] | None) -> tuple[str, ...] | None:
    return None if value is None else tuple(value)


def _build(data: dict[str, Any]) -> ImageConfig:
    inner = data.get("config") or {}
    rootfs = data.get("rootfs") or {}
    return ImageConfig(
        architecture=data.get("architecture") or "",
        os=data.get("os") or "linux",
        variant=data.get("variant") or "",
        os_version=data.get("os.version") or "",
        os_features=tuple(data.get("os.features") or ()),
        created=data.get("created") or "",
        author=data.get("author") or "",
        comment=data.get("comment") or "",
        docker_version=data.get("docker_version") or "",
        env=_tuple(inner.get("Env")),
        cmd=_tuple(inner.get("Cmd")),
        entrypoint=_tuple(inner.get("Entrypoint")),
        shell=_tuple(inner.get("Shell")),
        on_build=_tuple(inner.get("OnBuild")),
        user=inner.get("User") or "",
        working_dir=inner.get("WorkingDir") or "",
        labels=inner.get("Labels") or {},
        exposed_ports=tuple(inner.get("ExposedPorts") or ()),
        volumes=tuple(inner.get("Volumes") or ()),
        stop_signal=inner.get("StopSignal") or "",
        args_escaped=bool(inner.get("ArgsEscaped")),
        healthcheck=inner.get("Healthcheck"),
        diff_ids=tuple(rootfs.get("diff_ids") or ()),
        history=tuple(data.get("history") or ()),
    )


def _document(image: ImageConfig) -> dict[str, Any]:
    inner: dict[str, Any] = {
        "User": image.user,
        "ExposedPorts": {port: {} for port in image.exposed_ports},
        "Env": _list(image.env),
        "Entrypoint": _list(image.entrypoint),
        "Cmd": _list(image.cmd),
        "Volumes": {path: {} for path in image.volumes},
        "WorkingDir": image.working_dir,
        "Labels": image.labels,
        "StopSignal": image.stop_signal,
        "ArgsEscaped": image.args_escaped,
        "Healthcheck": image.healthcheck,
        "OnBuild": _list(image.on_build),
        "Shell": _list(image.shell),
    }
    outer: dict[str, Any] = {
        "created": image.created,
        "author": image.author,
        "architecture": image.architecture,
        "variant": image.variant,
        "os": image.os,
        "os.version": image.os_version,
        "os.features": list(image.os_features),
        "comment": image.comment,
        "docker_version": image.docker_version,
    }
    # An empty Cmd differs from none (it was reset); everything else that is empty is absent.
    kept = {
        key: value for key, value in inner.items() if value or (value is not None and isinstance(value, list))
    }
    return {
        **{key: value for key, value in outer.items() if value or key in {"architecture", "os"}},
        "config": kept,
        "rootfs": {"type": "layers", "diff_ids": list(image.diff_ids)},
        "history": list(image.history),
    }


def _list(value: tuple[str, ...] | None) -> list[str] | None:
    return None if value is None else list(value)
