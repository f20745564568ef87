"""Platforms: ``linux/arm64/v8``, and which one of an image's fits a machine (containerd's platforms package). Pure."""

from __future__ import annotations

import os

from firkin.errors import InvalidArgument
from firkin.record import Record

_MACHINES = {"x86_64": ("amd64", ""), "amd64": ("amd64", ""), "aarch64": ("arm64", "v8"), "arm64": ("arm64", "v8"),
             "armv7l": ("arm", "v7"), "armhf": ("arm", "v7"), "armv6l": ("arm", "v6"), "i386": ("386", ""),
             "i686": ("386", ""), "ppc64le": ("ppc64le", ""), "s390x": ("s390x", ""), "riscv64": ("riscv64", ""),
             "loongarch64": ("loong64", ""), "mips64": ("mips64", "")}  # fmt: skip
# What else a machine runs, best first.
_ALSO = {"amd64": ("386",), "arm64": ("arm",)}
_DEFAULT_VARIANT = {"arm64": "v8", "arm": "v7", "amd64": "v1"}


class Platform(Record):
    os: str
    architecture: str
    variant: str = ""
    os_version: str = ""
    os_features: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


def normalized(os_name: str, architecture: str, variant: str = "") -> Platform:
    """Return the platform with Go's names (x86_64 is amd64, aarch64 is arm64)."""
    machine, implied = _MACHINES.get(architecture.lower(), (architecture.lower(), ""))
    chosen = variant.lower() or (implied if machine == "arm" else "")
    if machine == "arm64" and chosen in {"8", "v8"}:
        chosen = ""
    if machine == "amd64" and chosen == "v1":
        chosen = ""
    return Platform(os=os_name.lower() or "linux", architecture=machine, variant=chosen)


def host_platform() -> Platform:
    """Return this machine's."""
    return normalized("linux", os.uname().machine)


def parse_platform(text: str) -> Platform:
    """Return ``os/arch[/variant]``, or ``os`` or ``arch`` alone completed by the host's. Raises InvalidArgument."""
    parts = text.split("/")
    allowed = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")
    if not 1 <= len(parts) <= 3 or not all(part and allowed.issuperset(part) for part in parts):
        raise InvalidArgument(
            f"invalid platform {text!r}", hint="write it like linux/amd64 or linux/arm64/v8"
        )
    if len(parts) == 1:
        if parts[0].lower() in {"linux", "windows", "darwin", "freebsd"}:
            return normalized(parts[0], os.uname().machine)
        return normalized("linux", parts[0])
    return normalized(parts[0], parts[1], parts[2] if len(parts) == 3 else "")


def rank(found: Platform, wanted: Platform) -> int | None:
    """Return how well ``found`` suits ``wanted`` (0 is exact, higher is worse), or None if it cannot run there."""
    mine = normalized(found.os, found.architecture, found.variant)
    if mine.os != wanted.os:
        return None
    if mine.architecture == wanted.architecture:
        have, most = _level(mine), _level(wanted)
        return most - have if have <= most else None
    also = _ALSO.get(wanted.architecture, ())
    if mine.architecture not in also:
        return None
    top = 8 if mine.architecture == "arm" else 0
    return 100 + max(0, top - _level(mine))


def _level(platform: Platform) -> int:
    text = (platform.variant or _DEFAULT_VARIANT.get(platform.architecture, "")).lstrip("v")
    return int(text) if text.isascii() and text.isdigit() else 0
