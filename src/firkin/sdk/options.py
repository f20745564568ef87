"""Keyword arguments of ``run`` and ``create`` -> CreateOptions.

The names are the flags of ``firkin run`` in snake_case; values are what a Python programmer would write: text as on
the command line, numbers, lists, dicts, or the typed records of firkin.specgen.options.

    memory="64m" | 67108864            environment={"A": "b"} | ["A=b"]       (also env=)
    cpus=1.5 | "1.5"                   ports={"80/tcp": 8080} | ["8080:80"]   (also publish=)
    volumes=["data:/data:ro"]          mounts=["type=tmpfs,target=/x"]        (also volume=, mount=)
    tmpfs=["/run"] | {"/run": "size=1m"}   labels={"a": "b"} | ["a=b"]        (also label=)
    ulimits=["nofile=1024"]            devices=["/dev/fuse"]                  security_opt=["no-new-privileges"]
"""

from __future__ import annotations

import os

from firkin.errors import InvalidArgument
from firkin.specgen.options import CreateOptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ALIASES = {
    "environment": "env", "ports": "publish", "volumes": "volume", "mounts": "mount", "labels": "label",
    "annotations": "annotation", "ulimits": "ulimit", "devices": "device", "sysctls": "sysctl",
    "working_dir": "workdir", "network_mode": "network", "extra_hosts": "add_host", "remove": "rm", "auto_remove": "rm",
    "pid_mode": "pid", "ipc_mode": "ipc", "userns_mode": "userns", "mem_limit": "memory", "stdin_open": "interactive",
}  # fmt: skip


# Of the command line alone: here the program itself is what they speak of.
NOT_HERE = {
    "attach": "use logs(follow=True) and stdin",
    "detach": "it is an argument of run itself",
    "detach_keys": "there is no terminal",
    "sig_proxy": "use kill()",
    "cidfile": "the id is container.id",
    "pull": "load the image first",
    "quiet": "nothing is printed",
}


def create_options(
    image: object, command: str | Sequence[str] | None, options: Mapping[str, object]
) -> CreateOptions:
    """Return the checked options. Raises InvalidArgument naming the argument."""
    reference = getattr(image, "id", image)  # an Image as well as its name
    if not isinstance(reference, str) or not reference:
        raise InvalidArgument(f"image must be a name, not {image!r}", hint='for example "busybox" or "host"')
    values: dict[str, object] = {"image": reference, "command": words(command)}
    for given, value in options.items():
        name = ALIASES.get(given, given)
        if name in NOT_HERE:
            raise InvalidArgument(f"{given} is for the command line", hint=NOT_HERE[name])
        if name not in CreateOptions._fields or name in ("image", "command"):
            raise InvalidArgument(f"run has no option {given!r}", hint=_nearest(given))
        if value is None:
            continue
        try:
            values[name] = _convert(name, value)
        except (TypeError, ValueError, AttributeError, KeyError) as error:
            raise InvalidArgument(
                f"{given}={value!r}: {error}", hint="see help(firkin.sdk.keywords)"
            ) from error
    return CreateOptions(**values)  # type: ignore[arg-type]  # each value went through its converter


def words(command: object) -> tuple[str, ...]:
    """Return argv: a list as it is, a string split as a shell splits words (nothing is expanded)."""
    if command is None:
        return ()
    if isinstance(command, str):
        import shlex

        try:
            return tuple(shlex.split(command))
        except ValueError as error:
            raise InvalidArgument(f"command {command!r}: {error}", hint="give a list of words") from None
    if isinstance(command, bytes) or not hasattr(command, "__iter__"):
        raise InvalidArgument(f"command {command!r} is neither a text nor a list of texts")
    return tuple(
        os.fsdecode(word) if isinstance(word, bytes | os.PathLike) else str(word) for word in command
    )


def _convert(name: str, value: object) -> object:
    converter = _converters().get(name)
    if converter is not None:
        return converter(value)
    default = CreateOptions._defaults.get(name)
    if isinstance(default, bool) or name in ("init",):
        return bool(value)
    if isinstance(default, int) or name in ("stop_timeout", "memory_swappiness", "pids_limit"):
        return int(value)  # type: ignore[call-overload]  # object: what cannot be converted raises
    if isinstance(default, tuple):
        return tuple(str(item) for item in _items(value))
    if isinstance(default, str):
        return str(value)
    return value


def _items(value: object) -> list[object]:
    return [value] if isinstance(value, str) or not hasattr(value, "__iter__") else list(value)


