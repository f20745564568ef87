"""How Go sees and prints our values: dicts are structs or maps, None is nil, and what was not there is no value.

Docker's API types tell structs (an unknown field is an error) from maps (a missing key is ``<no value>``); our JSON
does not, so MAPS names the fields that are maps, and OPTIONAL those that a struct may leave out.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

MAPS = frozenset((
    "Annotations", "Data", "DriverOpts", "ExposedPorts", "GwPriority", "Labels", "Metadata", "Networks", "Options",
    "PortBindings", "Ports", "StorageOpt", "Sysctls", "Tmpfs", "Volumes",
))  # fmt: skip
OPTIONAL = frozenset((
    "Annotations", "ArgsEscaped", "ClusterVolume", "Domainname", "Health", "Healthcheck", "Init", "MacAddress",
    "NetworkDisabled", "OnBuild", "Options", "Shell", "SizeRootFs", "SizeRw", "Status", "StopSignal", "StopTimeout",
    "UsageData",
))  # fmt: skip


class GoMap(dict[str, "Any"]):
    """A dict that is a map in Go."""


class Method:
    """A field that takes an argument, as ``{{.Label "name"}}``: a mapping, or a function for the headings."""

    def __init__(self, source: Mapping[str, str] | Callable[[str], str]) -> None:
        self._source = source

    def call(self, name: str) -> str:
        return self._source(name) if callable(self._source) else str(self._source.get(name, ""))


class NoValue:
    """What a missing key of a map gives."""

    def __bool__(self) -> bool:
        return False

    def __str__(self) -> str:
        return "<no value>"


NO_VALUE = NoValue()


def member(name: str, value: Any) -> Any:  # noqa: ANN401 - templates walk over anything
    """Return ``value`` as the field ``name`` holds it."""
    return GoMap(value) if name in MAPS and type(value) is dict else value


def kind(value: object) -> str:
    """Return Go's name of the value's type, as its messages show it."""
    for cls, name in (
        (bool, "bool"), (int, "int"), (float, "float64"), (str, "string"), (GoMap, "map[string]interface {}"),
        (dict, "struct"), ((list, tuple), "[]interface {}"), (NoValue, "<no value>"),
    ):  # fmt: skip
        if isinstance(value, cls):
            return name
    return "nil" if value is None else type(value).__name__


def show(value: object, *, inner: bool = False) -> str:
    """Return ``value`` as ``%v`` does."""
    if value is None:
        return "<nil>" if inner else "<no value>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return show_float(value)
    if isinstance(value, list | tuple):
        return f"[{' '.join(show(item, inner=True) for item in value)}]"
    if isinstance(value, GoMap):
        return f"map[{' '.join(f'{key}:{show(value[key], inner=True)}' for key in sorted(value))}]"
    if isinstance(value, dict):
        return f"{{{' '.join(show(member(key, item), inner=True) for key, item in value.items())}}}"
    return str(value)


def show_float(value: float) -> str:
    """Return a float as Go's %v: the shortest form, with an exponent below 1e-4 and from 1e21 (%v: 1e+06 as %g)."""
    text = repr(value)
    if text in ("inf", "-inf", "nan"):
        return {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}[text]
    digits, exponent = f"{value:.17e}".split("e")
    del digits
    power = int(exponent)
    if -4 <= power < 21 and not (power >= 6 and value == int(value) and len(str(int(value)).rstrip("0")) < 7):
        return text.removesuffix(".0") if "e" not in text else f"{value:.0f}"
    shortest = f"{float(text):.16e}"
    for precision in range(17):
        shortest = f"{value:.{precision}e}"
        if float(shortest) == value:
            break
    return shortest


def true(value: object) -> bool:
    """Say whether Go holds ``value`` for true; a struct always is."""
    return bool(value) or type(value) is dict


def compact(value: object) -> str:
    """Return ``value`` as Docker's ``json`` function does: maps by sorted key, structs in their order."""
    from firkin.cli.output import to_json

    return to_json(_sorted(value))


def _sorted(value: object, name: str = "") -> object:
    if isinstance(value, dict):
        plain = {key: _sorted(item, key) for key, item in value.items()}
        return dict(sorted(plain.items())) if isinstance(value, GoMap) or name in MAPS else plain
    if isinstance(value, list | tuple):
        return [_sorted(item) for item in value]
    return None if isinstance(value, NoValue) else value
