"""NAME=VALUE lists: -e, --env-file, --label, --label-file, --annotation, --log-opt, --storage-opt, --sysctl. Pure."""

from __future__ import annotations

from firkin.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# What docker lets through; the rest is not in a namespace of the container.
SYSCTLS = (
    "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall", "kernel.shmmax",
    "kernel.shmmni", "kernel.shm_rmid_forced",
)  # fmt: skip
SYSCTL_PREFIXES = ("net.", "fs.mqueue.")


def parse_env(text: str, environ: Mapping[str, str]) -> str:
    """Return ``NAME=VALUE`` for one -e; a bare NAME takes the caller's value, and stays bare without one.

    Raises InvalidArgument.
    """
    name, equals, _ = text.partition("=")
    if not name:
        if not text:
            raise InvalidArgument("invalid environment variable: ''", hint="write it like NAME=VALUE")
        raise InvalidArgument(f"invalid environment variable: {text}", hint="write it like NAME=VALUE")
    _no_nul(text, "environment variable")
    if not equals and name in environ:
        return f"{name}={environ[name]}"
    return text


def parse_env_file(data: bytes, path: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the variables of an --env-file; a bare NAME that the caller lacks is left out. Raises InvalidArgument."""
    return tuple(
        line if "=" in line else f"{line}={environ[line]}"
        for line in _lines(data, path)
        if "=" in line or line in environ
    )


def parse_label_file(data: bytes, path: str) -> dict[str, str]:
    """Return the labels of a --label-file. Raises InvalidArgument."""
    pairs = (line.partition("=") for line in _lines(data, path))
    return {name: value for name, _, value in pairs}


def _lines(data: bytes, path: str) -> Iterable[str]:
    invalid = f"invalid env file ({path})"
    try:
        text = data.removeprefix(b"\xef\xbb\xbf").decode()
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        raise InvalidArgument(
            f"{invalid}: invalid utf8 bytes at line {number}", hint="save it as UTF-8"
        ) from None
    for raw in text.split("\n"):
        line = raw.removesuffix("\r").lstrip()
        if not line or line.startswith("#"):
            continue
        name, equals, _ = line.partition("=")
        if not name:
            raise InvalidArgument(f"{invalid}: no variable name on line '{line}'", hint="write NAME=VALUE")
        if not equals:
            line = name = name.rstrip()
        if any(c.isspace() for c in name):
            raise InvalidArgument(
                f"{invalid}: variable '{name}' contains whitespaces", hint="write NAME=VALUE"
            )
        _no_nul(line, invalid)
        yield line


def _no_nul(text: str, what: str) -> None:
    if "\0" in text:
        raise InvalidArgument(f"{what}: a NUL byte is not allowed", hint="remove it")


def parse_label(text: str, what: str = "label") -> tuple[str, str]:
    """Return (name, value) of one --label or --annotation; the value may be missing. Raises InvalidArgument."""
    name, _, value = text.partition("=")
    if not name.strip():
        raise InvalidArgument(f"invalid {what} '{text}': empty name", hint="write it like name=value")
    return name, value


def parse_option(text: str, what: str) -> tuple[str, str]:
    """Return (name, value) of one --log-opt or --storage-opt, where the value must be there."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise InvalidArgument(f"invalid {what} option", hint="write it like name=value")
    return name, value


def parse_sysctl(text: str) -> tuple[str, str]:
    """Return (name, value) of one --sysctl, if the container can have a value of its own. Raises InvalidArgument."""
    name, equals, value = text.partition("=")
    name = name.strip()
    if not equals or not (name in SYSCTLS or name.startswith(SYSCTL_PREFIXES)):
        raise InvalidArgument(
            f"sysctl '{text}' is not allowed",
            hint="use kernel.shm*, kernel.msg*, kernel.sem, fs.mqueue.* or net.*",
        )
    if "/" in name or ".." in name:
        raise InvalidArgument(f"sysctl '{text}' is not allowed", hint="write the name with single dots")
    _no_nul(value, f"sysctl {name}")
    return name, value.strip()