def _each(parse: Callable[[str], object]) -> Callable[[object], object]:
    """A list of texts is parsed one by one; records pass."""
    return lambda value: tuple(parse(item) if isinstance(item, str) else item for item in _items(value))


def _pairs(value: object) -> object:
    if isinstance(value, dict):
        return {str(key): "" if item is None else str(item) for key, item in value.items()}
    split = (str(item).partition("=") for item in _items(value))
    return {key: text for key, _, text in split}


def _tmpfs(value: object) -> object:
    if isinstance(value, dict):
        return {str(key): str(item or "") for key, item in value.items()}
    split = (str(item).partition(":") for item in _items(value))
    return {key: text for key, _, text in split}


def _env(value: object) -> object:
    if isinstance(value, dict):
        return tuple(f"{key}={item}" for key, item in value.items() if item is not None)
    return tuple(str(item) for item in _items(value))


def _ports(value: object) -> object:
    from firkin.specgen.parse_ports import parse_port

    texts: list[object] = []
    if isinstance(value, dict):
        for inside, outside in value.items():
            for one in outside if isinstance(outside, list) else [outside]:
                host = ":".join(str(part) for part in one) if isinstance(one, tuple) else str(one or "")
                texts.append(f"{host}:{inside}" if host else str(inside))
    else:
        texts = _items(value)
    found: list[object] = []
    for item in texts:
        found.extend(parse_port(item) if isinstance(item, str) else [item])
    return tuple(found)


def _size(value: object) -> object:
    from firkin.units import parse_size

    return parse_size(value) if isinstance(value, str) else int(value)  # type: ignore[call-overload]  # object: what cannot be converted raises


def _converters() -> dict[str, Callable[[object], object]]:
    from firkin.specgen import parse_limits, parse_modes, parse_mounts

    def volume(text: str) -> object:
        return parse_mounts.parse_volume(text, os.getcwd())

    def mount(text: str) -> object:
        return parse_mounts.parse_mount(text, os.getcwd())

    def read_profile(path: str) -> str:
        with open(path, encoding="utf-8") as stream:
            return stream.read()

    def security(value: object) -> object:
        texts = [item for item in _items(value) if isinstance(item, str)]
        return parse_modes.parse_security_opts(texts, read_profile) if texts else value

    def swap(value: object) -> object:
        return parse_limits.parse_memory_swap(str(value))

    throttles = {f"device_{way}_bps": _each(parse_limits.parse_throttle_bps) for way in ("read", "write")}
    throttles |= {f"device_{way}_iops": _each(parse_limits.parse_throttle_iops) for way in ("read", "write")}
    maps = {name: _each(parse_modes.parse_id_map) for name in ("uidmap", "gidmap")}
    pairs = dict.fromkeys(("label", "annotation", "sysctl", "storage_opt"), _pairs)
    sizes = dict.fromkeys(("memory", "memory_reservation", "kernel_memory", "shm_size"), _size)
    return {
        **throttles, **maps, **pairs, **sizes,
        "env": _env, "publish": _ports, "tmpfs": _tmpfs, "security_opt": security, "memory_swap": swap,
        "cpus": lambda value: parse_limits.parse_cpus(str(value)),
        "entrypoint": lambda value: words(value),
        "volume": _each(volume), "mount": _each(mount), "ulimit": _each(parse_limits.parse_ulimit),
        "device": _each(parse_limits.parse_device), "device_cgroup_rule": _each(parse_limits.parse_device_rule),
        "blkio_weight_device": _each(parse_limits.parse_weight_device),
        "time_offset": _each(parse_modes.parse_time_offset),
        "log": _record("LogConfig"), "healthcheck": _record("HealthCheck"),
        "restart": lambda value: parse_modes.parse_restart(value) if isinstance(value, str) else value,
    }  # fmt: skip


def _record(kind: str) -> Callable[[object], object]:
    """A mapping with the record's fields is as good as the record."""
    from firkin.specgen import options

    cls: type[options.Stored] = getattr(options, kind)

    def convert(value: object) -> object:
        if isinstance(value, dict):
            return cls.from_dict(value)
        if not isinstance(value, cls):
            raise TypeError(f"it must be a {kind} of firkin.specgen.options, or a dict with its fields")
        return value

    return convert


def _nearest(name: str) -> str:
    import difflib

    close = difflib.get_close_matches(name, [*(set(CreateOptions._fields) - set(NOT_HERE)), *ALIASES], 1, 0.7)
    return f"did you mean {close[0]!r}?" if close else "see help(firkin.sdk.keywords)"
