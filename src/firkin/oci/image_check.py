"""The checks of a stranger's image configuration: each field that is used has the type that config.md gives it."""

from __future__ import annotations

from firkin.oci.manifest import digest_at
from firkin.oci.strict import parse
from firkin.oci.times import parse_time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from firkin.oci.strict import Node

_HEALTH_TIMES = ("Interval", "Timeout", "StartPeriod", "StartInterval", "Retries")
_HISTORY = ("created", "created_by", "author", "comment")
_PORT = frozenset("0123456789-")
MAX_LAYERS = 1024


def checked(data: bytes, file: str) -> dict[str, Any]:
    """Return the document. Raises BadMetadata naming ``file`` and the field."""
    root = parse(data, file)
    root.object()
    _check(root)
    return root.object()


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
    for port in config["ExposedPorts"].keys():  # noqa: SIM118 - a Node is no dict
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
