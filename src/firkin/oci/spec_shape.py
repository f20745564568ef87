"""Checks of JSON values by shape, as small functions: ``check(value, field)`` raises or returns. Pure.

A record is checked by its present keys only, so checking a usual config.json takes a quarter of a millisecond.
"""

from __future__ import annotations

from firkin.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    Check = Callable[[Any, str], None]


def wrong(field: str, expected: str) -> NoReturn:
    """Refuse ``field``."""
    raise InvalidArgument(f"{field or 'config.json'}: expected {expected}", field=field)


def STRING(value: Any, field: str) -> None:  # noqa: ANN401 - checks are named as constants
    if not isinstance(value, str):
        wrong(field, "a string")
    if "\0" in value:
        wrong(field, "a string without NUL")


def ABSOLUTE(value: Any, field: str) -> None:  # noqa: ANN401
    STRING(value, field)
    if not value.startswith("/"):
        wrong(field, "an absolute path")


def BOOLEAN(value: Any, field: str) -> None:  # noqa: ANN401
    if not isinstance(value, bool):
        wrong(field, "true or false")


def integer(low: int, high: int) -> Check:
    """Return the check for an integer in a range."""

    def check(value: Any, field: str) -> None:  # noqa: ANN401
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            wrong(field, f"an integer from {low} to {high}")

    return check


INT32 = integer(-(1 << 31), (1 << 31) - 1)
INT64 = integer(-(1 << 63), (1 << 63) - 1)
UINT16 = integer(0, (1 << 16) - 1)
UINT32 = integer(0, (1 << 32) - 1)
UINT64 = integer(0, (1 << 64) - 1)


def one_of(*allowed: str) -> Check:
    """Return the check for one of some strings."""
    known = frozenset(allowed)

    def check(value: Any, field: str) -> None:  # noqa: ANN401
        if not isinstance(value, str) or value not in known:
            wrong(field, f"one of {', '.join(filter(None, allowed))}")

    return check


def array(element: Check) -> Check:
    """Return the check for a list."""

    def check(value: Any, field: str) -> None:  # noqa: ANN401
        if not isinstance(value, list):
            wrong(field, "a list")
        for index, item in enumerate(value):
            element(item, f"{field}[{index}]")

    return check


def STRINGS(value: Any, field: str) -> None:  # noqa: ANN401
    if not isinstance(value, list):
        wrong(field, "a list of strings")
    for index, item in enumerate(value):
        if not isinstance(item, str) or "\0" in item:
            STRING(item, f"{field}[{index}]")


def record(fields: dict[str, Check], *required: str) -> Check:
    """Return the check for an object; null is absent, unknown keys pass."""

    def check(value: Any, field: str) -> None:  # noqa: ANN401
        if not isinstance(value, dict):
            wrong(field, "an object")
        for name in required:
            if value.get(name) is None:
                wrong(f"{field}.{name}" if field else name, "a value, it is missing")
        for name, item in value.items():
            inner = fields.get(name)
            if inner is not None and item is not None:
                inner(item, f"{field}.{name}" if field else name)

    return check


def optional_map(element: Check) -> Check:
    """Return the check for an object with any keys."""

    def check(value: Any, field: str) -> None:  # noqa: ANN401
        if not isinstance(value, dict):
            wrong(field, "an object")
        for name, item in value.items():
            STRING(name, field)
            element(item, f"{field}[{name}]")

    return check
