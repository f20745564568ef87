"""The image configuration (OCI image-spec 1.1, config.md; Docker's image JSON v1.2), read strictly.

    parse(bytes from a stranger) -> every field checked          (load, import, pull)
    trusted(our own row)         -> the same record, unchecked   (run: the C scanner alone, no import)

``to_json`` writes the OCI form; ``parse(x.to_json()) == x`` and ``trusted(x.to_json()) == x``.
"""

from __future__ import annotations

from firkin.oci.manifest import digest_at
from firkin.oci.strict import Node, parse
from firkin.record import Record
from firkin.wire import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_HEALTH_TIMES = ("Interval", "Timeout", "StartPeriod", "StartInterval", "Retries")
_HISTORY = ("created", "created_by", "author", "comment")
_PORT = frozenset("0123456789-")
MAX_LAYERS = 1024


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
        root = parse(data, file)
        root.object()
        _check(root)
        return _build(root.value)

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


def _check(root: Node) -> None:
    for key in ("architecture", "os", "variant", "os.version", "author", "comment", "docker_version"):
        root[key].string()
    root["os.features"].strings()
    _check_time(root["created"])
    _check_inner(root["config"])
    _check_rootfs(root["rootfs"])
    for step in root["history"].items():
        if not step.present:
            step.fail("an object")
        for key in _HISTORY[1:]:
            step[key].string()
        _check_time(step["created"])
        step["empty_layer"].boolean()


def _check_inner(config: Node) -> None:
    for key in ("Env", "Cmd", "Entrypoint", "Shell", "OnBuild"):
        config[key].strings()
    for item in config["Env"].items():
        if item.value[:1] in {"", "="}:
            item.fail("NAME=value", ascii(item.value[:60]))
    for key in ("User", "WorkingDir", "StopSignal"):
        config[key].string()
    config["Labels"].string_map()
    config["ArgsEscaped"].boolean()
    for volume in config["Volumes"].keys():  # noqa: SIM118 - a Node is no dict
        if not volume:
            config["Volumes"].fail("paths", "an empty one")
    for port in config["ExposedPorts"].keys():  # noqa: SIM118
        number, _, protocol = port.partition("/")
        if not number or not _PORT.issuperset(number) or protocol not in {"", "tcp", "udp", "sctp"}:
            config["ExposedPorts"].fail("ports like 80/tcp", ascii(port[:60]))
    health = config["Healthcheck"]
    if health.present:
        health["Test"].strings()
        for key in _HEALTH_TIMES:
            health[key].integer()


def _check_rootfs(rootfs: Node) -> None:
    kind = rootfs["type"].string("layers")
    if kind != "layers":
        rootfs["type"].fail("layers", ascii(kind[:60]))
    for count, item in enumerate(rootfs["diff_ids"].items()):
        digest_at(item)
        if count >= MAX_LAYERS:
            rootfs["diff_ids"].fail(f"at most {MAX_LAYERS} layers", "more")


def _check_time(node: Node) -> None:
    text = node.string()
    if text and parse_time(text) is None:
        node.fail("a time as RFC 3339 has it", ascii(text[:60]))


def parse_time(text: str) -> int | None:
    """Return nanoseconds since the epoch for ``2026-11-24T06:45:09.766103781Z`` or an offset instead of Z.

    0 for times before 1970 (Go's zero time among them); None for what is no time.
    """
    try:
        year, month, day = int(text[0:4]), int(text[5:7]), int(text[8:10])
        hour, minute, second = int(text[11:13]), int(text[14:16]), int(text[17:19])
        marks = text[4] + text[7] + text[10] + text[13] + text[16]
        rest, nanoseconds = text[19:], 0
        if rest.startswith((".", ",")):
            digits = rest[1 : 1 + len(rest[1:]) - len(rest[1:].lstrip("0123456789"))]
            nanoseconds, rest = int(digits[:9].ljust(9, "0")), rest[1 + len(digits) :]
        offset = 0 if rest in {"Z", "z"} else _offset(rest)
    except (ValueError, IndexError):
        return None
    if marks.upper() != "--T::" or not text.isascii():
        return None
    if not (1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second <= 60):
        return None
    days = _days(year, month, day)
    return max(0, (days * 86400 + hour * 3600 + minute * 60 + second - offset) * 1_000_000_000 + nanoseconds)


def _offset(text: str) -> int:
    if len(text) != 6 or text[3] != ":" or text[0] not in "+-":
        raise ValueError(text)
    seconds = int(text[1:3]) * 3600 + int(text[4:6]) * 60
    return -seconds if text[0] == "-" else seconds


def _days(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01 in the proleptic Gregorian calendar (datetime costs 2 ms to import)."""
    shifted = year - (month <= 2)
    era, of_era = divmod(shifted, 400)
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468
