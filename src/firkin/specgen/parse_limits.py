"""Amounts: --memory-swap, --cpus, --ulimit, --device-read-bps and kin, --device, --device-cgroup-rule."""

from __future__ import annotations

import posixpath

from firkin.errors import InvalidArgument
from firkin.specgen.options import DeviceMapping, DeviceRule, Throttle, Ulimit
from firkin.units import parse_size

BILLION = 1_000_000_000
RLIMITS = (
    "as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss",
    "rtprio", "rttime", "sigpending", "stack",
)  # fmt: skip


def parse_int(text: str, least: int = -(1 << 63), most: int = (1 << 63) - 1) -> int | None:
    """Return a decimal number as Go's ParseInt does (no spaces, no underscores), None when it is none."""
    digits = text[1:] if text[:1] in ("+", "-") else text
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 20):
        return None
    value = int(text)
    return value if least <= value <= most else None


def parse_memory_swap(text: str) -> int:
    """Return bytes; ``-1`` is unlimited. Raises InvalidArgument."""
    return -1 if text == "-1" else parse_size(text)


def parse_cpus(text: str) -> int:
    """Return billionths of a CPU for ``1.5``, ``.5``, ``1/2`` or ``15e-1``. Raises InvalidArgument."""
    above, slash, below = text.partition("/")
    divisor = 1
    scaled = _decimal(above)
    if slash:
        divisor = int(below) if below.isascii() and below.isdigit() and len(below) < 20 else 0
    if scaled is None or not divisor:
        raise InvalidArgument(f"failed to parse {text} as a rational number", hint="write it like 1.5")
    mantissa, exponent = scaled
    numerator, denominator = mantissa * BILLION, divisor
    if exponent >= 0:
        numerator *= 10**exponent
    else:
        denominator *= 10**-exponent
    value, rest = divmod(numerator, denominator)
    if rest:
        raise InvalidArgument("value is too precise", hint="use at most nine digits after the point")
    return value


def _decimal(text: str) -> tuple[int, int] | None:
    """Return (mantissa, exponent of ten) or None."""
    number, e, power = text.lower().partition("e")
    exponent = parse_int(power, -18, 18) if e else 0
    sign = -1 if number.startswith("-") else 1
    whole, _, fraction = number.lstrip("+-").partition(".")
    digits = whole + fraction
    if exponent is None or not (digits.isascii() and digits.isdigit() and len(digits) <= 40):
        return None
    return sign * int(digits), exponent - len(fraction)


def parse_ulimit(text: str) -> Ulimit:
    """Return ``nofile=1024[:2048]``; -1 is unlimited. Raises InvalidArgument with go-units' texts."""
    name, equals, amounts = text.partition("=")
    hint = "write it like nofile=1024:2048 (soft:hard)"
    if not equals or not name:
        raise InvalidArgument(f"invalid ulimit argument: {text}", hint=hint)
    if name not in RLIMITS:
        raise InvalidArgument(f"invalid ulimit type: {name}", hint=f"use one of {', '.join(RLIMITS)}")
    parts = amounts.split(":")
    if len(parts) > 2:
        raise InvalidArgument(f"too many limit value arguments - {amounts}, can only have up to two, `soft[:hard]`",
                              hint=hint)  # fmt: skip
    numbers = [parse_int(part) for part in parts]
    soft, hard = numbers[0], numbers[-1]
    if soft is None or hard is None:
        raise InvalidArgument(f'invalid ulimit "{text}": "{amounts}" is not a number', hint=hint)
    if hard != -1 and (soft > hard or soft == -1):
        raise InvalidArgument(
            f"ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}",
            hint="raise the hard limit",
        )
    return Ulimit(name=name, soft=soft, hard=hard)


def _device_and(text: str) -> tuple[str, str]:
    path, colon, amount = text.partition(":")
    if not colon or not path or not amount:
        raise InvalidArgument(f"bad format: {text}", hint="write it like /dev/sda:AMOUNT")
    if not path.startswith("/dev/"):
        raise InvalidArgument(f"bad format for device path: {text}", hint="the path begins with /dev/")
    return path, amount


