"""What was typed after create or run -> CreateOptions. Only here are environment and files of the caller read."""

from __future__ import annotations

import os

from firkin.cli.create_flags import WINDOWS
from firkin.errors import InvalidArgument, Unsupported
from firkin.specgen.options import CreateOptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from firkin.cli.command import Call
    from firkin.oci.platform import Platform
    from firkin.specgen.options import Mount

_SPECIAL = frozenset((
    "annotation", "cpu-count", "cpu-percent", "disable-content-trust", "dns-opt", "entrypoint", "env", "env-file",
    "expose", "health-cmd", "health-interval", "health-retries", "health-start-interval", "health-start-period",
    "health-timeout", "io-maxbandwidth", "io-maxiops", "label", "label-file", "log-driver", "log-opt",
    "memory-swappiness", "net", "net-alias", "network", "no-healthcheck", "publish", "security-opt", "storage-opt",
    "sysctl", "tmpfs", "use-api-socket", "volume",
))  # fmt: skip


def create_options(call: Call) -> CreateOptions:
    """Return the options of ``create`` and ``run``. Raises InvalidArgument, Unsupported."""
    typed = call.values
    _refuse(typed)
    fields: dict[str, Any] = {
        name.replace("-", "_"): tuple(value) if isinstance(value, list) else value
        for name, value in typed.items()
        if name not in _SPECIAL
    }
    _process(typed, fields)
    _pairs(typed, fields)
    _network(typed, fields)
    if "volume" in typed:
        fields["volume"] = _volumes(typed["volume"], typed.get("volume-driver", ""))
    if "security-opt" in typed:
        from firkin.specgen.parse_modes import parse_security_opts

        fields["security_opt"] = parse_security_opts(typed["security-opt"], _read_text)
    if "memory-swappiness" in typed:
        from firkin.specgen.parse_modes import parse_swappiness

        fields["memory_swappiness"] = parse_swappiness(typed["memory-swappiness"])
    options = CreateOptions(image=call.words[0], command=tuple(call.words[1:]), **fields)
    _check(options)
    return options


def _refuse(typed: Mapping[str, Any]) -> None:
    for name in WINDOWS:
        if name in typed:
            raise Unsupported(f"--{name} is for Windows containers", hint="leave it out")
    if typed.get("use-api-socket"):
        raise Unsupported("--use-api-socket needs an API server, firkin has no daemon", hint="leave it out")


def _check(options: CreateOptions) -> None:
    if options.rm and options.restart.name != "no":
        raise InvalidArgument(
            "conflicting options: cannot specify both --restart and --rm", hint="leave one of them out"
        )
    if options.detach and options.attach:
        raise InvalidArgument(
            "conflicting options: cannot specify both --attach and --detach", hint="leave one of them out"
        )
    if options.pull not in ("always", "missing", "never", ""):
        raise InvalidArgument(
            f'invalid pull option: \'{options.pull}\': must be one of "always", "missing" or "never"'
        )
    if options.pull == "always":
        raise Unsupported(
            "--pull always: firkin asks no registries yet", hint="firkin load the image, and leave --pull out"
        )


def _process(typed: Mapping[str, Any], fields: dict[str, Any]) -> None:
    if "entrypoint" in typed:
        fields["entrypoint"] = (typed["entrypoint"],) if typed["entrypoint"] else ()
    if "env" in typed or "env-file" in typed:
        fields["env"] = environment(typed.get("env-file", ()), typed.get("env", ()))
    health = {
        name[7:].replace("-", "_"): value for name, value in typed.items() if name.startswith("health-")
    }
    if health or typed.get("no-healthcheck"):
        from firkin.specgen.parse_modes import make_healthcheck

        fields["healthcheck"] = make_healthcheck(**health, disable=bool(typed.get("no-healthcheck")))
    if "log-driver" in typed or "log-opt" in typed:
        from firkin.specgen.options import LogConfig

        fields["log"] = LogConfig(driver=typed.get("log-driver", ""), opts=dict(typed.get("log-opt", ())))


def _pairs(typed: Mapping[str, Any], fields: dict[str, Any]) -> None:
    for name in ("annotation", "storage-opt", "sysctl", "tmpfs"):
        if name in typed:
            fields[name.replace("-", "_")] = dict(typed[name])
    if "label" in typed or "label-file" in typed:
        labels: dict[str, str] = {}
        for path in typed.get("label-file", ()):
            from firkin.specgen.parse_lines import parse_label_file

            labels.update(parse_label_file(_read(path), path))
        labels.update(typed.get("label", ()))
        fields["label"] = labels


def _network(typed: Mapping[str, Any], fields: dict[str, Any]) -> None:
    for name in ("publish", "expose"):  # one text may stand for a range of ports
        if name in typed:
            fields[name] = tuple(port for ports in typed[name] for port in ports)
    networks = [*typed.get("net", ()), *typed.get("network", ())]
    if len(networks) > 1:
        raise Unsupported("a container has one network here", hint="give --network once")
    if networks:
        fields["network"] = networks[0]
    for hidden, name in (("net-alias", "network_alias"), ("dns-opt", "dns_option")):
        if hidden in typed:
            fields[name] = (*fields.get(name, ()), *typed[hidden])


def environment(files: Iterable[str], typed: Iterable[str]) -> tuple[str, ...]:
    """Return the variables of --env-file, then those of -e. Raises InvalidArgument."""
    found: list[str] = []
    for path in files:
        from firkin.specgen.parse_lines import parse_env_file

        found.extend(parse_env_file(_read(path), path, os.environ))
    return (*found, *typed)


def _volumes(texts: Iterable[str], driver: str) -> tuple[Mount, ...]:
    from firkin.specgen.parse_mounts import parse_volume

    return tuple(parse_volume(text, os.getcwd(), driver) for text in texts)


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except OSError as error:
        raise InvalidArgument(
            f"open {path}: {(error.strerror or str(error)).lower()}", hint="name a file that can be read"
        ) from error


def _read_text(path: str) -> str:
    with open(path, encoding="utf-8", errors="surrogateescape") as stream:
        return stream.read()


# Readers (create_flags.READERS) that need more than the text.


def env(text: str) -> str:
    from firkin.specgen.parse_lines import parse_env

    return parse_env(text, os.environ)


def platform(text: str) -> Platform | None:
    from firkin.oci.platform import parse_platform

    return parse_platform(text) if text else None


def annotation(text: str) -> tuple[str, str]:
    from firkin.specgen.parse_lines import parse_label

    return parse_label(text, "annotation")


def mount(text: str) -> Mount:
    from firkin.specgen.parse_mounts import parse_mount

    return parse_mount(text, os.getcwd())


def log_opt(text: str) -> tuple[str, str]:
    from firkin.specgen.parse_lines import parse_option

    return parse_option(text, "log")


def storage_opt(text: str) -> tuple[str, str]:
    from firkin.specgen.parse_lines import parse_option

    return parse_option(text, "storage")


def _mode(flag: str, text: str) -> str:
    from firkin.specgen.parse_modes import parse_mode

    return parse_mode(flag, text)


def cgroupns(text: str) -> str:
    return _mode("cgroupns", text)


def ipc(text: str) -> str:
    return _mode("ipc", text)


def pid(text: str) -> str:
    return _mode("pid", text)


def userns(text: str) -> str:
    return _mode("userns", text)


def uts(text: str) -> str:
    return _mode("uts", text)
