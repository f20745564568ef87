"""Image + options = what the container is configured to be, by docker's rules (moby's daemon/commit.go merge)."""

from __future__ import annotations

from firkin.errors import InvalidArgument
from firkin.record import Record
from firkin.specgen.options import HealthCheck, Mount

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from firkin.oci.image import ImageConfig
    from firkin.specgen.options import CreateOptions


class Merged(Record):
    """The container's effective configuration, what `docker inspect` shows in Config.

    ``mounts`` are -v, --mount and the image's VOLUMEs (anonymous volumes: type "volume", no source).
    """

    entrypoint: tuple[str, ...]
    cmd: tuple[str, ...]
    env: tuple[str, ...]  # a bare NAME stays, as in docker: it takes the variable away
    user: str
    working_dir: str
    labels: dict[str, str]
    exposed_ports: tuple[str, ...]
    mounts: tuple[Mount, ...]
    stop_signal: str
    healthcheck: HealthCheck | None

    @property
    def args(self) -> tuple[str, ...]:
        """The program and its arguments; empty when there is nothing to run."""
        return self.entrypoint + self.cmd


def merge(options: CreateOptions, image: ImageConfig) -> Merged:
    """Return the effective configuration. Raises InvalidArgument for what the image says wrongly."""
    entrypoint, cmd = options.entrypoint, options.command
    if entrypoint is None:
        # An --entrypoint, the empty one too, takes the image's CMD away with its ENTRYPOINT.
        entrypoint = tuple(image.entrypoint or ())
        cmd = cmd or tuple(image.cmd or ())
    return Merged(
        entrypoint=() if entrypoint == ("",) else entrypoint,
        cmd=cmd,
        env=_env(options.env, image.env or ()),
        user=options.user or image.user or "",
        working_dir=options.workdir or image.working_dir or "",
        labels={**(image.labels or {}), **options.label} if image.labels else options.label,
        exposed_ports=_ports(options, image.exposed_ports or ()),
        mounts=_mounts(options, image.volumes or ()),
        stop_signal=options.stop_signal or image.stop_signal or "",
        healthcheck=_health(options.healthcheck, image.healthcheck),
    )


def _env(own: tuple[str, ...], image: Sequence[str]) -> tuple[str, ...]:
    if not own:
        return tuple(image)
    names = {text.partition("=")[0] for text in own}
    return own + tuple(text for text in image if text.partition("=")[0] not in names)


def replace_env(base: Sequence[str], changes: Sequence[str]) -> list[str]:
    """Return ``base`` with the same names replaced in place, new ones appended, and bare NAMEs taken away."""
    found: dict[str, str] = {text.partition("=")[0]: text for text in base}
    for text in changes:
        name, equals, _ = text.partition("=")
        if equals:
            found[name] = text
        else:
            found.pop(name, None)
    return list(found.values())


def _ports(options: CreateOptions, image: Sequence[str]) -> tuple[str, ...]:
    if not (options.publish or options.expose or image):
        return ()
    found = [text if "/" in text else f"{text}/tcp" for text in image]
    found.extend(options.expose)
    found.extend(f"{port.container_port}/{port.proto}" for port in options.publish)
    return tuple(dict.fromkeys(found))


def _mounts(options: CreateOptions, image: Sequence[str]) -> tuple[Mount, ...]:
    """Return one mount for each target: the first that names it (--volumes-from comes after -v)."""
    if not (image or options.volume or options.mount):
        return ()
    found = dict.fromkeys(options.tmpfs)
    for mount in options.volume + options.mount:
        found.setdefault(mount.target, mount)
    for path in image:
        target = _volume_target(path)
        if target not in found:
            found[target] = Mount(type="volume", target=target, driver=options.volume_driver, from_image=True)
    return tuple(mount for mount in found.values() if mount is not None)


def _volume_target(path: str) -> str:
    import posixpath

    target = "/" + posixpath.normpath(path).lstrip("/")
    if target == "/" or ".." in path.split("/") or "\0" in path:
        raise InvalidArgument(
            f"the image declares a volume at '{path}': invalid mount path",
            hint="rebuild the image with a VOLUME below /",
        )
    return target


def _health(own: HealthCheck | None, image: dict[str, Any] | None) -> HealthCheck | None:
    if not image:
        return own
    inherited = HealthCheck(
        test=tuple(image.get("Test") or ()),
        interval=image.get("Interval") or 0,
        timeout=image.get("Timeout") or 0,
        start_period=image.get("StartPeriod") or 0,
        start_interval=image.get("StartInterval") or 0,
        retries=image.get("Retries") or 0,
    )
    if own is None:
        return inherited
    values = inherited.to_dict() | {name: value for name, value in own.to_dict().items() if value}
    return HealthCheck.from_dict(values)