def parse_throttle_bps(text: str) -> Throttle:
    """Return the Throttle of ``/dev/sda:10mb``. Raises InvalidArgument."""
    path, amount = _device_and(text)
    try:
        return Throttle(path=path, rate=parse_size(amount))
    except InvalidArgument:
        raise InvalidArgument(
            f"invalid rate for device: {text}. The correct format is <device-path>:<number>[<unit>]. Number must be "
            "a positive integer. Unit is optional and can be kb, mb, or gb",
            hint="write it like /dev/sda:10mb",
        ) from None


def parse_throttle_iops(text: str) -> Throttle:
    """Return the Throttle of ``/dev/sda:1000``. Raises InvalidArgument."""
    path, amount = _device_and(text)
    rate = parse_int(amount, 0)
    if rate is None:
        raise InvalidArgument(
            f"invalid rate for device: {text}. The correct format is <device-path>:<number>. Number must be a positive "
            "integer",
            hint="write it like /dev/sda:1000",
        )
    return Throttle(path=path, rate=rate)


def parse_weight_device(text: str) -> Throttle:
    """Return path and weight (0 or 10 to 1000) of one --blkio-weight-device. Raises InvalidArgument."""
    path, amount = _device_and(text)
    weight = parse_int(amount, 0, 1000)
    if weight is None or 0 < weight < 10:
        raise InvalidArgument(f"invalid weight for device: {text}", hint="a weight is from 10 to 1000")
    return Throttle(path=path, rate=weight)


def _is_access(text: str) -> bool:
    return bool(text) and not text.strip("rwm") and len(set(text)) == len(text)


def parse_device(text: str) -> DeviceMapping:
    """Return ``/dev/a[:/dev/b][:rwm]``. Raises InvalidArgument."""
    parts = text.split(":")
    hint = "write it like /dev/fuse, /dev/sda:/dev/xvda or /dev/sda:r"
    if not 1 <= len(parts) <= 3 or not all(parts):
        raise InvalidArgument(f"bad format for path: {text}", hint=hint)
    access, inside = "rwm", parts[0]
    if len(parts) == 2 and _is_access(parts[1]):
        access = parts[1]
    elif len(parts) >= 2:
        inside = parts[1]
    if len(parts) == 3:
        access = parts[2]
        if not _is_access(access):
            raise InvalidArgument(f"bad mode specified: {access}", hint="a mode is made of r, w and m")
    if not inside.startswith("/"):
        raise InvalidArgument(f"{inside} is not an absolute path", hint=hint)
    if not parts[0].startswith("/"):
        raise InvalidArgument(f"{parts[0]} is not an absolute path", hint=hint)
    return DeviceMapping(
        path_on_host=parts[0], path_in_container=posixpath.normpath(inside), permissions=access
    )


def parse_device_rule(text: str) -> DeviceRule:
    """Return ``c 1:3 rwm``; ``*`` is all. Raises InvalidArgument."""
    words = text.split(" ")
    if len(words) == 3:
        major, _, minor = words[1].partition(":")
        numbers = [-1 if n == "*" else parse_int(n, 0, (1 << 32) - 1) for n in (major, minor)]
        if words[0] in ("a", "b", "c") and _is_access(words[2]) and None not in numbers:
            first, second = numbers
            return DeviceRule(type=words[0], major=first or 0, minor=second or 0, access=words[2])
    raise InvalidArgument(f"invalid device cgroup format '{text}'", hint="write it like 'c 13:* rwm'")


def parse_cpuset(text: str, present: int = 0) -> str:
    """Return ``0-3,5`` unchanged if it is a list of numbers and ranges. Raises InvalidArgument.

    None may be ``present`` or more, where that is given.
    """
    for part in text.split(",") if text else ():
        first, dash, last = part.partition("-")
        start, end = parse_int(first, 0, 1 << 20), parse_int(last if dash else first, 0, 1 << 20)
        if start is None or end is None or end < start:
            raise InvalidArgument(f"invalid value {text} for cpuset", hint="write it like 0-3 or 0,2")
        if present and end >= present:
            raise InvalidArgument(
                f"Requested CPUs are not available - requested {text}, available: 0-{present - 1}",
                hint="choose from these",
            )
    return text
