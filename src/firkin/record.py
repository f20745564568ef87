"""Frozen values with named fields, at a fraction of dataclasses' import price.

    class Lease(Record):
        network: str
        address: str
        ports: tuple[int, ...] = ()

``dataclasses`` compiles each class anew with exec(): 60 frozen classes cost 70 ms at import. A Record
reads its annotations once and shares one ``__init__``; type checkers see a dataclass all the same
(PEP 681). A list or dict default is copied for each instance.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar, Self, dataclass_transform
else:

    def dataclass_transform(**_: object):  # noqa: ANN201 - the run-time shadow of typing's
        return lambda cls: cls


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Record:
    """Base of all values that cross a room's border; fields are keyword-only."""

    _fields: ClassVar[tuple[str, ...]] = ()
    _defaults: ClassVar[dict[str, Any]] = {}
    _copied: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        own = cls.__dict__.get("__annotations__", {})  # noqa: RUF063 - the inspect module costs 15 ms
        names = [n for n in own if not str(own[n]).startswith("ClassVar")]
        cls._fields = (*cls._fields, *(n for n in names if n not in cls._fields))
        cls._defaults = {**cls._defaults, **{n: cls.__dict__[n] for n in names if n in cls.__dict__}}
        cls._copied = tuple(n for n, v in cls._defaults.items() if isinstance(v, list | dict))

    if not TYPE_CHECKING:

        def __init__(self, **values: object) -> None:
            state = self.__dict__
            state.update(self._defaults)
            for name in self._copied:
                if name not in values:
                    state[name] = state[name].copy()
            state.update(values)
            if len(state) != len(self._fields) or not values.keys() <= set(self._fields):
                self._complain(values)

    def _complain(self, values: dict[str, object]) -> None:
        missing = [n for n in self._fields if n not in self.__dict__]
        unknown = [n for n in values if n not in self._fields]
        what = f"missing {missing}" if missing else f"unknown {unknown}"
        raise TypeError(f"{type(self).__name__}: {what}")

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: use replace({name}=...)")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash((type(self), tuple(self.__dict__[n] for n in self._fields)))

    def __repr__(self) -> str:
        inner = ", ".join(f"{n}={self.__dict__[n]!r}" for n in self._fields)
        return f"{type(self).__name__}({inner})"

    def replace(self, **changes: object) -> Self:
        """Return a copy with ``changes``."""
        return type(self)(**{**self.__dict__, **changes})

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able mapping (nested records and tuples included)."""
        return {name: _plain(self.__dict__[name]) for name in self._fields}


def _plain(value: Any) -> Any:  # noqa: ANN401 - JSON is anything
    if isinstance(value, Record):
        return value.to_dict()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value
