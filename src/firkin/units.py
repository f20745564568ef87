"""Sizes, durations and times as Docker's users write and read them. Pure."""

from __future__ import annotations

from firkin.errors import InvalidArgument

_BINARY = {"b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40, "p": 1 << 50}
_DECIMAL = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
_IEC = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_SECONDS = {"ns": 1, "us": 1_000, "µs": 1_000, "ms": 1_000_000, "s": 1_000_000_000,
            "m": 60_000_000_000, "h": 3_600_000_000_000}  # fmt: skip


def parse_size(text: str) -> int:
    """Return bytes for ``512``, ``64m``, ``1.5g``, ``2GB``, ``1 KiB`` (powers of 1024, as RAMInBytes).

    Raises InvalidArgument.
    """
    bare = text.strip().lower()
    number = bare.rstrip("abcdefghijklmnopqrstuvwxyz ")
    unit = bare[len(number) :].strip().removesuffix("b").removesuffix("i") or "b"
    try:
        value = float(number)
        factor = _BINARY[unit]
    except (ValueError, KeyError):
        raise InvalidArgument(f"invalid size: '{text}'", hint="write it like 64m or 1.5g") from None
    if not 0 <= value * factor < 1 << 63:
        raise InvalidArgument(f"invalid size: '{text}'", hint="sizes are from 0 to 8 EiB")
    return int(value * factor)


def human_size(count: float, digits: int = 4) -> str:
    """Return ``1.24MB`` as ``docker images`` does: powers of 1000, ``digits`` significant."""
    return _scaled(count, 1000.0, _DECIMAL, digits)


def iec_size(count: float, digits: int = 4) -> str:
    """Return ``64MiB`` as ``docker stats`` does: powers of 1024, ``digits`` significant."""
    return _scaled(count, 1024.0, _IEC, digits)


def _scaled(count: float, base: float, names: tuple[str, ...], digits: int) -> str:
    step = 0
    while count >= base and step < len(names) - 1:
        count /= base
        step += 1
    return f"{count:.{digits}g}{names[step]}"


def parse_duration(text: str) -> int:
    """Return nanoseconds for Go's ``1h30m``, ``10s``, ``1.5ms``, ``0``. Raises InvalidArgument."""
    rest, total = text.strip(), 0.0
    sign = -1 if rest.startswith("-") else 1
    rest = rest[1:] if rest[:1] in {"+", "-"} else rest
    if rest == "0":
        return 0
    if not rest:
        raise InvalidArgument(f'invalid duration "{text}"', hint="write it like 1m30s")
    while rest:
        number = rest[: len(rest) - len(rest.lstrip("0123456789."))]
        rest = rest[len(number) :]
        unit = rest[: len(rest) - len(rest.lstrip("nuµmsh"))]
        # "1m30s": the unit ends where the next digit begins, so lstrip took exactly one unit.
        rest = rest[len(unit) :]
        try:
            total += float(number) * _SECONDS[unit]
        except (ValueError, KeyError):
            raise InvalidArgument(
                f'invalid duration "{text}"', hint="write it like 1m30s, 500ms or 1h"
            ) from None
    return int(total) * sign


def human_duration(seconds: float) -> str:
    """Return ``About a minute``, ``3 hours``, ``2 weeks`` (Docker's HumanDuration)."""
    whole = int(seconds)
    minutes, hours = whole // 60, (whole + 1800) // 3600
    if whole < 1:
        return "Less than a second"
    if whole < 60:
        return "1 second" if whole == 1 else f"{whole} seconds"
    if minutes < 60:
        return "About a minute" if minutes == 1 else f"{minutes} minutes"
    if hours < 48:
        return "About an hour" if hours == 1 else f"{hours} hours"
    for limit, unit, name in ((24 * 7 * 2, 24, "days"), (24 * 30 * 2, 24 * 7, "weeks"),
                              (24 * 365 * 2, 24 * 30, "months")):  # fmt: skip
        if hours < limit:
            return f"{hours // unit} {name}"
    return f"{hours // 24 // 365} years"


def rfc3339(nanoseconds: int) -> str:
    """Return ``2026-11-24T12:00:00.000000001Z`` for nanoseconds since the epoch; 0 is Go's zero time."""
    import time

    if nanoseconds == 0:
        return "0001-01-01T00:00:00Z"
    seconds, fraction = divmod(nanoseconds, 1_000_000_000)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    tail = f".{fraction:09d}".rstrip("0") if fraction else ""
    return f"{stamp}{tail}Z"
